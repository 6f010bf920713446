//! A web server that answers as a test tells it, and remembers what it was asked.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a failed unwrap is the assertion"
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, Request, Uri};
use tokio::task::JoinHandle;

/// One server on a port of its own; dropping it ends it.
pub struct FakeWeb {
    /// `http://127.0.0.1:<port>`.
    pub base_url: String,
    shared: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    pages: HashMap<String, Page>,
    asked: Vec<Asked>,
}

/// What it was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Path and query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// When.
    pub at: Instant,
}

/// What it answers.
#[derive(Debug, Clone)]
pub struct Page {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    delay: Duration,
    /// Answers 304 to whoever names this tag.
    etag: Option<String>,
}

impl Page {
    /// 200 with this body.
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
            delay: Duration::ZERO,
            etag: None,
        }
    }

    /// A status without a body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::new("")
        }
    }

    /// A redirect.
    #[must_use]
    pub fn redirect(to: &str) -> Self {
        Self::status(302).header("location", to)
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// After a while.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// With an entity tag, which is heeded.
    #[must_use]
    pub fn tagged(mut self, tag: &str) -> Self {
        self.etag = Some(tag.to_owned());
        self.header("etag", tag)
    }
}

impl FakeWeb {
    /// Starts one without any page: it answers 404.
    pub async fn start() -> Self {
        let shared = Arc::new(Mutex::new(State::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let answering = shared.clone();
        let router = Router::new().fallback(move |request: Request<Body>| {
            let shared = answering.clone();
            let (head, _) = request.into_parts();
            async move { answer(&shared, &head.uri, &head.headers).await }
        });
        let serving = tokio::spawn(async move {
            let _ended = axum::serve(listener, router).await;
        });
        Self {
            base_url,
            shared,
            serving,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap()
    }

    /// Puts a page at a path, in the place of what is there; gives its address.
    pub fn put(&self, path: &str, page: Page) -> String {
        self.lock().pages.insert(path.to_owned(), page);
        format!("{}{path}", self.base_url)
    }

    /// What it was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    /// How often a path was asked for.
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        let asked = self.asked();
        asked.iter().filter(|asked| asked.path == path).count()
    }
}

impl Drop for FakeWeb {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(shared: &Mutex<State>, uri: &Uri, headers: &HeaderMap) -> Response {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let page = {
        let mut state = shared.lock().unwrap();
        state.asked.push(Asked {
            path: path.to_owned(),
            headers: headers.clone(),
            at: Instant::now(),
        });
        state.pages.get(path).cloned()
    };
    let mut page = page.unwrap_or_else(|| Page::status(404));
    tokio::time::sleep(page.delay).await;
    let named = headers.get("if-none-match");
    if let (Some(tag), Some(named)) = (&page.etag, named)
        && named.as_bytes() == tag.as_bytes()
    {
        page.status = 304;
        page.body.clear();
    }
    let mut response = Response::builder().status(page.status);
    for (name, value) in &page.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(page.body)).unwrap()
}

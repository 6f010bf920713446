//! Where strangers' documents are taken apart: nobody from outside gets there, and a document that
//! takes more than it may ends itself and no other.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::header::HOST;
use serde_json::Value;
use vivesphere_tests::app::App;
use vivesphere_tests::build::{self, Program, repository};

#[tokio::test]
async fn nobody_from_outside_gets_there() {
    let app = App::start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |path: &str, host: Option<&str>| {
        let mut request = client
            .post(format!("{}{path}", app.base_url))
            .body("<rss/>");
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let mut problem: Value = response.json().await.unwrap();
        problem["request_id"].take();
        (status, problem)
    };
    let unknown = ask("/no-such-thing", None).await;
    assert_eq!(unknown.0, 404);
    for path in [
        "/feed",
        "/page",
        "/hacker-news/list",
        "/hacker-news/item",
        "/x-trends",
        "/parser",
        "/parser/feed",
        "/internal/parser/feed",
    ] {
        for host in [None, Some("parser.spin.internal"), Some("self")] {
            assert_eq!(ask(path, host).await, unknown, "{path} {host:?}");
        }
    }
    for path in ["/api/v1/parser/feed", "/api/v1/feed"] {
        assert_eq!(ask(path, None).await, unknown, "{path}");
    }
}

/// The component by itself, with a route to it.
struct Alone {
    base_url: String,
    child: Child,
    client: reqwest::Client,
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

impl Alone {
    async fn start(place: &Path) -> Self {
        let program = tokio::task::spawn_blocking(build::everything)
            .await
            .unwrap();
        let (Program::Host(path) | Program::Spin { path, .. }) = program;
        let source = repository().join("target/wasm32-wasip2/release/parser.wasm");
        let manifest = format!(
            "spin_manifest_version = 2\n[application]\nname = \"parser\"\nversion = \"0.1.0\"\n\
             [[trigger.http]]\nroute = \"/...\"\ncomponent = \"parser\"\n\
             [component.parser]\nsource = \"{}\"\n",
            source.display()
        );
        let file = place.join("spin.toml");
        std::fs::write(&file, manifest).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let child = Command::new(path)
            .arg("up")
            .arg("--from")
            .arg(&file)
            .arg("--listen")
            .arg(format!("127.0.0.1:{port}"))
            .arg("--state-dir")
            .arg(place.join("state"))
            .current_dir(place)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let alone = Self {
            base_url: format!("http://127.0.0.1:{port}"),
            child,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        let end = Instant::now() + Duration::from_secs(120);
        while tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_err()
        {
            assert!(Instant::now() < end, "it does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        alone
    }

    /// Has a feed read within these limits; gives status and answer, `null` for none.
    async fn feed(&self, document: &str, memory_bytes: usize, milliseconds: u64) -> (u16, Value) {
        let url = format!(
            "{}/feed?url=https://news.example/&document_bytes=2097152\
             &memory_bytes={memory_bytes}&milliseconds={milliseconds}",
            self.base_url
        );
        let request = self.client.post(url).body(document.to_owned());
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_default())
    }
}

const MEMORY: usize = 64 << 20;
const GOOD: &str = "<rss><channel><item><title>All is well</title></item></channel></rss>";

#[tokio::test]
async fn a_document_that_takes_too_much_ends_itself_and_no_other() {
    let place = tempfile::tempdir().unwrap();
    let parser = Alone::start(place.path()).await;
    let items = |count| "<item><title>One of very many</title></item>".repeat(count);
    let long = format!("<rss><channel>{}</channel></rss>", items(30_000));
    let many = (0..500)
        .map(|number| format!("<item><title>{number} {}</title></item>", "x".repeat(280)))
        .collect::<String>();
    let many = format!("<rss><channel>{many}</channel></rss>");
    for round in 0..3 {
        // Out of memory: the instance is gone.
        let (status, answer) = parser.feed(&many, 64 << 10, 2_000).await;
        assert!(status >= 500, "{round}: {status} {answer}");
        let (status, answer) = parser.feed(GOOD, MEMORY, 2_000).await;
        assert_eq!(
            (status, &answer["items"][0]["title"]),
            (200, &"All is well".into())
        );
        // Out of time: what was found counts, and with nothing found it is a failure.
        let (status, answer) = parser.feed(&long, MEMORY, 0).await;
        assert_eq!(
            (status, &answer["cut_short"]),
            (200, &"document_too_slow".into())
        );
        let nothing = format!("<rss><channel>{}", "<b/>".repeat(1_000));
        let (status, answer) = parser.feed(&nothing, MEMORY, 0).await;
        assert_eq!(
            (status, &answer["code"]),
            (422, &"document_too_slow".into())
        );
        // Out of length.
        let endless = "x".repeat(3 << 20);
        let (status, answer) = parser.feed(&endless, MEMORY, 2_000).await;
        assert_eq!(
            (status, &answer["code"]),
            (422, &"document_too_long".into())
        );
        let (status, answer) = parser.feed(&many, MEMORY, 2_000).await;
        assert_eq!(status, 200);
        assert_eq!(answer["items"].as_array().map(Vec::len), Some(500));
    }
}

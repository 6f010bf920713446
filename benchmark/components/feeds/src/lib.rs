//! Documents read, deduplicated, grouped and scored as the scraper does it, without its database:
//! what a worker of one instance can do.
//!
//! A request's body is documents, each after its length in bytes as eight hexadecimal digits.
#![cfg(target_arch = "wasm32")]

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::{BodyExt as _, Full};
use url::Url;
use vivesphere_feeds::limits::{Deadline, TIME};
use vivesphere_feeds::momentum::{HalfLife, Strength, weight_of};
use vivesphere_feeds::title::title_key;
use vivesphere_feeds::topics::Topics;
use vivesphere_feeds::{Selectors, feed, page, web_address};

#[derive(Default)]
struct State {
    topics: Topics,
    seen: HashSet<String>,
    strengths: HashMap<String, Strength>,
    documents: usize,
    unreadable: usize,
    items: usize,
    doubles: usize,
    momentum: f64,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> Response<Full<Bytes>> {
    let body = request.into_body().collect().await;
    let body = body
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let text = STATE.with_borrow_mut(|state| {
        let mut rest = &body[..];
        while let Some(length) = rest
            .get(..8)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| usize::from_str_radix(digits, 16).ok())
        {
            let document = rest.get(8..8 + length).unwrap_or_default();
            state.take(document);
            rest = rest.get(8 + length..).unwrap_or_default();
        }
        format!(
            "{{\"documents\":{},\"unreadable\":{},\"items\":{},\"doubles\":{},\"topics\":{},\
             \"momentum\":{:.6},\"memory_bytes\":{}}}",
            state.documents,
            state.unreadable,
            state.items,
            state.doubles,
            state.topics.len(),
            state.momentum,
            core::arch::wasm32::memory_size(0) << 16,
        )
    });
    let length = text.len();
    let mut response = Response::new(Full::new(Bytes::from(text)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

impl State {
    fn take(&mut self, bytes: &[u8]) {
        self.documents += 1;
        let Ok(base) = Url::parse("https://feeds.example/") else {
            return;
        };
        let deadline = Deadline::after(TIME);
        let html = bytes.starts_with(b"<!doctype html>");
        let read = if html {
            let selectors = Selectors {
                item: "div .x".to_owned(),
                title: Some("h3".to_owned()),
                ..Selectors::default()
            };
            page(bytes, &base, None, &selectors, deadline)
        } else {
            feed(bytes, &base, None, deadline)
        };
        let Ok(document) = read else {
            self.unreadable += 1;
            return;
        };
        let half_life = HalfLife::of_minutes(60);
        let now = i64::try_from(self.documents).unwrap_or_default() * 10_000;
        let language = document.language.as_deref().unwrap_or_default();
        for item in &document.items {
            self.items += 1;
            if !self.seen.insert(item.key.clone()) {
                self.doubles += 1;
                continue;
            }
            let key = title_key(&item.title);
            let url = item.url.as_deref().and_then(|url| Url::parse(url).ok());
            let url_key = url.map(|url| web_address::url_key(&url));
            let found = self.topics.find(&key, language, url_key.as_deref());
            let id = match found {
                Some(id) => id.to_owned(),
                None => {
                    let id = self.topics.len().to_string();
                    self.topics.add(&id, &key, language);
                    id
                }
            };
            if let Some(url_key) = url_key {
                self.topics.add_url(&url_key, &id);
            }
            let strength = self.strengths.entry(id).or_default();
            *strength = strength.seen(half_life, weight_of(1.0, item.volume), now);
            self.momentum += strength.momentum(half_life, now);
        }
    }
}

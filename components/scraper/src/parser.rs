//! What was fetched is read by the component `parser`, which is granted nothing.
//!
//! One document after the other: what a document does to its reader, such as having it trap, then
//! happens to no other.

use std::time::Duration;

use bytes::Bytes;
use futures::lock::Mutex;
use http::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded::Serializer;
use vivesphere_feeds::{Document, Item, ReadError, Selectors, limits};
use vivesphere_x_api::{SpinTransport, TransportError};

use crate::outcome::Missed;
use crate::web::Page;

/// The reader gives up by itself before: this is for one that does not, and a machine may have
/// something else to do meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of an answer: all items with every field at its longest.
const ANSWER_BYTES: usize = 16 << 20;

/// The way to the parser.
#[derive(Default)]
pub(crate) struct Parser {
    turn: Mutex<()>,
}

impl Parser {
    /// What a document says: a page's by selectors, else a feed's.
    pub(crate) async fn document(
        &self,
        page: &Page,
        selectors: Option<&Selectors>,
    ) -> Result<Document, Missed> {
        let mut query = limits();
        query.append_pair("url", page.url.as_str());
        if let Some(charset) = &page.charset {
            query.append_pair("charset", charset);
        }
        let path = match selectors {
            None => "/feed",
            Some(selectors) => {
                query.append_pair("item", &selectors.item);
                for (name, selector) in [
                    ("title", &selectors.title),
                    ("link", &selectors.link),
                    ("summary", &selectors.summary),
                ] {
                    if let Some(selector) = selector {
                        query.append_pair(name, selector);
                    }
                }
                "/page"
            }
        };
        self.ask(path, query, page.body.clone(), page.status).await
    }

    /// The ids of a list of Hacker News.
    pub(crate) async fn hacker_news_list(
        &self,
        body: Bytes,
        http_status: u16,
    ) -> Result<Vec<u64>, Missed> {
        self.ask("/hacker-news/list", limits(), body, http_status)
            .await
    }

    /// An item of Hacker News; nothing for one that is none.
    pub(crate) async fn hacker_news_item(
        &self,
        body: Bytes,
        http_status: u16,
    ) -> Result<Option<Item>, Missed> {
        self.ask("/hacker-news/item", limits(), body, http_status)
            .await
    }

    /// The items of trends of X, by name and number of posts: people wrote the names.
    pub(crate) async fn x_trends(
        &self,
        trends: &[(String, Option<u64>)],
    ) -> Result<Vec<Item>, Missed> {
        let body = serde_json::to_vec(trends).map_err(|_| Missed::failed("parser_failed"))?;
        self.ask("/x-trends", limits(), body.into(), 200).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        mut query: Serializer<'_, String>,
        body: Bytes,
        http_status: u16,
    ) -> Result<T, Missed> {
        let missed = |code| Missed::unreadable(code, http_status);
        let address = format!("http://parser.spin.internal{path}?{}", query.finish());
        let request = Request::post(address)
            .body(body)
            .map_err(|_| missed("parser_failed"))?;
        let turn = self.turn.lock().await;
        let answer = SpinTransport
            .send_within(request, PATIENCE, ANSWER_BYTES)
            .await;
        drop(turn);
        let answer = match answer {
            Ok(answer) if answer.complete => answer,
            Err(TransportError::Timeout) => return Err(missed(ReadError::TooSlow.code())),
            // It trapped, ran out of memory, or does not run at all; the host's log says which.
            Ok(_) | Err(_) => return Err(missed("parser_failed")),
        };
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body).map_err(|_| missed("parser_failed"));
        }
        #[derive(Deserialize)]
        struct Problem {
            code: ReadError,
        }
        let code = serde_json::from_slice::<Problem>(&answer.body)
            .map_or("parser_failed", |problem| problem.code.code());
        Err(missed(code))
    }
}

/// The beginning of every query.
fn limits() -> Serializer<'static, String> {
    let mut query = Serializer::new(String::new());
    for (name, limit) in [
        ("document_bytes", limits::DOCUMENT_BYTES as u128),
        ("memory_bytes", limits::MEMORY as u128),
        ("milliseconds", limits::TIME.as_millis()),
    ] {
        query.append_pair(name, &limit.to_string());
    }
    query
}

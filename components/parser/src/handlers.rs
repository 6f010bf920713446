//! Which reader, and what becomes of what it finds.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use serde::Serialize;
use url::Url;
use vivesphere_feeds::limits::Deadline;
use vivesphere_feeds::{
    ReadError, Selectors, feed, hacker_news_item, hacker_news_list, page, x_trends,
};

use crate::wire::{Problem, Query};

/// Runs a reader within so many bytes of memory.
pub type Within = fn(usize, &mut dyn FnMut());

enum Reader {
    Feed,
    Page,
    HackerNewsList,
    HackerNewsItem,
    XTrends,
}

/// Answers one request.
pub async fn answer<B>(request: Request<B>, within: Within) -> Response<Full<Bytes>>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (status, kind, body) = match read(request, within).await {
        Ok(body) => (StatusCode::OK, "application/json", body),
        Err(problem) => (problem.status, "application/problem+json", problem.body()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let length = http_body::Body::size_hint(response.body()).lower();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

async fn read<B>(request: Request<B>, within: Within) -> Result<Vec<u8>, Problem>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let reader = match parts.uri.path() {
        "/feed" => Reader::Feed,
        "/page" => Reader::Page,
        "/hacker-news/list" => Reader::HackerNewsList,
        "/hacker-news/item" => Reader::HackerNewsItem,
        "/x-trends" => Reader::XTrends,
        _ => return Err(Problem::not_found()),
    };
    if parts.method != Method::POST {
        return Err(Problem::method_not_allowed());
    }
    let query = Query::parse(parts.uri.query().unwrap_or_default())?;
    let collected = Limited::new(body, query.document_bytes).collect().await;
    let bytes = match collected {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(Problem::unreadable(ReadError::TooLong));
        }
        Err(_) => return Err(Problem::malformed("the body broke off")),
    };
    let mut result = Err(Problem::unreadable(ReadError::Malformed));
    within(query.memory_bytes, &mut || {
        result = found(&reader, &query, &bytes);
    });
    result
}

fn found(reader: &Reader, query: &Query, bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    let deadline = Deadline::after(Duration::from_millis(query.milliseconds));
    let charset = query.charset.as_deref();
    match reader {
        Reader::Feed => json(feed(bytes, url(query)?, charset, deadline)),
        Reader::Page => {
            let selectors = Selectors {
                item: query.item.clone().unwrap_or_default(),
                title: query.title.clone(),
                link: query.link.clone(),
                summary: query.summary.clone(),
            };
            json(page(bytes, url(query)?, charset, &selectors, deadline))
        }
        Reader::HackerNewsList => json(hacker_news_list(bytes)),
        Reader::HackerNewsItem => json(hacker_news_item(bytes)),
        Reader::XTrends => json(x_trends(bytes)),
    }
}

fn url(query: &Query) -> Result<&Url, Problem> {
    let missing = || Problem::malformed("`url` is missing");
    query.url.as_ref().ok_or_else(missing)
}

fn json(found: Result<impl Serialize, ReadError>) -> Result<Vec<u8>, Problem> {
    let found = found.map_err(Problem::unreadable)?;
    serde_json::to_vec(&found).map_err(|_| Problem::unreadable(ReadError::Malformed))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use futures::executor::block_on;
    use serde_json::{Value, json};

    use super::*;

    const LIMITS: &str = "document_bytes=1000&memory_bytes=1000000&milliseconds=2000";
    const PLACE: &str = "url=https%3A%2F%2Fnews.example%2Flist%2F";

    fn ask(method: &str, path: &str, body: &'static str) -> (u16, String, Value) {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let response = block_on(answer(request, |_, read| read()));
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap();
        let (status, kind) = (response.status().as_u16(), kind.to_owned());
        let length = response.headers()[header::CONTENT_LENGTH].to_str().unwrap();
        let length: usize = length.parse().unwrap();
        let body = block_on(response.into_body().collect()).unwrap().to_bytes();
        assert_eq!(body.len(), length);
        (status, kind, serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn each_reader_gives_what_it_finds() {
        let rss = "<rss><channel><item><title>One</title><link>/1</link></item></channel></rss>";
        let (status, kind, found) = ask("POST", &format!("/feed?{LIMITS}&{PLACE}"), rss);
        assert_eq!((status, kind.as_str()), (200, "application/json"));
        assert_eq!(found["items"][0]["title"], "One");
        assert_eq!(found["items"][0]["url"], "https://news.example/1");
        let html = "<ul><li><b>First</b><a href=x>more</a></li></ul>";
        let path = format!("/page?{LIMITS}&{PLACE}&item=li&title=li%20%3E%20b");
        assert_eq!(ask("POST", &path, html).2["code"], "nothing_selected");
        let path = format!("/page?{LIMITS}&{PLACE}&item=li&title=b");
        let found = ask("POST", &path, html).2;
        assert_eq!(found["items"][0]["title"], "First");
        assert_eq!(found["items"][0]["url"], "https://news.example/list/x");
        let path = format!("/hacker-news/list?{LIMITS}");
        assert_eq!(ask("POST", &path, "[3, 1]").2, json!([3, 1]));
        let path = format!("/hacker-news/item?{LIMITS}");
        assert_eq!(ask("POST", &path, "null").2, Value::Null);
        let item = ask("POST", &path, r#"{"id": 7, "title": "Show"}"#).2;
        assert_eq!(item["key"], "7");
        let trends = r##"[["#A &amp; b", 5], ["#", null]]"##;
        let items = ask("POST", &format!("/x-trends?{LIMITS}"), trends).2;
        assert_eq!(items.as_array().map(Vec::len), Some(1));
        assert_eq!(
            (&items[0]["title"], &items[0]["volume"]),
            (&json!("#A & b"), &json!(5))
        );
    }

    #[test]
    fn what_cannot_be_read_is_a_problem() {
        let feed = format!("/feed?{LIMITS}&{PLACE}");
        let (status, kind, problem) = ask("POST", &feed, "no feed");
        assert_eq!((status, kind.as_str()), (422, "application/problem+json"));
        assert_eq!(problem["code"], "not_a_feed");
        assert_eq!(problem["type"], "urn:vivesphere:problem:not_a_feed");
        let short = feed.replace("document_bytes=1000", "document_bytes=3");
        assert_eq!(ask("POST", &short, "<rss>").2["code"], "document_too_long");
        for (method, path, status, code) in [
            ("GET", "/feed", 405, "method_not_allowed"),
            ("POST", "/feeds", 404, "not_found"),
            ("POST", "/feed", 400, "malformed_request"),
            ("POST", &format!("/feed?{PLACE}"), 400, "malformed_request"),
            ("POST", &format!("/feed?{LIMITS}"), 400, "malformed_request"),
            ("POST", &format!("{feed}&more=1"), 400, "malformed_request"),
        ] {
            let (answered, _, problem) = ask(method, path, "<rss/>");
            assert_eq!(
                (answered, &problem["code"]),
                (status, &json!(code)),
                "{path}"
            );
        }
    }
}

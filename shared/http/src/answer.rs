//! What every answer has, whoever made it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use crate::compression::{self, Encoding};
use crate::rate_limit::Budget;
use crate::{Problem, Reply, entity_tag};

/// What is known of a request while it is answered, for its headers and its log line.
#[derive(Default)]
pub(crate) struct Trace {
    pub(crate) request_id: String,
    pub(crate) route: &'static str,
    pub(crate) principal: Option<String>,
    pub(crate) budget: Option<Budget>,
    pub(crate) request_headers: HeaderMap,
    /// What lets the asking web page read the answer.
    pub(crate) cors: Vec<(HeaderName, HeaderValue)>,
    pub(crate) varies_by_origin: bool,
    /// Whether it may be compressed.
    pub(crate) compression: bool,
    /// Whether it gets a tag: a read without secrets.
    pub(crate) tagged: bool,
    /// Whether the body is not asked for.
    pub(crate) head_alone: bool,
}

const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
];
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RATELIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// The whole answer to a request: the handler's or the problem's, with what every answer has.
pub(crate) fn finish(result: Result<Reply, Problem>, trace: &Trace) -> Response<Full<Bytes>> {
    let (mut status, mut headers, mut body) = match result {
        Ok(reply) => (reply.status, reply.headers, reply.body),
        Err(problem) => {
            let mut headers = HeaderMap::new();
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/problem+json"),
            );
            let mut set = |name: HeaderName, value: Option<String>| {
                if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                    headers.insert(name, value);
                }
            };
            set(
                header::RETRY_AFTER,
                problem.retry_after.map(|seconds| seconds.to_string()),
            );
            set(header::WWW_AUTHENTICATE, problem.challenge.clone());
            set(header::ALLOW, problem.allow.clone());
            let body = Bytes::from(problem.body(&trace.request_id));
            (problem.status, headers, body)
        }
    };
    for (name, value) in SECURITY_HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(&trace.request_id) {
        headers.insert(X_REQUEST_ID, value);
    }
    if let Some(budget) = trace.budget {
        headers.insert(RATELIMIT_LIMIT, HeaderValue::from(budget.limit));
        headers.insert(RATELIMIT_REMAINING, HeaderValue::from(budget.remaining));
        headers.insert(RATELIMIT_RESET, HeaderValue::from(budget.reset));
    }
    headers.extend(trace.cors.iter().cloned());
    if trace.tagged && status == StatusCode::OK {
        if !headers.contains_key(header::ETAG)
            && let Some(tag) = entity_tag::of(&body)
        {
            headers.insert(header::ETAG, tag);
        }
        let tag = headers.get(header::ETAG);
        if tag.is_some_and(|tag| entity_tag::is_known(&trace.request_headers, tag)) {
            status = StatusCode::NOT_MODIFIED;
        }
    }
    let mut varies = Vec::new();
    if trace.compression && compression::is_compressible(&headers) {
        varies.push("accept-encoding");
        if let Some(encoding) = Encoding::accepted(&trace.request_headers)
            && status != StatusCode::NOT_MODIFIED
        {
            body = compression::encode(body, encoding, &mut headers);
        }
    }
    if trace.varies_by_origin {
        varies.push("origin");
    }
    if let Ok(varies) = HeaderValue::try_from(varies.join(", "))
        && !varies.is_empty()
    {
        headers.append(header::VARY, varies);
    }
    if status == StatusCode::NOT_MODIFIED {
        // Nothing is said of a body that is not sent (RFC 9110, section 15.4.5).
        body = Bytes::new();
        headers.remove(header::CONTENT_TYPE);
        headers.remove(header::CONTENT_LENGTH);
    }
    if trace.head_alone {
        // A length without as many bytes would be an error to the host, and HTTP/2 forbids the bytes.
        headers.remove(header::CONTENT_LENGTH);
        let mut response = Response::new(Full::new(Bytes::new()));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        return response;
    }
    // Without a length the answer is chunked, and on a kept connection without TCP_NODELAY
    // (Spin's) a chunked answer waits some 40 ms for its last bytes.
    if status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

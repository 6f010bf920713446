//! Which web pages may call (the Fetch standard's CORS protocol).

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::Reply;

/// Who may call, from the settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cors {
    /// Origins, or `*` alone.
    pub(crate) origins: Vec<String>,
    /// Whether browsers may send credentials of their own; never with `*`.
    pub(crate) credentials: bool,
}

/// What a page may send beside what every page may.
const REQUEST_HEADERS: &str =
    "authorization, content-type, idempotency-key, if-match, if-none-match, x-request-id";
/// What a page may read beside what every page may.
const ANSWER_HEADERS: &str = "etag, idempotency-replayed, ratelimit-limit, ratelimit-remaining, \
                              ratelimit-reset, retry-after, www-authenticate, x-request-id";
/// Seconds for which a browser remembers a preflight's answer.
const MAX_AGE: &str = "600";

impl Cors {
    /// Whether the answer depends on who asks.
    pub(crate) fn varies(&self) -> bool {
        !self.origins.is_empty() && !self.every_origin()
    }

    fn every_origin(&self) -> bool {
        self.origins.iter().any(|origin| origin == "*")
    }

    /// The headers that let the asking page read the answer; none for other pages, and none
    /// without an `Origin`.
    pub(crate) fn headers(&self, request: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        let Some(origin) = request.get(header::ORIGIN) else {
            return Vec::new();
        };
        let expose = (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(ANSWER_HEADERS),
        );
        if self.every_origin() {
            let any = HeaderValue::from_static("*");
            return vec![(header::ACCESS_CONTROL_ALLOW_ORIGIN, any), expose];
        }
        if !self.origins.iter().any(|known| origin == known.as_str()) {
            return Vec::new();
        }
        let mut headers = vec![
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()),
            expose,
        ];
        if self.credentials {
            headers.push((
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            ));
        }
        headers
    }

    /// The answer to a preflight for a path with these methods. [`Cors::headers`] come on top, as
    /// on every answer; without them a browser sends nothing.
    pub(crate) fn preflight(&self, request: &HeaderMap, methods: &[Method]) -> Reply {
        let reply = Reply::no_content();
        if self.headers(request).is_empty() {
            return reply;
        }
        let methods: Vec<&str> = methods.iter().map(Method::as_str).collect();
        let methods = HeaderValue::try_from(methods.join(", "));
        let reply = match methods {
            Ok(methods) => reply.header(header::ACCESS_CONTROL_ALLOW_METHODS, methods),
            Err(_) => reply,
        };
        reply
            .header(
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static(REQUEST_HEADERS),
            )
            .header(
                header::ACCESS_CONTROL_MAX_AGE,
                HeaderValue::from_static(MAX_AGE),
            )
    }
}

/// Whether a browser asks what a page may do, before the page does it.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_by(origin: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))])
    }

    fn allowed(cors: &Cors, origin: &'static str) -> Option<(String, bool)> {
        let headers: HeaderMap = cors.headers(&asked_by(origin)).into_iter().collect();
        let allowed = headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN)?;
        let credentials = headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
        Some((allowed.to_str().ok()?.to_owned(), credentials))
    }

    #[test]
    fn only_pages_of_the_list_are_allowed_and_never_every_page_with_credentials() {
        let mut cors = Cors {
            origins: vec!["https://a.example".to_owned()],
            credentials: true,
        };
        let own = Some(("https://a.example".to_owned(), true));
        assert_eq!(allowed(&cors, "https://a.example"), own);
        for other in ["https://b.example", "http://a.example", "null", ""] {
            assert_eq!(allowed(&cors, other), None, "{other}");
        }
        assert!(cors.headers(&HeaderMap::new()).is_empty());
        cors.origins = vec!["*".to_owned()];
        assert_eq!(allowed(&cors, "null"), Some(("*".to_owned(), false)));
        let none = Cors::default();
        assert_eq!(allowed(&none, "https://a.example"), None);
        let reply = none.preflight(&asked_by("https://a.example"), &[Method::GET]);
        assert_eq!(reply.status, 204);
        assert!(reply.headers.is_empty());
    }
}

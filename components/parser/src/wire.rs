//! What a call says beside the document, and what is said of one that cannot be read.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use url::Url;
use vivesphere_feeds::ReadError;

/// What the document is, and what it may take. The limits have no default: whoever calls knows them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    /// The most that is taken of the document.
    pub(crate) document_bytes: usize,
    /// The most that reading it may take beside it.
    pub(crate) memory_bytes: usize,
    /// After which the reader gives up.
    pub(crate) milliseconds: u64,
    /// Where a feed or a page was fetched.
    pub(crate) url: Option<Url>,
    /// As its header said.
    pub(crate) charset: Option<String>,
    /// Selectors of a page.
    pub(crate) item: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) link: Option<String>,
    pub(crate) summary: Option<String>,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        serde_urlencoded::from_str(text).map_err(|error| Problem::malformed(&error.to_string()))
    }
}

/// An error as `application/problem+json` (RFC 9457), in the application's form.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Problem {
    pub(crate) fn not_found() -> Self {
        let detail = "there is nothing here".to_owned();
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let detail = "documents are posted".to_owned();
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self::new(status, "method_not_allowed", detail)
    }

    pub(crate) fn malformed(detail: &str) -> Self {
        let status = StatusCode::BAD_REQUEST;
        Self::new(status, "malformed_request", detail.to_owned())
    }

    pub(crate) fn unreadable(error: ReadError) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, error.code(), error.to_string())
    }

    fn new(status: StatusCode, code: &'static str, detail: String) -> Self {
        Self {
            status,
            code,
            detail,
        }
    }

    /// What is sent of it.
    pub(crate) fn body(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body<'a> {
            r#type: String,
            title: &'a str,
            status: u16,
            detail: &'a str,
            code: &'a str,
        }
        let body = Body {
            r#type: format!("urn:vivesphere:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
        };
        // Texts and a number can always be written.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

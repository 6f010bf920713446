//! A successful answer.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use futures::stream::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::Frame;
use serde::Serialize;

use crate::{Problem, json_body};

/// The pieces of a body that is made while it is sent. An error cuts the answer off, so that what
/// is missing does not look whole.
pub type ReplyStream =
    Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Box<dyn std::error::Error + Send + Sync>>>>>;

/// An answer: with a complete body, or with one that is made while it is sent.
pub struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What an `Idempotency-Key` keeps for the same request's next time, where it is not the body.
    pub(crate) kept: Option<Bytes>,
    /// In the body's place.
    pub(crate) stream: Option<ReplyStream>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &self.body)
            .field("streamed", &self.stream.is_some())
            .finish()
    }
}

impl Reply {
    /// An answer of any kind.
    #[must_use]
    pub fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self {
            status,
            headers,
            body: body.into(),
            kept: None,
            stream: None,
        }
    }

    /// 200 with a body that is made while it is sent.
    #[must_use]
    pub fn stream<E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static>(
        content_type: &'static str,
        pieces: impl Stream<Item = Result<Bytes, E>> + 'static,
    ) -> Self {
        let frames = pieces.map(|piece| piece.map(Frame::data).map_err(Into::into));
        let mut reply = Self::new(StatusCode::OK, content_type, Bytes::new());
        reply.stream = Some(Box::pin(frames));
        reply
    }

    /// A JSON answer.
    ///
    /// # Errors
    /// 500 when the value cannot be written as JSON.
    pub fn json(status: StatusCode, value: &impl Serialize) -> Result<Self, Problem> {
        let body = json_body::write(value).map_err(Problem::internal)?;
        Ok(Self::new(status, "application/json", body))
    }

    /// 200 with JSON.
    ///
    /// # Errors
    /// As [`Reply::json`].
    pub fn ok(value: &impl Serialize) -> Result<Self, Problem> {
        Self::json(StatusCode::OK, value)
    }

    /// 201 with JSON.
    ///
    /// # Errors
    /// As [`Reply::json`].
    pub fn created(value: &impl Serialize) -> Result<Self, Problem> {
        Self::json(StatusCode::CREATED, value)
    }

    /// 204.
    #[must_use]
    pub fn no_content() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            kept: None,
            stream: None,
        }
    }

    /// For an answer with a secret that is shown once: what is kept for an `Idempotency-Key` is
    /// this, without it.
    ///
    /// # Errors
    /// As [`Reply::json`].
    pub fn kept_as(mut self, value: &impl Serialize) -> Result<Self, Problem> {
        let body = json_body::write(value).map_err(Problem::internal)?;
        self.kept = Some(body.into());
        Ok(self)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

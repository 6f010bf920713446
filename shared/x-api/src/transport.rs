//! What carries a request to X and brings the answer back.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};

/// An answer's head and as much of its body as came.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status line's code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// At most 1 MiB.
    pub body: Bytes,
    /// Whether the body is all there. It is not when the connection broke, time ran out, or the
    /// body was longer than the limit. The status stays true either way.
    pub complete: bool,
}

/// Why there is no answer.
///
/// The difference decides whether a post may be sent again, so whatever is not certain counts as
/// possibly sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Not a byte of the request reached X.
    #[error("not sent ({code}): {detail}")]
    NotSent {
        /// Stable, such as `connection_refused`.
        code: &'static str,
        /// For the log.
        detail: String,
    },
    /// The connection broke after it stood: X may have acted on the request.
    #[error("interrupted ({code}): {detail}")]
    Interrupted {
        /// Stable, such as `connection_lost`.
        code: &'static str,
        /// For the log.
        detail: String,
    },
    /// No answer in time: X may have acted on the request, or may still do so.
    #[error("no answer in time")]
    Timeout,
}

/// Sends one request. No redirects, no cookies, no retries.
pub trait Transport {
    /// Sends `request` and reads the answer, in `timeout` altogether.
    ///
    /// # Errors
    /// [`TransportError`], as it says.
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> impl Future<Output = Result<Answer, TransportError>> + Send;
}

//! A request's body.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// What is read of a body that nobody wants.
const UNREAD_BYTES: usize = 4 << 20;
const UNREAD_TIME: Duration = Duration::from_secs(2);

/// A body that is read a little further when nobody wants the rest of it.
///
/// An answer may be ready before the body has come, as when the credentials are wrong. A connection
/// that is closed then is reset, and who still sends never sees the answer (RFC 9112, section 9.6).
pub(crate) struct RequestBody {
    /// Nothing only while it is dropped.
    body: Option<Incoming>,
    ended: bool,
}

impl RequestBody {
    /// A client that asks before it sends (`expect`) is not told to go on for nothing.
    pub(crate) fn new(headers: &HeaderMap, body: Incoming) -> Self {
        Self {
            ended: body.is_end_stream() || headers.contains_key(header::EXPECT),
            body: Some(body),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(body).poll_frame(cx);
        self.ended |= matches!(frame, Poll::Ready(None | Some(Err(_))));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take()
            && !self.ended
            && !body.is_end_stream()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(tokio::time::timeout(UNREAD_TIME, read_on(body)));
        }
    }
}

async fn read_on(mut body: Incoming) {
    let mut read = 0;
    while read < UNREAD_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        read += frame.data_ref().map_or(0, Bytes::len);
    }
}

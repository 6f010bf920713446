//! The body of a response from the network.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::Error;

use super::connections::lost;

/// Passes the body on; a pause that is longer than the limit is an error.
pub(super) struct ResponseBody {
    body: Incoming,
    limit: Duration,
    /// Made at the first pause.
    pause: Option<Pin<Box<Sleep>>>,
    paused: bool,
}

impl ResponseBody {
    pub(super) fn new(body: Incoming, limit: Duration) -> Self {
        Self {
            body,
            limit,
            pause: None,
            paused: false,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.paused = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| lost(&error))));
        }
        let pause = this
            .pause
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(this.limit)));
        if !this.paused {
            this.paused = true;
            let end = Instant::now() + this.limit;
            pause.as_mut().reset(end);
        }
        match pause.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(Error::ConnectionReadTimeout))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

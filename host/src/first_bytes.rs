//! A connection that is closed when its client does not say which protocol it speaks.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What a client of HTTP/2 sends first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reads fail once the time is over, until what has come is the preface of HTTP/2, or differs from
/// it: hyper tells the two apart so, and its own timeouts begin then.
pub(crate) struct FirstBytes<Stream> {
    stream: Stream,
    /// Bytes that were the preface's so far, and when it must be told. Nothing when it is.
    undecided: Option<(usize, Pin<Box<Sleep>>)>,
}

impl<Stream> FirstBytes<Stream> {
    pub(crate) fn new(stream: Stream, within: Duration) -> Self {
        Self {
            stream,
            undecided: Some((0, Box::pin(sleep(within)))),
        }
    }
}

impl<Stream: AsyncRead + Unpin> AsyncRead for FirstBytes<Stream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let Some((known, deadline)) = &mut self.undecided else {
            return polled;
        };
        if polled.is_pending() {
            ready!(deadline.as_mut().poll(cx));
            return Poll::Ready(Err(Error::from(ErrorKind::TimedOut)));
        }
        let read = buffer.filled().get(before..).unwrap_or_default();
        let rest = PREFACE.get(*known..).unwrap_or_default();
        *known += read.len();
        if read.len() >= rest.len() || !rest.starts_with(read) {
            self.undecided = None;
        }
        polled
    }
}

impl<Stream: AsyncWrite + Unpin> AsyncWrite for FirstBytes<Stream> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    /// Whether a client that sends this, and then nothing for ten times as long as it has to say
    /// what it speaks, is still read from.
    async fn is_waited_for(sent: &[&[u8]]) -> bool {
        let (mut client, server) = duplex(64);
        let mut server = FirstBytes::new(server, Duration::from_millis(150));
        for piece in sent {
            client.write_all(piece).await.expect("room");
            let mut read = vec![0; piece.len()];
            server.read_exact(&mut read).await.expect("what was sent");
        }
        let mut buffer = [0; 64];
        let reading = server.read(&mut buffer);
        tokio::time::timeout(Duration::from_millis(1500), reading)
            .await
            .is_err()
    }

    #[tokio::test]
    async fn only_a_client_that_leaves_its_protocol_open_is_cut() {
        let cut: [&[&[u8]]; 3] = [&[], &[b"P"], &[b"PRI * ", b"HTTP/2.0\r\n"]];
        for sent in cut {
            assert!(!is_waited_for(sent).await, "{sent:?}");
        }
        let (begin, rest) = PREFACE.split_at(3);
        let told: [&[&[u8]]; 5] = [
            &[b"G"],
            &[b"PO"],
            &[b"PRI", b"NT"],
            &[PREFACE],
            &[begin, rest],
        ];
        for sent in told {
            assert!(is_waited_for(sent).await, "{sent:?}");
        }
    }
}

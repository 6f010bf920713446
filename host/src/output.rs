//! What guests print, line by line into the host's log.

use std::io::Write as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Most bytes of one line; the rest becomes another line.
const LINE: usize = 64 << 10;

/// Standard output or error of one component's instances.
#[derive(Clone)]
pub(crate) struct Output {
    component: Arc<str>,
    pending: Arc<Mutex<Vec<u8>>>,
}

impl Output {
    pub(crate) fn new(component: &Arc<str>) -> Self {
        Self {
            component: component.clone(),
            pending: Arc::default(),
        }
    }

    fn take(&self, bytes: &[u8]) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.extend_from_slice(bytes);
        let mut written = 0;
        while let Some(length) = pending[written..].iter().position(|byte| *byte == b'\n') {
            self.line(&pending[written..written + length]);
            written += length + 1;
        }
        pending.drain(..written);
        if pending.len() > LINE {
            self.line(&pending);
            pending.clear();
        }
    }

    /// A line that is a JSON object already is a log record: it only gets its component.
    fn line(&self, line: &[u8]) {
        if !tracing::enabled!(target: "vivesphere::guest", tracing::Level::INFO) {
            return;
        }
        if line.len() > 2 && line.starts_with(b"{") && line.ends_with(b"}") {
            let mut record = Vec::with_capacity(line.len() + 40);
            record.extend_from_slice(b"{\"component\":\"");
            record.extend_from_slice(self.component.as_bytes());
            record.extend_from_slice(b"\",");
            record.extend_from_slice(&line[1..]);
            record.push(b'\n');
            // A log that cannot be written must not stop a request.
            let _ = std::io::stderr().lock().write_all(&record);
        } else {
            tracing::info!(
                target: "vivesphere::guest",
                component = %self.component,
                "{}", String::from_utf8_lossy(line)
            );
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LINE)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

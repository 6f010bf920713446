//! HTTP byte by byte, where it matters what is sent when.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Caller, PATIENCE};

/// A connection.
pub(crate) struct Raw {
    stream: TcpStream,
    /// Received and not yet asked for.
    received: String,
}

impl Raw {
    pub(crate) async fn open(caller: &Caller) -> Self {
        TcpStream::connect(caller.address()).await.unwrap().into()
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Sends a piece of a chunked body.
    pub(crate) async fn send_chunk(&mut self, text: &str) {
        self.send(&format!("{:x}\r\n{text}\r\n", text.len())).await;
    }

    /// What comes up to and with this text.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(start) = self.received.find(text) {
                let rest = self.received.split_off(start + text.len());
                return std::mem::replace(&mut self.received, rest);
            }
            let more = self.more().await;
            assert!(more, "no {text:?} after {:?}", self.received);
        }
    }

    /// What comes until the connection is closed.
    pub(crate) async fn rest(mut self) -> String {
        while self.more().await {}
        self.received
    }

    async fn more(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut bytes));
        let read = read.await.expect("nothing comes").unwrap_or(0);
        self.received
            .push_str(&String::from_utf8_lossy(&bytes[..read]));
        read > 0
    }
}

impl From<TcpStream> for Raw {
    fn from(stream: TcpStream) -> Self {
        Self {
            stream,
            received: String::new(),
        }
    }
}

/// A server whose every word the test chooses.
pub(crate) struct RawServer(TcpListener);

impl RawServer {
    pub(crate) async fn bind() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    pub(crate) async fn accept(&self) -> Raw {
        let accepted = tokio::time::timeout(PATIENCE, self.0.accept());
        accepted.await.expect("nobody connects").unwrap().0.into()
    }
}

//! The load tool: connections that are kept open, each with one request under way.
//!
//! It is closed-loop: a slow answer delays that connection's next request, so that percentiles
//! are of what was sent, not of what a steady stream of users would have seen.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Sent before anything is counted.
const WARM_UP: Duration = Duration::from_millis(1000);

/// What is asked for again and again.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Where.
    pub(crate) address: SocketAddr,
    /// Path and query.
    pub(crate) path: String,
    /// What is asked for in turn in place of the path, unless it is empty.
    pub(crate) paths: Vec<String>,
    /// The bearer token, if one is needed.
    pub(crate) token: Option<String>,
    /// JSON that is posted; without it the path is read.
    pub(crate) body: Option<Bytes>,
}

impl Target {
    /// The same, with JSON that is posted there.
    pub(crate) fn posting(mut self, body: &serde_json::Value) -> Self {
        self.body = Some(Bytes::from(body.to_string()));
        self
    }

    /// The same, with these paths in turn.
    pub(crate) fn asking(mut self, paths: Vec<String>) -> Self {
        self.paths = paths;
        self
    }

    fn path(&self, turn: usize) -> &str {
        match self.paths.len() {
            0 => &self.path,
            paths => &self.paths[turn % paths],
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answers {
    /// Microseconds.
    latencies: Histogram<u64>,
    time: Duration,
    /// Answers that were no success.
    refused: u64,
    /// What the first of them said.
    refusal: Option<String>,
}

impl Answers {
    /// None yet.
    pub(crate) fn none() -> anyhow::Result<Self> {
        Ok(Self {
            latencies: Histogram::new(3)?,
            time: Duration::ZERO,
            refused: 0,
            refusal: None,
        })
    }

    /// Adds another round of the same.
    pub(crate) fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.latencies.add(&other.latencies)?;
        self.time += other.time;
        self.refused += other.refused;
        self.refusal = self.refusal.take().or_else(|| other.refusal.clone());
        Ok(())
    }

    /// Answers.
    pub(crate) fn count(&self) -> u64 {
        self.latencies.len()
    }

    /// The share of answers that were no success.
    pub(crate) fn refused(&self) -> f64 {
        self.refused as f64 / (self.refused + self.count()).max(1) as f64
    }

    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.time.as_secs_f64()
    }

    /// A percentile in milliseconds.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        self.latencies.value_at_percentile(percent) as f64 / 1000.0
    }

    /// Fails unless every answer was a success: the speed of refusing is not what is measured.
    pub(crate) fn all_good(&self, target: &Target) -> anyhow::Result<()> {
        ensure!(
            self.refused == 0 && !self.latencies.is_empty(),
            "{}: {} answers were no success, {} were; one of the former: {}",
            target.path,
            self.refused,
            self.latencies.len(),
            self.refusal.as_deref().unwrap_or("none")
        );
        Ok(())
    }
}

/// Asks on this many connections for this long, after a short warm-up. Fails unless every answer was a
/// success.
pub(crate) async fn run(
    target: &Target,
    connections: u16,
    time: Duration,
) -> anyhow::Result<Answers> {
    let answers = run_refusable(target, connections, time).await?;
    answers.all_good(target)?;
    Ok(answers)
}

/// As [`run`], for what may be refused.
pub(crate) async fn run_refusable(
    target: &Target,
    connections: u16,
    time: Duration,
) -> anyhow::Result<Answers> {
    let begin = Instant::now() + WARM_UP;
    let end = begin + time;
    let mut tasks = JoinSet::new();
    let turns = Arc::new(AtomicUsize::new(0));
    for _ in 0..connections {
        tasks.spawn(keep_busy(target.clone(), turns.clone(), begin, end));
    }
    let mut answers = Answers::none()?;
    while let Some(one) = tasks.join_next().await {
        answers.add(&one??)?;
    }
    answers.time = time;
    Ok(answers)
}

async fn connect(address: SocketAddr) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn keep_busy(
    target: Target,
    turns: Arc<AtomicUsize>,
    begin: Instant,
    end: Instant,
) -> anyhow::Result<Answers> {
    let mut answers = Answers::none()?;
    let mut sender = connect(target.address).await?;
    loop {
        let path = target.path(turns.fetch_add(1, Ordering::Relaxed));
        let mut request = match target.body {
            Some(_) => Request::post(path).header("content-type", "application/json"),
            None => Request::get(path),
        };
        request = request.header("host", target.address.to_string());
        if let Some(token) = &target.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(target.body.clone().unwrap_or_default()))?;
        let sent = Instant::now();
        if sent >= end {
            return Ok(answers);
        }
        sender.ready().await.context("the connection was closed")?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?;
        let got = Instant::now();
        if got < begin || got >= end {
            continue;
        }
        if status.is_success() {
            let micros = u64::try_from((got - sent).as_micros())?;
            answers.latencies.record(micros.max(1))?;
        } else {
            answers.refused += 1;
            answers.refusal.get_or_insert_with(|| {
                let body = body.to_bytes();
                format!("{status} {}", String::from_utf8_lossy(&body))
            });
        }
    }
}

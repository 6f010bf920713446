//! A host that serves an application: starting, accepting connections, stopping.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::application::Options;
use crate::cron;
use crate::lifecycle::Lifecycle;
use crate::loading::Loaded;
use crate::requests::Requests;

/// How long a client may take to send a request's head, and to send anything at first.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How many pieces of work a thread does before it looks for news from the network. A component
/// that computes is a piece of work of 10 ms each time: with tokio's 61, a few of them would
/// keep everybody else waiting for most of a second.
const WORK_BETWEEN_EVENTS: u32 = 8;

/// The runtime that a host should run in.
///
/// # Errors
/// When the threads cannot be started.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .event_interval(WORK_BETWEEN_EVENTS)
        .build()
        .context("cannot start the runtime")
}

/// A host that serves. Dropping it stops it at once.
pub struct RunningHost {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    drain_timeout: Duration,
    lifecycle: Arc<Lifecycle>,
    server: JoinHandle<()>,
    schedules: JoinSet<()>,
}

/// Starts the application on a listener.
///
/// # Errors
/// When a component cannot be compiled or needs what the host does not offer, when a store or
/// the state directory cannot be opened, or when a schedule cannot be read.
pub async fn start(options: Options, listener: TcpListener) -> anyhow::Result<RunningHost> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    let at_once = options.max_concurrent_requests;
    let (request_timeout, drain_timeout) = (options.request_timeout, options.drain_timeout);
    let loaded = load(options).await?;
    let (stop, stopped) = watch::channel(false);
    let mut schedules = JoinSet::new();
    for (scheduled, expression) in loaded.scheduled {
        schedules.spawn(cron::serve(scheduled, expression, stopped.clone()));
    }
    let requests = Requests::new(loaded.services, at_once, request_timeout);
    let server = tokio::spawn(accept(listener, Arc::new(requests), stopped));
    Ok(RunningHost {
        address,
        stop,
        drain_timeout,
        lifecycle: loaded.lifecycle,
        server,
        schedules,
    })
}

/// Wakes one scheduled component once, without serving anything.
///
/// # Errors
/// When the application cannot be loaded, and with the component's own error.
pub async fn run_scheduled(mut options: Options, component: &str) -> anyhow::Result<()> {
    options.cron = true;
    options
        .application
        .cron_triggers
        .retain(|trigger| trigger.component == component);
    options.application.http_triggers.clear();
    let loaded = load(options).await?;
    let (scheduled, _) = loaded
        .scheduled
        .into_iter()
        .next()
        .ok_or_else(|| anyhow!("`{component}` is no scheduled component"))?;
    scheduled.run(chrono::Utc::now()).await
}

/// Compiling and opening files may take long: not on a thread that serves.
async fn load(options: Options) -> anyhow::Result<Loaded> {
    tokio::task::spawn_blocking(move || Loaded::new(&options)).await?
}

impl RunningHost {
    /// The address that is really listened on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops gracefully: no new connections and ticks; requests, streams, ticks and work after
    /// responses that are under way are finished within the options' `drain_timeout`.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let drained = tokio::time::timeout(self.drain_timeout, async {
            // The accept loop ends when its last connection has.
            let _ = (&mut self.server).await;
            while self.schedules.join_next().await.is_some() {}
            self.lifecycle.end().await;
        });
        if drained.await.is_err() {
            tracing::warn!("some work was cut: it did not end within the drain timeout");
        }
    }
}

impl Drop for RunningHost {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Serves until it is stopped, then until every connection is at its end.
async fn accept(
    listener: tokio::net::TcpListener,
    requests: Arc<Requests>,
    mut stopped: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    // Dropped with this future: an aborted server leaves no connection behind.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        let Ok((stream, client)) = accepted else {
            // Out of file descriptors: wait for some to be given back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        connections.spawn(serve(stream, client, requests.clone(), graceful.watcher()));
    }
    drop(listener);
    graceful.shutdown().await;
    while connections.join_next().await.is_some() {}
}

async fn serve(stream: TcpStream, client: SocketAddr, requests: Arc<Requests>, watcher: Watcher) {
    // A small answer must not wait for the next acknowledgement.
    let _ = stream.set_nodelay(true);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    builder.http2().timer(TokioTimer::new());
    let service = service_fn(move |request| {
        let requests = requests.clone();
        async move { Ok::<_, std::convert::Infallible>(requests.answer(request, client).await) }
    });
    let connection = builder
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!("a connection ended: {error}");
    }
}

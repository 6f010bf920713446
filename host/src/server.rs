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
use crate::first_bytes::FirstBytes;
use crate::lifecycle::Lifecycle;
use crate::loading::{Loading, OnSchedule};

pub use crate::loading::Loaded;
use crate::requests::Requests;

/// How long a client may take to send a request's head, and what tells HTTP/1 from HTTP/2 before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a client of HTTP/2 is asked whether it is still there, and how long it may take to say
/// so. One of HTTP/1 that asks for nothing is left after [`HEAD_TIMEOUT`].
const PING: Duration = Duration::from_secs(20);

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
    /// What compiles the components, until somebody has waited for it.
    loading: Option<JoinHandle<anyhow::Result<Vec<OnSchedule>>>>,
    loaded: watch::Receiver<Loaded>,
    schedules: JoinSet<()>,
}

/// Starts the application on a listener and waits until all of it is loaded.
///
/// # Errors
/// As [`serve`] and [`RunningHost::loaded`].
pub async fn start(options: Options, listener: TcpListener) -> anyhow::Result<RunningHost> {
    let mut host = serve(options, listener).await?;
    host.loaded().await?;
    Ok(host)
}

/// Serves the application on a listener: a request as soon as its component is compiled.
///
/// # Errors
/// When a store or the state directory cannot be opened, or a grant cannot be read.
pub async fn serve(options: Options, listener: TcpListener) -> anyhow::Result<RunningHost> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    let at_once = options.max_concurrent_requests;
    let (request_timeout, drain_timeout) = (options.request_timeout, options.drain_timeout);
    let loading = begin(options).await?;
    let lifecycle = loading.lifecycle().clone();
    let requests = Requests::new(loading.services().clone(), at_once, request_timeout);
    let (stop, stopped) = watch::channel(false);
    Ok(RunningHost {
        address,
        stop,
        drain_timeout,
        lifecycle,
        server: tokio::spawn(accept(listener, Arc::new(requests), stopped)),
        loaded: loading.loaded(),
        loading: Some(finish(loading)),
        schedules: JoinSet::new(),
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
    let loading = begin(options).await?;
    let (scheduled, _) = finish(loading)
        .await??
        .into_iter()
        .next()
        .ok_or_else(|| anyhow!("`{component}` is no scheduled component"))?;
    scheduled.run(chrono::Utc::now()).await
}

/// Opening files may take long: not on a thread that serves.
async fn begin(options: Options) -> anyhow::Result<Loading> {
    tokio::task::spawn_blocking(move || Loading::begin(options)).await?
}

/// Compiling takes long, too.
fn finish(loading: Loading) -> JoinHandle<anyhow::Result<Vec<OnSchedule>>> {
    tokio::task::spawn_blocking(move || loading.finish())
}

impl RunningHost {
    /// The address that is really listened on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// How far the loading is, while it is waited for.
    #[must_use]
    pub fn loading(&self) -> watch::Receiver<Loaded> {
        self.loaded.clone()
    }

    /// Waits until all components are compiled, and begins their schedules.
    ///
    /// # Errors
    /// When a component cannot be compiled or needs what the host does not offer, or when a schedule
    /// cannot be read. The host is then of no use.
    pub async fn loaded(&mut self) -> anyhow::Result<()> {
        let Some(loading) = &mut self.loading else {
            return Ok(());
        };
        let loaded = loading.await;
        self.loading = None;
        for (scheduled, expression) in loaded?? {
            let schedule = cron::serve(scheduled, expression, self.stop.subscribe());
            self.schedules.spawn(schedule);
        }
        Ok(())
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
        connections.spawn(serve_connection(
            stream,
            client,
            requests.clone(),
            graceful.watcher(),
        ));
    }
    drop(listener);
    graceful.shutdown().await;
    while connections.join_next().await.is_some() {}
}

async fn serve_connection(
    stream: TcpStream,
    client: SocketAddr,
    requests: Arc<Requests>,
    watcher: Watcher,
) {
    // A small answer must not wait for the next acknowledgement.
    let _ = stream.set_nodelay(true);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    let service = service_fn(move |request| {
        let requests = requests.clone();
        async move { Ok::<_, std::convert::Infallible>(requests.answer(request, client).await) }
    });
    let connection = builder
        .serve_connection(TokioIo::new(FirstBytes::new(stream, HEAD_TIMEOUT)), service)
        .into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!("a connection ended: {error}");
    }
}

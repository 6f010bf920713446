//! Instance reuse, by wasmtime's own `ProxyHandler` with Spin's defaults.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use vivesphere_wasi::StoreData;
use wasmtime::component::GuestTaskId;
use wasmtime::{AsContextMut as _, Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyHandler, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState,
    WorkerStatus,
};

use crate::instance::{Grants, Guest, guest};
use crate::limits::Computing;

/// Requests that one instance serves in its life.
const REQUESTS: usize = 128;
/// Requests that one instance serves at once.
const REQUESTS_AT_ONCE: usize = 16;
/// How long an instance waits for another request.
const IDLE: Duration = Duration::from_secs(1);

/// Serves one component.
pub(crate) type Handler = ProxyHandler<ComponentState>;

/// What a request learns: the instance that serves it.
pub(crate) type ServedBy = Arc<OnceLock<Arc<Responses>>>;

/// What makes instances of one component.
pub(crate) struct ComponentState {
    pub(crate) engine: wasmtime::Engine,
    pub(crate) pre: ProxyPre<StoreData>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) request_timeout: Option<Duration>,
}

/// The responses of one instance.
#[derive(Debug, Default)]
pub(crate) struct Responses {
    /// How many have begun and are not at their end.
    pub(crate) streaming: AtomicUsize,
    /// Whether a request was given up, whose task the instance cannot be rid of.
    overdue: AtomicBool,
    /// Whether the instance trapped.
    trapped: AtomicBool,
}

impl Responses {
    /// Whether they can have been cut off.
    pub(crate) fn trapped(&self) -> bool {
        self.trapped.load(Ordering::Relaxed)
    }
}

impl HandlerState for ComponentState {
    type StoreData = StoreData;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<StoreData, Expiration, Worker>> {
        let mut store = Guest::store(&self.engine, &self.grants)?;
        let proxy = self.pre.instantiate_async(&mut store).await?;
        let responses = Arc::new(Responses::default());
        let expiration = Expiration {
            request_timeout: self.request_timeout,
            computing: guest(store.data_mut()).computing.clone(),
            responses: responses.clone(),
            sleep: Box::pin(tokio::time::sleep(IDLE)),
            ending: Box::pin(self.grants.lifecycle.ending()),
        };
        Ok(Instance {
            store,
            proxy,
            view: StoreData::http,
            expiration,
            state: Worker {
                component: self.grants.id.clone(),
                request_timeout: self.request_timeout,
                responses,
            },
        })
    }
}

pub(crate) struct Worker {
    component: Arc<str>,
    request_timeout: Option<Duration>,
    responses: Arc<Responses>,
}

impl WorkerState for Worker {
    type StoreData = StoreData;
    type RequestData = ServedBy;

    fn should_accept_request(&self, at_once: usize, total: usize) -> ShouldAccept {
        if total >= REQUESTS {
            ShouldAccept::Never
        } else if at_once >= REQUESTS_AT_ONCE {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        mut store: StoreContextMut<'_, StoreData>,
        served_by: ServedBy,
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        // After a pause the engine's clock is far ahead: the first tick begins now.
        store.as_context_mut().set_epoch_deadline(1);
        let _ = served_by.set(self.responses.clone());
        let Some(timeout) = self.request_timeout else {
            return Box::pin(std::future::pending());
        };
        let responses = self.responses.clone();
        Box::pin(async move {
            tokio::time::sleep(timeout).await;
            responses.overdue.store(true, Ordering::Relaxed);
        })
    }

    fn drop(&self, store: Store<StoreData>, result: Result<(), wasmtime::Error>) {
        if let Err(error) = result {
            tracing::error!(component = %self.component, "an instance was stopped: {error:#}");
            // Before the store goes, and its streams with it.
            self.responses.trapped.store(true, Ordering::Relaxed);
        }
        drop(store);
    }
}

/// Says when an instance ends.
pub(crate) struct Expiration {
    request_timeout: Option<Duration>,
    computing: Computing,
    responses: Arc<Responses>,
    /// Never far ahead, so that it needs no setting at each request.
    sleep: Pin<Box<tokio::time::Sleep>>,
    ending: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl Expiration {
    /// When the instance is to end, as things are.
    fn deadline(&self, status: WorkerStatus, start: Instant) -> Option<Instant> {
        match status {
            WorkerStatus::Idle => Some(start + IDLE),
            WorkerStatus::Requests => self.request_timeout.map(|timeout| start + timeout),
            // A response has begun, or work goes on after it: that is never cut. Only a request
            // that was given up may have left a task that never ends.
            WorkerStatus::PostReturn => self
                .request_timeout
                .filter(|_| {
                    self.responses.overdue.load(Ordering::Relaxed)
                        && self.responses.streaming.load(Ordering::Relaxed) == 0
                })
                .map(|timeout| start + timeout),
        }
    }
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        start: Instant,
    ) -> Poll<()> {
        self.computing.pending();
        if status == WorkerStatus::Idle && self.ending.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let deadline = self.deadline(status, start);
        if let Some(deadline) = deadline
            && deadline < self.sleep.deadline().into_std()
        {
            self.sleep.as_mut().reset(deadline.into());
        }
        while self.sleep.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Poll::Ready(());
            }
            // Circumstances may change without a word: look again in a while.
            let look_again = now + IDLE;
            let next = deadline.map_or(look_again, |deadline| deadline.min(look_again));
            self.sleep.as_mut().reset(next.into());
        }
        Poll::Pending
    }
}

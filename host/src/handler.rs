//! Instance reuse, by wasmtime's own `ProxyHandler` with Spin's defaults.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyHandler, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState,
    WorkerStatus,
};

use crate::instance::{Grants, Guest};

/// Requests that one instance serves in its life.
const REQUESTS: usize = 128;
/// Requests that one instance serves at once.
const REQUESTS_AT_ONCE: usize = 16;
/// How long an instance waits for another request.
const IDLE: Duration = Duration::from_secs(1);
/// No request timeout: far away.
const NEVER: Duration = Duration::from_secs(86_400 * 365);

/// Serves one component.
pub(crate) type Handler = ProxyHandler<ComponentState>;

/// What makes instances of one component.
pub(crate) struct ComponentState {
    pub(crate) engine: wasmtime::Engine,
    pub(crate) pre: ProxyPre<Guest>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) request_timeout: Option<Duration>,
}

impl HandlerState for ComponentState {
    type StoreData = Guest;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<Guest, Expiration, Worker>> {
        let mut store = Guest::store(&self.engine, &self.grants)?;
        let proxy = self.pre.instantiate_async(&mut store).await?;
        let request_timeout = self.request_timeout.unwrap_or(NEVER);
        Ok(Instance {
            store,
            proxy,
            view: Guest::http,
            expiration: Expiration {
                request_timeout,
                sleep: Box::pin(tokio::time::sleep(NEVER)),
            },
            state: Worker {
                component: self.grants.id.clone(),
                request_timeout,
            },
        })
    }
}

pub(crate) struct Worker {
    component: Arc<str>,
    request_timeout: Duration,
}

impl WorkerState for Worker {
    type StoreData = Guest;
    type RequestData = ();

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
        mut store: StoreContextMut<'_, Guest>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        store.data_mut().ticks = 0;
        if self.request_timeout == NEVER {
            return Box::pin(std::future::pending());
        }
        Box::pin(tokio::time::sleep(self.request_timeout))
    }

    fn drop(&self, store: Store<Guest>, result: Result<(), wasmtime::Error>) {
        if let Err(error) = result {
            tracing::error!(component = %self.component, "an instance was stopped: {error:#}");
        }
        drop(store);
    }
}

pub(crate) struct Expiration {
    request_timeout: Duration,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        start: Instant,
    ) -> Poll<()> {
        let timeout = match status {
            WorkerStatus::Idle => IDLE,
            WorkerStatus::Requests => self.request_timeout,
            // A response has begun: a stream is never cut.
            WorkerStatus::PostReturn => return Poll::Pending,
        };
        let deadline = tokio::time::Instant::from_std(start + timeout);
        if self.sleep.deadline() != deadline {
            self.sleep.as_mut().reset(deadline);
        }
        self.sleep.as_mut().poll(cx)
    }
}

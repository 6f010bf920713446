//! The HTTP components of an application, and calls between them.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::SetOnce;
use wasmtime_wasi_http::handler::{
    ExpirationError, InstantiationError, ProxyHandler, TrapOrPanicError,
};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::handler::{ComponentState, Handler, Responses, ServedBy};
use crate::router::Router;
use crate::spin_headers;

/// One HTTP component.
pub(crate) struct Service {
    id: Arc<str>,
    /// There is none as long as the component is not compiled.
    handler: SetOnce<Handler>,
    /// Whether somebody has waited for it.
    wanted: AtomicBool,
    request_timeout: Option<Duration>,
}

/// Why a component gave no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It took longer than the request timeout.
    #[error("there was no response within the request timeout")]
    TimedOut,
    /// There is no room for another instance.
    #[error("no instance could be made: {0}")]
    NoInstance(String),
    /// It trapped, or another request in the same instance did.
    #[error("the instance trapped")]
    Trapped,
    /// It answered with an error code.
    #[error("{0}")]
    Refused(String),
}

impl Service {
    /// A component that is not compiled yet.
    pub(crate) fn new(id: Arc<str>, request_timeout: Option<Duration>) -> Self {
        Self {
            id,
            handler: SetOnce::new(),
            wanted: AtomicBool::new(false),
            request_timeout,
        }
    }

    /// Whoever waits for the component is served from now on.
    pub(crate) fn ready(&self, state: ComponentState) {
        // A component is compiled once.
        let _ = self.handler.set(ProxyHandler::new(state));
    }

    /// Waits until the component is compiled.
    pub(crate) async fn handler(&self) -> &Handler {
        match self.handler.get() {
            Some(handler) => handler,
            None => {
                self.wanted.store(true, Ordering::Relaxed);
                self.handler.wait().await
            }
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) async fn call(
        &self,
        request: Request<WasiBody>,
    ) -> Result<Response<ResponseBody>, Failure> {
        let handler = self.handler().await;
        let started = Instant::now();
        let served_by = ServedBy::default();
        let response = handler
            .handle(served_by.clone(), request)
            .await
            .map_err(|error| {
                let late = || {
                    self.request_timeout
                        .is_some_and(|timeout| started.elapsed() >= timeout)
                };
                if error.is::<ExpirationError>() {
                    Failure::TimedOut
                } else if error.is::<TrapOrPanicError>() {
                    // An instance that never gave way was stopped at the timeout.
                    if late() {
                        Failure::TimedOut
                    } else {
                        Failure::Trapped
                    }
                } else if let Some(error) = error.downcast_ref::<InstantiationError<ServedBy>>() {
                    Failure::NoInstance(format!("{:#}", error.error))
                } else {
                    Failure::Refused(format!("{error:#}"))
                }
            })?;
        Ok(response.map(|body| ResponseBody::new(body, served_by.get())))
    }
}

/// A response's body. The instance behind it is kept as long as it streams.
pub(crate) struct ResponseBody {
    body: WasiBody,
    instance: Option<Arc<Responses>>,
}

impl ResponseBody {
    fn new(body: WasiBody, instance: Option<&Arc<Responses>>) -> Self {
        let instance = instance.filter(|_| !body.is_end_stream()).cloned();
        if let Some(instance) = &instance {
            instance.streaming.fetch_add(1, Ordering::Relaxed);
        }
        Self { body, instance }
    }
}

impl From<WasiBody> for ResponseBody {
    fn from(body: WasiBody) -> Self {
        Self::new(body, None)
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let Some(instance) = &self.instance {
            instance.streaming.fetch_sub(1, Ordering::Relaxed);
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
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        // When an instance goes its streams just end. What was cut off must not look whole.
        let trapped = |instance: &Arc<Responses>| instance.trapped();
        if frame.is_none() && self.instance.as_ref().is_some_and(trapped) {
            return Poll::Ready(Some(Err(Error::InternalError(None))));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// All HTTP components and their routes.
pub(crate) struct Services {
    router: Router,
    by_id: HashMap<String, Arc<Service>>,
}

impl Services {
    pub(crate) fn new(router: Router, by_id: HashMap<String, Arc<Service>>) -> Self {
        Self { router, by_id }
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<&Arc<Service>> {
        self.by_id.get(id)
    }

    /// Whether somebody has waited for the component.
    pub(crate) fn is_wanted(&self, id: &str) -> bool {
        let wanted = |service: &Arc<Service>| service.wanted.load(Ordering::Relaxed);
        self.by_id.get(id).is_some_and(wanted)
    }

    /// The component behind a public path, and the request as it sees it.
    pub(crate) fn route<B>(
        &self,
        mut request: Request<B>,
        client: std::net::SocketAddr,
    ) -> Option<(&Arc<Service>, Request<B>)> {
        let (component, headers) = self.router.find(request.uri().path())?;
        let service = self.by_id(component)?;
        spin_headers::set(&mut request, &headers, client);
        Some((service, request))
    }
}

/// Where a component's calls to other components go.
#[derive(Clone, Default)]
pub(crate) struct Chain(Arc<OnceLock<Weak<Services>>>);

impl Chain {
    pub(crate) fn set(&self, services: &Arc<Services>) {
        // Set once, by the loading of the application.
        let _ = self.0.set(Arc::downgrade(services));
    }

    /// Calls a component by its id; it sees the path as it was sent.
    pub(crate) async fn call(
        &self,
        component: &str,
        mut request: Request<WasiBody>,
    ) -> Result<Response<ResponseBody>, Error> {
        let services = self.services()?;
        let service = services
            .by_id(component)
            .ok_or(Error::DestinationNotFound)?;
        spin_headers::set_chained(&mut request);
        run(service, request).await
    }

    /// Calls whatever is mounted at a public path of this application.
    pub(crate) async fn call_self(
        &self,
        request: Request<WasiBody>,
    ) -> Result<Response<ResponseBody>, Error> {
        let services = self.services()?;
        match services.route(request, spin_headers::SELF_CLIENT) {
            Some((service, request)) => run(service, request).await,
            None => Ok(crate::requests::empty(http::StatusCode::NOT_FOUND)),
        }
    }

    fn services(&self) -> Result<Arc<Services>, Error> {
        self.0
            .get()
            .and_then(Weak::upgrade)
            .ok_or(Error::DestinationUnavailable)
    }
}

async fn run(
    service: &Service,
    request: Request<WasiBody>,
) -> Result<Response<ResponseBody>, Error> {
    service.call(request).await.map_err(|failure| {
        tracing::error!(component = %service.id, "a call from a component failed: {failure}");
        match failure {
            Failure::TimedOut => Error::HttpResponseTimeout,
            Failure::NoInstance(_) => Error::ConnectionLimitReached,
            Failure::Trapped | Failure::Refused(_) => Error::InternalError(None),
        }
    })
}

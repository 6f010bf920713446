//! One request: its turn, its component, its response.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::request_body::RequestBody;
use crate::service::{Failure, ResponseBody, Services};
use crate::spin_headers::value;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How many requests may wait for their turn, for each that has it.
const WAITING: usize = 8;

/// What all connections share.
pub(crate) struct Requests {
    services: Arc<Services>,
    turns: Semaphore,
    /// Turns, and places to wait for one.
    places: Semaphore,
    request_timeout: Option<Duration>,
}

/// Room for one request.
struct Turn<'a> {
    _place: SemaphorePermit<'a>,
    _turn: SemaphorePermit<'a>,
}

impl Requests {
    pub(crate) fn new(
        services: Arc<Services>,
        at_once: usize,
        request_timeout: Option<Duration>,
    ) -> Self {
        let at_once = at_once.clamp(1, Semaphore::MAX_PERMITS);
        let places = at_once.saturating_mul(WAITING + 1);
        Self {
            services,
            turns: Semaphore::new(at_once),
            places: Semaphore::new(places.min(Semaphore::MAX_PERMITS)),
            request_timeout,
        }
    }

    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        client: SocketAddr,
    ) -> Response<ResponseBody> {
        let record = Record::begin(&request);
        let given = given_id(request.headers());
        let (parts, body) = request.into_parts();
        let body = RequestBody::new(&parts.headers, body);
        let request = Request::from_parts(parts, body);
        let Some((service, request)) = self.services.route(request, client) else {
            let response = named(empty(StatusCode::NOT_FOUND), given);
            record.end("", &response, None);
            return response;
        };
        // No turn is taken by those who wait for the compiler.
        service.handler().await;
        let Some(_turn) = self.turn().await else {
            let response = named(unavailable(), given);
            record.end(service.id(), &response, Some("too many requests wait"));
            return response;
        };
        let request =
            request.map(|body| body.map_err(wasmtime_wasi_http::Error::from).boxed_unsync());
        match service.call(request).await {
            Ok(response) => {
                record.end(service.id(), &response, None);
                response
            }
            Err(failure) => {
                let response = match failure {
                    Failure::TimedOut => empty(StatusCode::GATEWAY_TIMEOUT),
                    Failure::NoInstance(_) => unavailable(),
                    Failure::Trapped | Failure::Refused(_) => {
                        empty(StatusCode::INTERNAL_SERVER_ERROR)
                    }
                };
                let response = named(response, given);
                record.end(service.id(), &response, Some(&failure.to_string()));
                response
            }
        }
    }

    /// Waits for a turn; `None` when too many wait already, or it takes too long. A turn ends
    /// with the response's head: a stream may go on for hours and costs little.
    async fn turn(&self) -> Option<Turn<'_>> {
        let place = self.places.try_acquire().ok()?;
        let turn = self.turns.acquire();
        let turn = match self.request_timeout {
            Some(timeout) => tokio::time::timeout(timeout, turn).await.ok()?,
            None => turn.await,
        };
        Some(Turn {
            _place: place,
            _turn: turn.ok()?,
        })
    }
}

/// What the log says of a request. Never its query, which may hold what is nobody's business.
struct Record(Option<(Instant, Method, String)>);

impl Record {
    fn begin(request: &Request<Incoming>) -> Self {
        let wanted = tracing::enabled!(target: "vivesphere::request", tracing::Level::ERROR);
        Self(wanted.then(|| {
            let path = request.uri().path().to_owned();
            (Instant::now(), request.method().clone(), path)
        }))
    }

    /// A component logs its own requests, so those are for debugging here; a request that the
    /// host had to answer in its place is an error.
    fn end(self, component: &str, response: &Response<ResponseBody>, failure: Option<&str>) {
        let Some((started, method, path)) = self.0 else {
            return;
        };
        let request_id = response.headers().get(X_REQUEST_ID);
        let request_id = request_id
            .and_then(|id| id.to_str().ok())
            .unwrap_or_default();
        let status = response.status().as_u16();
        let duration_ms = started.elapsed().as_secs_f64() * 1000.0;
        match failure {
            None => tracing::debug!(
                target: "vivesphere::request",
                component, request_id, method = method.as_str(), path, status, duration_ms,
            ),
            Some(failure) => tracing::error!(
                target: "vivesphere::request",
                component, request_id, method = method.as_str(), path, status, duration_ms,
                "{failure}"
            ),
        }
    }
}

/// The id that a client has given its request, if it is short and plain: components keep such a one, too.
fn given_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    headers
        .get(X_REQUEST_ID)
        .filter(|id| (8..=64).contains(&id.len()) && id.as_bytes().iter().all(plain))
        .cloned()
}

/// Gives an answer of the host's own an id, by which its line in the log is found: the component that
/// would have given one has not come to it.
fn named(
    mut response: Response<ResponseBody>,
    given: Option<HeaderValue>,
) -> Response<ResponseBody> {
    let id = given.unwrap_or_else(|| value(uuid::Uuid::now_v7().to_string()));
    response.headers_mut().insert(X_REQUEST_ID, id);
    response
}

fn unavailable() -> Response<ResponseBody> {
    let mut response = empty(StatusCode::SERVICE_UNAVAILABLE);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<ResponseBody> {
    let body = Empty::new()
        .map_err(|never: std::convert::Infallible| match never {})
        .boxed_unsync();
    let mut response = Response::new(ResponseBody::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}

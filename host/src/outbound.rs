//! How a component's requests get out: over the network, or straight to another component
//! (service chaining).

pub(crate) mod allowed_hosts;
pub(crate) mod connections;
mod response_body;

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::instance::Grants;
use crate::service::ResponseBody;

/// The suffix of addresses that name a component.
const INTERNAL: &str = ".spin.internal";

/// A limit that the guest does not give, as in Spin and wasmtime.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

/// How long a request may take, in parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// Until the connection stands, TLS included.
    pub(crate) connect: Duration,
    /// From then on until the response's head.
    pub(crate) first_byte: Duration,
    /// Between two pieces of its body.
    pub(crate) between_bytes: Duration,
}

impl Timeouts {
    fn new(options: Option<RequestOptions>) -> Self {
        let options = options.unwrap_or_default();
        Self {
            connect: options.connect_timeout.unwrap_or(DEFAULT_TIMEOUT),
            first_byte: options.first_byte_timeout.unwrap_or(DEFAULT_TIMEOUT),
            between_bytes: options.between_bytes_timeout.unwrap_or(DEFAULT_TIMEOUT),
        }
    }
}

/// Sends an instance's requests.
pub(crate) struct Outbound {
    grants: Arc<Grants>,
}

impl Outbound {
    pub(crate) fn new(grants: Arc<Grants>) -> Self {
        Self { grants }
    }
}

/// A future that says whether the request's body went out; here the response tells it.
type Transmission = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Transmission,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Transmission), Error>> + Send> {
        let grants = self.grants.clone();
        Box::new(async move {
            let response = send(&grants, request, Timeouts::new(options)).await?;
            Ok((
                response,
                Box::new(std::future::ready(Ok(()))) as Transmission,
            ))
        })
    }
}

async fn send(
    grants: &Grants,
    request: Request<WasiBody>,
    timeouts: Timeouts,
) -> Result<Response<WasiBody>, Error> {
    let uri = request.uri();
    if !grants.allowed_hosts.allow(uri) {
        tracing::warn!(
            component = %grants.id,
            host = uri.host().unwrap_or_default(),
            "a connection was denied: the host is not in allowed_outbound_hosts"
        );
        return Err(Error::HttpRequestDenied);
    }
    if allowed_hosts::is_self(uri) {
        let response = grants.chain.call_self(request);
        return within(timeouts, response).await;
    }
    let component = uri.host().and_then(|host| host.strip_suffix(INTERNAL));
    if let Some(component) = component.map(str::to_owned) {
        let response = grants.chain.call(&component, request);
        return within(timeouts, response).await;
    }
    grants.connections.send(request, timeouts).await
}

async fn within(
    timeouts: Timeouts,
    response: impl Future<Output = Result<Response<ResponseBody>, Error>>,
) -> Result<Response<WasiBody>, Error> {
    let response = tokio::time::timeout(timeouts.first_byte, response)
        .await
        .map_err(|_| Error::ConnectionReadTimeout)??;
    Ok(response.map(|body| body.boxed_unsync()))
}

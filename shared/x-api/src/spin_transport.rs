//! The transport of a component: WASI HTTP through the Spin SDK.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::{Either, select};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use spin_sdk::http::{FromResponse as _, IntoRequest as _};
use spin_sdk::wasip3;
use spin_sdk::wasip3::http::types::{ErrorCode, RequestOptions};
use spin_sdk::wasip3::http_compat::{IncomingResponseBody, RequestOptionsExtension};

use crate::code;
use crate::transport::{Answer, Transport, TransportError};

/// Most bytes of an answer's body, unless another limit is given.
const BODY_LIMIT: usize = 1 << 20;

/// The longest that connecting may take. It is never more than half of the whole time, so that a
/// host which cannot be reached is told apart ([`TransportError::NotSent`]) from one that does not
/// answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Sends through the host's outgoing HTTP, as far as `allowed_outbound_hosts` lets it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpinTransport;

impl Transport for SpinTransport {
    async fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> Result<Answer, TransportError> {
        self.send_within(request, timeout, BODY_LIMIT).await
    }
}

impl SpinTransport {
    /// As [`Transport::send`], with another limit for the answer's body, in bytes.
    ///
    /// # Errors
    /// As [`Transport::send`].
    pub async fn send_within(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
        body_limit: usize,
    ) -> Result<Answer, TransportError> {
        let sending = Box::pin(exchange(request, timeout));
        let deadline = Box::pin(spin_sdk::time::sleep(timeout));
        let (response, deadline) = match select(sending, deadline).await {
            Either::Left((response, deadline)) => (response?, deadline),
            Either::Right(((), _)) => return Err(TransportError::Timeout),
        };
        let (head, body) = response.into_parts();
        let mut received = BytesMut::new();
        // A broken or endless body leaves what is known: the status and the part that came.
        let complete = match select(Box::pin(read(body, &mut received, body_limit)), deadline).await
        {
            Either::Left((complete, _)) => complete,
            Either::Right(((), _)) => false,
        };
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: received.freeze(),
            complete,
        })
    }
}

async fn exchange(
    request: Request<Bytes>,
    timeout: Duration,
) -> Result<Response<IncomingResponseBody>, TransportError> {
    let mut request = request.map(Full::new);
    request
        .extensions_mut()
        .insert(RequestOptionsExtension(options(timeout)));
    // Up to here nothing is sent, whatever the error.
    let request = request
        .into_request()
        .map_err(|error| TransportError::NotSent {
            code: code::INVALID_REQUEST,
            detail: format!("the request could not be built: {error}"),
        })?;
    let response = wasip3::http::client::send(request)
        .await
        .map_err(classify)?;
    Response::from_response(response).map_err(|error| TransportError::Interrupted {
        code: code::MALFORMED_RESPONSE,
        detail: error.to_string(),
    })
}

/// A host that does not know one of the options ignores it: the deadline holds all the same.
fn options(timeout: Duration) -> RequestOptions {
    let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let options = RequestOptions::new();
    let _unsupported =
        options.set_connect_timeout(Some(nanoseconds(CONNECT_LIMIT.min(timeout / 2))));
    let _unsupported = options.set_first_byte_timeout(Some(nanoseconds(timeout)));
    let _unsupported = options.set_between_bytes_timeout(Some(nanoseconds(timeout)));
    options
}

/// Reads to the end; false when it did not get there.
async fn read(mut body: IncomingResponseBody, received: &mut BytesMut, limit: usize) -> bool {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if received.len() + data.len() > limit {
            let room = limit.saturating_sub(received.len());
            received.extend_from_slice(data.get(..room).unwrap_or_default());
            return false;
        }
        received.extend_from_slice(data);
    }
    true
}

/// Which errors say for certain that nothing was sent.
///
/// WASI took its codes from the proxy error types of RFC 9209, section 2.3, which says of each
/// whether it arises before the next hop is reached. wasmtime 48 and Spin 4.1 use these codes only
/// while they resolve, connect or refuse by policy. A TLS error can come after the handshake
/// (section 2.3.14), so it stays uncertain, and so does everything unspecific.
fn classify(error: ErrorCode) -> TransportError {
    let detail = error.to_string();
    let not_sent = match error {
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) => code::DNS_ERROR,
        ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable => code::DESTINATION_UNAVAILABLE,
        ErrorCode::DestinationIpProhibited | ErrorCode::HttpRequestDenied => code::OUTBOUND_DENIED,
        ErrorCode::ConnectionRefused => code::CONNECTION_REFUSED,
        ErrorCode::ConnectionTimeout => code::CONNECT_TIMEOUT,
        ErrorCode::ConnectionLimitReached => code::CONNECTION_LIMIT,
        ErrorCode::TlsCertificateError => code::TLS_CERTIFICATE,
        ErrorCode::HttpRequestMethodInvalid | ErrorCode::HttpRequestUriInvalid => {
            code::INVALID_REQUEST
        }
        ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => return TransportError::Timeout,
        _ => {
            return TransportError::Interrupted {
                code: code::CONNECTION_LOST,
                detail,
            };
        }
    };
    TransportError::NotSent {
        code: not_sent,
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_precedes_sending_counts_as_not_sent() {
        let certain = [
            ErrorCode::DnsTimeout,
            ErrorCode::DestinationNotFound,
            ErrorCode::DestinationUnavailable,
            ErrorCode::DestinationIpProhibited,
            ErrorCode::DestinationIpUnroutable,
            ErrorCode::ConnectionRefused,
            ErrorCode::ConnectionTimeout,
            ErrorCode::ConnectionLimitReached,
            ErrorCode::TlsCertificateError,
            ErrorCode::HttpRequestDenied,
            ErrorCode::HttpRequestMethodInvalid,
            ErrorCode::HttpRequestUriInvalid,
        ];
        for error in certain {
            let text = error.to_string();
            assert!(
                matches!(classify(error), TransportError::NotSent { .. }),
                "{text}"
            );
        }
        let uncertain = [
            ErrorCode::ConnectionTerminated,
            ErrorCode::ConnectionReadTimeout,
            ErrorCode::ConnectionWriteTimeout,
            ErrorCode::TlsProtocolError,
            ErrorCode::HttpRequestLengthRequired,
            ErrorCode::HttpRequestBodySize(None),
            ErrorCode::HttpRequestUriTooLong,
            ErrorCode::HttpResponseIncomplete,
            ErrorCode::HttpResponseBodySize(None),
            ErrorCode::HttpResponseTimeout,
            ErrorCode::HttpUpgradeFailed,
            ErrorCode::HttpProtocolError,
            ErrorCode::LoopDetected,
            ErrorCode::ConfigurationError,
            ErrorCode::InternalError(None),
        ];
        for error in uncertain {
            let text = error.to_string();
            assert!(
                !matches!(classify(error), TransportError::NotSent { .. }),
                "{text}"
            );
        }
    }
}

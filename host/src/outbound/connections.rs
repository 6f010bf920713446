//! Connections to the network, kept open between requests.
//!
//! A request may have an effect, so none is ever sent twice: only a request of which not one
//! byte was handed to a connection (hyper gives it back then) goes to another connection.
//! Whatever fails later is the guest's to judge.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use wasmtime_wasi_http::{Error, WasiBody};

use super::Timeouts;
use super::response_body::ResponseBody;

/// How long an idle connection is kept: less than the 5 s after which common servers close
/// theirs, so that a request seldom meets a connection that is just being closed.
const IDLE: Duration = Duration::from_secs(4);

/// Most idle connections kept to one place.
const IDLE_CONNECTIONS: usize = 64;

type Sender = SendRequest<WasiBody>;

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    tls: bool,
    /// In lower case.
    host: String,
    port: u16,
}

struct Idle {
    sender: Sender,
    since: Instant,
}

/// The idle connections of a host.
#[derive(Default)]
pub(crate) struct Connections {
    idle: Mutex<HashMap<Place, Vec<Idle>>>,
    tls: OnceLock<Result<TlsConnector, String>>,
}

impl Connections {
    /// Must be called in a runtime: a task closes what is idle for too long.
    pub(crate) fn new() -> Arc<Self> {
        let connections = Arc::new(Self::default());
        let weak = Arc::downgrade(&connections);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(IDLE / 4).await;
                let Some(connections) = weak.upgrade() else {
                    return;
                };
                connections.close_old();
            }
        });
        connections
    }

    /// Sends a request to where its URI leads.
    pub(super) async fn send(
        self: &Arc<Self>,
        mut request: Request<WasiBody>,
        timeouts: Timeouts,
    ) -> Result<Response<WasiBody>, Error> {
        let place = Place::of(request.uri())?;
        // On a connection to the server itself the target is the path alone (RFC 9112, 3.2.1).
        let path = request.uri_mut().path_and_query().cloned();
        *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
        let mut kept = true;
        while kept {
            let sender = self.take(&place);
            kept = sender.is_some();
            let sender = match sender {
                Some(sender) => sender,
                None => tokio::time::timeout(timeouts.connect, self.connect(&place))
                    .await
                    .map_err(|_| Error::ConnectionTimeout)??,
            };
            match self.send_on(sender, &place, request, timeouts).await {
                Ok(response) => return Ok(response),
                Err(Unsent(Some(given_back), _)) => request = *given_back,
                Err(Unsent(None, error)) => return Err(error),
            }
        }
        // A new connection broke before it took the request.
        Err(Error::ConnectionTerminated)
    }

    async fn send_on(
        self: &Arc<Self>,
        mut sender: Sender,
        place: &Place,
        request: Request<WasiBody>,
        timeouts: Timeouts,
    ) -> Result<Response<WasiBody>, Unsent> {
        let sent = tokio::time::timeout(timeouts.first_byte, sender.try_send_request(request));
        let response = match sent.await {
            Ok(Ok(response)) => response,
            Ok(Err(mut error)) => {
                let given_back = error.take_message().map(Box::new);
                return Err(Unsent(given_back, lost(error.error())));
            }
            Err(_) => return Err(Unsent(None, Error::ConnectionReadTimeout)),
        };
        self.keep(sender, place);
        Ok(response.map(|body| ResponseBody::new(body, timeouts.between_bytes).boxed_unsync()))
    }

    /// An idle connection that is open as far as can be known.
    fn take(&self, place: &Place) -> Option<Sender> {
        let mut idle = self.lock();
        let connections = idle.get_mut(place)?;
        while let Some(Idle { sender, since }) = connections.pop() {
            if since.elapsed() < IDLE && sender.is_ready() {
                return Some(sender);
            }
        }
        None
    }

    /// Keeps the connection once the response has been read to its end.
    fn keep(self: &Arc<Self>, mut sender: Sender, place: &Place) {
        let connections: Weak<Self> = Arc::downgrade(self);
        let place = place.clone();
        tokio::spawn(async move {
            if sender.ready().await.is_err() {
                return;
            }
            let Some(connections) = connections.upgrade() else {
                return;
            };
            let mut idle = connections.lock();
            let kept = idle.entry(place).or_default();
            if kept.len() < IDLE_CONNECTIONS {
                kept.push(Idle {
                    sender,
                    since: Instant::now(),
                });
            }
        });
    }

    fn close_old(&self) {
        self.lock().retain(|_, connections| {
            connections.retain(|idle| idle.since.elapsed() < IDLE && !idle.sender.is_closed());
            !connections.is_empty()
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Place, Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self, place: &Place) -> Result<Sender, Error> {
        let stream = tcp(place).await?;
        // A small request must not wait for the next acknowledgement.
        let _ = stream.set_nodelay(true);
        if !place.tls {
            return handshake(TokioIo::new(stream)).await;
        }
        let name = ServerName::try_from(place.host.trim_matches(['[', ']']).to_owned())
            .map_err(|_| Error::HttpRequestUriInvalid)?;
        let connector = self.tls.get_or_init(tls).as_ref();
        let stream = connector
            .map_err(|reason| Error::InternalError(Some(reason.clone())))?
            .connect(name, stream)
            .await
            .map_err(|error| tls_failure(&error))?;
        handshake(TokioIo::new(stream)).await
    }
}

/// A request that failed; with the request itself when nothing of it was sent.
struct Unsent(Option<Box<Request<WasiBody>>>, Error);

impl Place {
    fn of(uri: &Uri) -> Result<Self, Error> {
        let tls = uri.scheme() == Some(&Scheme::HTTPS);
        let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
        let port = Authority::port_u16(authority).unwrap_or(if tls { 443 } else { 80 });
        Ok(Self {
            tls,
            host: authority.host().to_ascii_lowercase(),
            port,
        })
    }
}

async fn tcp(place: &Place) -> Result<TcpStream, Error> {
    let unknown = |reason: &str| Error::DnsError {
        rcode: Some(reason.to_owned()),
        info_code: None,
    };
    let host = place.host.trim_matches(['[', ']']);
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, place.port))
        .await
        .map_err(|error| unknown(&error.to_string()))?
        .collect();
    let mut failure = unknown("no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = connect_failure(error),
        }
    }
    Err(failure)
}

async fn handshake<S>(stream: S) -> Result<Sender, Error>
where
    S: Read + Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(stream)
        .await
        .map_err(|error| lost(&error))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!("an outgoing connection ended: {error}");
        }
    });
    Ok(sender)
}

fn tls() -> Result<TlsConnector, String> {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.into(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be used: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn connect_failure(error: std::io::Error) -> Error {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        ErrorKind::TimedOut => Error::ConnectionTimeout,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Error::DestinationUnavailable,
        _ => Error::Connect(error),
    }
}

fn tls_failure(error: &std::io::Error) -> Error {
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
        Some(_) => Error::TlsProtocolError,
        // The connection broke in the handshake.
        None => Error::ConnectionTerminated,
    }
}

/// An error of a connection that stood.
pub(super) fn lost(error: &hyper::Error) -> Error {
    if error.is_timeout() {
        Error::ConnectionReadTimeout
    } else if error.is_parse() || error.is_user() {
        Error::HttpProtocolError
    } else {
        Error::ConnectionTerminated
    }
}

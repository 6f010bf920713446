//! The HTTP server: finds the component of a request, waits for its turn, answers.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::{ExpirationError, ProxyHandler, ProxyPre};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::application::{KeyValueStore, Options};
use crate::cron::{self, Scheduled};
use crate::engine;
use crate::handler::{ComponentState, Handler};
use crate::instance::Grants;
use crate::interfaces::key_value_store::Store;
use crate::outbound::AllowedHosts;
use crate::router::{Matched, Router};

/// How many requests may wait for their turn, for each that has it.
const WAITING: usize = 8;

type Handlers = HashMap<String, Handler>;

/// Where a component's calls to other components go.
#[derive(Clone, Default)]
pub(crate) struct Chain(Arc<OnceLock<Weak<Handlers>>>);

impl Chain {
    /// Calls a component; `None` when there is none of that name.
    pub(crate) async fn call(
        &self,
        component: &str,
        mut request: Request<WasiBody>,
    ) -> Option<wasmtime::Result<Response<WasiBody>>> {
        let handler = self.0.get()?.upgrade()?.get(component)?.clone();
        let path = request.uri().path().to_owned();
        strip_spin_headers(request.headers_mut());
        set(request.headers_mut(), "spin-path-info", &path);
        Some(handler.handle((), request).await)
    }
}

/// A host that serves. Dropping it stops it at once.
pub struct RunningHost {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    schedules: Vec<JoinHandle<()>>,
}

struct Shared {
    router: Router,
    handlers: Arc<Handlers>,
    turns: Semaphore,
    places: Semaphore,
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
    let (shared, scheduled) = tokio::task::block_in_place(|| load(&options))?;
    let schedules = scheduled
        .into_iter()
        .map(|(scheduled, cron)| tokio::spawn(cron::serve(scheduled, cron)))
        .collect();
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(accept(
        listener,
        Arc::new(shared),
        stopped,
        options.drain_timeout,
    ));
    Ok(RunningHost {
        address,
        stop,
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
    let (_shared, scheduled) = tokio::task::block_in_place(|| load(&options))?;
    let (scheduled, _) = scheduled
        .into_iter()
        .next()
        .ok_or_else(|| anyhow!("`{component}` is no scheduled component"))?;
    scheduled.run().await
}

impl RunningHost {
    /// The address that is really listened on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops gracefully: no new connections and ticks, requests and streams in flight are
    /// finished within the options' `drain_timeout`.
    pub async fn shutdown(mut self) {
        for schedule in &self.schedules {
            schedule.abort();
        }
        let _ = self.stop.send(true);
        let _ = (&mut self.server).await;
    }
}

impl Drop for RunningHost {
    fn drop(&mut self) {
        self.server.abort();
        for schedule in &self.schedules {
            schedule.abort();
        }
    }
}

type Schedules = Vec<(Scheduled, croner::Cron)>;

fn load(options: &Options) -> anyhow::Result<(Shared, Schedules)> {
    let application = &options.application;
    let engine = engine::new(options)?;
    engine::tick(&engine);
    let linker = engine::linker(&engine)?;
    let chain = Chain::default();
    let (stores, databases) = places(options)?;
    let used: Vec<_> = application
        .components
        .values()
        .filter(|component| {
            let http = application
                .http_triggers
                .iter()
                .map(|trigger| &trigger.component);
            let cron = application
                .cron_triggers
                .iter()
                .map(|trigger| &trigger.component);
            http.chain(cron).any(|id| *id == component.id)
        })
        .collect();
    // Compiling takes seconds each the first time: all at once.
    let prepared: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = used
            .iter()
            .map(|component| {
                let (engine, linker) = (&engine, &linker);
                scope.spawn(move || {
                    engine::prepare(engine, linker, &component.id, &component.source)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(anyhow!("the compiler failed")))
            })
            .collect()
    });
    let mut handlers = Handlers::new();
    let mut scheduled = Vec::new();
    for (component, pre) in used.into_iter().zip(prepared) {
        let pre = pre?;
        let grants = Arc::new(Grants {
            component: component.clone(),
            id: component.id.as_str().into(),
            allowed_hosts: AllowedHosts::parse(&component.allowed_outbound_hosts)
                .with_context(|| format!("component `{}`", component.id))?,
            stores: stores.clone(),
            databases: databases.clone(),
            max_memory: options.max_instance_memory,
            chain: chain.clone(),
        });
        if application
            .http_triggers
            .iter()
            .any(|trigger| trigger.component == component.id)
        {
            let service = ServicePre::new(pre.clone())
                .map_err(anyhow::Error::from)
                .with_context(|| {
                    format!(
                        "component `{}` does not export wasi:http/handler@0.3",
                        component.id
                    )
                })?;
            let handler = ProxyHandler::new(ComponentState {
                engine: engine.clone(),
                pre: ProxyPre::P3(service),
                grants: grants.clone(),
                request_timeout: options.request_timeout,
            });
            handlers.insert(component.id.clone(), handler);
        }
        for trigger in &application.cron_triggers {
            if options.cron && trigger.component == component.id {
                let woken = Scheduled::new(&engine, pre.clone(), grants.clone())?;
                scheduled.push((woken, cron::parse(&trigger.expression)?));
            }
        }
    }
    let handlers = Arc::new(handlers);
    let _ = chain.0.set(Arc::downgrade(&handlers));
    let shared = Shared {
        router: Router::new(application),
        handlers,
        turns: Semaphore::new(options.max_concurrent_requests),
        places: Semaphore::new(options.max_concurrent_requests.saturating_mul(WAITING + 1)),
    };
    Ok((shared, scheduled))
}

type Places = (
    Arc<HashMap<String, Store>>,
    Arc<HashMap<String, std::path::PathBuf>>,
);

/// The stores and databases there are: `default` always, others by the runtime configuration.
fn places(options: &Options) -> anyhow::Result<Places> {
    std::fs::create_dir_all(&options.state_dir).with_context(|| {
        format!(
            "cannot use the state directory {}",
            options.state_dir.display()
        )
    })?;
    let mut databases: HashMap<_, _> = options
        .runtime_config
        .sqlite_databases
        .clone()
        .into_iter()
        .collect();
    databases
        .entry("default".to_owned())
        .or_insert_with(|| options.state_dir.join("sqlite_db.db"));
    let mut kinds = options.runtime_config.key_value_stores.clone();
    kinds
        .entry("default".to_owned())
        .or_insert_with(|| KeyValueStore::File(options.state_dir.join("sqlite_key_value.db")));
    let granted = |label: &str| {
        let components = options.application.components.values();
        components
            .flat_map(|component| &component.key_value_stores)
            .any(|given| given == label)
    };
    let mut stores = HashMap::new();
    for (label, kind) in kinds {
        if !granted(&label) {
            continue;
        }
        let store = match kind {
            KeyValueStore::File(path) => Store::open(&path, &label)?,
            KeyValueStore::Redis(_) => {
                return Err(anyhow!(
                    "key_value_store.{label}: a store on Redis is not supported by this host"
                ));
            }
        };
        stores.insert(label, store);
    }
    Ok((Arc::new(stores), Arc::new(databases)))
}

async fn accept(
    listener: tokio::net::TcpListener,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
    drain_timeout: Duration,
) {
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        let Ok((stream, client)) = accepted else {
            // Out of file descriptors: wait for some to be given back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // A small answer must not wait for the next acknowledgement.
        let _ = stream.set_nodelay(true);
        let shared = shared.clone();
        let service = hyper::service::service_fn(move |request| {
            let shared = shared.clone();
            async move { Ok::<_, std::convert::Infallible>(answer(&shared, request, client).await) }
        });
        let builder = auto::Builder::new(TokioExecutor::new());
        let connection = builder
            .serve_connection(TokioIo::new(stream), service)
            .into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("a connection ended: {error}");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(drain_timeout, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests were cut: they did not end within the drain timeout");
    }
}

async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
    client: SocketAddr,
) -> Response<WasiBody> {
    let started = Instant::now();
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let Some(matched) = shared.router.find(&path) else {
        return empty(StatusCode::NOT_FOUND);
    };
    let Some(handler) = shared.handlers.get(matched.component) else {
        return empty(StatusCode::NOT_FOUND);
    };
    let Ok(_place) = shared.places.try_acquire() else {
        let mut response = empty(StatusCode::SERVICE_UNAVAILABLE);
        set(response.headers_mut(), "retry-after", "1");
        return response;
    };
    let Ok(_turn) = shared.turns.acquire().await else {
        return empty(StatusCode::SERVICE_UNAVAILABLE);
    };
    let component = matched.component;
    let request = prepare(request, &matched, client);
    let response = match handler.handle((), request).await {
        Ok(response) => response,
        Err(error) if error.is::<ExpirationError>() => empty(StatusCode::GATEWAY_TIMEOUT),
        Err(error) => {
            tracing::error!(component, "a request failed: {error:#}");
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    };
    tracing::debug!(
        target: "vivesphere::request",
        component,
        request_id = response
            .headers()
            .get("x-request-id")
            .and_then(|id| id.to_str().ok())
            .unwrap_or_default(),
        method = method.as_str(),
        path,
        status = response.status().as_u16(),
        duration_ms = started.elapsed().as_secs_f64() * 1000.0,
    );
    response
}

/// The request as Spin's guests see it: the whole URL, and headers that say how it came.
fn prepare(
    request: Request<Incoming>,
    matched: &Matched<'_>,
    client: SocketAddr,
) -> Request<WasiBody> {
    let (mut parts, body) = request.into_parts();
    let authority = parts
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| parts.uri.authority().map(http::uri::Authority::as_str))
        .unwrap_or("localhost")
        .to_owned();
    let path_and_query = parts
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    let full = format!("http://{authority}{path_and_query}");
    if let Ok(uri) = full.parse::<Uri>() {
        parts.uri = uri;
    }
    let headers = &mut parts.headers;
    strip_spin_headers(headers);
    set(headers, "spin-full-url", &full);
    set(headers, "spin-path-info", &matched.path_info);
    set(headers, "spin-matched-route", matched.pattern);
    set(headers, "spin-raw-component-route", matched.pattern);
    let route = matched
        .pattern
        .strip_suffix("/...")
        .unwrap_or(matched.pattern);
    set(headers, "spin-component-route", route);
    set(headers, "spin-base-path", "/");
    set(headers, "spin-client-addr", &client.to_string());
    for (name, value) in &matched.parameters {
        set(
            headers,
            &format!("spin-path-match-{}", name.to_lowercase()),
            value,
        );
    }
    let body = body.map_err(wasmtime_wasi_http::Error::from).boxed_unsync();
    Request::from_parts(parts, body)
}

/// A client's own `spin-*` headers are never believed.
fn strip_spin_headers(headers: &mut HeaderMap) {
    let sent: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("spin-"))
        .cloned()
        .collect();
    for name in sent {
        headers.remove(name);
    }
}

fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        headers.insert(name, value);
    }
}

fn empty(status: StatusCode) -> Response<WasiBody> {
    let body = Empty::new()
        .map_err(|never: std::convert::Infallible| match never {})
        .boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    set(response.headers_mut(), "content-length", "0");
    response
}

//! The application as the host runs it: what the manifest says, with every
//! template resolved and every file path absolute.
//!
//! `manifest` produces it from `spin.toml`; `engine`, `server` and `cron` only read it.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// A loaded application.
#[derive(Debug, Clone)]
pub struct Application {
    /// `[application] name`.
    pub name: String,
    /// `[application] version`, empty when it is not given.
    pub version: String,
    /// Every component that a trigger names, by id.
    pub components: BTreeMap<String, Component>,
    /// `[[trigger.http]]`, in the manifest's order.
    pub http_triggers: Vec<HttpTrigger>,
    /// `[[trigger.cron]]`, in the manifest's order.
    pub cron_triggers: Vec<CronTrigger>,
}

/// One component, with its grants.
#[derive(Debug, Clone)]
pub struct Component {
    /// The component's id in the manifest.
    pub id: String,
    /// The `.wasm` file.
    pub source: PathBuf,
    /// What the component may read through `spin:variables`: templates are resolved.
    pub variables: BTreeMap<String, String>,
    /// Names in `variables` whose value came from a `secret = true` variable.
    pub secret_variables: Vec<String>,
    /// Where the component may connect to: templates are resolved.
    pub allowed_outbound_hosts: Vec<String>,
    /// The labels of the key-value stores it may open.
    pub key_value_stores: Vec<String>,
    /// The labels of the databases it may open.
    pub sqlite_databases: Vec<String>,
    /// Files it sees, read-only: (host path, guest path).
    pub files: Vec<(PathBuf, String)>,
    /// `environment`.
    pub environment: BTreeMap<String, String>,
}

/// `[[trigger.http]]`.
#[derive(Debug, Clone)]
pub struct HttpTrigger {
    /// The component that serves it.
    pub component: String,
    /// Where it is mounted.
    pub route: HttpRoute,
}

/// `route` of an HTTP trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpRoute {
    /// A public path: exact (`/a`), with parameters (`/a/:b`) or a prefix (`/a/...`).
    Public(String),
    /// `{ private = true }`: reachable only by service chaining.
    Private,
}

/// `[[trigger.cron]]`.
#[derive(Debug, Clone)]
pub struct CronTrigger {
    /// The component that is woken.
    pub component: String,
    /// Six or seven fields, seconds first.
    pub expression: String,
}

/// `--runtime-config-file`: where stores and databases really live.
#[derive(Debug, Clone, Default)]
pub struct RuntimeConfig {
    /// `[key_value_store.<label>]`.
    pub key_value_stores: BTreeMap<String, KeyValueStore>,
    /// `[sqlite_database.<label>]` of type `spin`: the file's path.
    pub sqlite_databases: BTreeMap<String, PathBuf>,
}

/// Where a key-value store keeps its values.
#[derive(Debug, Clone)]
pub enum KeyValueStore {
    /// A SQLite file (`type = "spin"`).
    File(PathBuf),
    /// A Redis server (`type = "redis"`, `url = "redis://…"`).
    Redis(String),
}

/// Everything `server::Host` needs to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// The application to run.
    pub application: Application,
    /// Default `.spin` beside the manifest; holds `sqlite_db.db` and `sqlite_key_value.db`
    /// for the `default` labels when the runtime configuration does not say otherwise.
    pub state_dir: PathBuf,
    /// `--runtime-config-file`.
    pub runtime_config: RuntimeConfig,
    /// `--listen`; port 0 picks a free one.
    pub listen: std::net::SocketAddr,
    /// A request that has no response head after this long is answered 504; never applies to
    /// a response that has begun (a stream).
    pub request_timeout: Option<std::time::Duration>,
    /// Linear memory and tables of one instance, in bytes.
    pub max_instance_memory: usize,
    /// Requests in the host at once; more wait (backpressure), and 503 when too many wait.
    pub max_concurrent_requests: usize,
    /// How long a graceful stop waits for requests and streams in flight.
    pub drain_timeout: std::time::Duration,
    /// Whether `[[trigger.cron]]` is served. Off in tests that fire jobs by hand.
    pub cron: bool,
    /// Where compiled modules are cached; `None` turns the cache off.
    pub cache_dir: Option<PathBuf>,
    /// Whether wasmtime's pooling allocator is used (it reserves terabytes of address space).
    pub pooling: bool,
}

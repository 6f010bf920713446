//! An application on a host in this process, and somebody who calls it.

pub(crate) mod pipe;
pub(crate) mod raw;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use vivesphere::application::{Options, RuntimeConfig};
use vivesphere::manifest::Manifest;
use vivesphere::server::{self, RunningHost};

use crate::fixture::guest_wasm;

/// How long to wait for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The fixture's code.
pub(crate) fn guest_bytes() -> Vec<u8> {
    std::fs::read(guest_wasm()).unwrap()
}

/// An application that is about to start. Its components are named as in `spin.toml`; their
/// source is always `guest.wasm`.
pub(crate) struct App {
    folder: TempDir,
    manifest: String,
    values: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
    change: Box<dyn FnOnce(&mut Options) + Send>,
}

impl App {
    /// An application with this manifest, without its head.
    pub(crate) fn new(manifest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wasm = folder.path().join("guest.wasm");
        std::os::unix::fs::symlink(guest_wasm(), wasm).unwrap();
        Self {
            folder,
            manifest: format!(
                "spin_manifest_version = 2\n[application]\nname = \"app\"\n{manifest}"
            ),
            values: BTreeMap::new(),
            environment: BTreeMap::new(),
            change: Box::new(|_| ()),
        }
    }

    /// One component for every path, with the default store and database and these keys.
    pub(crate) fn guest(keys: &str) -> Self {
        Self::new(&format!(
            r#"
            [[trigger.http]]
            route = "/..."
            component = "guest"
            [component.guest]
            source = "guest.wasm"
            key_value_stores = ["default"]
            sqlite_databases = ["default"]
            {keys}"#
        ))
    }

    /// The value of an application variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.values.insert(name.to_owned(), value.to_owned());
        self
    }

    /// What `--env` gives every component.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A file beside the manifest.
    pub(crate) fn file(self, path: &str, content: &str) -> Self {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Other options than the usual ones.
    pub(crate) fn options(mut self, change: impl FnOnce(&mut Options) + Send + 'static) -> Self {
        self.change = Box::new(change);
        self
    }

    /// The manifest as a file, for the command line.
    pub(crate) fn written(self) -> TempDir {
        std::fs::write(self.folder.path().join("spin.toml"), &self.manifest).unwrap();
        self.folder
    }

    /// What the host is started with. The folder goes away with the second part.
    pub(crate) fn prepared(self) -> (Options, TempDir) {
        let path = self.folder.path().join("spin.toml");
        let manifest = Manifest::parse(self.manifest, &path, None).unwrap();
        let application = manifest
            .application(&self.values, &self.environment)
            .unwrap();
        let mut options = Options {
            application,
            state_dir: self.folder.path().join(".spin"),
            runtime_config: RuntimeConfig::default(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            request_timeout: Some(Duration::from_secs(30)),
            max_instance_memory: 128 << 20,
            max_concurrent_requests: 1024,
            drain_timeout: PATIENCE,
            cron: true,
            // Compiled once for all tests.
            cache_dir: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")),
            pooling: false,
        };
        (self.change)(&mut options);
        (options, self.folder)
    }

    pub(crate) async fn start(self) -> Host {
        let (options, folder) = self.prepared();
        Host::start(options, folder).await
    }

    /// Why the host does not start.
    pub(crate) async fn refusal(self) -> String {
        let (options, _folder) = self.prepared();
        let listener = TcpListener::bind(options.listen).unwrap();
        match server::start(options, listener).await {
            Ok(_) => panic!("it started"),
            Err(error) => format!("{error:#}"),
        }
    }
}

/// A host that serves. Dropping it stops it at once.
pub(crate) struct Host {
    running: RunningHost,
    folder: TempDir,
    caller: Caller,
}

/// Somebody who calls a host.
#[derive(Clone)]
pub(crate) struct Caller {
    address: SocketAddr,
    http: reqwest::Client,
}

impl Host {
    pub(crate) async fn start(options: Options, folder: TempDir) -> Self {
        let listener = TcpListener::bind(options.listen).unwrap();
        let running = server::start(options, listener).await.unwrap();
        let caller = Caller::new(running.local_addr());
        Self {
            running,
            folder,
            caller,
        }
    }

    pub(crate) fn caller(&self) -> Caller {
        self.caller.clone()
    }

    /// What its state directory stands in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops it gracefully; gives what its state directory stands in.
    pub(crate) async fn stop(self) -> TempDir {
        self.running.shutdown().await;
        self.folder
    }
}

impl std::ops::Deref for Host {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl Caller {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE * 2);
        Self {
            address,
            http: http.build().unwrap(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, self.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(path, &[]).await
    }

    /// A `GET` with this query.
    pub(crate) async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Answer {
        send(self.request("GET", path).query(query)).await
    }

    /// A `GET` that goes on while the test does.
    pub(crate) fn spawn(&self, path: &str) -> tokio::task::JoinHandle<Answer> {
        let (caller, path) = (self.clone(), path.to_owned());
        tokio::spawn(async move { caller.get(&path).await })
    }

    /// What the component notes under this key, as soon as it does.
    pub(crate) async fn note(&self, key: &str) -> String {
        let look = || async {
            let query = [("do", "get"), ("key", key)];
            let value = self.ask("/key-value", &query).await.json();
            value.as_str().map(str::to_owned)
        };
        eventually(look).await
    }
}

/// Sends a request and reads its answer to the end.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.unwrap(),
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The text of a 200.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        self.text
    }

    /// The JSON of a 200.
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    /// The error that the fixture got from the host.
    pub(crate) fn error(self) -> String {
        assert_eq!(self.status, 422, "{self:?}");
        self.text
    }

    /// An answer of the host itself, in the component's place.
    pub(crate) fn is_the_hosts(&self, status: u16) {
        let found = (self.status, self.text.as_str());
        assert_eq!(found, (status, ""), "{self:?}");
        assert_eq!(self.headers["content-length"], "0");
    }
}

/// Looks again and again until there is something.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(look: impl Fn() -> F) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "it does not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Checks that something took between so many and so many milliseconds.
pub(crate) fn took(began: Instant, range: impl std::ops::RangeBounds<u128> + Debug) {
    let took = began.elapsed().as_millis();
    assert!(range.contains(&took), "{took} ms, not {range:?}");
}

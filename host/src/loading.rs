//! From the options to an application that is served.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow};
use croner::Cron;
use tokio::runtime::Handle;
use tokio::sync::watch;
use vivesphere_wasi::StoreData;
use wasmtime::Engine;
use wasmtime::component::{InstancePre, Linker};
use wasmtime_wasi_http::handler::ProxyPre;

use crate::application::{Application, Component, Options, RuntimeConfig};
use crate::cron::{self, Scheduled};
use crate::files::Files;
use crate::handler::ComponentState;
use crate::instance::Grants;
use crate::interfaces::key_value_store::Store;
use crate::interfaces::sqlite::Database;
use crate::lifecycle::Lifecycle;
use crate::limits::TICK;
use crate::outbound::allowed_hosts::AllowedHosts;
use crate::outbound::connections::Connections;
use crate::router::Router;
use crate::service::{Chain, Service, Services};
use crate::{compiled, engine, state_files};

/// How long an instance may compute without a pause when there is no request timeout.
const COMPUTING: std::time::Duration = std::time::Duration::from_secs(60);

/// An application whose components are still to be compiled. Each can be called from the start; who calls
/// it waits until it is compiled, and makes it the next.
pub(crate) struct Loading {
    options: Options,
    engine: Engine,
    linker: Linker<StoreData>,
    /// What the components in use are granted, by their ids.
    grants: BTreeMap<String, Arc<Grants>>,
    services: Arc<Services>,
    lifecycle: Arc<Lifecycle>,
    loaded: watch::Sender<Loaded>,
}

/// How far the loading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Components that can be called without waiting.
    pub components: usize,
    /// All of them.
    pub of: usize,
}

/// A component that a schedule wakes, and when.
pub(crate) type OnSchedule = (Scheduled, Cron);

/// What all components have in common.
struct Common<'a> {
    options: &'a Options,
    stores: Arc<HashMap<String, Store>>,
    databases: Arc<HashMap<String, Arc<Database>>>,
    connections: Arc<Connections>,
    chain: Chain,
    lifecycle: Arc<Lifecycle>,
}

impl Loading {
    /// Opens what the components share, and lets each be called.
    pub(crate) fn begin(options: Options) -> anyhow::Result<Self> {
        let application = &options.application;
        check_labels(&options)?;
        let engine = engine::new(&options)?;
        engine::tick(&engine);
        let linker = engine::linker(&engine)?;
        let common = Common::new(&options)?;
        let mut grants = BTreeMap::new();
        let mut by_id = HashMap::new();
        for component in application.components.values() {
            let id = &component.id;
            let called = is_called(application, id);
            let woken = options.cron && is_scheduled(application, id);
            if !called && !woken {
                continue;
            }
            let granted = common
                .grants(component)
                .with_context(|| format!("component `{id}`"))?;
            if called {
                let service = Service::new(granted.id.clone(), options.request_timeout);
                by_id.insert(id.clone(), Arc::new(service));
            }
            grants.insert(id.clone(), granted);
        }
        let services = Arc::new(Services::new(Router::new(application)?, by_id));
        common.chain.set(&services);
        let lifecycle = common.lifecycle;
        let none = Loaded {
            components: 0,
            of: grants.len(),
        };
        Ok(Self {
            loaded: watch::Sender::new(none),
            engine,
            linker,
            grants,
            services,
            lifecycle,
            options,
        })
    }

    /// What is called.
    pub(crate) fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// What ends with the host.
    pub(crate) fn lifecycle(&self) -> &Arc<Lifecycle> {
        &self.lifecycle
    }

    /// How far it is, from now on.
    pub(crate) fn loaded(&self) -> watch::Receiver<Loaded> {
        self.loaded.subscribe()
    }

    /// Compiles each file once, as many at a time as there are processors: the first start takes seconds
    /// for each, and a compiler takes a hundred megabytes. Must be called in a runtime, on a thread that
    /// may wait.
    pub(crate) fn finish(self) -> anyhow::Result<Vec<OnSchedule>> {
        let mut ids_by_source: BTreeMap<&Path, Vec<&str>> = BTreeMap::new();
        for (id, granted) in &self.grants {
            let ids = ids_by_source.entry(&granted.component.source);
            ids.or_default().push(id);
        }
        let left = Mutex::new(ids_by_source);
        let runtime = Handle::current();
        let work = || {
            let _entered = runtime.enter();
            let mut scheduled = Vec::new();
            while let Some((source, ids)) = self.next(&left) {
                match self.load(source, &ids) {
                    Ok(loaded) => scheduled.extend(loaded),
                    Err(error) => {
                        // The others need not be compiled any more.
                        left.lock().unwrap_or_else(PoisonError::into_inner).clear();
                        return Err(error);
                    }
                }
            }
            anyhow::Ok(scheduled)
        };
        std::thread::scope(|scope| {
            let processors = std::thread::available_parallelism().map_or(1, usize::from);
            let threads: Vec<_> = (0..processors).map(|_| scope.spawn(work)).collect();
            let mut scheduled = Vec::new();
            for thread in threads {
                scheduled.extend(
                    thread
                        .join()
                        .map_err(|_| anyhow!("the compiler failed"))??,
                );
            }
            Ok(scheduled)
        })
    }

    /// The file to compile now: one that somebody waits for, else any.
    fn next<'a>(
        &self,
        left: &Mutex<BTreeMap<&'a Path, Vec<&'a str>>>,
    ) -> Option<(&'a Path, Vec<&'a str>)> {
        let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = |ids: &Vec<&str>| ids.iter().any(|id| self.services.is_wanted(id));
        let source = left
            .iter()
            .find(|(_, ids)| wanted(ids))
            .or_else(|| left.iter().next())
            .map(|(source, _)| *source)?;
        left.remove_entry(source)
    }

    /// Compiles a file and makes the components that it contains the code of ready to be called.
    fn load(&self, source: &Path, ids: &[&str]) -> anyhow::Result<Vec<OnSchedule>> {
        let compiled = compiled::component(&self.engine, source, self.options.cache_dir.as_deref());
        let mut scheduled = Vec::new();
        for &id in ids {
            let code = match &compiled {
                Ok(code) => code,
                Err(error) => return Err(anyhow!("component `{id}`: {error:#}")),
            };
            let pre = self
                .linker
                .instantiate_pre(code)
                .map_err(anyhow::Error::from)
                .with_context(|| format!("component `{id}` needs what this host does not offer"))?;
            let grants = &self.grants[id];
            if let Some(service) = self.services.by_id(id) {
                service.ready(ComponentState {
                    engine: self.engine.clone(),
                    pre: http_export(&pre, id)?,
                    grants: grants.clone(),
                    request_timeout: self.options.request_timeout,
                });
            }
            for trigger in &self.options.application.cron_triggers {
                if self.options.cron && trigger.component == id {
                    let woken = Scheduled::new(&self.engine, pre.clone(), grants.clone())?;
                    scheduled.push((woken, cron::parse(&trigger.expression)?));
                }
            }
            self.loaded.send_modify(|loaded| loaded.components += 1);
        }
        Ok(scheduled)
    }
}

impl<'a> Common<'a> {
    fn new(options: &'a Options) -> anyhow::Result<Self> {
        let folders = state_files::folders(&options.state_dir, &options.runtime_config);
        state_files::create(&folders)?;
        Ok(Self {
            options,
            stores: Arc::new(stores(options)?),
            databases: Arc::new(databases(options)),
            connections: Connections::new(),
            chain: Chain::default(),
            lifecycle: Lifecycle::new(),
        })
    }

    fn grants(&self, component: &Component) -> anyhow::Result<Arc<Grants>> {
        let computing = self.options.request_timeout.unwrap_or(COMPUTING);
        let ticks = computing.as_millis() / TICK.as_millis();
        Ok(Arc::new(Grants {
            component: component.clone(),
            id: component.id.as_str().into(),
            allowed_hosts: AllowedHosts::parse(&component.allowed_outbound_hosts)?,
            files: Files::prepare(&component.files)?,
            stores: self.stores.clone(),
            databases: self.databases.clone(),
            connections: self.connections.clone(),
            max_memory: self.options.max_instance_memory,
            max_ticks: u32::try_from(ticks).unwrap_or(u32::MAX),
            chain: self.chain.clone(),
            lifecycle: self.lifecycle.clone(),
        }))
    }
}

fn is_called(application: &Application, id: &str) -> bool {
    let mut triggers = application.http_triggers.iter();
    triggers.any(|trigger| trigger.component == id)
}

fn is_scheduled(application: &Application, id: &str) -> bool {
    let mut triggers = application.cron_triggers.iter();
    triggers.any(|trigger| trigger.component == id)
}

/// The label that is there whether it is configured or not.
const DEFAULT: &str = "default";

/// A label that is granted but stands for nothing is a mistake: as with Spin, the application
/// does not start.
fn check_labels(options: &Options) -> anyhow::Result<()> {
    let RuntimeConfig {
        key_value_stores,
        sqlite_databases,
    } = &options.runtime_config;
    for component in options.application.components.values() {
        let undefined = |what: &str, section: &str, label: &str| {
            anyhow!(
                "component `{}` is granted the {what} `{label}`, which is not defined; define \
                 it as [{section}.{label}] in the file that --runtime-config-file names",
                component.id
            )
        };
        for label in &component.key_value_stores {
            if label != DEFAULT && !key_value_stores.contains_key(label) {
                return Err(undefined("key-value store", "key_value_store", label));
            }
        }
        for label in &component.sqlite_databases {
            if label != DEFAULT && !sqlite_databases.contains_key(label) {
                return Err(undefined("database", "sqlite_database", label));
            }
        }
    }
    Ok(())
}

/// The HTTP handler of WASI 0.3, else that of 0.2.
fn http_export(pre: &InstancePre<StoreData>, id: &str) -> anyhow::Result<ProxyPre<StoreData>> {
    use wasmtime_wasi_http::{p2, p3};

    if let Ok(service) = p3::bindings::ServicePre::new(pre.clone()) {
        return Ok(ProxyPre::P3(service));
    }
    p2::bindings::ProxyPre::new(pre.clone())
        .map(ProxyPre::P2)
        .map_err(|_| {
            anyhow!(
                "component `{id}` has an HTTP trigger but exports neither \
                 wasi:http/handler@0.3 nor wasi:http/incoming-handler@0.2"
            )
        })
}

/// The databases there are: `default` always, others by the runtime configuration.
fn databases(options: &Options) -> HashMap<String, Arc<Database>> {
    let mut paths = options.runtime_config.sqlite_databases.clone();
    paths.entry(DEFAULT.to_owned()).or_insert_with(|| {
        state_files::default_database(&options.state_dir, &options.runtime_config)
    });
    paths
        .into_iter()
        .map(|(label, path)| (label, Arc::new(Database::new(path))))
        .collect()
}

/// The stores that components are granted, of those there are: `default` always, others by the
/// runtime configuration.
fn stores(options: &Options) -> anyhow::Result<HashMap<String, Store>> {
    let granted: BTreeSet<&str> = options
        .application
        .components
        .values()
        .flat_map(|component| &component.key_value_stores)
        .map(String::as_str)
        .collect();
    let mut kinds = options.runtime_config.key_value_stores.clone();
    kinds
        .entry(DEFAULT.to_owned())
        .or_insert_with(|| state_files::default_store(&options.state_dir));
    kinds
        .iter()
        .filter(|(label, _)| granted.contains(label.as_str()))
        .map(|(label, kind)| Ok((label.clone(), Store::open(kind, label)?)))
        .collect()
}

//! From the options to an application that is ready to be served.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow};
use croner::Cron;
use vivesphere_wasi::StoreData;
use wasmtime::Engine;
use wasmtime::component::InstancePre;
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

/// An application that is ready to be served.
pub(crate) struct Loaded {
    pub(crate) services: Arc<Services>,
    pub(crate) scheduled: Vec<(Scheduled, Cron)>,
    pub(crate) lifecycle: Arc<Lifecycle>,
}

/// What all components have in common.
struct Common<'a> {
    options: &'a Options,
    stores: Arc<HashMap<String, Store>>,
    databases: Arc<HashMap<String, Arc<Database>>>,
    connections: Arc<Connections>,
    chain: Chain,
    lifecycle: Arc<Lifecycle>,
}

impl Loaded {
    /// Must be called in a runtime, on a thread that may wait.
    pub(crate) fn new(options: &Options) -> anyhow::Result<Self> {
        let application = &options.application;
        check_labels(options)?;
        let engine = engine::new(options)?;
        engine::tick(&engine);
        let components: Vec<&Component> = application
            .components
            .values()
            .filter(|component| is_used(application, &component.id, options.cron))
            .collect();
        let mut compiled = compile(&engine, &components, options.cache_dir.as_deref())?;
        let common = Common::new(options)?;
        let mut by_id = HashMap::new();
        let mut scheduled = Vec::new();
        for component in components {
            let pre = compiled
                .remove(&component.id)
                .ok_or_else(|| anyhow!("component `{}` was not compiled", component.id))?;
            let grants = common
                .grants(component)
                .with_context(|| format!("component `{}`", component.id))?;
            let serves =
                |trigger: &crate::application::HttpTrigger| trigger.component == component.id;
            if application.http_triggers.iter().any(serves) {
                let service = Service::new(ComponentState {
                    engine: engine.clone(),
                    pre: http_export(&pre, &component.id)?,
                    grants: grants.clone(),
                    request_timeout: options.request_timeout,
                });
                by_id.insert(component.id.clone(), Arc::new(service));
            }
            for trigger in &application.cron_triggers {
                if options.cron && trigger.component == component.id {
                    let woken = Scheduled::new(&engine, pre.clone(), grants.clone())?;
                    scheduled.push((woken, cron::parse(&trigger.expression)?));
                }
            }
        }
        let services = Arc::new(Services::new(Router::new(application), by_id));
        common.chain.set(&services);
        Ok(Self {
            services,
            scheduled,
            lifecycle: common.lifecycle,
        })
    }
}

impl<'a> Common<'a> {
    fn new(options: &'a Options) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&options.state_dir).with_context(|| {
            format!(
                "cannot use the state directory {}",
                options.state_dir.display()
            )
        })?;
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

fn is_used(application: &Application, id: &str, cron: bool) -> bool {
    let http = application
        .http_triggers
        .iter()
        .any(|trigger| trigger.component == id);
    let scheduled = application
        .cron_triggers
        .iter()
        .any(|trigger| trigger.component == id);
    http || (cron && scheduled)
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

/// Compiles each file once, as many at a time as there are processors: the first start takes seconds
/// for each, and a compiler takes a hundred megabytes.
fn compile(
    engine: &Engine,
    components: &[&Component],
    folder: Option<&Path>,
) -> anyhow::Result<HashMap<String, InstancePre<StoreData>>> {
    let linker = engine::linker(engine)?;
    let sources: BTreeSet<&Path> = components
        .iter()
        .map(|component| component.source.as_path())
        .collect();
    let next = Mutex::new(sources.into_iter());
    let take = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let mut done = Vec::new();
        while let Some(source) = take() {
            done.push((source, compiled::component(engine, source, folder)));
        }
        done
    };
    let compiled: HashMap<&Path, _> = std::thread::scope(|scope| {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..processors).map(|_| scope.spawn(work)).collect();
        let mut compiled = HashMap::new();
        for thread in threads {
            let done = thread.join().map_err(|_| anyhow!("the compiler failed"))?;
            compiled.extend(done);
        }
        anyhow::Ok(compiled)
    })?;
    let mut ready = HashMap::new();
    for component in components {
        let code = match compiled.get(component.source.as_path()) {
            Some(Ok(code)) => code,
            Some(Err(error)) => return Err(anyhow!("component `{}`: {error:#}", component.id)),
            None => return Err(anyhow!("component `{}` was not compiled", component.id)),
        };
        let pre = linker
            .instantiate_pre(code)
            .map_err(anyhow::Error::from)
            .with_context(|| {
                format!(
                    "component `{}` needs what this host does not offer",
                    component.id
                )
            })?;
        ready.insert(component.id.clone(), pre);
    }
    Ok(ready)
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

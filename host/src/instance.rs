//! One instance of a component: its store's data, and what it was granted.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::component::{HasData, ResourceTable};
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::application::Component;
use crate::interfaces::key_value_store;
use crate::outbound::{AllowedHosts, Outbound};
use crate::output::Output;
use crate::server::Chain;

/// Milliseconds between two looks at an instance that computes without pause.
pub(crate) const TICK_MILLISECONDS: u64 = 10;
/// An instance that has computed for this many ticks since its last request began is stopped.
const TICKS: u64 = 60_000 / TICK_MILLISECONDS;

/// What all instances of a component share.
pub(crate) struct Grants {
    pub(crate) component: Component,
    pub(crate) id: Arc<str>,
    pub(crate) allowed_hosts: AllowedHosts,
    pub(crate) stores: Arc<HashMap<String, key_value_store::Store>>,
    pub(crate) databases: Arc<HashMap<String, PathBuf>>,
    pub(crate) max_memory: usize,
    pub(crate) chain: Chain,
}

/// A store's data.
pub(crate) struct Guest {
    pub(crate) grants: Arc<Grants>,
    pub(crate) table: ResourceTable,
    pub(crate) ticks: u64,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    limits: StoreLimits,
}

/// Names [`Guest`] as what the interfaces work on.
pub(crate) struct GuestData;

impl HasData for GuestData {
    type Data<'a> = &'a mut Guest;
}

impl Guest {
    /// A fresh store for an instance of the component.
    pub(crate) fn store(
        engine: &wasmtime::Engine,
        grants: &Arc<Grants>,
    ) -> wasmtime::Result<Store<Self>> {
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdout(Output::new(&grants.id));
        wasi.stderr(Output::new(&grants.id));
        for (name, value) in &grants.component.environment {
            wasi.env(name, value);
        }
        for (host, guest) in &grants.component.files {
            // A folder for each file's parent; Spin shows files read-only too.
            let (host, guest) = if host.is_dir() {
                (host.as_path(), guest.as_str())
            } else {
                let guest = guest.rsplit_once('/').map_or("/", |(folder, _)| folder);
                (host.parent().unwrap_or(host), guest)
            };
            let guest = if guest.is_empty() { "/" } else { guest };
            wasi.preopened_dir(host, guest, FsPerms::ReadOnly)?;
        }
        let guest = Self {
            outbound: Outbound::new(grants.clone()),
            grants: grants.clone(),
            table: ResourceTable::new(),
            ticks: 0,
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            limits: StoreLimitsBuilder::new()
                .memory_size(grants.max_memory)
                .build(),
        };
        let mut store = Store::new(engine, guest);
        store.limiter(|guest| &mut guest.limits);
        store.set_epoch_deadline(1);
        // A guest that computes gives way at each tick, so that the others are served, and is
        // stopped when it never ends.
        store.epoch_deadline_callback(|mut context| {
            let guest = context.data_mut();
            guest.ticks += 1;
            if guest.ticks > TICKS {
                wasmtime::bail!("the component computed for too long without an end");
            }
            Ok(UpdateDeadline::Yield(1))
        });
        Ok(store)
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.outbound,
        }
    }
}

//! One instance of a component: its store's data, and what it was granted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use vivesphere_wasi::StoreData;
use wasmtime::component::{HasData, ResourceTable};
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::application::Component;
use crate::files::Files;
use crate::interfaces::key_value_store;
use crate::interfaces::sqlite::Database;
use crate::lifecycle::{Alive, Lifecycle};
use crate::limits::{Computing, Memory, TICK};
use crate::outbound::Outbound;
use crate::outbound::allowed_hosts::AllowedHosts;
use crate::outbound::connections::Connections;
use crate::output::Output;
use crate::service::Chain;

/// What all instances of a component share.
pub(crate) struct Grants {
    pub(crate) component: Component,
    pub(crate) id: Arc<str>,
    pub(crate) allowed_hosts: AllowedHosts,
    pub(crate) files: Files,
    pub(crate) stores: Arc<HashMap<String, key_value_store::Store>>,
    pub(crate) databases: Arc<HashMap<String, Arc<Database>>>,
    pub(crate) connections: Arc<Connections>,
    /// Bytes of linear memory and tables.
    pub(crate) max_memory: usize,
    /// Ticks that an instance may compute without a pause.
    pub(crate) max_ticks: u32,
    pub(crate) chain: Chain,
    pub(crate) lifecycle: Arc<Lifecycle>,
}

impl Grants {
    /// How long an instance may compute without a pause.
    pub(crate) fn computing(&self) -> Duration {
        TICK * self.max_ticks
    }
}

/// What is kept for an instance in its store.
pub(crate) struct Guest {
    pub(crate) grants: Arc<Grants>,
    pub(crate) table: ResourceTable,
    pub(crate) computing: Computing,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    memory: Memory,
    /// What works for the instance elsewhere can tell by it that nobody waits any more.
    pub(crate) alive: Arc<Alive>,
}

/// Names [`Guest`] as what the interfaces work on.
pub(crate) struct GuestData;

impl HasData for GuestData {
    type Data<'a> = &'a mut Guest;
}

/// What is kept for the instance of this store.
pub(crate) fn guest(data: &mut StoreData) -> &mut Guest {
    let Some(guest) = data.guest() else {
        unreachable!("every store is made by `Guest::store`");
    };
    guest
}

impl Guest {
    /// A fresh store for an instance of the component.
    pub(crate) fn store(
        engine: &wasmtime::Engine,
        grants: &Arc<Grants>,
    ) -> wasmtime::Result<Store<StoreData>> {
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdout(Output::new(&grants.id));
        wasi.stderr(Output::new(&grants.id));
        // Sockets stay closed. Whoever may send requests to the web may know where a name leads.
        wasi.allow_ip_name_lookup(true);
        for (name, value) in &grants.component.environment {
            wasi.env(name, value);
        }
        for (host, guest) in grants.files.folders() {
            wasi.preopened_dir(host, guest, FsPerms::ReadOnly)?;
        }
        let kept = Self {
            outbound: Outbound::new(grants.clone()),
            grants: grants.clone(),
            table: ResourceTable::new(),
            computing: Computing::default(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            memory: Memory::new(grants.max_memory),
            alive: Arc::new(grants.lifecycle.alive()),
        };
        let mut store = Store::new(engine, StoreData::new(kept));
        store.limiter(|data| &mut guest(data).memory);
        store.set_epoch_deadline(1);
        // A guest that computes gives way at each tick, so that the others are served, and is
        // stopped when it never ends.
        store.epoch_deadline_callback(|mut context| {
            let guest = guest(context.data_mut());
            if guest.computing.tick() > guest.grants.max_ticks {
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

//! The wasmtime engine, and what it offers to components.

use anyhow::Context as _;
use vivesphere_wasi::StoreData;
use wasmtime::component::Linker;
use wasmtime::{Config, Engine, InstanceAllocationStrategy};

use crate::application::Options;
use crate::instance::{GuestData, guest};
use crate::interfaces::bindings;
use crate::limits::TICK;

/// An engine as the options ask for.
pub(crate) fn new(options: &Options) -> anyhow::Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.epoch_interruption(true);
    if options.pooling {
        config.allocation_strategy(InstanceAllocationStrategy::pooling());
    }
    Ok(Engine::new(&config)?)
}

/// An engine that compiles for this one, to be dropped after that: an engine keeps for the next file what
/// it needed for the last, which is more memory than all components take while nobody calls them.
pub(crate) fn compiler(engine: &Engine) -> anyhow::Result<Engine> {
    let mut config = engine.config().clone();
    // It runs nothing.
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    Ok(Engine::new(&config)?)
}

/// Moves the engine's clock on until the engine is gone.
pub(crate) fn tick(engine: &Engine) {
    let engine = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
}

/// All interfaces: WASI 0.2 and 0.3, HTTP of both, Spin's.
pub(crate) fn linker(engine: &Engine) -> anyhow::Result<Linker<StoreData>> {
    let mut linker = Linker::new(engine);
    link(&mut linker)
        .map_err(anyhow::Error::from)
        .context("cannot link the host's interfaces")?;
    Ok(linker)
}

fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    vivesphere_wasi::link(linker)?;
    // What every request calls: in this crate it is optimised. Of WASI 0.2 it is there already.
    linker.allow_shadowing(true);
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    linker.allow_shadowing(false);
    wasmtime_wasi::p3::clocks::add_to_linker(linker)?;
    wasmtime_wasi_http::p3::add_to_linker(linker)?;
    bindings::Interfaces::add_to_linker::<_, GuestData>(linker, guest)
}

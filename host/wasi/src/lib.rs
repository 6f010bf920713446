//! WASI 0.2 and 0.3 for the host's instances.
//!
//! A crate of its own because wasmtime compiles every function of an interface anew for the type of
//! a store's data. Here that is done without optimisation, which takes a fifth of the time; what every
//! request calls, the host links itself.

use std::any::Any;

use wasmtime::component::Linker;
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

/// What WASI asks of a guest: of what the host keeps for an instance.
pub trait WasiGuest: WasiView + WasiHttpView + Any {}

impl<T: WasiView + WasiHttpView + Any> WasiGuest for T {}

/// A store's data: what the host keeps for an instance, whose type only the host knows.
pub struct StoreData(Box<dyn WasiGuest>);

impl StoreData {
    /// The data of a store for this guest.
    pub fn new(guest: impl WasiGuest) -> Self {
        Self(Box::new(guest))
    }

    /// The guest, if it is of this type.
    pub fn guest<T: WasiGuest>(&mut self) -> Option<&mut T> {
        let guest: &mut dyn Any = &mut *self.0;
        guest.downcast_mut()
    }
}

impl WasiView for StoreData {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.0.ctx()
    }
}

impl WasiHttpView for StoreData {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.0.http()
    }
}

/// Links WASI 0.2 and its HTTP, and of WASI 0.3 what is not called at every request: all but the
/// clocks and HTTP.
///
/// # Errors
/// One of the interfaces is there already.
pub fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi::p3::cli::add_to_linker(linker)?;
    wasmtime_wasi::p3::filesystem::add_to_linker(linker)?;
    wasmtime_wasi::p3::random::add_to_linker(linker)?;
    wasmtime_wasi::p3::sockets::add_to_linker(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}

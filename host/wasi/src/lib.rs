//! WASI 0.2 and 0.3 for the host's instances.
//!
//! A crate of its own because wasmtime compiles every function of an interface anew for the type of
//! a store's data. Here that is done without optimisation, which takes a fifth of the time; what every
//! request calls, the host links again, over this.

use std::any::Any;

use wasmtime::component::Linker;
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

/// What WASI asks of what the host keeps for an instance.
pub trait Guest: WasiView + WasiHttpView + Any {}

impl<T: WasiView + WasiHttpView + Any> Guest for T {}

/// A store's data: what the host keeps for an instance, whose type only the host knows.
pub struct Data(Box<dyn Guest>);

impl Data {
    /// The data of a store for this guest.
    pub fn new(guest: impl Guest) -> Self {
        Self(Box::new(guest))
    }

    /// The guest, if it is of this type.
    pub fn guest<T: Guest>(&self) -> Option<&T> {
        let guest: &dyn Any = &*self.0;
        guest.downcast_ref()
    }

    /// The guest, if it is of this type, to be changed.
    pub fn guest_mut<T: Guest>(&mut self) -> Option<&mut T> {
        let guest: &mut dyn Any = &mut *self.0;
        guest.downcast_mut()
    }
}

impl WasiView for Data {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.0.ctx()
    }
}

impl WasiHttpView for Data {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.0.http()
    }
}

/// Links WASI 0.2 and 0.3 and the HTTP of both.
///
/// # Errors
/// One of the interfaces is there already.
pub fn link(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi::p3::add_to_linker(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    wasmtime_wasi_http::p3::add_to_linker(linker)
}

//! Spin's interfaces as the host offers them, and the bindings that `bindgen!` makes of `wit/`.

pub(crate) mod key_value;
pub(crate) mod key_value_store;
pub(crate) mod sqlite;
pub(crate) mod variables;
pub(crate) mod wasi_key_value;

/// Generated: traits to implement, types to use.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "generated from wit/"
)]
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "vivesphere:host/interfaces",
        imports: { default: async | trappable },
        with: {
            "spin:key-value/key-value.store": crate::interfaces::key_value_store::OpenStore,
            "spin:sqlite/sqlite.connection": crate::interfaces::sqlite::Connection,
            "wasi:keyvalue/store.bucket": crate::interfaces::key_value_store::OpenStore,
            "wasi:keyvalue/atomics.cas": crate::interfaces::wasi_key_value::Cas,
        },
        require_store_data_send: true,
    });
}

/// Generated: how a scheduled component is called.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "generated from wit/"
)]
pub(crate) mod cron {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "spin:cron/spin-cron",
        exports: { default: async | store },
        require_store_data_send: true,
    });
}

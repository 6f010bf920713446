//! The embedded host: runs the components of a Spin application on this machine.
//!
//! `manifest` turns `spin.toml` into an [`application::Application`]; the server runs it.
//! The `vivesphere` binary is a thin layer over [`cli`]; tests start the host in-process.

pub mod application;
pub mod build;
pub mod cli;
pub mod doctor;
pub mod dotenv;
pub mod logging;
pub mod manifest;
pub mod progress;
pub mod runtime_config;
pub mod secrets;
pub mod template;
pub mod variables;

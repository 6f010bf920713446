//! The embedded host: runs the components of a Spin application on this machine.
//!
//! `manifest` turns `spin.toml` into an [`application::Application`]; the server runs it.
//! The `vivesphere` binary is a thin layer over [`cli`]; tests start the host in-process.

pub mod application;
pub mod backup;
pub mod build;
pub mod cli;
mod compiled;
mod cron;
pub mod doctor;
pub mod dotenv;
mod engine;
mod files;
mod first_bytes;
mod handler;
mod instance;
mod interfaces;
mod lifecycle;
mod limits;
mod loading;
pub mod logging;
pub mod manifest;
mod outbound;
mod output;
pub mod progress;
mod request_body;
mod requests;
mod router;
pub mod runtime_config;
pub mod secrets;
pub mod server;
mod service;
mod spin_headers;
mod state_files;
mod state_lock;
pub mod template;
pub mod variables;

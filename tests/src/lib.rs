//! What the scenario tests stand on: the application as a process ([`app`]), people who use it
//! ([`client`]), and stand-ins for the services outside ([`fake_x`]).

pub mod app;
pub mod browser;
pub mod build;
pub mod client;
pub mod command;
mod contract;
pub mod fake_web;
pub mod fake_x;
pub mod launch;
pub mod redis;

//! What the host promises to components and their callers, one promise at a time, as Spin
//! documents it: `tests/fixtures/guest` on a host in this process, asked over HTTP.
//! One module a subject; `support` starts the host.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test"
)]

#[path = "../fixture/mod.rs"]
mod fixture;
mod support;

mod chaining;
mod connections;
mod cron;
mod headers;
mod key_value;
mod limits;
mod logs;
mod outbound;
mod overload;
mod reuse;
mod routes;
mod shutdown;
mod sqlite;
mod starting;
mod streams;
mod surroundings;
mod variables;

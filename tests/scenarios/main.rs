//! The application from outside, on the built components: one module a capability. Each test
//! has a process, a state directory and secrets of its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a failed unwrap or a panic is the assertion"
)]

// The stand-in for X and its client, which the others rest on.
mod fake_x;
mod fake_x_faults;
mod fake_x_oauth;
mod x_api;

mod auth;
mod auth_users;
mod botdata;
mod bots;
mod canaries;
mod chaos;
mod docs_page;
mod grants;
mod health;
mod main_job;
mod migrations;
mod openapi;
mod pipeline;
mod posts;
mod posts_changes;
mod publishing;
mod publishing_pauses;
mod publishing_tokens;
mod routes;
mod routes_cases;
mod tidy;

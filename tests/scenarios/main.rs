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

mod access_keys;
mod access_keys_oauth;
mod access_keys_restricted;
mod apikeys;
mod approvals;
mod approvals_reach;
mod approvals_settings;
mod audit;
mod auth;
mod auth_users;
mod backup;
mod botdata;
mod bots;
mod bots_kept;
mod canaries;
mod chaos;
mod collecting;
mod config;
mod deploy;
mod docs_page;
mod documents;
mod gateway;
mod gateway_limits;
mod gateway_proxies;
mod grants;
mod guide;
mod health;
mod idempotency;
mod imports;
mod key_rotation;
mod logs;
mod logs_queue;
mod main_job;
mod metrics;
mod migrations;
mod monitoring;
mod openapi;
mod parser;
mod personas;
mod personas_bots;
mod pipeline;
mod posts;
mod posts_changes;
mod publishing;
mod publishing_doubts;
mod publishing_late;
mod publishing_looks;
mod publishing_pauses;
mod publishing_refreshes;
mod publishing_replaced;
mod publishing_stops;
mod publishing_tokens;
mod roles;
mod roles_reach;
mod routes;
mod routes_cases;
mod scraping;
mod scraping_changes;
mod scraping_sources;
mod tidy;
mod trends;
mod trends_over_time;
mod two_hosts;
mod upgrade;

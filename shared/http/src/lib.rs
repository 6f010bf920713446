//! The gateway, compiled into each component: request id → limits → route → who are you →
//! client rate limit → may you → handler → problem+json, with security headers, a
//! `content-length` and one access-log line on every answer.
//!
//! A component declares its routes in one table and calls [`serve`].

mod access_log;
mod authenticate;
mod context;
mod idempotency;
pub mod internal;
mod parsing;
mod problem;
mod rate_limit;
mod reply;
mod route;
mod serve;

pub use authenticate::verify;
pub use context::Context;
pub use problem::{FieldError, Problem, ProblemBody};
pub use reply::Reply;
pub use route::{Access, Handler, HandlerFuture, Route, Verb};
pub use serve::serve;

pub use http::{HeaderValue, Method, StatusCode, header};

/// What a component hands back to Spin.
pub type Answer = http::Response<http_body_util::Full<bytes::Bytes>>;

//! The gateway, compiled into each component: request id → route → credentials → client rate
//! limit → header limits → who are you, and may you → body limit → handler → problem+json, with
//! security headers, a `content-length` and one access-log line on every answer.
//!
//! A component declares its routes in one table and calls [`serve`].

mod access_log;
pub mod access_tokens;
mod admission;
mod answer;
mod authenticate;
mod brotli_encoder;
mod client_address;
mod compression;
mod context;
mod cors;
mod entity_tag;
mod hand_over;
mod idempotency;
pub mod internal;
mod json_body;
mod kept_answers;
mod list;
mod parsing;
mod policy;
mod problem;
mod rate_limit;
mod reply;
mod request_counts;
mod route;
mod routing;
mod run;
mod serve;

pub use authenticate::verify;
pub use context::Context;
pub use hand_over::hand_over;
pub use kept_answers::{Keeper, Kept};
pub use list::{List, NoFilter, PageQuery};
pub use parsing::{Object, given, json};
pub use problem::{FieldError, Problem, ProblemBody};
pub use reply::{Reply, ReplyStream};
pub use route::{Access, Handler, HandlerFuture, RequestDigest, Route, RouteClass, Verb};
pub use run::{RunQuery, TimeBudget};
pub use serve::serve;

pub use http::{HeaderValue, Method, StatusCode, header};

// A request's texts come from the host one by one: the standard library's allocator would spend
// more time on them than SQLite on finding them.
#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

/// What a component hands back to Spin: a whole body, or one that is made while it is sent.
pub type Answer = http::Response<
    http_body_util::Either<
        http_body_util::Full<bytes::Bytes>,
        http_body_util::StreamBody<ReplyStream>,
    >,
>;

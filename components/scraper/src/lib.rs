//! The worker behind the `scrape` job: sources that are due are fetched, politely, and what they
//! show becomes topics. The only component that reaches the open web; what came from there is read by
//! another, `parser`.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod hacker_news;
mod job;
mod outcome;
mod parser;
mod resolve;
mod robots;
mod web;
mod wire;
mod x_trends;

use vivesphere_domain::permissions::Permission::JobsRun;
use vivesphere_http::Access::ServiceOr;
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] =
    &[route!(Post "/api/v1/jobs/scrape/run", ServiceOr(JobsRun), job::run)];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

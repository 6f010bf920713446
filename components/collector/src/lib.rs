//! The worker behind the `collect` job: reads the public counts of what this deployment has put on
//! X, within a budget.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod decide;
mod job;
mod wire;

use vivesphere_domain::permissions::Permission::JobsRun;
use vivesphere_http::Access::ServiceOr;
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] =
    &[route!(Post "/api/v1/jobs/collect/run", ServiceOr(JobsRun), job::run)];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

//! The worker behind the `publish` job: sends what is due, once, and looks for what is in doubt.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod decide;
mod job;
mod reconcile;

use vivesphere_domain::permissions::Permission::JobsRun;
use vivesphere_http::Access::ServiceOr;
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] =
    &[route!(Post "/api/v1/jobs/publish/run", ServiceOr(JobsRun), job::run)];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

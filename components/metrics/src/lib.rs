//! What the deployment tells of itself: for Prometheus, and for people about their bots.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod handlers;
mod wire;

use vivesphere_domain::permissions::Permission::MetricsRead;
use vivesphere_http::Access::{Permission, ServiceOr};
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] = &[
    route!(Get "/api/v1/metrics", ServiceOr(MetricsRead), handlers::exposition).probe(),
    route!(Get "/api/v1/metrics/overview", Permission(MetricsRead), handlers::overview),
    route!(Get "/api/v1/metrics/bots/{bot_id}", Permission(MetricsRead), handlers::bot),
    route!(Get "/api/v1/metrics/posts/{post_id}", Permission(MetricsRead), handlers::post),
];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

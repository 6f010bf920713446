//! Whether the deployment works: alive, ready, and in detail.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod handlers;
mod wire;

use vivesphere_domain::permissions::Permission::HealthReadDetailed;
use vivesphere_http::Access::{Permission, Public};
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] = &[
    route!(Get "/api/v1/health", Public, handlers::alive)
        .probe()
        .whatever_happens(handlers::is_alive),
    route!(Get "/api/v1/health/ready", Public, handlers::ready).probe(),
    route!(Get "/api/v1/health/detailed", Permission(HealthReadDetailed), handlers::detailed),
];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

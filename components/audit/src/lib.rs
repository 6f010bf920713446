//! The audit trail: looked into, and proved to be whole.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod handlers;
mod wire;

use vivesphere_domain::permissions::Permission::AuditRead;
use vivesphere_http::Access::Permission;
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] = &[
    route!(Get "/api/v1/audit", Permission(AuditRead), handlers::list),
    route!(Get "/api/v1/audit/verify", Permission(AuditRead), handlers::verify),
];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

//! Roles: what people may do, and who has which.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod handlers;
mod wire;

use vivesphere_domain::permissions::Permission::RolesManage;
use vivesphere_http::Access::{Permission, SignedIn};
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] = &[
    route!(Get "/api/v1/roles/permissions", SignedIn, handlers::permissions),
    route!(Post "/api/v1/roles/assign", Permission(RolesManage), handlers::assign),
    route!(Post "/api/v1/roles/unassign", Permission(RolesManage), handlers::unassign),
    route!(Post "/api/v1/roles", Permission(RolesManage), handlers::create),
    route!(Get "/api/v1/roles", Permission(RolesManage), handlers::list),
    route!(Get "/api/v1/roles/{role}", Permission(RolesManage), handlers::get),
    route!(Patch "/api/v1/roles/{role}", Permission(RolesManage), handlers::update),
    route!(Delete "/api/v1/roles/{role}", Permission(RolesManage), handlers::delete),
];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

//! Access keys to this API: made, seen and revoked. What they open is decided in `shared/http`.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod handlers;
mod wire;

use vivesphere_domain::permissions::Permission::AccessKeysManage;
use vivesphere_http::Access::Permission;
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] = &[
    route!(Post "/api/v1/access-keys", Permission(AccessKeysManage), handlers::create),
    route!(Get "/api/v1/access-keys", Permission(AccessKeysManage), handlers::list),
    route!(Get "/api/v1/access-keys/{access_key_id}", Permission(AccessKeysManage), handlers::get),
    route!(Delete "/api/v1/access-keys/{access_key_id}", Permission(AccessKeysManage), handlers::revoke),
];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

//! Keys of other providers: stored, replaced, checked, deleted. They lie sealed; `botdata` alone
//! can open them.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod handlers;
mod provider_call;
mod sealing;
mod wire;

use vivesphere_domain::permissions::Permission::ApikeysManage;
use vivesphere_http::Access::Permission;
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] = &[
    route!(Post "/api/v1/apikeys/store", Permission(ApikeysManage), handlers::store),
    route!(Get "/api/v1/apikeys/providers", Permission(ApikeysManage), handlers::providers),
    route!(Get "/api/v1/apikeys", Permission(ApikeysManage), handlers::list),
    route!(Get "/api/v1/apikeys/{apikey_id}", Permission(ApikeysManage), handlers::get),
    route!(Delete "/api/v1/apikeys/{apikey_id}", Permission(ApikeysManage), handlers::delete),
    route!(Post "/api/v1/apikeys/{apikey_id}/rotate", Permission(ApikeysManage), handlers::rotate),
    route!(Post "/api/v1/apikeys/{apikey_id}/check", Permission(ApikeysManage), handlers::check),
];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

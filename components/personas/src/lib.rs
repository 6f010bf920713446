//! Personas: as whom bots write, with every version that they had.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod handlers;
mod wire;
mod yaml;

use vivesphere_domain::permissions::Permission::{PersonasRead, PersonasWrite};
use vivesphere_http::Access::Permission;
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] = &[
    route!(Post "/api/v1/personas/create", Permission(PersonasWrite), handlers::create),
    route!(Post "/api/v1/personas/import", Permission(PersonasWrite), handlers::import),
    route!(Get "/api/v1/personas", Permission(PersonasRead), handlers::list),
    route!(Get "/api/v1/personas/{persona_id}", Permission(PersonasRead), handlers::get),
    route!(Patch "/api/v1/personas/{persona_id}", Permission(PersonasWrite), handlers::update),
    route!(Delete "/api/v1/personas/{persona_id}", Permission(PersonasWrite), handlers::delete),
    route!(Get "/api/v1/personas/{persona_id}/versions", Permission(PersonasRead), handlers::versions),
    route!(Get "/api/v1/personas/{persona_id}/versions/{version}", Permission(PersonasRead), handlers::version),
    route!(Post "/api/v1/personas/{persona_id}/preview", Permission(PersonasRead), handlers::preview),
    route!(Get "/api/v1/personas/{persona_id}/export", Permission(PersonasRead), handlers::export),
];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

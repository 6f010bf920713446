//! Central settings: typed by one closed table, versioned, felt everywhere within seconds.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod handlers;
mod wire;

use vivesphere_domain::permissions::Permission::{SettingsRead, SettingsWrite};
use vivesphere_http::Access::Permission;
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] = &[
    route!(Get "/api/v1/config/settings", Permission(SettingsRead), handlers::settings),
    route!(Post "/api/v1/config/update", Permission(SettingsWrite), handlers::update)
        .body_limit(64 << 10),
    route!(Get "/api/v1/config/history", Permission(SettingsRead), handlers::history),
    route!(Get "/api/v1/config/diff", Permission(SettingsRead), handlers::diff),
    route!(Post "/api/v1/config/rollback", Permission(SettingsWrite), handlers::roll_back)
        .body_limit(16 << 10),
    route!(Get "/api/v1/config/schema", Permission(SettingsRead), handlers::schema),
];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

//! Bots: what people create and connect. The only component with the
//! app's client secret, and the only one that asks the vault.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod connect;
mod credentials;
mod handlers;
mod refresh;
mod wire;

use vivesphere_domain::permissions::Permission::{BotsRead, BotsWrite};
use vivesphere_http::Access::{Permission, Public, Service};
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] = &[
    route!(Post "/api/v1/bots/create", Permission(BotsWrite), handlers::create),
    route!(Get "/api/v1/bots/list", Permission(BotsRead), handlers::list).of_bots_alone(),
    route!(Get "/api/v1/bots/callback", Public, connect::callback),
    route!(Get "/api/v1/bots/{bot_id}", Permission(BotsRead), handlers::get).of_bots_alone(),
    route!(Patch "/api/v1/bots/{bot_id}", Permission(BotsWrite), handlers::update),
    route!(Delete "/api/v1/bots/{bot_id}", Permission(BotsWrite), handlers::delete),
    route!(Post "/api/v1/bots/{bot_id}/pause", Permission(BotsWrite), handlers::pause),
    route!(Post "/api/v1/bots/{bot_id}/resume", Permission(BotsWrite), handlers::resume),
    route!(Post "/api/v1/bots/{bot_id}/connect", Permission(BotsWrite), connect::begin)
        .confidential(),
    route!(Post "/internal/bots/{bot_id}/access-token", Service, credentials::access_token)
        .confidential(),
];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

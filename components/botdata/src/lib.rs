//! The vault: sealed data of bots, and sealed keys of other providers. The only component with the vault key.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod apikeys;
mod handlers;
mod wire;

use vivesphere_domain::permissions::Permission::{
    BotdataRetrieve, BotdataReveal, BotdataStore, JobsRun,
};
use vivesphere_http::Access::{Permission, Service, ServiceOr};
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] = &[
    route!(Post "/api/v1/botdata/store", Permission(BotdataStore), handlers::store),
    route!(Get "/api/v1/botdata/retrieve", Permission(BotdataRetrieve), handlers::retrieve),
    route!(Post "/api/v1/botdata/reveal", Permission(BotdataReveal), handlers::reveal)
        .confidential(),
    route!(Post "/internal/botdata/store", Service, handlers::store),
    route!(Post "/internal/botdata/reveal", Service, handlers::reveal).confidential(),
    route!(Post "/internal/botdata/apikeys/seal", Service, apikeys::seal).confidential(),
    route!(Post "/internal/botdata/apikeys/open", Service, apikeys::open).confidential(),
    route!(Post "/api/v1/jobs/rotate-keys/run", ServiceOr(JobsRun), handlers::rotate),
];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

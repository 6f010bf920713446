//! Trends: what people can find out about topics, and the sources that they are read from.
//! Research for people: nothing here leads to a post.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod handlers;
mod sources;
mod wire;

use vivesphere_domain::permissions::Permission::{TrendsManage, TrendsRead};
use vivesphere_http::Access::Permission;
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] = &[
    route!(Get "/api/v1/trends", Permission(TrendsRead), handlers::list),
    route!(Get "/api/v1/trends/{trend_id}", Permission(TrendsRead), handlers::get),
    route!(Get "/api/v1/trends/{trend_id}/history", Permission(TrendsRead), handlers::history),
    route!(Get "/api/v1/trends/sources", Permission(TrendsRead), sources::list),
    route!(Post "/api/v1/trends/sources", Permission(TrendsManage), sources::create),
    route!(Get "/api/v1/trends/sources/{source_id}", Permission(TrendsRead), sources::get),
    route!(Patch "/api/v1/trends/sources/{source_id}", Permission(TrendsManage), sources::update),
    route!(Delete "/api/v1/trends/sources/{source_id}", Permission(TrendsManage), sources::delete),
    route!(Post "/api/v1/trends/sources/{source_id}/scrape", Permission(TrendsManage), sources::scrape),
];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

//! The API's description, for programs (OpenAPI 3.1) and for people (a page that shows it).

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod handlers;

use vivesphere_http::Access::Public;
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] = &[
    route!(Get "/api/v1/openapi.json", Public, handlers::document),
    route!(Get "/docs", Public, handlers::page),
    route!(Get "/docs/page.css", Public, handlers::style),
    route!(Get "/docs/page.js", Public, handlers::script),
];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

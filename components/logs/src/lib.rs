//! Logs: handed in by programs, and looked into by people. What is handed in goes to a queue; the
//! worker `log-writer` sorts it.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod export;
mod group_commit;
mod handlers;
mod wire;

use vivesphere_domain::permissions::Permission::{LogsRead, LogsSubmit};
use vivesphere_http::Access::Permission;
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] = &[
    route!(Post "/api/v1/logs/submit", Permission(LogsSubmit), handlers::submit),
    route!(Get "/api/v1/logs", Permission(LogsRead), handlers::list),
    route!(Get "/api/v1/logs/export", Permission(LogsRead), export::export),
    route!(Get "/api/v1/logs/stats", Permission(LogsRead), handlers::stats),
];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    let _under_way = group_commit::under_way();
    vivesphere_http::serve(ROUTES, request).await
}

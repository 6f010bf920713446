//! Posts: what people schedule, change, approve, cancel, try again.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod handlers;
mod wire;

use vivesphere_domain::permissions::Permission::{PostsApprove, PostsRead, PostsWrite};
use vivesphere_http::Access::Permission;
use vivesphere_http::{Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] = &[
    route!(Post "/api/v1/bots/{bot_id}/posts", Permission(PostsWrite), handlers::schedule),
    route!(Get "/api/v1/bots/{bot_id}/posts", Permission(PostsRead), handlers::list),
    route!(Get "/api/v1/posts/awaiting-approval", Permission(PostsApprove), handlers::awaiting_approval),
    route!(Get "/api/v1/posts/{post_id}", Permission(PostsRead), handlers::get),
    route!(Patch "/api/v1/posts/{post_id}", Permission(PostsWrite), handlers::edit),
    route!(Post "/api/v1/posts/{post_id}/submit", Permission(PostsWrite), handlers::submit),
    route!(Post "/api/v1/posts/{post_id}/approve", Permission(PostsApprove), handlers::approve),
    route!(Post "/api/v1/posts/{post_id}/reject", Permission(PostsApprove), handlers::reject),
    route!(Post "/api/v1/posts/{post_id}/cancel", Permission(PostsWrite), handlers::cancel),
    route!(Post "/api/v1/posts/{post_id}/retry", Permission(PostsWrite), handlers::retry),
];

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

//! Who you are: sign-in, tokens, sessions, users. The only component with the signing key.

#[cfg(not(target_family = "wasm"))]
pub mod api;
mod handlers;
mod oauth;
mod tokens;
mod wire;

use vivesphere_crypto::password;
use vivesphere_domain::permissions::Permission::{JobsRun, UsersManage};
use vivesphere_http::Access::{Permission, Public, ServiceOr, SignedIn};
use vivesphere_http::{Problem, Route, route};

/// What this component answers, and who may call it.
pub const ROUTES: &[Route] = &[
    route!(Post "/api/v1/auth/login", Public, handlers::login).sign_in(),
    route!(Get "/api/v1/auth/validate", Public, handlers::validate),
    route!(Post "/api/v1/auth/refresh", Public, handlers::refresh).sign_in(),
    route!(Post "/api/v1/auth/token", Public, oauth::token).sign_in(),
    route!(Post "/api/v1/auth/logout", SignedIn, handlers::logout),
    route!(Get "/api/v1/auth/me", SignedIn, handlers::me),
    route!(Post "/api/v1/auth/password", SignedIn, handlers::change_password)
        .body_limit(16 << 10)
        .holds_password(slow_digest),
    route!(Get "/api/v1/auth/health", Public, handlers::health).probe(),
    route!(Get "/.well-known/jwks.json", Public, handlers::jwks),
    route!(Post "/api/v1/users", Permission(UsersManage), handlers::create_user)
        .holds_password(slow_digest),
    route!(Get "/api/v1/users", Permission(UsersManage), handlers::list_users),
    route!(Get "/api/v1/users/{user_id}", Permission(UsersManage), handlers::get_user),
    route!(Patch "/api/v1/users/{user_id}", Permission(UsersManage), handlers::update_user),
    route!(Delete "/api/v1/users/{user_id}", Permission(UsersManage), handlers::delete_user),
    route!(Post "/api/v1/jobs/expire/run", ServiceOr(JobsRun), handlers::expire),
];

fn slow_digest(request: &[u8], salt: &[u8]) -> Result<String, Problem> {
    password::digest(request, salt).map_err(Problem::internal)
}

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> vivesphere_http::Answer {
    vivesphere_http::serve(ROUTES, request).await
}

//! What this component's routes take and give, for the API's description.

use vivesphere_api::{Api, Description};
use vivesphere_http::{List, NoFilter, RunQuery, StatusCode};
use vivesphere_tokens::JwkSet;

use crate::{ROUTES, wire};

/// A password is checked: there may have been too many failures.
fn is_throttled(operation: Description<'_>) {
    hashes_password(operation.problem(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_attempts",
        "Ten failures in a quarter of an hour for this name or address.",
    ));
}

/// A password is hashed, which takes memory.
fn hashes_password(operation: Description<'_>) {
    operation.problem(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_sign_ins",
        "As many passwords are being checked as may be at the same time.",
    );
}

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "auth",
        "Who you are: sign-in, tokens, sessions, users.",
        ROUTES,
    );
    sign_in(&mut api);
    users(&mut api);
    api
}

fn sign_in(api: &mut Api) {
    let login = api
        .post("/api/v1/auth/login", "Sign in")
        .json::<wire::Login>()
        .gives::<wire::SignedIn<'_>>()
        .problem(
            StatusCode::UNAUTHORIZED,
            "invalid_credentials",
            "The username or the password is not right.",
        );
    is_throttled(login);
    api.get(
        "/api/v1/auth/validate",
        "See whether a token is good, and whose it is",
    )
    .text("The token is taken from the query, else from the bearer header.")
    .query::<wire::Validate>()
    .gives::<wire::Validated>()
    .problem(
        StatusCode::UNAUTHORIZED,
        "missing_credentials",
        "No token was sent.",
    );
    api.post(
        "/api/v1/auth/refresh",
        "Exchange a refresh token for new tokens",
    )
    .text("The old one dies; using it again ends its whole session.")
    .json::<wire::Refresh>()
    .gives::<wire::SignedIn<'_>>()
    .not_found()
    .problem(
        StatusCode::UNAUTHORIZED,
        "refresh_reused",
        "It was used before; its whole session has been ended.",
    )
    .problem(
        StatusCode::UNAUTHORIZED,
        "invalid_refresh_token",
        "It is unknown, expired or of an ended session.",
    );
    api.post("/api/v1/auth/token", "OAuth 2.0 token endpoint")
        .text("RFC 6749: its bodies and errors are the RFC's, not this API's. An access key is the client of \
             `client_credentials`: its id and secret in the form, or by Basic authentication.")
        .form::<wire::TokenForm>()
        .gives::<wire::TokenBody<'_>>()
        .header("pragma", "`no-cache` (section 5.1).")
        .answers::<wire::TokenError>(
            StatusCode::BAD_REQUEST,
            "`invalid_request`, `invalid_grant`, `invalid_scope` or `unsupported_grant_type` \
             (section 5.2).",
        )
        .answers::<wire::TokenError>(StatusCode::UNAUTHORIZED, "`invalid_client` (section 5.2).");
    api.post("/api/v1/auth/logout", "Sign out")
        .text("The token is dead at once everywhere.")
        .optional_json::<wire::Logout>()
        .gives_nothing();
    api.get("/api/v1/auth/me", "See who you are and what you may do")
        .gives::<wire::Me<'_>>();
    let change_password = api
        .post("/api/v1/auth/password", "Change your password")
        .text("Your other sessions are ended.")
        .json::<wire::Password>()
        .gives_nothing()
        .not_found()
        .conflict(
            "user_changed",
            "This user was changed by somebody else meanwhile.",
        );
    is_throttled(change_password);
    api.get("/api/v1/auth/health", "See whether tokens can be made")
        .gives::<wire::Health>();
    api.get(
        "/.well-known/jwks.json",
        "Get the public keys that tokens are signed with",
    )
    .text("RFC 7517. An old key stays for a day.")
    .gives::<JwkSet>()
    .header("cache-control", "How long the keys may be kept.");
}

fn users(api: &mut Api) {
    const LAST_ADMIN: &str = "Nobody could administrate any more.";
    let create = api
        .post("/api/v1/users", "Make a user")
        .json::<wire::NewUser>()
        .creates::<wire::UserBody>()
        .conflict("username_taken", "Another user has this name.");
    hashes_password(create);
    api.get("/api/v1/users", "List users")
        .paged::<NoFilter>()
        .gives::<List<wire::UserBody>>();
    api.get("/api/v1/users/{user_id}", "See a user")
        .gives::<wire::UserBody>();
    let update = api
        .patch("/api/v1/users/{user_id}", "Change a user")
        .text("A new password, another set of roles, or disabling ends the user's sessions.")
        .json::<wire::UserPatch>()
        .if_match()
        .gives::<wire::UserBody>()
        .conflict("last_admin", LAST_ADMIN);
    hashes_password(update);
    api.delete("/api/v1/users/{user_id}", "Delete a user")
        .gives_nothing()
        .conflict("user_owns_bots", "Delete this user's bots first.")
        .conflict("last_admin", LAST_ADMIN);
    api.post("/api/v1/jobs/expire/run", "Delete what has expired")
        .text("A worker's job entry; the scheduler calls it every hour.")
        .query::<RunQuery>()
        .gives::<wire::Expired>();
}

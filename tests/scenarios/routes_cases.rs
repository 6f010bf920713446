//! What each route is tried with. A route without a row here, or a row without a route, fails
//! the test in `routes`.

use serde_json::{Value, json};

/// How a route takes what it is sent.
pub(crate) enum Body {
    /// Nothing: what is sent is not looked at.
    None,
    /// JSON of this shape.
    Json(Value),
    /// JSON, or nothing at all.
    OptionalJson,
    /// A form (RFC 6749).
    Form,
}

/// One route's row.
pub(crate) struct Case {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) body: Body,
    /// A query that cannot be read, and the status it is answered with.
    pub(crate) bad_query: Option<(&'static str, u16)>,
    /// Where the id of another person's thing goes beside the path: in the body or the query.
    pub(crate) foreign: Foreign,
}

/// How the route could be pointed at what belongs to another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// It could not.
    No,
    /// By its path.
    Path,
    /// By `bot_id` in the body.
    Body,
    /// By `bot_id` in the query.
    Query,
}

fn case(method: &'static str, path: &'static str, body: Body) -> Case {
    let foreign = match path {
        path if path.contains("{bot_id}") || path.contains("{post_id}") => Foreign::Path,
        _ => Foreign::No,
    };
    Case {
        method,
        path,
        body,
        bad_query: None,
        foreign,
    }
}

impl Case {
    fn bad_query(mut self, query: &'static str, status: u16) -> Self {
        self.bad_query = Some((query, status));
        self
    }

    fn foreign(mut self, foreign: Foreign) -> Self {
        self.foreign = foreign;
        self
    }
}

/// Every row.
pub(crate) fn all() -> Vec<Case> {
    let get = |path| case("GET", path, Body::None);
    let act = |path| case("POST", path, Body::None);
    let delete = |path| case("DELETE", path, Body::None);
    let post = |path, body| case("POST", path, Body::Json(body));
    let patch = |path, body| case("PATCH", path, Body::Json(body));
    let password = "a long password";
    vec![
        // auth
        post(
            "/api/v1/auth/login",
            json!({"username": "admin", "password": password}),
        ),
        get("/api/v1/auth/validate").bad_query("surprise=1", 400),
        post("/api/v1/auth/refresh", json!({"refresh_token": "x"})),
        case("POST", "/api/v1/auth/token", Body::Form),
        case("POST", "/api/v1/auth/logout", Body::OptionalJson),
        get("/api/v1/auth/me"),
        post(
            "/api/v1/auth/password",
            json!({"current_password": password, "new_password": password}),
        ),
        get("/api/v1/auth/health"),
        get("/.well-known/jwks.json"),
        post(
            "/api/v1/users",
            json!({"username": "new", "password": password, "roles": []}),
        ),
        get("/api/v1/users").bad_query("limit=x", 400),
        get("/api/v1/users/{user_id}"),
        patch("/api/v1/users/{user_id}", json!({"roles": []})),
        delete("/api/v1/users/{user_id}"),
        act("/api/v1/jobs/expire/run"),
        // bots
        post("/api/v1/bots/create", json!({"bot_name": "new"})),
        get("/api/v1/bots/list").bad_query("limit=0", 422),
        get("/api/v1/bots/callback").bad_query("code=only", 400),
        get("/api/v1/bots/{bot_id}"),
        patch("/api/v1/bots/{bot_id}", json!({"bot_name": "changed"})),
        delete("/api/v1/bots/{bot_id}"),
        act("/api/v1/bots/{bot_id}/pause"),
        act("/api/v1/bots/{bot_id}/resume"),
        act("/api/v1/bots/{bot_id}/connect"),
        post("/api/v1/bots/{bot_id}/posts", json!({"text": "new"})),
        get("/api/v1/bots/{bot_id}/posts").bad_query("surprise=1", 400),
        get("/api/v1/posts/{post_id}"),
        patch("/api/v1/posts/{post_id}", json!({"text": "changed"})),
        act("/api/v1/posts/{post_id}/cancel"),
        act("/api/v1/posts/{post_id}/retry"),
        post("/internal/bots/{bot_id}/access-token", json!({})),
        // botdata
        post(
            "/api/v1/botdata/store",
            json!({"bot_id": "", "data": {"a": "b"}}),
        )
        .foreign(Foreign::Body),
        get("/api/v1/botdata/retrieve")
            .bad_query("surprise=1", 400)
            .foreign(Foreign::Query),
        post("/api/v1/botdata/reveal", json!({"bot_id": ""})),
        post(
            "/internal/botdata/store",
            json!({"bot_id": "", "data": {"a": "b"}}),
        ),
        post("/internal/botdata/reveal", json!({"bot_id": ""})),
        act("/api/v1/jobs/rotate-keys/run").bad_query("budget_seconds=x", 400),
        // publisher
        act("/api/v1/jobs/publish/run").bad_query("budget_seconds=-1", 400),
        // health
        get("/api/v1/health"),
        get("/api/v1/health/ready"),
        get("/api/v1/health/detailed"),
        // docs
        get("/api/v1/openapi.json"),
        get("/docs"),
        get("/docs/page.css"),
        get("/docs/page.js"),
    ]
}

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
    /// By its path: what is another's is not there.
    Path,
    /// By its path, and only who manages such things gets any further.
    Managed,
    /// By its path, to what belongs to everybody: who may not change it is told so.
    Everybodys,
    /// By `bot_id` in the body.
    Body,
    /// By `bot_id` in the query.
    Query,
}

fn case(method: &'static str, path: &'static str, body: Body) -> Case {
    let parameter = path.split('/').find(|segment| segment.starts_with('{'));
    let foreign = match parameter {
        None => Foreign::No,
        Some("{bot_id}" | "{post_id}" | "{persona_id}" | "{access_key_id}" | "{apikey_id}") => {
            Foreign::Path
        }
        Some("{user_id}" | "{role}") => Foreign::Managed,
        Some("{source_id}" | "{trend_id}") => Foreign::Everybodys,
        Some(other) => panic!("whose is {other}?"),
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

/// A persona that is taken.
pub(crate) fn persona() -> Value {
    json!({
        "name": "new", "purpose": "a purpose", "tone": "plain", "language": "en",
        "disclosure": "Automated account",
    })
}

/// A source of trends that is taken, and never fetched.
pub(crate) fn trend_source() -> Value {
    json!({"name": "new", "kind": "feed", "url": "https://news.example/rss", "enabled": false})
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
        // config
        get("/api/v1/config/settings").bad_query("surprise=1", 400),
        post(
            "/api/v1/config/update",
            json!({"settings_data": {"service_name": "gateway", "settings": {}}}),
        ),
        get("/api/v1/config/history").bad_query("limit=1", 400),
        get("/api/v1/config/diff").bad_query("service_name=gateway&from=x&to=1", 400),
        post(
            "/api/v1/config/rollback",
            json!({"service_name": "gateway", "to_version": 0}),
        ),
        get("/api/v1/config/schema").bad_query("surprise=1", 400),
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
        get("/api/v1/posts/awaiting-approval").bad_query("limit=0", 422),
        get("/api/v1/posts/{post_id}"),
        patch("/api/v1/posts/{post_id}", json!({"text": "changed"})),
        act("/api/v1/posts/{post_id}/submit"),
        // Who may only write is refused before it is looked at; `approvals` has the others.
        act("/api/v1/posts/{post_id}/approve").foreign(Foreign::No),
        post(
            "/api/v1/posts/{post_id}/reject",
            json!({"reason": "not like this"}),
        )
        .foreign(Foreign::No),
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
        post(
            "/internal/botdata/apikeys/seal",
            json!({"apikey_id": "", "version": 1, "key": "a key of them"}),
        ),
        post("/internal/botdata/apikeys/open", json!({"apikey_id": ""})),
        act("/api/v1/jobs/rotate-keys/run").bad_query("budget_seconds=x", 400),
        // personas
        post("/api/v1/personas/create", persona()),
        post("/api/v1/personas/import", persona()),
        get("/api/v1/personas").bad_query("language=xx", 422),
        get("/api/v1/personas/{persona_id}"),
        patch("/api/v1/personas/{persona_id}", json!({"tone": "loud"})),
        delete("/api/v1/personas/{persona_id}"),
        get("/api/v1/personas/{persona_id}/versions").bad_query("surprise=1", 400),
        get("/api/v1/personas/{persona_id}/versions/{version}"),
        case(
            "POST",
            "/api/v1/personas/{persona_id}/preview",
            Body::OptionalJson,
        ),
        get("/api/v1/personas/{persona_id}/export").bad_query("format=xml", 400),
        // publisher
        act("/api/v1/jobs/publish/run").bad_query("budget_seconds=-1", 400),
        // logs
        post(
            "/api/v1/logs/submit",
            json!({"log_type": "debug", "log_data": {}}),
        ),
        get("/api/v1/logs").bad_query("log_type=other", 422),
        get("/api/v1/logs/export").bad_query("from=yesterday", 422),
        get("/api/v1/logs/stats"),
        act("/api/v1/jobs/drain-logs/run").bad_query("budget_seconds=x", 400),
        // collector
        act("/api/v1/jobs/collect/run").bad_query("budget_seconds=x", 400),
        // metrics
        get("/api/v1/metrics"),
        get("/api/v1/metrics/overview"),
        get("/api/v1/metrics/bots/{bot_id}").bad_query("step=60", 422),
        get("/api/v1/metrics/posts/{post_id}"),
        // audit
        get("/api/v1/audit").bad_query("cursor=x", 422),
        get("/api/v1/audit/verify").bad_query("from_audit_id=1", 422),
        // health
        get("/api/v1/health"),
        get("/api/v1/health/ready"),
        get("/api/v1/health/detailed"),
        // roles
        get("/api/v1/roles/permissions"),
        post(
            "/api/v1/roles/assign",
            json!({"user_id": "", "role": "viewer"}),
        ),
        post(
            "/api/v1/roles/unassign",
            json!({"user_id": "", "role": "viewer"}),
        ),
        post(
            "/api/v1/roles",
            json!({"role": "new-role", "permissions": []}),
        ),
        get("/api/v1/roles").bad_query("cursor=No", 422),
        get("/api/v1/roles/{role}"),
        patch("/api/v1/roles/{role}", json!({"permissions": []})),
        delete("/api/v1/roles/{role}"),
        // access-keys
        post(
            "/api/v1/access-keys",
            json!({"name": "new", "scopes": ["bots:read"]}),
        ),
        get("/api/v1/access-keys").bad_query("limit=201", 422),
        get("/api/v1/access-keys/{access_key_id}"),
        delete("/api/v1/access-keys/{access_key_id}"),
        // apikeys
        post(
            "/api/v1/apikeys/store",
            json!({"provider": "openai", "label": "new", "key": "a-key-of-them"}),
        ),
        get("/api/v1/apikeys/providers"),
        get("/api/v1/apikeys").bad_query("provider=nobody", 422),
        get("/api/v1/apikeys/{apikey_id}"),
        delete("/api/v1/apikeys/{apikey_id}"),
        post(
            "/api/v1/apikeys/{apikey_id}/rotate",
            json!({"key": "a-key-of-them"}),
        ),
        act("/api/v1/apikeys/{apikey_id}/check"),
        // trends
        get("/api/v1/trends").bad_query("since=yesterday", 422),
        get("/api/v1/trends/{trend_id}"),
        get("/api/v1/trends/{trend_id}/history").bad_query("surprise=1", 400),
        get("/api/v1/trends/sources").bad_query("kind=other", 422),
        post("/api/v1/trends/sources", trend_source()),
        get("/api/v1/trends/sources/{source_id}"),
        patch("/api/v1/trends/sources/{source_id}", json!({"weight": 2})),
        delete("/api/v1/trends/sources/{source_id}"),
        act("/api/v1/trends/sources/{source_id}/scrape"),
        // scraper
        act("/api/v1/jobs/scrape/run").bad_query("budget_seconds=x", 400),
        // docs
        get("/api/v1/openapi.json"),
        get("/docs"),
        get("/docs/page.css"),
        get("/docs/page.js"),
    ]
}

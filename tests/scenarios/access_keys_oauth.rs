//! OAuth 2.0 client credentials (RFC 6749, section 4.4): an access key exchanged for a token.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::{Answer, Client};

const BOTS: &str = "/api/v1/bots/list";

struct Key {
    id: String,
    secret: String,
    text: String,
}

async fn make(owner: &Client, scopes: &[&str]) -> Key {
    let body = json!({"name": "client", "scopes": scopes});
    let made = owner.post("/api/v1/access-keys", &body).await.json(201);
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    Key {
        id: text("access_key_id"),
        secret: text("secret"),
        text: text("key"),
    }
}

async fn ask(app: &App, fields: &[(&str, &str)], basic: Option<&str>) -> Answer {
    app.anonymous()
        .send(Method::POST, "/api/v1/auth/token", |request| {
            let request = request.form(fields);
            match basic {
                Some(text) => request.header("authorization", text),
                None => request,
            }
        })
        .await
}

fn fields<'a>(id: &'a str, secret: &'a str, scope: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_secret", secret),
    ];
    if !scope.is_empty() {
        fields.push(("scope", scope));
    }
    fields
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

fn refused(answer: &Answer, status: u16, error: &str) {
    let body: Value = answer.json(status);
    assert_eq!(body["error"], error, "{}", answer.text);
    assert!(body["error_description"].is_string());
    let challenge = answer.header("www-authenticate");
    assert_eq!(challenge.starts_with("Basic"), status == 401, "{challenge}");
}

fn with(app: &App, granted: &Value) -> Client {
    app.anonymous()
        .with_token(granted["access_token"].as_str().unwrap())
}

#[tokio::test]
async fn a_key_is_exchanged_for_a_token_in_the_form_and_in_the_header() {
    let app = App::start().await;
    let admin = app.admin().await;
    let owner = app.user(&admin, &["operator"]).await;
    let key = make(&owner, &["bots:read", "posts:read"]).await;
    let client = [("grant_type", "client_credentials")];
    for answer in [
        ask(&app, &fields(&key.id, &key.secret, ""), None).await,
        ask(&app, &fields(&key.id, &key.text, ""), None).await,
        ask(&app, &client, Some(&basic(&key.id, &key.secret))).await,
    ] {
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("pragma"), "no-cache");
        let granted = answer.json(200);
        assert_eq!(granted["token_type"], "Bearer");
        assert_eq!(granted["expires_in"], 900);
        assert_eq!(granted["scope"], "bots:read posts:read");
        assert!(granted.get("refresh_token").is_none());
        let program = with(&app, &granted);
        program.get(BOTS).await.json(200);
        let me = program.get("/api/v1/auth/me").await.json(200);
        assert_eq!(me["user_id"], owner.user_id.as_str());
        assert_eq!(me["permissions"], json!(["bots:read", "posts:read"]));
        let query = format!(
            "/api/v1/auth/validate?token={}",
            program.token.as_ref().unwrap()
        );
        let valid = app.anonymous().get(&query).await.json(200);
        assert_eq!(valid["permissions"], me["permissions"]);
    }
    let trail = format!(
        "SELECT count(*) FROM audit_log WHERE action = 'session.started'
            AND actor_kind = 'access_key' AND actor_id = '{}'",
        key.id
    );
    assert_eq!(app.number(&trail), 3);
}

#[tokio::test]
async fn a_scope_narrows_the_token_and_never_widens_it() {
    let app = App::start().await;
    let admin = app.admin().await;
    let owner = app.user(&admin, &["operator"]).await;
    let key = make(&owner, &["bots:read", "posts:read", "posts:write"]).await;
    let ask = async |scope: &str| ask(&app, &fields(&key.id, &key.secret, scope), None).await;
    let granted = ask("posts:read posts:write").await.json(200);
    assert_eq!(granted["scope"], "posts:read posts:write");
    let program = with(&app, &granted);
    program.get(BOTS).await.problem(403, "forbidden");
    for scope in ["bots:fly", "bots:read bots:write", "admin"] {
        refused(&ask(scope).await, 400, "invalid_scope");
    }
    // At each use no more than the owner may do then; with nothing left there is no token.
    let path = format!("/api/v1/users/{}", owner.user_id);
    let viewer = json!({"roles": ["viewer"]});
    admin.patch(&path, &viewer).await.json(200);
    let me = program.get("/api/v1/auth/me").await.json(200);
    assert_eq!(me["permissions"], json!(["posts:read"]));
    let granted = ask("posts:read posts:write").await.json(200);
    assert_eq!(granted["scope"], "posts:read");
    refused(&ask("posts:write").await, 400, "invalid_scope");
}

#[tokio::test]
async fn whoever_is_no_client_is_told_so_in_the_words_of_the_rfc() {
    let app = App::start().await;
    let admin = app.admin().await;
    let key = make(&admin, &["bots:read"]).await;
    let other = make(&admin, &["bots:read"]).await;
    let absent = "01890000-0000-7000-8000-000000000000";
    for (id, secret) in [
        (key.id.as_str(), ""),
        (key.id.as_str(), "wrong"),
        (key.id.as_str(), other.secret.as_str()),
        (key.id.as_str(), other.text.as_str()),
        (absent, key.secret.as_str()),
        ("admin", app.variable("bootstrap_admin_password")),
    ] {
        let answer = ask(&app, &fields(id, secret, ""), None).await;
        refused(&answer, 401, "invalid_client");
        assert!(!answer.text.contains("wrong"));
        let client = [("grant_type", "client_credentials")];
        let answer = ask(&app, &client, Some(&basic(id, secret))).await;
        refused(&answer, 401, "invalid_client");
    }
    let client = [("grant_type", "client_credentials")];
    for header in ["Basic", "Basic ???", "Basic bm8=", "Digest abc"] {
        refused(
            &ask(&app, &client, Some(header)).await,
            401,
            "invalid_client",
        );
    }
    refused(&ask(&app, &client, None).await, 401, "invalid_client");
    // One method in a request (section 2.3), each parameter once (section 3.2).
    let both = basic(&key.id, &key.secret);
    let sent = fields(&key.id, &key.secret, "");
    refused(&ask(&app, &sent, Some(&both)).await, 400, "invalid_request");
    let mut twice = sent.clone();
    twice.push(("scope", "bots:read"));
    twice.push(("scope", "bots:read"));
    refused(&ask(&app, &twice, None).await, 400, "invalid_request");
    let password = [("grant_type", "password")];
    refused(
        &ask(&app, &password, None).await,
        400,
        "unsupported_grant_type",
    );
}

#[tokio::test]
async fn a_token_dies_with_its_key() {
    let app = App::start().await;
    let admin = app.admin().await;
    let owner = app.user(&admin, &["operator"]).await;
    let key = make(&owner, &["bots:read"]).await;
    let sent = fields(&key.id, &key.secret, "");
    let first = with(&app, &ask(&app, &sent, None).await.json(200));
    let second = with(&app, &ask(&app, &sent, None).await.json(200));
    // One may be given up alone.
    second.post_nothing("/api/v1/auth/logout").await.nothing();
    second.get(BOTS).await.problem(401, "token_revoked");
    first.get(BOTS).await.json(200);
    // Expiry of the key ends it before its own, and that is told.
    let database = app.database();
    let soon = chrono::Utc::now().timestamp_millis() + 60_000;
    database
        .execute("UPDATE access_keys SET expires_at = ?", [soon])
        .unwrap();
    let short = ask(&app, &sent, None).await.json(200);
    let seconds = short["expires_in"].as_i64().unwrap();
    assert!((50..=60).contains(&seconds), "{seconds}");
    with(&app, &short).get(BOTS).await.json(200);
    database
        .execute_batch("UPDATE access_keys SET expires_at = 1")
        .unwrap();
    first.get(BOTS).await.problem(401, "token_revoked");
    refused(&ask(&app, &sent, None).await, 401, "invalid_client");
    database
        .execute_batch("UPDATE access_keys SET expires_at = NULL")
        .unwrap();
    first.get(BOTS).await.json(200);
    let path = format!("/api/v1/access-keys/{}", key.id);
    owner.delete(&path).await.nothing();
    first.get(BOTS).await.problem(401, "token_revoked");
    refused(&ask(&app, &sent, None).await, 401, "invalid_client");
}

#[tokio::test]
async fn a_token_of_a_restricted_key_is_restricted() {
    let app = App::start().await;
    let admin = app.admin().await;
    let mut bots = Vec::new();
    for name in ["one", "two"] {
        let bot = json!({"bot_name": name});
        let bot = admin.post("/api/v1/bots/create", &bot).await.json(201);
        bots.push(bot["bot_id"].as_str().unwrap().to_owned());
    }
    let body = json!({"name": "client", "scopes": ["bots:read"], "bot_ids": [bots[0]]});
    let made = admin.post("/api/v1/access-keys", &body).await.json(201);
    let id = made["access_key_id"].as_str().unwrap();
    let secret = made["secret"].as_str().unwrap();
    let granted = ask(&app, &fields(id, secret, ""), None).await.json(200);
    let program = with(&app, &granted);
    let path = |bot_id: &str| format!("/api/v1/bots/{bot_id}");
    program.get(&path(&bots[0])).await.json(200);
    program.get(&path(&bots[1])).await.problem(404, "not_found");
    // Nor does the token make keys or change a password.
    let body = json!({"current_password": admin.password, "new_password": "another long one"});
    let answer = program.post("/api/v1/auth/password", &body).await;
    answer.problem(403, "forbidden");
}

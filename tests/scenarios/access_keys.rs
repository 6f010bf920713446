//! Access keys: shown once, no more than their owner and their scopes, dead when revoked.

use reqwest::Method;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;

const PATH: &str = "/api/v1/access-keys";
pub(crate) const BOTS: &str = "/api/v1/bots/list";

pub(crate) async fn make(owner: &Client, body: &Value) -> Value {
    owner.post(PATH, body).await.json(201)
}

/// Somebody with a key of these scopes, and the key's path.
async fn program(app: &App, owner: &Client, scopes: &[&str]) -> (Client, String) {
    let made = make(owner, &json!({"name": "program", "scopes": scopes})).await;
    opened(app, &made)
}

pub(crate) fn opened(app: &App, made: &Value) -> (Client, String) {
    let client = app.anonymous().with_token(made["key"].as_str().unwrap());
    let id = made["access_key_id"].as_str().unwrap();
    (client, format!("{PATH}/{id}"))
}

pub(crate) async fn bot(owner: &Client, name: &str) -> String {
    let bot = json!({"bot_name": name});
    let bot = owner.post("/api/v1/bots/create", &bot).await.json(201);
    bot["bot_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_is_shown_once_and_only_its_hash_is_kept() {
    let app = App::start().await;
    let admin = app.admin().await;
    let owner = app.user(&admin, &["operator"]).await;
    let new = json!({
        "name": "nightly", "scopes": ["posts:read", "bots:read"], "expires_at": "2099-01-01T00:00:00Z",
    });
    let made = make(&owner, &new).await;
    let key = made["key"].as_str().unwrap();
    let secret = made["secret"].as_str().unwrap();
    assert_eq!(key.len(), 74);
    assert!(key.starts_with("vs_") && key.contains(secret));
    assert!(key[3..].bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_eq!(made["scopes"], json!(["bots:read", "posts:read"]));
    assert_eq!(made["owner_id"], owner.user_id.as_str());
    assert_eq!(made["expires_at"], "2099-01-01T00:00:00.000Z");
    assert!(made["last_used_at"].is_null() && made["bot_ids"].is_null());

    let path = format!("{PATH}/{}", made["access_key_id"].as_str().unwrap());
    let shown = owner.get(&path).await;
    let listed = owner.get(PATH).await;
    for answer in [&shown, &listed] {
        assert!(!answer.text.contains(secret));
    }
    let shown = shown.json(200);
    assert!(shown.get("key").is_none() && shown.get("secret").is_none());
    assert_eq!(listed.json(200)["items"], json!([shown]));

    let program = app.anonymous().with_token(key);
    program.get(BOTS).await.json(200);
    let me = program.get("/api/v1/auth/me").await.json(200);
    assert_eq!(me["user_id"], owner.user_id.as_str());
    assert_eq!(me["permissions"], json!(["bots:read", "posts:read"]));
    assert!(owner.get(&path).await.json(200)["last_used_at"].is_string());
    let query = format!("/api/v1/auth/validate?token={key}");
    let valid = app.anonymous().get(&query).await.json(200);
    assert_eq!(
        (&valid["valid"], &valid["user_id"]),
        (&json!(true), &me["user_id"])
    );
    let trail = format!(
        "SELECT count(*) FROM audit_log WHERE action = 'access_key.created' AND actor_id = '{}'",
        owner.user_id
    );
    assert_eq!(app.number(&trail), 1);
}

#[tokio::test]
async fn what_is_no_key_is_refused_with_the_field() {
    let app = App::start().await;
    let admin = app.admin().await;
    let owner = app.user(&admin, &["operator"]).await;
    let other = app.user(&admin, &["operator"]).await;
    let foreign = bot(&other, "not yours").await;
    for (body, pointer) in [
        (json!({"name": "", "scopes": ["bots:read"]}), "/name"),
        (json!({"name": "k", "scopes": []}), "/scopes"),
        (json!({"name": "k", "scopes": ["bots:fly"]}), "/scopes/0"),
        // A permission that there is, but that an operator does not have.
        (
            json!({"name": "k", "scopes": ["bots:read", "users:manage"]}),
            "/scopes/1",
        ),
        (
            json!({"name": "k", "scopes": ["bots:read"], "bot_ids": []}),
            "/bot_ids",
        ),
        (
            json!({"name": "k", "scopes": ["bots:read"], "bot_ids": ["x"]}),
            "/bot_ids/0",
        ),
        (
            json!({"name": "k", "scopes": ["bots:read"], "bot_ids": [foreign]}),
            "/bot_ids/0",
        ),
        (
            json!({"name": "k", "scopes": ["bots:read"], "expires_at": "2020-01-01T00:00:00Z"}),
            "/expires_at",
        ),
        (
            json!({"name": "k", "scopes": ["bots:read"], "expires_at": "soon"}),
            "/expires_at",
        ),
    ] {
        let answer = owner.post(PATH, &body).await;
        assert_eq!(answer.pointer(), pointer, "{}", answer.text);
    }
    // What would lead around the restriction cannot be restricted.
    let own = bot(&admin, "own").await;
    for scope in ["users:manage", "audit:read", "logs:read"] {
        let body = json!({"name": "k", "scopes": [scope], "bot_ids": [own]});
        assert_eq!(admin.post(PATH, &body).await.pointer(), "/scopes/0");
    }
    assert_eq!(app.number("SELECT count(*) FROM access_keys"), 0);
}

#[tokio::test]
async fn a_key_does_what_its_scopes_and_its_owner_allow_at_that_moment() {
    let app = App::start().await;
    let admin = app.admin().await;
    let owner = app.user(&admin, &["operator"]).await;
    let (program, _) = program(&app, &owner, &["bots:read", "posts:read"]).await;
    program.get(BOTS).await.json(200);
    let new = json!({"bot_name": "new"});
    let refused = program.post("/api/v1/bots/create", &new).await;
    let refused = refused.problem(403, "forbidden");
    assert!(refused["detail"].as_str().unwrap().contains("bots:write"));
    // What the owner loses the key loses, and gets back with it.
    let roles = async |roles: &[&str]| {
        let path = format!("/api/v1/users/{}", owner.user_id);
        admin.patch(&path, &json!({"roles": roles})).await.json(200)
    };
    roles(&[]).await;
    program.get(BOTS).await.problem(403, "forbidden");
    roles(&["viewer"]).await;
    program.get(BOTS).await.json(200);
    // What the owner gains the key does not.
    roles(&["admin"]).await;
    program.get("/api/v1/users").await.problem(403, "forbidden");
    let me = program.get("/api/v1/auth/me").await.json(200);
    assert_eq!(me["permissions"], json!(["bots:read", "posts:read"]));
}

#[tokio::test]
async fn a_revoked_an_expired_and_a_locked_owners_key_are_dead_at_once() {
    let app = App::start().await;
    let admin = app.admin().await;
    let owner = app.user(&admin, &["operator"]).await;
    let (first, path) = program(&app, &owner, &["bots:read"]).await;
    let (second, second_path) = program(&app, &owner, &["bots:read"]).await;
    first.get(BOTS).await.json(200);
    owner.delete(&path).await.nothing();
    first.get(BOTS).await.problem(401, "access_key_unknown");
    owner.delete(&path).await.problem(404, "not_found");
    owner.get(&path).await.problem(404, "not_found");
    second.get(BOTS).await.json(200);
    assert_eq!(
        app.number("SELECT count(*) FROM audit_log WHERE action = 'access_key.revoked'"),
        1
    );

    let id = second_path.rsplit('/').next().unwrap();
    let expire = format!("UPDATE access_keys SET expires_at = 1 WHERE access_key_id = '{id}'");
    app.database().execute_batch(&expire).unwrap();
    second.get(BOTS).await.problem(401, "access_key_expired");
    let keep = expire.replace("= 1 ", "= NULL ");
    app.database().execute_batch(&keep).unwrap();
    second.get(BOTS).await.json(200);

    let user = format!("/api/v1/users/{}", owner.user_id);
    let lock = async |disabled: bool| {
        let change = json!({"disabled": disabled});
        admin.patch(&user, &change).await.json(200)
    };
    lock(true).await;
    second.get(BOTS).await.problem(401, "access_key_unknown");
    lock(false).await;
    second.get(BOTS).await.json(200);
    admin.delete(&user).await.nothing();
    second.get(BOTS).await.problem(401, "access_key_unknown");
    assert_eq!(app.number("SELECT count(*) FROM access_keys"), 0);
}

#[tokio::test]
async fn a_mistyped_key_is_told_from_an_unknown_one_without_the_database() {
    let app = App::start().await;
    let admin = app.admin().await;
    let made = make(&admin, &json!({"name": "k", "scopes": ["bots:read"]})).await;
    let other = make(&admin, &json!({"name": "l", "scopes": ["bots:read"]})).await;
    let key = made["key"].as_str().unwrap();
    let with = async |token: &str| app.anonymous().with_token(token).get(BOTS).await;
    for position in [3, 20, 30, 60, 70, 73] {
        let mut mistyped = key.to_owned();
        let letter = if &key[position..=position] == "a" {
            "b"
        } else {
            "a"
        };
        mistyped.replace_range(position..=position, letter);
        with(&mistyped).await.problem(401, "access_key_malformed");
    }
    for text in ["vs_", &key[..73], &format!("{key}0"), &key.to_lowercase()] {
        with(text).await.problem(401, "access_key_malformed");
    }
    // The secret alone, or another key's, opens nothing.
    with(made["secret"].as_str().unwrap())
        .await
        .problem(401, "token_malformed");
    let database = app.database();
    database
        .execute_batch(
            "UPDATE access_keys SET secret_hash =
                (SELECT o.secret_hash FROM access_keys o WHERE o.name = 'l') WHERE name = 'k'",
        )
        .unwrap();
    with(key).await.problem(401, "access_key_unknown");
    with(other["key"].as_str().unwrap()).await.json(200);
}

#[tokio::test]
async fn a_key_manages_what_its_scopes_say_and_never_makes_keys_or_passwords() {
    let app = App::start().await;
    let admin = app.admin().await;
    let (plain, plain_path) = program(&app, &admin, &["bots:read"]).await;
    let new = json!({"name": "child", "scopes": ["bots:read"]});
    plain.post(PATH, &new).await.problem(403, "forbidden");
    plain.get("/api/v1/users").await.problem(403, "forbidden");
    let (manager, _) = program(&app, &admin, &["access_keys:manage", "bots:read"]).await;
    manager.post(PATH, &new).await.problem(403, "forbidden");
    let password = json!({
        "current_password": admin.password, "new_password": "another long one",
    });
    let answer = manager.post("/api/v1/auth/password", &password).await;
    answer.problem(403, "forbidden");
    let answer = manager.post_nothing("/api/v1/auth/logout").await;
    answer.problem(403, "forbidden");
    // It may list and revoke.
    let listed = manager.get(PATH).await.json(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    manager.delete(&plain_path).await.nothing();
    plain.get(BOTS).await.problem(401, "access_key_unknown");

    // With users:manage it manages users, but none beyond its own permissions: not its owner.
    let (desk, _) = program(&app, &admin, &["users:manage", "roles:manage", "bots:read"]).await;
    let user = app.user(&admin, &[]).await;
    let set = json!({"password": "set by a program"});
    let path = format!("/api/v1/users/{}", user.user_id);
    desk.patch(&path, &set).await.json(200);
    let own = format!("/api/v1/users/{}", admin.user_id);
    desk.patch(&own, &set).await.problem(403, "forbidden");
    // Nor with all of its owner's: the password would outlive the key.
    let all = admin.get("/api/v1/auth/me").await.json(200)["permissions"].clone();
    let all = make(&admin, &json!({"name": "all", "scopes": all})).await;
    let (all, _) = opened(&app, &all);
    all.patch(&own, &set).await.problem(403, "forbidden");
    all.patch(&path, &set).await.json(200);
    app.anonymous()
        .sign_in(&admin.username, &admin.password)
        .await;
    let promotion = json!({"user_id": user.user_id, "role": "admin"});
    let answer = desk.post("/api/v1/roles/assign", &promotion).await;
    answer.problem(403, "forbidden");
}

#[tokio::test]
async fn keys_belong_to_their_makers() {
    let app = App::start().await;
    let admin = app.admin().await;
    let owner = app.user(&admin, &["operator"]).await;
    let other = app.user(&admin, &["operator"]).await;
    let (_, path) = program(&app, &owner, &["bots:read"]).await;
    other.get(&path).await.problem(404, "not_found");
    other.delete(&path).await.problem(404, "not_found");
    let theirs = format!("{PATH}?user_id={}", owner.user_id);
    other.get(&theirs).await.problem(403, "forbidden");
    assert_eq!(other.get(PATH).await.json(200)["items"], json!([]));
    // Whoever manages users sees and revokes theirs.
    let listed = admin.get(&theirs).await.json(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(admin.get(PATH).await.json(200)["items"], json!([]));
    admin.delete(&path).await.nothing();
    owner.get(&path).await.problem(404, "not_found");
    // But not those of somebody who may do more.
    let role = json!({"role": "desk", "permissions": ["users:manage", "access_keys:manage"]});
    admin.post("/api/v1/roles", &role).await.json(201);
    let desk = app.user(&admin, &["desk"]).await;
    let (_, path) = program(&app, &admin, &["bots:read"]).await;
    desk.delete(&path).await.problem(403, "forbidden");
}

#[tokio::test]
async fn the_last_use_costs_a_write_a_minute() {
    let app = App::start().await;
    let admin = app.admin().await;
    let (program, path) = program(&app, &admin, &["bots:read"]).await;
    program.get(BOTS).await.json(200);
    let first = admin.get(&path).await.json(200)["last_used_at"].clone();
    assert!(first.is_string());
    for _ in 0..20 {
        program.get(BOTS).await.json(200);
    }
    assert_eq!(admin.get(&path).await.json(200)["last_used_at"], first);
    app.database()
        .execute_batch("UPDATE access_keys SET last_used_at = last_used_at - 61000")
        .unwrap();
    program.get(BOTS).await.json(200);
    let later = admin.get(&path).await.json(200)["last_used_at"].clone();
    assert!(
        later.as_str().unwrap() >= first.as_str().unwrap(),
        "{later} {first}"
    );
}

#[tokio::test]
async fn the_same_request_again_makes_no_second_key_and_shows_no_secret() {
    let app = App::start().await;
    let admin = app.admin().await;
    let new = json!({"name": "once", "scopes": ["bots:read"]});
    let make = async || {
        admin
            .send(Method::POST, PATH, |request| {
                request.header("idempotency-key", "make-once").json(&new)
            })
            .await
            .json(201)
    };
    let (first, second) = (make().await, make().await);
    assert_eq!(first["access_key_id"], second["access_key_id"]);
    assert!(first["key"].is_string() && second["key"].is_null() && second["secret"].is_null());
    assert_eq!(app.number("SELECT count(*) FROM access_keys"), 1);
}

#[tokio::test]
async fn a_key_spends_its_owners_rate_limit_and_a_made_up_one_does_not() {
    let mut app = App::start().await;
    let admin = app.admin().await;
    let owner = app.user(&admin, &["operator"]).await;
    let (program, _) = program(&app, &owner, &["bots:read"]).await;
    app.set_variable("rate_limit_per_minute", 100);
    app.restart().await;
    let remaining = async |client: &Client| -> i64 {
        let answer = client.get(BOTS).await;
        answer.header("ratelimit-remaining").parse().unwrap()
    };
    // A window may end in between; then the next one is counted.
    for _ in 0..3 {
        let (before, after) = (remaining(&owner).await, remaining(&program).await);
        if after == before - 1 {
            let key = program.token.clone().unwrap();
            let stranger = app.anonymous().with_token(&format!("{}xyz", &key[..71]));
            stranger.get(BOTS).await.any_problem();
            let still = remaining(&owner).await;
            assert!(still == after - 1 || still > after, "{still} {after}");
            return;
        }
    }
    panic!("the key has a limit of its own");
}

//! Signing in, staying signed in, and the end of it.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;
use vivesphere_tests::launch;

async fn validate(client: &Client, token: &str) -> Value {
    let path = format!("/api/v1/auth/validate?token={token}");
    client.get(&path).await.json(200)
}

async fn refresh(client: &Client, token: &str) -> vivesphere_tests::client::Answer {
    let body = json!({"refresh_token": token});
    client.post("/api/v1/auth/refresh", &body).await
}

#[tokio::test]
async fn a_sign_in_gives_tokens_and_says_who_it_is() {
    let app = App::start().await;
    let anonymous = app.anonymous();
    let password = app.variable("bootstrap_admin_password");
    let body = json!({"username": "admin", "password": password});
    let answer = anonymous.post("/api/v1/auth/login", &body).await.json(200);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 900);
    assert!(answer["refresh_expires_in"].as_i64().unwrap() > 29 * 86_400);
    assert_eq!(answer["user"]["username"], "admin");
    assert_eq!(answer["user"]["roles"], json!(["admin"]));
    let token = answer["token"].as_str().unwrap();
    let user_id = &answer["user"]["user_id"];

    let valid = validate(&anonymous, token).await;
    assert_eq!(valid["valid"], true);
    assert_eq!(&valid["user_id"], user_id);
    assert_eq!(valid["username"], "admin");
    assert_eq!(valid["roles"], json!(["admin"]));
    assert!(valid["expires_at"].as_str().unwrap().ends_with('Z'));
    let permissions = valid["permissions"].as_array().unwrap();
    assert!(permissions.contains(&json!("users:manage")));
    let bearer = anonymous.with_token(token);
    let valid = bearer.get("/api/v1/auth/validate").await.json(200);
    assert_eq!(valid["valid"], true);
    let me = bearer.get("/api/v1/auth/me").await.json(200);
    assert_eq!(&me["user_id"], user_id);

    assert_eq!(
        validate(&anonymous, "nonsense").await["reason"],
        "malformed"
    );
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{signed}.{other}{}", &signature[1..]);
    assert_eq!(validate(&anonymous, &forged).await["reason"], "signature");
    anonymous
        .get("/api/v1/auth/validate")
        .await
        .problem(401, "missing_credentials");
    let health = anonymous.get("/api/v1/auth/health").await.json(200);
    assert_eq!(health["status"], "ok");
    // Names are the same whatever their case.
    anonymous.sign_in("ADMIN", password).await;
}

#[tokio::test]
async fn an_access_token_ends_by_itself() {
    let app = App::builder()
        .variable("access_token_seconds", 1)
        .start()
        .await;
    let admin = app.admin().await;
    let token = admin.token.clone().unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while admin.get("/api/v1/auth/me").await.status == 200 {
        assert!(Instant::now() < end, "it never ends");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    admin
        .get("/api/v1/auth/me")
        .await
        .problem(401, "token_expired");
    let invalid = validate(&app.anonymous(), &token).await;
    assert_eq!(invalid, json!({"valid": false, "reason": "expired"}));
    let renewed = refresh(&app.anonymous(), &admin.refresh_token)
        .await
        .json(200);
    let renewed = admin.with_token(renewed["token"].as_str().unwrap());
    renewed.get("/api/v1/auth/me").await.json(200);
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_look_and_cost_the_same() {
    let app = App::start().await;
    app.admin().await;
    let anonymous = app.anonymous();
    let mut fastest = Vec::new();
    let mut bodies = Vec::new();
    for username in ["admin", "nobody-of-this-name"] {
        let body = json!({"username": username, "password": "not the password"});
        let mut times = Vec::new();
        for _ in 0..4 {
            let started = Instant::now();
            let answer = anonymous.post("/api/v1/auth/login", &body).await;
            times.push(started.elapsed());
            let mut body = answer.problem(401, "invalid_credentials");
            body["request_id"] = Value::Null;
            bodies.push(body);
        }
        fastest.push(*times.iter().min().unwrap());
    }
    assert!(
        bodies.windows(2).all(|pair| pair[0] == pair[1]),
        "{bodies:?}"
    );
    // Argon2id takes most of it: without it an answer would be ten times as fast.
    assert!(fastest[1] * 3 > fastest[0], "{fastest:?}");
}

#[tokio::test]
async fn sign_in_is_throttled_by_name_and_by_address() {
    let app = App::start().await;
    let admin = app.admin().await;
    let anonymous = app.anonymous();
    let wrong = json!({"username": "somebody", "password": "a wrong password"});
    for _ in 0..10 {
        let answer = anonymous.post("/api/v1/auth/login", &wrong).await;
        answer.problem(401, "invalid_credentials");
    }
    let answer = anonymous.post("/api/v1/auth/login", &wrong).await;
    answer.problem(429, "too_many_attempts");
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=900).contains(&seconds));
    // The same address with the right password of another: throttled too, and not let in.
    let right = json!({"username": "admin", "password": admin.password});
    let answer = anonymous.post("/api/v1/auth/login", &right).await;
    answer.problem(429, "too_many_attempts");
    // A token that is out already goes on working.
    admin.get("/api/v1/auth/me").await.json(200);
    // After a quarter of an hour everything is as before.
    app.database()
        .execute(
            "UPDATE login_failures SET failed_at = failed_at - 900000",
            [],
        )
        .unwrap();
    anonymous.post("/api/v1/auth/login", &right).await.json(200);
}

#[tokio::test]
async fn only_so_many_passwords_are_checked_at_the_same_time() {
    let app = App::start().await;
    let admin = app.admin().await;
    let anonymous = app.anonymous();
    let right = json!({"username": "admin", "password": admin.password});
    let others = app.database();
    let now = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";
    let under_way = |end: &str| {
        others
            .execute_batch(&format!(
                "DELETE FROM password_checks;
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 32)
                 INSERT INTO password_checks SELECT 'check-' || i, {now} + {end} FROM n;"
            ))
            .unwrap();
    };
    under_way("9000");
    let answer = anonymous.post("/api/v1/auth/login", &right).await;
    answer.problem(429, "too_many_sign_ins");
    assert_eq!(answer.header("retry-after"), "1");
    let change = json!({"current_password": admin.password, "new_password": "a longer password"});
    let answer = admin.post("/api/v1/auth/password", &change).await;
    answer.problem(429, "too_many_sign_ins");
    // Nothing was checked, so nothing failed.
    let count = "SELECT count(*) FROM login_failures";
    let failures: i64 = others.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(failures, 0);
    // One of them ends.
    let end_one = "DELETE FROM password_checks WHERE password_check_id = 'check-1'";
    others.execute(end_one, []).unwrap();
    anonymous.post("/api/v1/auth/login", &right).await.json(200);
    // What was begun by instances that are gone does not count for long, nor does what a clock
    // that was ahead has left.
    for end in ["-1", "60000"] {
        under_way(end);
        anonymous.post("/api/v1/auth/login", &right).await.json(200);
        let count = "SELECT count(*) FROM password_checks";
        let left: i64 = others.query_row(count, [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
    }
}

#[tokio::test]
async fn a_refresh_token_works_once_and_a_reused_one_ends_the_session() {
    let app = App::start().await;
    let anonymous = app.anonymous();
    let admin = app.admin().await;
    let other = app.admin().await;
    let second = refresh(&anonymous, &admin.refresh_token).await.json(200);
    assert_eq!(second["user"]["username"], "admin");
    let fresh = admin.with_token(second["token"].as_str().unwrap());
    fresh.get("/api/v1/auth/me").await.json(200);

    let reused = refresh(&anonymous, &admin.refresh_token).await;
    reused.problem(401, "refresh_reused");
    // The whole family is dead: who stole which of them cannot be known.
    let next = second["refresh_token"].as_str().unwrap();
    assert_eq!(refresh(&anonymous, next).await.any_problem()["status"], 401);
    fresh
        .get("/api/v1/auth/me")
        .await
        .problem(401, "token_revoked");
    let token = fresh.token.as_deref().unwrap();
    assert_eq!(validate(&anonymous, token).await["reason"], "revoked");
    // Another session of the same user is another family.
    other.get("/api/v1/auth/me").await.json(200);
    refresh(&anonymous, &other.refresh_token).await.json(200);
    refresh(&anonymous, "unknown")
        .await
        .problem(401, "invalid_refresh_token");
}

#[tokio::test]
async fn two_refreshes_at_once_cannot_both_succeed() {
    let app = App::start().await;
    let admin = app.admin().await;
    let anonymous = app.anonymous();
    let both = tokio::join!(
        refresh(&anonymous, &admin.refresh_token),
        refresh(&anonymous, &admin.refresh_token)
    );
    let mut statuses = [both.0.status, both.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
}

#[tokio::test]
async fn a_logout_works_at_once_everywhere() {
    let app = App::start().await;
    let admin = app.admin().await;
    admin.get("/api/v1/bots/list").await.json(200);
    admin.post_nothing("/api/v1/auth/logout").await.nothing();
    for path in ["/api/v1/auth/me", "/api/v1/bots/list"] {
        admin.get(path).await.problem(401, "token_revoked");
    }
    let token = admin.token.as_deref().unwrap();
    let invalid = validate(&app.anonymous(), token).await;
    assert_eq!(invalid, json!({"valid": false, "reason": "revoked"}));
    let dead = refresh(&app.anonymous(), &admin.refresh_token).await;
    assert_eq!(dead.any_problem()["status"], 401);
    // With the refresh token in the body, as the contract allows.
    let admin = app.admin().await;
    let body = json!({"refresh_token": admin.refresh_token});
    admin.post("/api/v1/auth/logout", &body).await.nothing();
}

#[tokio::test]
async fn a_right_password_is_right_for_all_who_come_while_its_hash_is_made_anew() {
    let app = App::start().await;
    let admin = app.admin().await;
    let user = app.user(&admin, &[]).await;
    // Argon2id of `an old password`, at a cost of earlier days.
    let old = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$\
        VmKTqi8nXWXQDulnm1NU2M/Do5hKYL5BUWDT9XkprP4";
    app.database()
        .execute(
            "UPDATE users SET password_hash = ? WHERE user_id = ?",
            [old, user.user_id.as_str()],
        )
        .unwrap();
    let body = json!({"username": user.username, "password": "an old password"});
    let anonymous = app.anonymous();
    let tries = (0..6).map(|_| anonymous.post("/api/v1/auth/login", &body));
    for answer in futures::future::join_all(tries).await {
        answer.json(200);
    }
    assert_eq!(app.number("SELECT count(*) FROM login_failures"), 0);
    let anew = "SELECT count(*) FROM users WHERE password_hash LIKE '%m=19456,t=2,p=1%'";
    assert_eq!(app.number(anew), 2);
}

#[tokio::test]
async fn the_oauth_token_endpoint_speaks_rfc_6749() {
    let app = App::start().await;
    let admin = app.admin().await;
    let anonymous = app.anonymous();
    let ask = async |form: &[(&str, &str)]| {
        anonymous
            .send(Method::POST, "/api/v1/auth/token", |request| {
                request.form(form)
            })
            .await
    };
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", admin.refresh_token.as_str()),
    ];
    // A session has its user's permissions, all of them: that of a narrower scope is not given away for
    // nothing.
    let narrower = [form[0], form[1], ("scope", "bots:read")];
    assert_eq!(ask(&narrower).await.json(400)["error"], "invalid_scope");
    let tokens = ask(&form).await.json(200);
    let renewed = admin.with_token(tokens["access_token"].as_str().unwrap());
    renewed.get("/api/v1/auth/me").await.json(200);
    assert_eq!(ask(&form).await.json(400)["error"], "invalid_grant");
    let form = [("grant_type", "client_credentials")];
    assert_eq!(ask(&form).await.json(401)["error"], "invalid_client");
    let form = [("grant_type", "password")];
    assert_eq!(
        ask(&form).await.json(400)["error"],
        "unsupported_grant_type"
    );
    assert_eq!(ask(&[]).await.json(400)["error"], "invalid_request");
}

#[tokio::test]
async fn a_new_signing_key_takes_over_while_tokens_of_the_old_one_still_verify() {
    let mut app = App::start().await;
    let before = app.admin().await;
    let anonymous = app.anonymous();
    let kids = async || {
        let keys = anonymous.get("/.well-known/jwks.json").await.json(200);
        let keys = keys["keys"].as_array().unwrap().clone();
        for key in &keys {
            assert_eq!(
                (&key["kty"], &key["crv"]),
                (&json!("OKP"), &json!("Ed25519"))
            );
            assert!(key.get("d").is_none(), "a private half is public");
        }
        let kid = |key: &Value| key["kid"].as_str().unwrap().to_owned();
        keys.iter().map(kid).collect::<Vec<_>>()
    };
    let old = kids().await;
    assert_eq!(old.len(), 1);

    app.set_variable("jwt_signing_key", launch::key());
    app.restart().await;
    before.get("/api/v1/auth/me").await.json(200);
    let after = app.admin().await;
    after.get("/api/v1/bots/list").await.json(200);
    before.get("/api/v1/bots/list").await.json(200);
    let both = kids().await;
    assert_eq!(both.len(), 2);
    assert_eq!(both[1], old[0]);

    // Once no token of the old key can be alive it is not accepted any more.
    app.database()
        .execute(
            "UPDATE signing_keys SET retired_at = retired_at - 172800000
             WHERE retired_at IS NOT NULL",
            [],
        )
        .unwrap();
    app.restart().await;
    assert_eq!(kids().await, both[..1]);
    after.get("/api/v1/auth/me").await.json(200);
    assert_eq!(
        before.get("/api/v1/auth/me").await.any_problem()["status"],
        401
    );
}

//! Users: made, changed, locked out and deleted by administrators.

use reqwest::Method;
use serde_json::{Value, json};
use vivesphere_tests::app::App;

#[tokio::test]
async fn an_administrator_keeps_the_list_of_users() {
    let app = App::start().await;
    let admin = app.admin().await;
    let new = json!({"username": "ann", "password": "a long password", "roles": ["operator"]});
    let ann = admin.post("/api/v1/users", &new).await.json(201);
    assert_eq!(ann["username"], "ann");
    assert_eq!(ann["roles"], json!(["operator"]));
    assert!(ann.get("password").is_none() && ann.get("password_hash").is_none());
    let path = format!("/api/v1/users/{}", ann["user_id"].as_str().unwrap());
    assert_eq!(admin.get(&path).await.json(200), ann);
    let other_case = json!({"username": "ANN", "password": "a long password", "roles": []});
    let again = admin.post("/api/v1/users", &other_case).await;
    again.problem(409, "username_taken");

    let changed = admin
        .patch(&path, &json!({"roles": ["viewer", "reviewer"]}))
        .await;
    let changed = changed.json(200);
    assert_eq!(changed["version"], 2);
    let stale = admin.patch_version(&path, 1, &json!({"roles": []})).await;
    stale.problem(412, "stale_version");
    admin
        .patch_version(&path, 2, &json!({"roles": []}))
        .await
        .json(200);

    let first = admin.get("/api/v1/users?limit=1").await.json(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = format!("/api/v1/users?limit=1&cursor={cursor}");
    let second = admin.get(&second).await.json(200);
    assert_ne!(first["items"][0]["user_id"], second["items"][0]["user_id"]);
    assert!(second["next_cursor"].is_null());

    admin.delete(&path).await.nothing();
    admin.get(&path).await.problem(404, "not_found");
    admin.delete(&path).await.problem(404, "not_found");
}

#[tokio::test]
async fn what_is_not_a_user_is_refused_with_the_field() {
    let app = App::start().await;
    let admin = app.admin().await;
    let user = |username: &str, password: &str, roles: &[&str]| json!({"username": username, "password": password, "roles": roles});
    for (body, pointer) in [
        (user("a", "a long password", &[]), "/username"),
        (user("with space", "a long password", &[]), "/username"),
        (user("fine", "too short", &[]), "/password"),
        (user("fine", &"p".repeat(100_000), &[]), "/password"),
        (
            user("fine", "a long password", &["viewer", "king"]),
            "/roles/1",
        ),
        (
            user("fine", "a long password", &["viewer", "admin", "viewer"]),
            "/roles/2",
        ),
    ] {
        let answer = admin.post("/api/v1/users", &body).await;
        assert_eq!(answer.pointer(), pointer, "{}", answer.text);
    }
    let own = format!("/api/v1/users/{}", admin.user_id);
    let doubled = json!({"roles": ["admin", "admin"]});
    assert_eq!(admin.patch(&own, &doubled).await.pointer(), "/roles/1");
}

#[tokio::test]
async fn what_is_known_of_a_request_with_a_password_is_no_fast_hash() {
    use sha2::{Digest as _, Sha256};

    let app = App::start().await;
    let admin = app.admin().await;
    let send = async |path: &'static str, body: &Value| {
        admin
            .send(Method::POST, path, |request| {
                request.header("idempotency-key", "k1").json(body)
            })
            .await
    };
    let known = || -> String {
        app.database()
            .query_row("SELECT request_hash FROM idempotency_keys", [], |row| {
                row.get(0)
            })
            .unwrap()
    };
    let fast = |path: &str, body: &Value| {
        let request = format!("POST\n{path}\n{body}");
        let digest = Sha256::digest(request.as_bytes());
        digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    // Of a request without a password it is, which tells that the test looks at the right one.
    let (path, bot) = ("/api/v1/bots/create", json!({"bot_name": "one"}));
    send(path, &bot).await.json(201);
    assert_eq!(known(), fast(path, &bot));
    app.database()
        .execute("DELETE FROM idempotency_keys", [])
        .unwrap();
    let path = "/api/v1/users";
    let ann = json!({"username": "ann", "password": "a long password", "roles": []});
    let made = send(path, &ann).await.json(201);
    assert_ne!(known(), fast(path, &ann));
    // And it is known again.
    let again = send(path, &ann).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json(201), made);
    let other = json!({"username": "ann", "password": "another password", "roles": []});
    let other = send(path, &other).await;
    other.problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn the_trail_tells_of_each_key_that_goes_with_its_owner() {
    let app = App::start().await;
    let admin = app.admin().await;
    let user = app.user(&admin, &["operator"]).await;
    let key = json!({"name": "nightly", "scopes": ["bots:read"]});
    let key = user.post("/api/v1/access-keys", &key).await.json(201);
    let apikey = json!({"provider": "openai", "label": "main", "key": "sk-something-long"});
    let apikey = user.post("/api/v1/apikeys/store", &apikey).await.json(201);
    let path = format!("/api/v1/users/{}", user.user_id);
    admin.delete(&path).await.nothing();
    for (action, subject) in [
        ("access_key.revoked", &key["access_key_id"]),
        ("apikey.deleted", &apikey["apikey_id"]),
    ] {
        let rows = admin.get(&format!("/api/v1/audit?action={action}")).await;
        let rows = rows.json(200);
        assert_eq!(&rows["items"][0]["subject_id"], subject, "{rows}");
        assert_eq!(
            rows["items"][0]["detail"],
            json!({"reason": "user_deleted"})
        );
        assert_eq!(rows["items"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn only_administrators_manage_users() {
    let app = App::start().await;
    let admin = app.admin().await;
    for role in ["operator", "reviewer", "viewer"] {
        let user = app.user(&admin, &[role]).await;
        let answer = user.get("/api/v1/users").await;
        let body = answer.problem(403, "forbidden");
        assert!(body["detail"].as_str().unwrap().contains("users:manage"));
        let own = format!("/api/v1/users/{}", user.user_id);
        let promotion = json!({"roles": ["admin"]});
        user.patch(&own, &promotion).await.problem(403, "forbidden");
    }
}

#[tokio::test]
async fn who_is_locked_or_deleted_is_out_at_once() {
    let app = App::start().await;
    let admin = app.admin().await;
    let user = app.user(&admin, &["operator"]).await;
    let path = format!("/api/v1/users/{}", user.user_id);
    user.get("/api/v1/bots/list").await.json(200);
    admin
        .patch(&path, &json!({"disabled": true}))
        .await
        .json(200);
    user.get("/api/v1/bots/list")
        .await
        .problem(401, "token_revoked");
    let login = json!({"username": user.username, "password": user.password});
    let anonymous = app.anonymous();
    let answer = anonymous.post("/api/v1/auth/login", &login).await;
    answer.problem(401, "invalid_credentials");
    admin
        .patch(&path, &json!({"disabled": false}))
        .await
        .json(200);
    let user = anonymous.sign_in(&user.username, &user.password).await;
    // Roles count from the next request on, not from the next token on.
    admin.patch(&path, &json!({"roles": []})).await.json(200);
    user.get("/api/v1/bots/list")
        .await
        .problem(403, "forbidden");
    admin.delete(&path).await.nothing();
    user.get("/api/v1/auth/me")
        .await
        .problem(401, "token_revoked");
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let app = App::start().await;
    let admin = app.admin().await;
    let here = app.user(&admin, &["operator"]).await;
    let anonymous = app.anonymous();
    let there = anonymous.sign_in(&here.username, &here.password).await;
    let change =
        |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let path = "/api/v1/auth/password";
    let answer = here.post(path, &change("wrong", "another long one")).await;
    assert_eq!(answer.pointer(), "/current_password");
    let answer = here.post(path, &change(&here.password, "short")).await;
    assert_eq!(answer.pointer(), "/new_password");
    let answer = here
        .post(path, &change(&here.password, "another long one"))
        .await;
    answer.nothing();
    here.get("/api/v1/auth/me").await.json(200);
    there
        .get("/api/v1/auth/me")
        .await
        .problem(401, "token_revoked");
    let old = json!({"username": here.username, "password": here.password});
    let answer = anonymous.post("/api/v1/auth/login", &old).await;
    answer.problem(401, "invalid_credentials");
    let again = anonymous.sign_in(&here.username, "another long one").await;
    // Set by an administrator, it ends all of them.
    let user = format!("/api/v1/users/{}", here.user_id);
    let set = json!({"password": "set by the admin"});
    admin.patch(&user, &set).await.json(200);
    here.get("/api/v1/auth/me")
        .await
        .problem(401, "token_revoked");
    again
        .get("/api/v1/auth/me")
        .await
        .problem(401, "token_revoked");
    anonymous.sign_in(&here.username, "set by the admin").await;
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    let app = App::start().await;
    let admin = app.admin().await;
    let path = format!("/api/v1/users/{}", admin.user_id);
    for change in [json!({"roles": ["viewer"]}), json!({"disabled": true})] {
        admin.patch(&path, &change).await.problem(409, "last_admin");
    }
    admin.delete(&path).await.problem(409, "last_admin");
    assert_eq!(admin.get(&path).await.json(200)["roles"], json!(["admin"]));
    // With a second one the first may go; who still owns bots may not.
    let second = app.user(&admin, &["admin"]).await;
    let bot = json!({"bot_name": "one"});
    let bot = admin.post("/api/v1/bots/create", &bot).await.json(201);
    second.delete(&path).await.problem(409, "user_owns_bots");
    let bot = format!("/api/v1/bots/{}", bot["bot_id"].as_str().unwrap());
    admin.delete(&bot).await.nothing();
    second.delete(&path).await.nothing();
    admin
        .get("/api/v1/auth/me")
        .await
        .problem(401, "token_revoked");
}

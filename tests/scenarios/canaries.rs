//! Secrets are found nowhere: not in the log, not in an answer, not in the database.

use std::time::Duration;

use serde_json::json;
use vivesphere_tests::app::App;
use vivesphere_tests::fake_x::{Endpoint, FakeX, Fault};
use vivesphere_tests::launch::canary;

fn assert_absent(place: &str, bytes: &[u8], secrets: &[(String, String)]) {
    for (name, secret) in secrets {
        let needle = secret.as_bytes();
        let found = bytes
            .windows(needle.len())
            .position(|window| window == needle);
        if let Some(at) = found {
            let around = &bytes[at.saturating_sub(300)..(at + 100).min(bytes.len())];
            panic!("{name} is in {place}: {}", String::from_utf8_lossy(around));
        }
    }
}

#[tokio::test]
async fn no_secret_is_in_the_log_an_answer_or_the_database() {
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let client_secret = canary("client-secret");
    fake.configure(|settings| settings.client_secret = Some(client_secret.clone()));
    let mut app = App::builder().x(&fake).cron(true).start().await;
    let admin = app.admin().await;
    let operator = app.user(&admin, &["operator"]).await;
    let mut secrets: Vec<(String, String)> = app
        .secrets()
        .into_iter()
        .enumerate()
        .map(|(number, secret)| (format!("variable {number}"), secret))
        .collect();
    assert!(secrets.iter().any(|(_, secret)| *secret == client_secret));
    let mut keep = |name: &str, secret: &str| secrets.push((name.to_owned(), secret.to_owned()));
    keep("a password", &operator.password);
    keep("an access token of X", &account.access_token);
    keep("a refresh token of X", &account.refresh_token);
    let stored = canary("stored");
    keep("stored data", &stored);
    let wrong = canary("wrong-password");
    keep("a wrong password", &wrong);
    let refused = canary("refused");
    keep("a token in a refused request", &refused);

    let provider_key = canary("provider-key");
    keep("a provider's key", &provider_key);
    let replaced_key = canary("replaced-key");
    keep("a provider's new key", &replaced_key);

    // All that has to do with secrets, done right and wrong.
    let bot_id = app.bot(&operator, &account).await;
    let login = json!({"username": operator.username, "password": wrong});
    app.anonymous()
        .post("/api/v1/auth/login", &login)
        .await
        .problem(401, "invalid_credentials");
    let change = json!({"current_password": wrong, "new_password": wrong});
    operator
        .post("/api/v1/auth/password", &change)
        .await
        .problem(422, "invalid");
    let data = json!({"bot_id": bot_id, "data": {"password": stored}});
    let spare = json!({"bot_name": "spare"});
    let spare = operator.post("/api/v1/bots/create", &spare).await.json(201);
    let mut elsewhere = data.clone();
    elsewhere["bot_id"] = spare["bot_id"].clone();
    operator
        .post("/api/v1/botdata/store", &elsewhere)
        .await
        .json(201);
    for body in [
        json!({"bot_name": "n", "credentials": {"type": "oauth2", "access_token": refused, "more": 1}}),
        json!({"bot_name": "n", "credentials": {"type": refused}}),
        json!({"bot_name": "n", "credentials": refused}),
    ] {
        let answer = operator.post("/api/v1/bots/create", &body).await;
        answer.problem(422, "invalid");
    }
    app.anonymous()
        .with_token(&refused)
        .get("/api/v1/auth/me")
        .await
        .any_problem();
    let query = format!("/api/v1/auth/validate?token={refused}");
    app.anonymous().get(&query).await.json(200);
    let body = json!({"refresh_token": refused});
    app.anonymous()
        .post("/api/v1/auth/refresh", &body)
        .await
        .any_problem();
    // A provider's key: stored, refused, replaced, shown to a provider that is not there.
    let path = "/api/v1/apikeys/store";
    let key = json!({"provider": "openai", "label": "main", "key": provider_key});
    let stored_key = operator.post(path, &key).await.json(201);
    for body in [
        json!({"provider": "nobody", "label": "main", "key": provider_key}),
        json!({"provider": "openai", "label": "main", "key": provider_key}),
        json!({"provider": "openai", "label": "main", "key": {provider_key.as_str(): 1}}),
        json!({"provider": provider_key, "label": "main", "key": "k"}),
    ] {
        operator.post(path, &body).await.any_problem();
    }
    let path = format!(
        "/api/v1/apikeys/{}",
        stored_key["apikey_id"].as_str().unwrap()
    );
    let check = format!("{path}/check");
    let checked = operator.post_nothing(&check).await.json(200);
    assert_eq!(checked["result"], "unknown");
    let replacement = json!({"key": replaced_key});
    let rotate = format!("{path}/rotate");
    operator.post(&rotate, &replacement).await.json(200);
    // An access key: made under an idempotency key, used, mistyped, exchanged for a token.
    let new = json!({"name": "program", "scopes": ["bots:read"]});
    let make = async || {
        operator
            .send(reqwest::Method::POST, "/api/v1/access-keys", |request| {
                request.header("idempotency-key", "once").json(&new)
            })
            .await
            .json(201)
    };
    let made = make().await;
    assert!(make().await["key"].is_null());
    let access_key = made["key"].as_str().unwrap().to_owned();
    let secret = made["secret"].as_str().unwrap().to_owned();
    let program = app.anonymous().with_token(&access_key);
    program.get("/api/v1/bots/list").await.json(200);
    program.get("/api/v1/users").await.any_problem();
    let mistyped = format!("{access_key}x");
    let stranger = app.anonymous().with_token(&mistyped);
    stranger.get("/api/v1/bots/list").await.any_problem();
    let query = format!("/api/v1/auth/validate?token={access_key}");
    let valid = app.anonymous().get(&query).await.json(200);
    assert_eq!(valid["valid"], true);
    let id = made["access_key_id"].as_str().unwrap();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_secret", &secret),
    ];
    let granted = app
        .anonymous()
        .send(reqwest::Method::POST, "/api/v1/auth/token", |request| {
            request.form(&fields)
        })
        .await
        .json(200);
    let access_token = granted["access_token"].as_str().unwrap().to_owned();
    app.anonymous()
        .with_token(&access_token)
        .get("/api/v1/bots/list")
        .await
        .json(200);

    let callback = format!("/api/v1/bots/callback?state={refused}&code={refused}");
    app.anonymous().get(&callback).await.any_problem();

    // Publishing, with a renewal, an error and a refusal on the way.
    fake.fault_next(
        Endpoint::CreatePost,
        1,
        Fault::ErrorAfter {
            status: 500,
            html: false,
        },
    );
    let post_id = operator
        .schedule(&bot_id, &json!({"text": "nothing secret"}))
        .await;
    app.publish_until(&operator, &post_id, &["published"]).await;
    fake.expire_access_tokens_of(&account.user_id);
    let post_id = operator
        .schedule(&bot_id, &json!({"text": "nor this"}))
        .await;
    app.publish_until(&operator, &post_id, &["published"]).await;
    fake.revoke_grants_of(&account.user_id);
    operator
        .schedule(&bot_id, &json!({"text": "refused"}))
        .await;
    app.run_job("publish").await;
    app.run_job("rotate-keys").await;
    app.run_job("expire").await;
    operator.post_nothing("/api/v1/auth/logout").await.nothing();
    tokio::time::sleep(Duration::from_millis(200)).await;

    let tokens = [&admin, &operator]
        .map(|client| [client.token.clone().unwrap(), client.refresh_token.clone()]);
    let log = app.log();
    assert!(log.contains("request_id"), "there is no log");
    assert_absent("the log", log.as_bytes(), &secrets);
    assert_absent("an answer", app.transcript().as_bytes(), &secrets);
    for token in tokens.into_iter().flatten() {
        secrets.push(("a token of ours".to_owned(), token));
    }
    // These two are shown, once.
    assert_eq!(app.transcript().matches(&access_key).count(), 1);
    secrets.push(("an access key".to_owned(), access_key));
    secrets.push(("an access key's secret".to_owned(), secret));
    secrets.push(("an access key's token".to_owned(), access_token));
    assert_absent("the log", log.as_bytes(), &secrets);
    for running in [true, false] {
        if !running {
            app.stop().await;
        }
        let mut files = 0;
        for file in std::fs::read_dir(app.state_dir()).unwrap() {
            let file = file.unwrap().path();
            if file.is_file() {
                files += 1;
                let bytes = std::fs::read(&file).unwrap();
                assert_absent(&file.display().to_string(), &bytes, &secrets);
            }
        }
        assert!(files >= 1);
    }
}

//! `Idempotency-Key`: one thing however often it is asked for, also where a request takes long, fails at
//! its end, or has a secret in its answer.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use vivesphere_tests::app::App;
use vivesphere_tests::client::{Answer, Client};

async fn create(client: &Client, key: &str, name: &str) -> Answer {
    client
        .send(Method::POST, "/api/v1/bots/create", |request| {
            request
                .header("idempotency-key", key)
                .json(&json!({"bot_name": name}))
        })
        .await
}

#[tokio::test]
async fn the_same_key_creates_one_thing_however_often_and_from_wherever_it_comes() {
    let app = App::start().await;
    let beside = App::builder().beside(&app).start().await;
    let admin = app.admin().await;
    let there = beside
        .anonymous()
        .with_token(admin.token.as_deref().unwrap());
    let tries = (0..16).map(|number| {
        let client = if number % 2 == 0 { &admin } else { &there };
        create(client, "at once", "once")
    });
    let mut ids: Vec<Value> = Vec::new();
    for answer in futures::future::join_all(tries).await {
        match answer.status {
            201 => ids.push(answer.json(201)["bot_id"].clone()),
            _ => drop(answer.problem(409, "idempotency_key_in_use")),
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let again = create(&there, "at once", "once").await;
    assert_eq!(again.json(201)["bot_id"], ids[0]);
    assert_eq!(again.header("idempotency-replayed"), "true");
    let other = create(&admin, "at once", "another").await;
    other.problem(422, "idempotency_key_reused");
    assert_eq!(app.number("SELECT count(*) FROM bots"), 1);
    // Each principal has keys of its own.
    let operator = app.user(&admin, &["operator"]).await;
    create(&operator, "at once", "another").await.json(201);
    // A refusal is not kept: the mended request may have the same key.
    assert_eq!(create(&admin, "mended", "").await.pointer(), "/bot_name");
    create(&admin, "mended", "with a name").await.json(201);
    // After a day a key is new again.
    app.database()
        .execute(
            "UPDATE idempotency_keys SET created_at = created_at - 86400001",
            [],
        )
        .unwrap();
    let after = create(&admin, "at once", "a day later").await.json(201);
    assert_ne!(after["bot_id"], ids[0]);
    assert_eq!(app.number("SELECT count(*) FROM bots"), 4);
}

#[tokio::test]
async fn an_answer_that_cannot_be_kept_is_given_all_the_same() {
    let app = App::start().await;
    let admin = app.admin().await;
    app.database()
        .execute_batch(
            "CREATE TRIGGER full BEFORE UPDATE OF status ON idempotency_keys
                BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END;",
        )
        .unwrap();
    let bot = create(&admin, "once", "made once").await.json(201);
    assert_eq!(bot["bot_name"], "made once");
    // It is not done a second time.
    let again = create(&admin, "once", "made once").await;
    again.problem(409, "idempotency_key_in_use");
    let later = "UPDATE idempotency_keys SET created_at = created_at - 61000";
    app.database().execute(later, []).unwrap();
    let again = create(&admin, "once", "made once").await;
    again.problem(409, "idempotency_answer_lost");
    assert_eq!(app.number("SELECT count(*) FROM bots"), 1);
    assert!(app.log().contains("an idempotent answer is not kept"));
}

#[tokio::test]
async fn a_key_is_held_from_the_moment_it_is_taken() {
    let app = App::start().await;
    let admin = app.admin().await;
    let body = r#"{"bot_name":"slow to come"}"#;
    let head = format!(
        "POST /api/v1/bots/create HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\nidempotency-key: slow\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        admin.token.as_deref().unwrap(),
        body.len()
    );
    let address = app.base_url.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let came = chrono::Utc::now().timestamp_millis();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let taken = app.number("SELECT created_at FROM idempotency_keys");
    assert!(taken >= came, "{taken} {came}");
}

#[tokio::test]
async fn who_has_lost_its_key_to_another_request_leaves_it_alone() {
    let app = App::start().await;
    let admin = app.admin().await;
    // As if each request took so long that its next try had taken the key over.
    app.database()
        .execute_batch(
            "CREATE TRIGGER taken_over AFTER INSERT ON idempotency_keys BEGIN
                UPDATE idempotency_keys SET request_id = 'the next try'
                WHERE principal_id = new.principal_id AND idempotency_key = new.idempotency_key;
             END;",
        )
        .unwrap();
    create(&admin, "done", "done").await.json(201);
    create(&admin, "refused", "").await.problem(422, "invalid");
    let held = "SELECT count(*) FROM idempotency_keys
        WHERE request_id = 'the next try' AND status IS NULL";
    assert_eq!(app.number(held), 2);
}

#[tokio::test]
async fn where_to_connect_an_account_is_not_kept() {
    let app = App::builder()
        .variable("x_client_id", "our-app")
        .variable("x_client_secret", "our-apps-secret")
        .start()
        .await;
    let admin = app.admin().await;
    let bot = create(&admin, "bot", "to be connected").await.json(201);
    let path = format!("/api/v1/bots/{}/connect", bot["bot_id"].as_str().unwrap());
    let connect = async || {
        admin
            .send(Method::POST, &path, |request| {
                request.header("idempotency-key", "connect")
            })
            .await
    };
    let begun = connect().await.json(200);
    let url = begun["authorize_url"].as_str().unwrap();
    assert!(url.contains("state="), "{url}");
    let again = connect().await;
    again.problem(409, "idempotency_answer_not_kept");
    let kept = "SELECT count(*) FROM idempotency_keys WHERE body LIKE '%state=%'";
    assert_eq!(app.number(kept), 0);
}

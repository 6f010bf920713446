//! The vault: sealed at rest, bound to its bot, opened only by who may.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::{Answer, Client};
use vivesphere_tests::launch;

async fn bot(owner: &Client, name: &str) -> String {
    let new = json!({"bot_name": name});
    let bot = owner.post("/api/v1/bots/create", &new).await.json(201);
    bot["bot_id"].as_str().unwrap().to_owned()
}

async fn store(owner: &Client, bot_id: &str, secret: &str) -> Value {
    let body = json!({"bot_id": bot_id, "data": {"password": secret}});
    owner.post("/api/v1/botdata/store", &body).await.json(201)
}

async fn retrieve(reader: &Client, bot_id: &str) -> Answer {
    let path = format!("/api/v1/botdata/retrieve?bot_id={bot_id}");
    reader.get(&path).await
}

async fn reveal(reader: &Client, bot_id: &str) -> Answer {
    let body = json!({"bot_id": bot_id});
    reader.post("/api/v1/botdata/reveal", &body).await
}

#[tokio::test]
async fn what_is_stored_comes_back_sealed_and_is_revealed_only_with_the_permission() {
    let app = App::start().await;
    let admin = app.admin().await;
    let operator = app.user(&admin, &["operator"]).await;
    let bot_id = bot(&operator, "a bot").await;
    let secret = launch::canary("stored");
    let stored = store(&operator, &bot_id, &secret).await;
    assert_eq!(
        (&stored["bot_id"], &stored["version"]),
        (&json!(bot_id), &json!(1))
    );
    assert!(stored["stored_at"].as_str().unwrap().ends_with('Z'));

    let sealed = retrieve(&operator, &bot_id).await;
    assert!(!sealed.text.contains(&secret));
    let sealed = sealed.json(200);
    assert_eq!(sealed["algorithm"], "AES-256-GCM");
    assert_eq!(sealed["key_id"], stored["key_id"]);
    let decode = |field: &str| {
        BASE64_STANDARD
            .decode(sealed[field].as_str().unwrap())
            .unwrap()
    };
    assert_eq!(decode("nonce").len(), 12);
    assert!(decode("ciphertext").len() > secret.len());
    // The same data sealed again shares nothing with the first.
    let again = store(&operator, &bot_id, &secret).await;
    assert_eq!(again["version"], 2);
    let resealed = retrieve(&operator, &bot_id).await.json(200);
    assert_ne!(resealed["nonce"], sealed["nonce"]);
    assert_ne!(resealed["ciphertext"], sealed["ciphertext"]);

    let refused = reveal(&operator, &bot_id).await.problem(403, "forbidden");
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("botdata:reveal")
    );
    let revealed = reveal(&admin, &bot_id).await.json(200);
    assert_eq!(revealed["data"], json!({"password": secret}));
    let trail = format!(
        "SELECT count(*) FROM audit_log WHERE action = 'botdata.revealed'
            AND subject_id = '{bot_id}' AND actor_id = '{}'",
        admin.user_id
    );
    assert_eq!(app.number(&trail), 1);

    // A stale writer does not replace what it has not seen.
    let body = json!({"bot_id": bot_id, "data": {"a": "b"}, "expected_version": 1});
    let answer = operator.post("/api/v1/botdata/store", &body).await;
    answer.problem(412, "stale_version");
}

#[tokio::test]
async fn others_find_nothing_and_what_is_not_data_is_refused() {
    let app = App::start().await;
    let admin = app.admin().await;
    let ann = app.user(&admin, &["operator"]).await;
    let bob = app.user(&admin, &["operator"]).await;
    let bot_id = bot(&ann, "ann's").await;
    retrieve(&ann, &bot_id).await.problem(404, "not_found");
    store(&ann, &bot_id, "secret").await;
    retrieve(&bob, &bot_id).await.problem(404, "not_found");
    let body = json!({"bot_id": bot_id, "data": {"a": "b"}});
    let answer = bob.post("/api/v1/botdata/store", &body).await;
    answer.problem(404, "not_found");
    let viewer = app.user(&admin, &["viewer"]).await;
    retrieve(&viewer, &bot_id).await.problem(403, "forbidden");

    for (data, pointer) in [
        (json!({}), "/data"),
        (json!({"a": "b".repeat(20_000)}), "/data"),
        (json!({"a": 5}), "/data/a"),
    ] {
        let body = json!({"bot_id": bot_id, "data": data});
        let answer = ann.post("/api/v1/botdata/store", &body).await;
        assert_eq!(answer.pointer(), pointer);
    }
}

#[tokio::test]
async fn a_row_in_anothers_place_does_not_open() {
    let mut app = App::start().await;
    let admin = app.admin().await;
    let (one, two, three) = (
        bot(&admin, "one").await,
        bot(&admin, "two").await,
        bot(&admin, "three").await,
    );
    for (bot_id, secret) in [(&one, "of one"), (&two, "of two"), (&three, "of three")] {
        store(&admin, bot_id, secret).await;
    }
    app.stop().await;
    let database = app.database();
    // Exchanged as a whole, and taken for a later version.
    database
        .execute_batch(&format!(
            "UPDATE botdata SET bot_id = 'away' WHERE bot_id = '{one}';
             UPDATE botdata SET bot_id = '{one}' WHERE bot_id = '{two}';
             UPDATE botdata SET bot_id = '{two}' WHERE bot_id = 'away';
             UPDATE botdata SET version = version + 1 WHERE bot_id = '{three}';"
        ))
        .unwrap();
    drop(database);
    app.restart().await;
    for bot_id in [&one, &two, &three] {
        let answer = reveal(&admin, bot_id).await;
        answer.problem(409, "sealed_data_damaged");
        assert!(!answer.text.contains("of "), "{}", answer.text);
    }
    // Stored anew it is whole again.
    store(&admin, &one, "new").await;
    assert_eq!(
        reveal(&admin, &one).await.json(200)["data"]["password"],
        "new"
    );
}

#[tokio::test]
async fn keys_are_rotated_on_use_and_by_the_job() {
    let mut app = App::start().await;
    let admin = app.admin().await;
    let mut bots = Vec::new();
    for number in 0..3 {
        let bot_id = bot(&admin, &format!("bot {number}")).await;
        store(&admin, &bot_id, &format!("secret {number}")).await;
        bots.push(bot_id);
    }
    let old_key = retrieve(&admin, &bots[0]).await.json(200)["key_id"].clone();
    let old = app.variable("vault_key").to_owned();
    app.set_variable("vault_key", launch::key());
    app.set_variable("vault_key_previous", &old);
    app.restart().await;

    // Lazily: what is used is sealed anew, what is not stays.
    let first = reveal(&admin, &bots[0]).await.json(200);
    assert_eq!(first["data"]["password"], "secret 0");
    let new_key = retrieve(&admin, &bots[0]).await.json(200)["key_id"].clone();
    assert_ne!(new_key, old_key);
    assert_eq!(
        retrieve(&admin, &bots[1]).await.json(200)["key_id"],
        old_key
    );
    // By the job: everything that opens, though the first of all does not.
    let alter = "UPDATE botdata SET ciphertext = zeroblob(40) WHERE bot_id = ?";
    app.database().execute(alter, [&bots[1]]).unwrap();
    let done = app.run_job("rotate-keys").await;
    let counts =
        |done: &Value| ["rotated", "damaged", "remaining"].map(|name| done[name].as_i64().unwrap());
    assert_eq!(counts(&done), [1, 1, 1], "{done}");
    store(&admin, &bots[1], "secret 1").await;
    let done = app.run_job("rotate-keys").await;
    assert_eq!(counts(&done), [0, 0, 0], "{done}");

    // Then the old key can go.
    app.set_variable("vault_key_previous", "");
    app.restart().await;
    for (number, bot_id) in bots.iter().enumerate() {
        let revealed = reveal(&admin, bot_id).await.json(200);
        assert_eq!(revealed["data"]["password"], format!("secret {number}"));
    }
    // Under a key that nobody has, nothing opens, and nothing is destroyed.
    let right = app.variable("vault_key").to_owned();
    app.set_variable("vault_key", launch::key());
    app.restart().await;
    reveal(&admin, &bots[0])
        .await
        .problem(409, "sealed_data_damaged");
    app.set_variable("vault_key", right);
    app.restart().await;
    reveal(&admin, &bots[0]).await.json(200);
}

#[tokio::test]
async fn nobody_reaches_the_components_inner_entries_from_outside() {
    let app = App::start().await;
    let admin = app.admin().await;
    let bot_id = bot(&admin, "a bot").await;
    store(&admin, &bot_id, "secret").await;
    let body = json!({"bot_id": bot_id});
    for caller in [&admin, &app.service()] {
        for path in [
            "/internal/botdata/reveal",
            "/api/v1/internal/botdata/reveal",
        ] {
            let answer = caller.post(path, &body).await;
            assert_eq!(answer.status, 404, "{path}");
            assert!(!answer.text.contains("secret"));
        }
    }
    // The service key opens job entries, not people's calls.
    let answer = reveal(&app.service(), &bot_id).await;
    answer.problem(403, "forbidden");
}

//! Keys of other providers: they go in, are checked and used, and do not come out.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use vivesphere_tests::app::App;
use vivesphere_tests::client::{Answer, Client};
use vivesphere_tests::launch::{self, canary};

const PATH: &str = "/api/v1/apikeys";

/// A stand-in for every provider: answers with a status and remembers what it was asked.
struct FakeProvider {
    base_url: String,
    status: Arc<Mutex<u16>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// Held by whoever wants the provider to be slow.
    busy: Arc<tokio::sync::Mutex<()>>,
}

impl FakeProvider {
    async fn start() -> Self {
        let status = Arc::new(Mutex::new(200));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let busy = Arc::new(tokio::sync::Mutex::new(()));
        let (answer, seen, held) = (status.clone(), asked.clone(), busy.clone());
        let router = Router::new().fallback(move |request: Request| {
            let headers: Vec<String> = request
                .headers()
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or_default()))
                .collect();
            let line = format!(
                "{} {}\n{}",
                request.method(),
                request.uri(),
                headers.join("\n")
            );
            seen.lock().unwrap().push(line);
            let status = StatusCode::from_u16(*answer.lock().unwrap()).unwrap();
            let held = held.clone();
            // A provider that repeats the key in its answer, as some do.
            async move {
                drop(held.lock().await);
                (status, headers.join("\n"))
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            base_url,
            status,
            asked,
            busy,
        }
    }

    fn answer(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }

    fn last(&self) -> String {
        self.asked
            .lock()
            .unwrap()
            .last()
            .cloned()
            .unwrap_or_default()
    }
}

async fn store(owner: &Client, provider: &str, label: &str, key: &str) -> Answer {
    let body = json!({"provider": provider, "label": label, "key": key});
    owner.post("/api/v1/apikeys/store", &body).await
}

fn path_of(apikey: &Value) -> String {
    format!("{PATH}/{}", apikey["apikey_id"].as_str().unwrap())
}

#[tokio::test]
async fn a_key_goes_in_and_four_characters_come_out() {
    let app = App::start().await;
    let admin = app.admin().await;
    let owner = app.user(&admin, &["operator"]).await;
    let key = canary("openai");
    let answer = store(&owner, "openai", "main", &key).await;
    assert!(!answer.text.contains(&key[..key.len() - 4]));
    let stored = answer.json(201);
    assert_eq!(stored["provider"], "openai");
    assert_eq!(stored["label"], "main");
    assert_eq!(stored["last4"], &key[key.len() - 4..]);
    assert_eq!(stored["version"], 1);
    assert!(stored["created_at"].as_str().unwrap().ends_with('Z'));
    assert!(stored["last_used_at"].is_null());
    for field in ["key", "ciphertext", "wrapped_key"] {
        assert!(stored.get(field).is_none(), "{field}");
    }
    assert_eq!(owner.get(&path_of(&stored)).await.json(200), stored);
    let taken = store(&owner, "openai", "main", &key).await;
    taken.problem(409, "label_taken");
    let second = store(&owner, "mistral", "main", &key).await.json(201);
    let listed = owner.get(PATH).await.json(200);
    assert_eq!(listed["items"], json!([stored, second]));
    let listed = owner.get(&format!("{PATH}?provider=mistral")).await;
    assert_eq!(listed.json(200)["items"], json!([second]));
    let first = owner.get(&format!("{PATH}?limit=1")).await.json(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = owner.get(&format!("{PATH}?limit=1&cursor={cursor}")).await;
    assert_eq!(rest.json(200)["items"], json!([second]));

    owner.delete(&path_of(&stored)).await.nothing();
    let gone = owner.get(&path_of(&stored)).await;
    gone.problem(404, "not_found");
    assert_eq!(app.number("SELECT count(*) FROM apikeys"), 1);
    for (action, count) in [("apikey.stored", 2), ("apikey.deleted", 1)] {
        let trail = format!("SELECT count(*) FROM audit_log WHERE action = '{action}'");
        assert_eq!(app.number(&trail), count, "{action}");
    }
    // Whoever goes takes their keys along.
    let user = format!("/api/v1/users/{}", owner.user_id);
    admin.delete(&user).await.nothing();
    assert_eq!(app.number("SELECT count(*) FROM apikeys"), 0);
}

#[tokio::test]
async fn what_is_no_key_is_refused_with_the_field_and_never_repeated() {
    let app = App::start().await;
    let admin = app.admin().await;
    let secret = canary("refused");
    let spaced = format!("{secret} x");
    let long = secret.repeat(20);
    for (provider, label, key, pointer) in [
        ("nobody", "main", secret.as_str(), "/provider"),
        ("OpenAI", "main", &secret, "/provider"),
        ("openai", "", &secret, "/label"),
        ("openai", "two\nlines", &secret, "/label"),
        ("openai", "main", "short", "/key"),
        ("openai", "main", &spaced, "/key"),
        ("openai", "main", &long, "/key"),
        ("openai", "main", "schlüssel-für-alles", "/key"),
    ] {
        let answer = store(&admin, provider, label, key).await;
        assert_eq!(answer.pointer(), pointer, "{}", answer.text);
        assert!(!answer.text.contains(&secret));
    }
    assert_eq!(app.number("SELECT count(*) FROM apikeys"), 0);
    let providers = admin.get("/api/v1/apikeys/providers").await.json(200);
    let names: Vec<&str> = providers["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["provider"].as_str().unwrap())
        .collect();
    for name in names {
        store(&admin, name, "main", &secret).await.json(201);
    }
}

#[tokio::test]
async fn everyone_sees_their_own_keys_only() {
    let app = App::start().await;
    let admin = app.admin().await;
    let owner = app.user(&admin, &["operator"]).await;
    let stored = store(&owner, "openai", "main", "sk-something")
        .await
        .json(201);
    let path = path_of(&stored);
    let other = app.user(&admin, &["operator"]).await;
    let replacement = json!({"key": "sk-another-one"});
    for stranger in [&other, &admin] {
        stranger.get(&path).await.problem(404, "not_found");
        stranger.delete(&path).await.problem(404, "not_found");
        let answer = stranger.post(&format!("{path}/rotate"), &replacement).await;
        answer.problem(404, "not_found");
        let answer = stranger.post_nothing(&format!("{path}/check")).await;
        answer.problem(404, "not_found");
        assert_eq!(stranger.get(PATH).await.json(200)["items"], json!([]));
    }
    assert_eq!(owner.get(&path).await.json(200), stored);
    let viewer = app.user(&admin, &["viewer"]).await;
    viewer.get(PATH).await.problem(403, "forbidden");
}

#[tokio::test]
async fn a_key_is_checked_against_its_provider() {
    let fake = FakeProvider::start().await;
    let mut builder = App::builder();
    for provider in ["anthropic", "google", "mistral", "openai", "openrouter"] {
        builder = builder.variable(&format!("{provider}_api_base_url"), &fake.base_url);
    }
    let app = builder.start().await;
    let admin = app.admin().await;
    let key = canary("checked");
    for (provider, call, header) in [
        (
            "anthropic",
            "GET /v1/models?limit=1",
            format!("x-api-key: {key}"),
        ),
        (
            "google",
            "GET /v1beta/models?pageSize=1",
            format!("x-goog-api-key: {key}"),
        ),
        (
            "mistral",
            "GET /v1/models",
            format!("authorization: Bearer {key}"),
        ),
        (
            "openai",
            "GET /v1/models",
            format!("authorization: Bearer {key}"),
        ),
        (
            "openrouter",
            "GET /api/v1/key",
            format!("authorization: Bearer {key}"),
        ),
    ] {
        let stored = store(&admin, provider, "main", &key).await.json(201);
        let check = format!("{}/check", path_of(&stored));
        for (status, result) in [
            (200, "valid"),
            (401, "refused"),
            (403, "unknown"),
            (429, "unknown"),
            (500, "unknown"),
            (302, "unknown"),
        ] {
            fake.answer(status);
            let answer = admin.post_nothing(&check).await;
            assert!(!answer.text.contains(&key));
            let checked = answer.json(200);
            assert_eq!(checked["result"], result, "{provider} {status}");
            assert_eq!(checked["http_status"], status);
            assert_eq!(checked["apikey"]["check_result"], result);
            assert!(checked["apikey"]["checked_at"].is_string());
            assert!(checked["apikey"]["last_used_at"].is_string());
        }
        let asked = fake.last();
        let mut lines = asked.lines();
        assert_eq!(lines.next(), Some(call));
        assert!(lines.any(|line| line == header), "{asked}");
    }
    assert!(fake.asked.lock().unwrap()[0].contains("anthropic-version: 2023-06-01"));
    let calls = fake.asked.lock().unwrap().len();
    // Where there is no harmless call none is made.
    let stored = store(&admin, "other", "main", &key).await.json(201);
    let check = format!("{}/check", path_of(&stored));
    let checked = admin.post_nothing(&check).await.json(200);
    assert_eq!(checked["result"], "not_checkable");
    assert!(checked["http_status"].is_null());
    assert_eq!(fake.asked.lock().unwrap().len(), calls);
    assert_eq!(
        app.number("SELECT count(*) FROM audit_log WHERE action = 'apikey.checked'"),
        31
    );
}

#[tokio::test]
async fn a_provider_that_is_not_there_says_nothing_of_the_key() {
    let app = App::start().await;
    let admin = app.admin().await;
    let stored = store(&admin, "openai", "main", "sk-something")
        .await
        .json(201);
    let check = format!("{}/check", path_of(&stored));
    let checked = admin.post_nothing(&check).await.json(200);
    assert_eq!(checked["result"], "unknown");
    assert!(checked["http_status"].is_null());
}

#[tokio::test]
async fn a_replaced_key_is_the_one_that_is_used() {
    let fake = FakeProvider::start().await;
    let builder = App::builder().variable("openai_api_base_url", &fake.base_url);
    let app = builder.start().await;
    let admin = app.admin().await;
    let stored = store(&admin, "openai", "main", "sk-the-first")
        .await
        .json(201);
    let path = path_of(&stored);
    let (rotate, check) = (format!("{path}/rotate"), format!("{path}/check"));
    admin.post_nothing(&check).await.json(200);
    let new = json!({"key": "sk-the-second"});
    let rotated = admin.post(&rotate, &new).await.json(200);
    assert_eq!(
        (&rotated["version"], &rotated["last4"]),
        (&json!(2), &json!("cond"))
    );
    assert!(rotated["rotated_at"].is_string());
    // What was found of the old one says nothing of the new one.
    assert!(rotated["check_result"].is_null() && rotated["checked_at"].is_null());
    admin.post_nothing(&check).await.json(200);
    assert!(fake.last().contains("Bearer sk-the-second"));
    let stale = admin
        .send(reqwest::Method::POST, &rotate, |request| {
            request.header("if-match", "\"1\"").json(&new)
        })
        .await;
    stale.problem(412, "stale_version");
    let short = admin.post(&rotate, &json!({"key": "short"})).await;
    assert_eq!(short.pointer(), "/key");
    // Of replacements at once each is whole: what lies there opens.
    let replacements = (0..6).map(|number| {
        let (admin, rotate) = (admin.clone(), rotate.clone());
        async move {
            let new = json!({"key": format!("sk-parallel-{number}")});
            admin.post(&rotate, &new).await
        }
    });
    for answer in futures::future::join_all(replacements).await {
        assert!(matches!(answer.status, 200 | 412), "{}", answer.text);
    }
    admin.post_nothing(&check).await.json(200);
    assert!(fake.last().contains("Bearer sk-parallel-"));
    // One that is replaced while the provider is asked is not told to be the new one's.
    let busy = fake.busy.lock().await;
    let asked = fake.asked.lock().unwrap().len();
    let (checked, ()) = tokio::join!(admin.post_nothing(&check), async {
        while fake.asked.lock().unwrap().len() == asked {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let new = json!({"key": "sk-meanwhile"});
        admin.post(&rotate, &new).await.json(200);
        drop(busy);
    });
    checked.problem(412, "stale_version");
    let now = admin.get(&path).await.json(200);
    assert_eq!(now["last4"], "hile");
    assert!(now["check_result"].is_null());
}

#[tokio::test]
async fn the_envelope_is_bound_to_its_row_and_moves_with_the_vault_key() {
    let fake = FakeProvider::start().await;
    let builder = App::builder().variable("openai_api_base_url", &fake.base_url);
    let mut app = builder.start().await;
    let admin = app.admin().await;
    let mut paths = Vec::new();
    for number in 0..3 {
        let key = format!("sk-number-{number}");
        let label = format!("label {number}");
        let stored = store(&admin, "openai", &label, &key).await.json(201);
        paths.push(path_of(&stored));
    }
    let check = async |path: &str| admin.post_nothing(&format!("{path}/check")).await;
    let old = app.variable("vault_key").to_owned();
    app.set_variable("vault_key", launch::key());
    app.set_variable("vault_key_previous", &old);
    app.restart().await;
    let keys = "SELECT count(DISTINCT key_id) FROM apikeys";
    assert_eq!(app.number(keys), 1);
    // What is used is sealed anew on the way, the rest by the job.
    check(&paths[0]).await.json(200);
    assert_eq!(app.number(keys), 2);
    let done = app.run_job("rotate-keys").await;
    assert_eq!(
        (&done["rotated"], &done["remaining"]),
        (&json!(2), &json!(0)),
        "{done}"
    );
    assert_eq!(app.number(keys), 1);
    app.set_variable("vault_key_previous", "");
    app.restart().await;
    for (number, path) in paths.iter().enumerate() {
        check(path).await.json(200);
        let wanted = format!("Bearer sk-number-{number}");
        assert!(fake.last().contains(&wanted), "{}", fake.last());
    }

    // Another's envelope, or an earlier one, does not open in this place.
    let asked = fake.asked.lock().unwrap().len();
    app.stop().await;
    app.database()
        .execute_batch(
            "UPDATE apikeys SET (wrapped_key, wrap_nonce, nonce, ciphertext) =
                (SELECT o.wrapped_key, o.wrap_nonce, o.nonce, o.ciphertext FROM apikeys o
                 WHERE o.label = 'label 1')
             WHERE label = 'label 0';
             UPDATE apikeys SET version = version + 1 WHERE label = 'label 2';",
        )
        .unwrap();
    app.restart().await;
    for path in [&paths[0], &paths[2]] {
        check(path).await.problem(409, "sealed_data_damaged");
    }
    assert_eq!(fake.asked.lock().unwrap().len(), asked);
    check(&paths[1]).await.json(200);
}

#[tokio::test]
async fn nobody_reaches_the_vaults_entries_from_outside() {
    let app = App::start().await;
    let admin = app.admin().await;
    let stored = store(&admin, "openai", "main", "sk-something")
        .await
        .json(201);
    let body = json!({"apikey_id": stored["apikey_id"]});
    for caller in [&admin, &app.service()] {
        for path in [
            "/internal/botdata/apikeys/open",
            "/api/v1/botdata/apikeys/open",
            "/api/v1/internal/botdata/apikeys/open",
        ] {
            let answer = caller.post(path, &body).await;
            assert_eq!(answer.status, 404, "{path}");
            assert!(!answer.text.contains("sk-something"));
        }
    }
}

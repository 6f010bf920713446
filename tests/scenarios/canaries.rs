//! Secrets are found nowhere: not in the log, not in an answer, not in the database.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::json;
use url::Url;
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;
use vivesphere_tests::fake_x::{Endpoint, FakeX, Fault};
use vivesphere_tests::launch::{self, canary};

use crate::main_job::authorize;

/// What is searched for, by name.
type Secrets = Vec<(String, Vec<u8>)>;

/// A secret as text and, where it is a key in base64, as the bytes and the digits that it stands for.
fn forms(name: &str, secret: &str) -> Secrets {
    let mut forms = vec![(name.to_owned(), secret.as_bytes().to_vec())];
    if let Ok(key) = BASE64_STANDARD.decode(secret)
        && key.len() == 32
    {
        let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let plain = secret.trim_end_matches('=');
        let for_urls = plain.replace('+', "-").replace('/', "_");
        forms.push((format!("{name} without padding"), plain.into()));
        forms.push((format!("{name} for URLs"), for_urls.into()));
        forms.push((format!("{name} in capitals"), digits.to_uppercase().into()));
        forms.push((format!("{name} in hexadecimal"), digits.into()));
        forms.push((format!("{name} as bytes"), key));
    }
    forms
}

/// How much of a secret's end is looked for first.
const END: usize = 8;

/// The first secret among the bytes, and where it ends.
fn first_of<'a>(secrets: &'a Secrets, bytes: &[u8]) -> Option<(&'a str, usize)> {
    // One pass over what may be megabytes, whatever the number of secrets.
    let mut ends: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (index, (name, secret)) in secrets.iter().enumerate() {
        assert!(secret.len() >= END, "{name} is too short to be found");
        let end = &secret[secret.len() - END..];
        ends.entry(end).or_default().push(index);
    }
    for (at, window) in bytes.windows(END).enumerate() {
        for index in ends.get(window).into_iter().flatten() {
            let (name, secret) = &secrets[*index];
            if bytes[..at + END].ends_with(secret) {
                return Some((name, at + END));
            }
        }
    }
    None
}

fn assert_absent(place: &str, bytes: &[u8], secrets: &Secrets) {
    if let Some((name, at)) = first_of(secrets, bytes) {
        let around = &bytes[at.saturating_sub(400)..(at + 100).min(bytes.len())];
        panic!("{name} is in {place}: {}", String::from_utf8_lossy(around));
    }
}

/// Searches every file of the state directory, in its folders too; gives how many there are.
fn assert_absent_below(folder: &Path, secrets: &Secrets) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += assert_absent_below(&path, secrets);
        } else {
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            assert_absent(&path.display().to_string(), &bytes, secrets);
        }
    }
    files
}

#[test]
fn what_is_there_is_found_in_every_form() {
    let key = launch::key();
    let secrets = forms("a key", &key);
    assert_eq!(secrets.len(), 6);
    for (name, secret) in &secrets {
        let mut bytes = vec![0; 1000];
        bytes.extend(secret);
        // At the very end, and with something behind it.
        assert!(first_of(&secrets, &bytes).is_some(), "{name}");
        bytes.extend([0; 1000]);
        assert!(first_of(&secrets, &bytes).is_some(), "{name}");
        bytes.remove(1000 + secret.len() / 2);
        assert_eq!(first_of(&secrets, &bytes), None, "{name}");
    }
    let place = tempfile::tempdir().unwrap();
    let below = place.path().join("one/two");
    std::fs::create_dir_all(&below).unwrap();
    std::fs::write(below.join("file"), "nothing").unwrap();
    assert_eq!(assert_absent_below(place.path(), &secrets), 1);
}

/// Connects a bot to its account, with its owner's consent; gives the state that it was done under.
async fn connect(app: &App, owner: &Client, bot_id: &str) -> String {
    let back = authorize(owner, bot_id).await;
    let connected = app.anonymous().get(&back).await.json(200);
    assert_eq!(connected["status"], "active", "{connected}");
    let back: Url = back.parse().unwrap();
    let state = back.query_pairs().find(|(name, _)| name == "state");
    state.unwrap().1.into_owned()
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
    assert!(app.secrets().contains(&client_secret));
    let mut secrets = Secrets::new();
    let variables = |app: &App| {
        let all = app.secrets().into_iter().enumerate();
        all.flat_map(|(number, secret)| forms(&format!("variable {number}"), &secret))
            .collect::<Secrets>()
    };
    secrets.extend(variables(&app));
    let mut keep = |name: &str, secret: &str| secrets.extend(forms(name, secret));
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
            .send(Method::POST, "/api/v1/access-keys", |request| {
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
        .send(Method::POST, "/api/v1/auth/token", |request| {
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
    // The bot's owner connects it again, and X gives new tokens for a code and at a renewal.
    let state = connect(&app, &operator, &bot_id).await;
    fake.expire_access_tokens_of(&account.user_id);
    let post_id = operator
        .schedule(&bot_id, &json!({"text": "after a new connection"}))
        .await;
    app.publish_until(&operator, &post_id, &["published"]).await;

    // Another key for the vault, the old one beside it: what is stored is sealed anew.
    app.set_variable("vault_key_previous", app.variable("vault_key").to_owned());
    app.set_variable("vault_key", launch::key());
    app.restart().await;
    assert_eq!(app.run_job("rotate-keys").await["remaining"], 0);
    app.run_job("expire").await;
    operator.post_nothing("/api/v1/auth/logout").await.nothing();
    tokio::time::sleep(Duration::from_millis(200)).await;

    secrets.extend(variables(&app));
    // Whatever X gave out or was shown: tokens, codes, verifiers.
    let of_x = fake.secrets();
    for kind in ["fake-code-", "fake-access-", "fake-refresh-"] {
        let number = of_x.iter().filter(|text| text.starts_with(kind)).count();
        assert!(number >= 1, "X gave no {kind}");
    }
    let verifiers = of_x.iter().filter(|text| !text.starts_with("fake-"));
    assert_eq!(verifiers.count(), 1);
    for secret in &of_x {
        secrets.extend(forms("what X gave or was shown", secret));
    }

    let tokens = [&admin, &operator]
        .map(|client| [client.token.clone().unwrap(), client.refresh_token.clone()]);
    let log = app.log();
    assert!(log.contains("request_id"), "there is no log");
    assert_absent("the log", log.as_bytes(), &secrets);
    assert_absent("an answer", app.transcript().as_bytes(), &secrets);
    for token in tokens.into_iter().flatten() {
        secrets.extend(forms("a token of ours", &token));
    }
    // These two are shown, once; and where X is to send the browser, which the state is a part of.
    assert_eq!(app.transcript().matches(&access_key).count(), 1);
    assert_eq!(app.transcript().matches(&state).count(), 1);
    secrets.extend(forms("the state of a connection", &state));
    secrets.extend(forms("an access key", &access_key));
    secrets.extend(forms("an access key's secret", &secret));
    secrets.extend(forms("an access key's token", &access_token));
    assert_absent("the log", log.as_bytes(), &secrets);
    for running in [true, false] {
        if !running {
            app.stop().await;
        }
        let files = assert_absent_below(app.state_dir(), &secrets);
        assert!(files >= 1);
    }
}

//! Every key of a deployment is exchanged while it has users, bots and posts.

use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;
use vivesphere_tests::fake_x::FakeX;
use vivesphere_tests::launch;

async fn key_ids(client: &Client) -> Vec<String> {
    let set = client.get("/.well-known/jwks.json").await.json(200);
    let keys = set["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

fn sealed_under(app: &App) -> Vec<String> {
    let database = app.database();
    let mut statement = database
        .prepare("SELECT key_id FROM botdata UNION SELECT key_id FROM apikeys")
        .unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

async fn publishes(app: &App, client: &Client, bot_id: &str, text: &str) {
    let post_id = client.schedule(bot_id, &json!({"text": text})).await;
    app.publish_until(client, &post_id, &["published"]).await;
}

#[tokio::test]
async fn all_keys_are_rotated_without_a_user_or_a_post_noticing() {
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let mut app = App::start_with(&fake).await;
    let admin = app.admin().await;
    let bot_id = app.bot(&admin, &account).await;
    let provider_key = launch::canary("provider");
    let key = json!({"provider": "openai", "label": "ours", "key": provider_key});
    admin.post("/api/v1/apikeys/store", &key).await.json(201);
    publishes(&app, &admin, &bot_id, "before").await;
    let old_kid = key_ids(&admin).await;
    let old_vault = sealed_under(&app);
    assert_eq!((old_kid.len(), old_vault.len()), (1, 1));
    let old_service = app.service();

    // New keys everywhere; the vault's old one stays at hand.
    app.set_variable("vault_key_previous", app.variable("vault_key").to_owned());
    app.set_variable("vault_key", launch::key());
    app.set_variable("jwt_signing_key", launch::key());
    app.set_variable("service_key", launch::canary("service"));
    app.restart().await;

    // Who is signed in stays so: the old token is good, its key is still published.
    admin.get("/api/v1/auth/me").await.json(200);
    let again = app.admin().await;
    let kids = key_ids(&again).await;
    assert_eq!(kids.len(), 2, "{kids:?}");
    assert_ne!(kids[0], old_kid[0]);
    assert_eq!(kids[1], old_kid[0]);
    admin.get("/api/v1/auth/me").await.json(200);
    let validated = app.anonymous();
    for token in [&admin, &again] {
        let path = format!(
            "/api/v1/auth/validate?token={}",
            token.token.as_deref().unwrap()
        );
        assert_eq!(validated.get(&path).await.json(200)["valid"], true);
    }
    // The old service key is a stranger's.
    let answer = old_service.post_nothing("/api/v1/jobs/publish/run").await;
    assert_eq!(answer.status, 401, "{}", answer.text);

    // Posts go out under the old vault key's data, and what is used is sealed anew.
    publishes(&app, &again, &bot_id, "meanwhile").await;
    let done = app.run_job("rotate-keys").await;
    assert_eq!(done["remaining"], 0, "{done}");
    let new_vault = sealed_under(&app);
    assert_eq!(new_vault.len(), 1);
    assert_ne!(new_vault, old_vault);

    // The old vault key goes. Everything still opens.
    app.set_variable("vault_key_previous", "");
    app.restart().await;
    publishes(&app, &again, &bot_id, "after").await;
    let listed = again.get("/api/v1/apikeys").await.json(200);
    let last4 = &provider_key[provider_key.len() - 4..];
    assert_eq!(listed["items"][0]["last4"], json!(last4), "{listed}");
    let texts: Vec<String> = fake
        .posts_of(&account.user_id)
        .into_iter()
        .map(|post| post.text)
        .collect();
    assert_eq!(texts, ["before", "meanwhile", "after"]);

    // A day later the old signing key is gone from the published ones, and its tokens with it.
    let past = "UPDATE signing_keys SET retired_at = retired_at - 86400001
        WHERE retired_at IS NOT NULL";
    assert_eq!(app.database().execute(past, []).unwrap(), 1);
    app.restart().await;
    assert_eq!(key_ids(&again).await, kids[..1]);
    let path = format!(
        "/api/v1/auth/validate?token={}",
        admin.token.as_deref().unwrap()
    );
    let old: Value = app.anonymous().get(&path).await.json(200);
    assert_eq!(old["valid"], false, "{old}");
    again.get("/api/v1/auth/me").await.json(200);
}

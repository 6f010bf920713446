//! The main job: from an empty state directory to a post that is on X exactly once.

use std::time::{Duration, Instant};

use reqwest::{Method, redirect};
use serde_json::json;
use vivesphere_tests::app::App;
use vivesphere_tests::build::{self, Program};
use vivesphere_tests::client::Client;
use vivesphere_tests::fake_x::{Endpoint, FakeX, Fault, FaultRule, UserChange, When};

#[tokio::test]
async fn an_operator_has_a_post_published_exactly_once() {
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let app = App::start_with(&fake).await;
    let admin = app.admin().await;
    let operator = app.user(&admin, &["operator"]).await;
    let bot_id = app.bot(&operator, &account).await;
    let post_id = operator
        .schedule(&bot_id, &json!({"text": "Hello from a bot"}))
        .await;

    let done = app.run_job("publish").await;
    assert_eq!(
        (&done["claimed"], &done["published"], &done["remaining"]),
        (&json!(1), &json!(1), &json!(0)),
        "{done}"
    );
    for count in ["deferred", "failed", "unknown"] {
        assert_eq!(done[count], 0, "{done}");
    }
    assert!(done["duration_ms"].is_u64());

    let posted = fake.posts_of(&account.user_id);
    assert_eq!(posted.len(), 1);
    assert_eq!(posted[0].text, "Hello from a bot");

    let post = operator
        .get(&format!("/api/v1/posts/{post_id}"))
        .await
        .json(200);
    assert_eq!(post["state"], "published");
    assert_eq!(post["x_post_id"], posted[0].id.as_str());
    assert_eq!(post["x_post_ids"], json!([posted[0].id]));
    assert!(post["published_at"].as_str().unwrap().ends_with('Z'));
    let attempts = post["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0]["number"], 1);
    assert_eq!(attempts[0]["outcome"], "sent");
    assert_eq!(attempts[0]["http_status"], 201);
    assert!(attempts[0]["started_at"].as_str() <= attempts[0]["ended_at"].as_str());

    // The account that the token belongs to was looked up on the way.
    let bot = operator
        .get(&format!("/api/v1/bots/{bot_id}"))
        .await
        .json(200);
    assert_eq!(bot["x_user_id"], account.user_id.as_str());
    assert_eq!(bot["handle"], "ann");

    let done = app.run_job("publish").await;
    assert_eq!(
        (&done["claimed"], &done["remaining"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(fake.counts()[&Endpoint::CreatePost], 1);
    let trail = |action: &str| {
        app.number(&format!(
            "SELECT count(*) FROM audit_log WHERE subject_id = '{post_id}' AND action = '{action}'"
        ))
    };
    assert_eq!((trail("post.scheduled"), trail("post.published")), (1, 1));
}

#[tokio::test]
async fn the_schedule_publishes_by_itself() {
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let app = App::builder().x(&fake).cron(true).start().await;
    let admin = app.admin().await;
    let bot_id = app.bot(&admin, &account).await;
    let post_id = admin
        .schedule(&bot_id, &json!({"text": "by the clock"}))
        .await;
    let ticks = !matches!(build::everything(), Program::Spin { cron: false, .. });
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if !ticks {
            app.run_job("publish").await;
        }
        let post = admin
            .get(&format!("/api/v1/posts/{post_id}"))
            .await
            .json(200);
        if post["state"] == "published" {
            break;
        }
        assert!(Instant::now() < end, "{post:#}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(fake.posts_of(&account.user_id).len(), 1);
}

/// Begins to connect a bot, lets the account's owner answer, and gives where X sends the browser.
pub(crate) async fn authorize(owner: &Client, bot_id: &str) -> String {
    let path = format!("/api/v1/bots/{bot_id}/connect");
    let begun = owner.post_nothing(&path).await.json(200);
    let page = begun["authorize_url"].as_str().unwrap();
    assert!(page.contains("code_challenge_method=S256"), "{page}");
    let browser = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    let answer = browser.get(page).send().await.unwrap();
    assert!(answer.status().is_redirection(), "{}", answer.status());
    answer.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_bot_is_connected_by_its_accounts_owner_and_then_publishes() {
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let app = App::start_with(&fake).await;
    let callback = format!("{}/api/v1/bots/callback", app.base_url);
    fake.configure(|settings| settings.redirect_uris = vec![callback.clone()]);
    let admin = app.admin().await;
    let operator = app.user(&admin, &["operator"]).await;
    let new = json!({"bot_name": "a bot", "timezone": "Europe/Berlin"});
    let bot = operator.post("/api/v1/bots/create", &new).await.json(201);
    assert_eq!(bot["status"], "unconnected");
    let bot_id = bot["bot_id"].as_str().unwrap();
    // A bot without credentials keeps its posts waiting.
    let post_id = operator.schedule(bot_id, &json!({"text": "later"})).await;
    assert_eq!(app.run_job("publish").await["claimed"], 0);

    let back = authorize(&operator, bot_id).await;
    assert!(back.starts_with(&callback), "{back}");
    let browser = app.anonymous();
    let bot = browser.get(&back).await.json(200);
    assert_eq!(bot["status"], "active");
    assert_eq!(bot["handle"], "ann");
    assert_eq!(bot["x_user_id"], account.user_id.as_str());
    // What X charges for saying whose account it is stands in the books.
    assert_eq!(fake.requests_to(Endpoint::UsersMe).len(), 1);
    let asked = "SELECT sum(requests) FROM x_spending WHERE purpose = 'account'";
    assert_eq!(app.number(asked), 1);
    // A state works once; an unknown one never; without one nothing can be meant.
    browser.get(&back).await.problem(409, "state_unknown");
    let unknown = format!("{callback}?code=x&state=unknown");
    browser.get(&unknown).await.problem(409, "state_unknown");
    browser
        .get(&callback)
        .await
        .problem(400, "malformed_request");

    app.publish_until(&operator, &post_id, &["published"]).await;
    assert_eq!(fake.posts_of(&account.user_id).len(), 1);

    // Connecting again replaces the tokens, as after a revocation.
    fake.revoke_grants_of(&account.user_id);
    let back = authorize(&operator, bot_id).await;
    assert_eq!(browser.get(&back).await.json(200)["status"], "active");
    let post_id = operator.schedule(bot_id, &json!({"text": "again"})).await;
    app.publish_until(&operator, &post_id, &["published"]).await;
}

#[tokio::test]
async fn a_grant_that_is_not_enough_is_refused_and_says_what_is_missing() {
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let app = App::start_with(&fake).await;
    let admin = app.admin().await;
    let new = json!({"bot_name": "a bot"});
    let bot = admin.post("/api/v1/bots/create", &new).await.json(201);
    let bot_id = bot["bot_id"].as_str().unwrap();
    fake.configure(|settings| {
        let granted = ["tweet.read", "users.read"].map(str::to_owned);
        settings.granted_scopes = Some(granted.to_vec());
        settings.authorize_as = Some(account.user_id.clone());
    });
    let back = authorize(&admin, bot_id).await;
    let problem = app
        .anonymous()
        .get(&back)
        .await
        .problem(409, "scopes_missing");
    let detail = problem["detail"].as_str().unwrap();
    for scope in ["tweet.write", "offline.access"] {
        assert!(detail.contains(scope), "{detail}");
    }
    assert!(!detail.contains("users.read"), "{detail}");
    let path = format!("/api/v1/bots/{bot_id}");
    let shown = admin.get(&path).await.json(200);
    assert_eq!(shown["status"], "unconnected");
}

#[tokio::test]
async fn a_connection_that_is_refused_leaves_the_bot_as_it_was() {
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let app = App::start_with(&fake).await;
    let admin = app.admin().await;
    let connected = app.bot(&admin, &account).await;
    let post_id = admin.schedule(&connected, &json!({"text": "first"})).await;
    app.publish_until(&admin, &post_id, &["published"]).await;
    let new = json!({"bot_name": "another"});
    let bot = admin.post("/api/v1/bots/create", &new).await.json(201);
    let bot_id = bot["bot_id"].as_str().unwrap();
    let browser = app.anonymous();

    fake.configure(|settings| settings.deny_authorization = true);
    let back = authorize(&admin, bot_id).await;
    browser
        .get(&back)
        .await
        .problem(409, "authorization_denied");
    fake.configure(|settings| settings.deny_authorization = false);

    // One account, one bot: otherwise two would count its limits apart.
    let back = authorize(&admin, bot_id).await;
    browser.get(&back).await.problem(409, "x_account_in_use");
    let path = format!("/api/v1/bots/{bot_id}");
    let shown = admin.get(&path).await.json(200);
    assert_eq!(shown["status"], "unconnected");

    // An authorization that X does not honour any more.
    let bob = fake.add_user("bob");
    fake.configure(|settings| settings.authorize_as = Some(bob.user_id.clone()));
    let back = authorize(&admin, bot_id).await;
    fake.advance(Duration::from_secs(31));
    browser.get(&back).await.problem(409, "code_refused");
    let back = authorize(&admin, bot_id).await;
    let before = admin.get(&path).await.json(200)["version"].as_i64();
    let connected = browser.get(&back).await.json(200);
    assert_eq!(connected["handle"], "bob");
    assert!(connected["version"].as_i64() > before, "{connected}");

    // The bot is deleted while X is asked.
    let new = json!({"bot_name": "short-lived"});
    let bot = admin.post("/api/v1/bots/create", &new).await.json(201);
    let bot_id = bot["bot_id"].as_str().unwrap();
    let back = authorize(&admin, bot_id).await;
    fake.fault(FaultRule {
        endpoint: Some(Endpoint::Token),
        user_id: None,
        fault: Fault::Slow { ms: 1500 },
        when: When::Next { times: 1, skip: 0 },
    });
    let asked = fake.requests_to(Endpoint::Token).len();
    let (answer, ()) = futures::join!(browser.get(&back), async {
        while fake.requests_to(Endpoint::Token).len() == asked {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let bot = format!("/api/v1/bots/{bot_id}");
        admin.delete(&bot).await.nothing();
    });
    answer.problem(404, "not_found");
    let sealed = format!("SELECT count(*) FROM botdata WHERE bot_id = '{bot_id}'");
    assert_eq!(app.number(&sealed), 0);
    let locked = UserChange {
        locked: Some(true),
        ..UserChange::default()
    };
    assert!(fake.change_user(&bob.user_id, &locked));
    let anonymous = app.anonymous();
    let path = format!("/api/v1/bots/{bot_id}/connect");
    let answer = anonymous.send(Method::POST, &path, |request| request).await;
    answer.problem(401, "missing_credentials");
}

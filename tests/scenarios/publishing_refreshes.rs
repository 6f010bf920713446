//! What the token endpoint answers, and what of it is kept: a new pair before it is used, an old
//! refresh token as long as there is no other, a bot as long as its grant is not dead.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vivesphere_tests::fake_x::{Endpoint, Fault, RefreshAnswer};

use crate::publishing::Scene;

fn asked(scene: &Scene, endpoint: Endpoint) -> u64 {
    scene.fake.counts().get(&endpoint).copied().unwrap_or(0)
}

/// Publishes with a token that has ended a moment ago.
async fn publishes_after_a_renewal(scene: &Scene, text: &str) -> Value {
    scene.fake.expire_access_tokens_of(&scene.account.user_id);
    let post_id = scene.schedule(text).await;
    scene.settle(&post_id).await
}

#[tokio::test]
async fn a_renewal_without_a_refresh_token_keeps_the_one_that_is_there() {
    let scene = Scene::start().await;
    let mut texts = Vec::new();
    for answer in [
        RefreshAnswer::WithoutRefreshToken,
        RefreshAnswer::EmptyRefreshToken,
        RefreshAnswer::NoRefreshToken,
        RefreshAnswer::NewPair,
    ] {
        scene
            .fake
            .configure(|settings| settings.refresh_answer = answer);
        // Twice: the second renewal is made with what the first one left.
        for time in ["once", "twice"] {
            let before = asked(&scene, Endpoint::Token);
            let text = format!("{answer:?} {time}");
            let post = publishes_after_a_renewal(&scene, &text).await;
            assert_eq!(post["state"], "published", "{text}: {post:#}");
            assert_eq!(asked(&scene, Endpoint::Token), before + 1, "{text}");
            assert_eq!(scene.bot().await["status"], "active", "{text}");
            texts.push(text);
        }
    }
    assert_eq!(scene.texts(), texts);
}

/// Has the vault refuse whatever is stored.
const FULL: &str = "
    CREATE TRIGGER no_new_rows BEFORE INSERT ON botdata
        BEGIN SELECT RAISE(ABORT, 'the vault takes nothing'); END;
    CREATE TRIGGER no_changes BEFORE UPDATE ON botdata
        BEGIN SELECT RAISE(ABORT, 'the vault takes nothing'); END;";

/// The owner connects the bot again, if that is what it asks for.
async fn owner_helps(scene: &Scene) {
    let bot = scene.bot().await;
    if bot["status"] == "needs_reauth" {
        let account = scene.fake.grant(&scene.account.user_id);
        let credentials = json!({"credentials": {
            "type": "oauth2", "access_token": account.access_token,
            "refresh_token": account.refresh_token,
        }});
        let path = format!("/api/v1/bots/{}", scene.bot_id);
        scene.admin.patch(&path, &credentials).await.json(200);
    }
    assert_eq!(scene.bot().await["status"], "active");
}

/// Runs the publisher until the post is out or the bot asks for its owner, whatever has to be waited for.
async fn until_it_is_clear(scene: &Scene, post_id: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        scene.app.run_job("publish").await;
        if scene.post(post_id).await["state"] == "published"
            || scene.bot().await["status"] == "needs_reauth"
        {
            return;
        }
        assert!(Instant::now() < end, "{:#}", scene.post(post_id).await);
        scene.app.let_backoffs_pass();
        // Nobody is at a refresh between two runs: the lease of one that failed has run out.
        let ended = "UPDATE token_refreshes SET leased_until = 0";
        scene.app.database().execute(ended, []).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_new_pair_that_is_not_stored_is_not_used() {
    let scene = Scene::start().await;
    let first = scene.schedule("first").await;
    scene.settle(&first).await;
    let version = |scene: &Scene| scene.app.number("SELECT max(version) FROM botdata");
    let stored = version(&scene);
    scene.app.database().execute_batch(FULL).unwrap();
    scene.fake.expire_access_tokens_of(&scene.account.user_id);
    let post_id = scene.schedule("second").await;
    let before = asked(&scene, Endpoint::Token);
    for _ in 0..3 {
        scene.app.run_job("publish").await;
        scene.app.let_backoffs_pass();
    }
    // X has given a pair that works, and nobody has posted with it: it would be lost by now.
    assert!(
        asked(&scene, Endpoint::Token) > before,
        "nothing was renewed"
    );
    assert_eq!(scene.texts(), ["first"]);
    assert_eq!(scene.post(&post_id).await["state"], "scheduled");
    assert_eq!(version(&scene), stored);

    // The vault takes what it is given again.
    let emptied = "DROP TRIGGER no_new_rows; DROP TRIGGER no_changes;";
    scene.app.database().execute_batch(emptied).unwrap();
    until_it_is_clear(&scene, &post_id).await;
    owner_helps(&scene).await;
    assert_eq!(scene.settle(&post_id).await["state"], "published");
    assert_eq!(scene.texts(), ["first", "second"]);
    // What has been used is in the vault.
    assert!(version(&scene) > stored);
}

#[tokio::test]
async fn a_kill_between_the_new_pair_and_the_vault_costs_at_most_a_new_connection() {
    let mut scene = Scene::start().await;
    let first = scene.schedule("first").await;
    scene.settle(&first).await;
    scene.fake.expire_access_tokens_of(&scene.account.user_id);
    // X has rotated the pair, and its answer is under way.
    scene.fake.fault_next(Endpoint::Token, 1, Fault::HeldAfter);
    let post_id = scene.schedule("second").await;
    let service = scene.app.service();
    let worker = tokio::spawn(async move {
        let path = "/api/v1/jobs/publish/run?budget_seconds=5";
        service
            .try_send(reqwest::Method::POST, path, |request| request)
            .await
    });
    let end = Instant::now() + Duration::from_secs(30);
    while scene.fake.held() == 0 {
        assert!(Instant::now() < end, "no call is held");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    scene.app.kill();
    let _lost = worker.await;
    scene.fake.let_go();
    scene.app.let_leases_end();
    scene.app.restart().await;
    until_it_is_clear(&scene, &post_id).await;
    // The old refresh token is spent, which only its owner can mend; the post waits for that.
    assert_eq!(scene.bot().await["status"], "needs_reauth");
    let post = scene.post(&post_id).await;
    let waits = ["scheduled", "outcome_unknown"].contains(&post["state"].as_str().unwrap());
    assert!(waits, "{post:#}");
    owner_helps(&scene).await;
    assert_eq!(scene.settle(&post_id).await["state"], "published");
    assert_eq!(scene.texts(), ["first", "second"]);
}

#[tokio::test]
async fn only_a_dead_grant_asks_for_the_owner() {
    let scene = Scene::start().await;
    let first = scene.schedule("first").await;
    scene.settle(&first).await;
    let refusal = |status, error: &str| Fault::OauthError {
        status,
        error: error.to_owned(),
    };
    let limited = |reset_after| Fault::RateLimited {
        reset_after,
        legacy: false,
    };
    let server_error = |status, html| Fault::ErrorBefore { status, html };
    for fault in [
        refusal(400, "invalid_client"),
        refusal(401, "invalid_client"),
        refusal(401, "unauthorized_client"),
        refusal(400, "unsupported_grant_type"),
        refusal(400, "invalid_scope"),
        refusal(400, "temporarily_unavailable"),
        limited(Some(30)),
        limited(None),
        server_error(503, true),
        server_error(502, false),
        Fault::ForbiddenHtml,
        Fault::CutBefore,
    ] {
        scene.fake.expire_access_tokens_of(&scene.account.user_id);
        scene.fake.fault_next(Endpoint::Token, 1, fault.clone());
        let text = format!("after {fault:?}");
        let post_id = scene.schedule(&text).await;
        let before = asked(&scene, Endpoint::Token);
        scene.app.run_job("publish").await;
        let post = scene.post(&post_id).await;
        assert_eq!(post["state"], "scheduled", "{fault:?}: {post:#}");
        // It backs off: neither is X asked again at once, nor is anything sent without a token.
        scene.app.run_job("publish").await;
        assert_eq!(asked(&scene, Endpoint::Token), before + 1, "{fault:?}");
        let bot = scene.bot().await;
        assert_eq!(bot["status"], "active", "{fault:?}: {bot}");
        let post = scene.settle(&post_id).await;
        assert_eq!(post["state"], "published", "{fault:?}: {post:#}");
        assert_eq!(scene.texts().last(), Some(&text));
    }

    scene.fake.expire_access_tokens_of(&scene.account.user_id);
    let dead = refusal(400, "invalid_grant");
    scene.fake.fault_next(Endpoint::Token, 1, dead);
    let post_id = scene.schedule("after a new connection").await;
    scene.app.run_job("publish").await;
    let bot = scene.bot().await;
    assert_eq!(bot["status"], "needs_reauth", "{bot}");
    assert!(!bot["status_detail"].as_str().unwrap().is_empty());
    owner_helps(&scene).await;
    assert_eq!(scene.settle(&post_id).await["state"], "published");
}

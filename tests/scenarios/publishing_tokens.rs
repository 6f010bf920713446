//! Tokens that end, are refused or cannot be renewed right now.

use std::time::Duration;

use serde_json::json;
use vivesphere_tests::fake_x::{Endpoint, Fault};

use crate::publishing::{Scene, outcomes};

fn refreshes(scene: &Scene) -> u64 {
    scene
        .fake
        .counts()
        .get(&Endpoint::Token)
        .copied()
        .unwrap_or(0)
}

#[tokio::test]
async fn a_rejected_token_is_renewed_once_and_the_post_goes_out() {
    let scene = Scene::start().await;
    let first = scene.schedule("first").await;
    scene.settle(&first).await;
    scene.fake.expire_access_tokens_of(&scene.account.user_id);
    let second = scene.schedule("second").await;
    scene.app.run_job("publish").await;
    let post = scene.post(&second).await;
    assert_eq!(post["state"], "published", "{post:#}");
    assert_eq!(refreshes(&scene), 1);
    let third = scene.schedule("third").await;
    scene.settle(&third).await;
    assert_eq!(refreshes(&scene), 1);
    assert_eq!(scene.texts(), ["first", "second", "third"]);
    // The new pair is in the vault under a new version, and it is the one that works.
    let sealed = format!("/api/v1/botdata/retrieve?bot_id={}", scene.bot_id);
    assert_eq!(scene.admin.get(&sealed).await.json(200)["version"], 2);
}

#[tokio::test]
async fn a_token_that_is_dead_before_its_first_use_is_renewed_too() {
    let scene = Scene::start().await;
    scene.fake.expire_access_tokens_of(&scene.account.user_id);
    let post_id = scene.schedule("despite a dead token").await;
    let post = scene.settle(&post_id).await;
    assert_eq!(post["state"], "published", "{post:#}");
    assert_eq!(refreshes(&scene), 1);
}

#[tokio::test]
async fn a_token_that_is_about_to_end_is_renewed_before_it_is_used() {
    let scene = Scene::start().await;
    let given = scene.fake.grant(&scene.account.user_id);
    let soon = (chrono::Utc::now() + chrono::TimeDelta::seconds(20)).to_rfc3339();
    let credentials = json!({"credentials": {
        "type": "oauth2", "access_token": given.access_token,
        "refresh_token": given.refresh_token, "expires_at": soon,
    }});
    let bot = format!("/api/v1/bots/{}", scene.bot_id);
    scene.admin.patch(&bot, &credentials).await.json(200);
    let post_id = scene.schedule("in time").await;
    let post = scene.settle(&post_id).await;
    assert_eq!(outcomes(&post), ["sent"]);
    assert_eq!(refreshes(&scene), 1);
    let rejected = scene.fake.requests_to(Endpoint::CreatePost);
    assert_eq!(rejected.len(), 1);
}

#[tokio::test]
async fn a_dead_grant_needs_the_owner_and_nothing_less_does() {
    let scene = Scene::start().await;
    let first = scene.schedule("first").await;
    scene.settle(&first).await;
    // Whatever fails that may pass is only waited for.
    for fault in [
        Fault::ErrorBefore {
            status: 503,
            html: false,
        },
        Fault::ErrorBefore {
            status: 500,
            html: true,
        },
        Fault::CutBefore,
    ] {
        scene.fake.expire_access_tokens_of(&scene.account.user_id);
        scene.fake.fault_next(Endpoint::Token, 1, fault.clone());
        let text = format!("after {fault:?}");
        let post_id = scene.schedule(&text).await;
        scene.app.run_job("publish").await;
        assert_eq!(scene.bot().await["status"], "active", "{fault:?}");
        let post = scene.post(&post_id).await;
        assert_eq!(post["state"], "scheduled", "{fault:?}: {post:#}");
        let post = scene.settle(&post_id).await;
        assert_eq!(post["state"], "published", "{fault:?}: {post:#}");
    }
    scene.fake.revoke_grants_of(&scene.account.user_id);
    let post_id = scene.schedule("needs the owner").await;
    for _ in 0..3 {
        scene.app.run_job("publish").await;
        scene.app.let_backoffs_pass();
    }
    let bot = scene.bot().await;
    assert_eq!(bot["status"], "needs_reauth", "{bot}");
    assert!(!bot["status_detail"].as_str().unwrap().is_empty());
    assert_eq!(scene.post(&post_id).await["state"], "scheduled");
    // It is not asked again and again.
    let before = refreshes(&scene);
    scene.app.run_job("publish").await;
    assert_eq!(refreshes(&scene), before);
    // New credentials, and it goes on.
    let account = scene.fake.grant(&scene.account.user_id);
    let credentials = json!({"credentials": {
        "type": "oauth2", "access_token": account.access_token,
        "refresh_token": account.refresh_token,
    }});
    let bot = format!("/api/v1/bots/{}", scene.bot_id);
    assert_eq!(
        scene.admin.patch(&bot, &credentials).await.json(200)["status"],
        "active"
    );
    assert_eq!(scene.settle(&post_id).await["state"], "published");
}

#[tokio::test]
async fn a_token_that_x_refuses_after_a_renewal_pauses_the_bot() {
    let scene = Scene::start().await;
    let first = scene.schedule("first").await;
    scene.settle(&first).await;
    scene
        .fake
        .fault_by_chance(Endpoint::CreatePost, 1.0, Fault::Unauthorized);
    let post_id = scene.schedule("refused twice").await;
    scene.app.run_job("publish").await;
    let bot = scene.bot().await;
    assert_eq!(
        (&bot["status"], &bot["status_code"]),
        (&json!("paused"), &json!("unauthorized"))
    );
    assert_eq!(refreshes(&scene), 1);
    scene.fake.clear_faults();
    let resume = format!("/api/v1/bots/{}/resume", scene.bot_id);
    scene.admin.post_nothing(&resume).await.json(200);
    assert_eq!(scene.settle(&post_id).await["state"], "published");
}

#[tokio::test]
async fn many_calls_at_once_renew_a_token_once() {
    let scene = Scene::start().await;
    let first = scene.schedule("first").await;
    scene.settle(&first).await;
    scene.fake.expire_access_tokens_of(&scene.account.user_id);
    scene
        .fake
        .fault_next(Endpoint::Token, 1, Fault::Slow { ms: 500 });
    let post_id = scene.schedule("second").await;
    let runs = (0..4).map(|_| scene.app.run_job("publish"));
    futures::future::join_all(runs).await;
    let post = scene.settle(&post_id).await;
    assert_eq!(post["state"], "published", "{post:#}");
    assert_eq!(refreshes(&scene), 1);
    assert_eq!(scene.texts(), ["first", "second"]);
    assert_eq!(scene.bot().await["status"], "active");
}

#[tokio::test]
async fn a_renewal_whose_answer_was_lost_ends_well_or_asks_for_the_owner() {
    let scene = Scene::start().await;
    let first = scene.schedule("first").await;
    scene.settle(&first).await;
    scene.fake.expire_access_tokens_of(&scene.account.user_id);
    // X has rotated the pair, and nobody knows the new one.
    scene.fake.fault_next(Endpoint::Token, 1, Fault::CutAfter);
    let post_id = scene.schedule("second").await;
    for _ in 0..5 {
        scene.app.run_job("publish").await;
        scene.app.let_backoffs_pass();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (bot, post) = (scene.bot().await, scene.post(&post_id).await);
    assert_eq!(bot["status"], "needs_reauth", "{bot}");
    assert_eq!(post["state"], "scheduled", "{post:#}");
    assert_eq!(scene.texts(), ["first"]);
}

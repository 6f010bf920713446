//! What keeps a bot from getting a token, or from using the one it got: each has its code, and none
//! costs the account its grant.

use std::time::Duration;

use serde_json::{Value, json};
use vivesphere_tests::fake_x::{Endpoint, Fault, FaultRule, When};
use vivesphere_tests::launch;

use crate::publishing::{Scene, outcomes};

async fn resume(scene: &Scene) {
    let resume = format!("/api/v1/bots/{}/resume", scene.bot_id);
    scene.admin.post_nothing(&resume).await.json(200);
}

fn slow(endpoint: Endpoint) -> FaultRule {
    FaultRule {
        endpoint: Some(endpoint),
        user_id: None,
        fault: Fault::Slow { ms: 1500 },
        when: When::Next { times: 1, skip: 0 },
    }
}

async fn until_asked(scene: &Scene, endpoint: Endpoint) {
    for _ in 0..400 {
        if !scene.fake.requests_to(endpoint).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{endpoint:?} is not asked");
}

#[tokio::test]
async fn what_x_says_before_it_says_whose_account_it_is_stops_the_bot() {
    let scene = Scene::start().await;
    for (fault, code) in [
        (Fault::CreditsDepleted { older: false }, "credits_depleted"),
        (Fault::AccountLocked, "account_locked"),
        (Fault::ClientForbidden, "client_forbidden"),
    ] {
        scene.fake.fault_by_chance(Endpoint::UsersMe, 1.0, fault);
        let before = scene.fake.requests_to(Endpoint::UsersMe).len();
        let post_id = scene.schedule(&format!("after {code}")).await;
        for _ in 0..3 {
            scene.app.run_job("publish").await;
            scene.app.let_backoffs_pass();
        }
        let bot = scene.bot().await;
        assert_eq!(
            (&bot["status"], &bot["status_code"]),
            (&json!("paused"), &json!(code)),
            "{bot}"
        );
        let asked = scene.fake.requests_to(Endpoint::UsersMe).len();
        assert_eq!(asked, before + 1, "{code}");
        let post = scene.post(&post_id).await;
        assert_eq!(post["attempts"][0]["code"], code, "{post:#}");
        scene.fake.clear_faults();
        resume(&scene).await;
        assert_eq!(scene.settle(&post_id).await["state"], "published", "{code}");
        // Whose it is has to be asked anew for the next.
        let account = scene.fake.grant(&scene.account.user_id);
        let credentials = json!({"credentials": {
            "type": "oauth2", "access_token": account.access_token,
            "refresh_token": account.refresh_token,
        }});
        let bot = format!("/api/v1/bots/{}", scene.bot_id);
        scene.admin.patch(&bot, &credentials).await.json(200);
    }
}

#[tokio::test]
async fn what_is_put_off_for_the_same_reason_again_is_one_attempt() {
    let scene = Scene::start().await;
    let down = Fault::ErrorBefore {
        status: 503,
        html: false,
    };
    scene.fake.fault_by_chance(Endpoint::UsersMe, 1.0, down);
    let post_id = scene.schedule("after an outage").await;
    for _ in 0..4 {
        scene.app.run_job("publish").await;
        scene.app.let_backoffs_pass();
    }
    assert!(scene.fake.requests_to(Endpoint::UsersMe).len() >= 4);
    let post = scene.post(&post_id).await;
    assert_eq!(outcomes(&post), ["deferred"], "{post:#}");
    assert_eq!(post["attempts"][0]["code"], "x_unavailable", "{post:#}");
    scene.fake.clear_faults();
    let post = scene.settle(&post_id).await;
    assert_eq!(outcomes(&post), ["deferred", "sent"], "{post:#}");
    assert_eq!(post["attempts"][1]["number"], 2, "{post:#}");
}

#[tokio::test]
async fn credentials_that_the_vault_cannot_open_stop_the_bot_until_it_can() {
    let mut scene = Scene::start().await;
    let right = scene.app.variable("vault_key").to_owned();
    scene.app.set_variable("vault_key", launch::key());
    scene.app.restart().await;
    let post_id = scene.schedule("under the right key").await;
    scene.app.run_job("publish").await;
    let bot = scene.bot().await;
    assert_eq!(
        (&bot["status"], &bot["status_code"]),
        (&json!("paused"), &json!("sealed_data_damaged")),
        "{bot}"
    );
    let post = scene.post(&post_id).await;
    assert_eq!(
        post["attempts"][0]["code"], "sealed_data_damaged",
        "{post:#}"
    );
    scene.app.set_variable("vault_key", right);
    scene.app.restart().await;
    resume(&scene).await;
    assert_eq!(scene.settle(&post_id).await["state"], "published");
}

#[tokio::test]
async fn an_app_that_x_refuses_costs_no_account_its_grant() {
    let scene = Scene::start().await;
    let first = scene.schedule("first").await;
    scene.settle(&first).await;
    let secret = scene.fake.settings().client_secret;
    scene
        .fake
        .configure(|settings| settings.client_secret = Some("another".to_owned()));
    scene.fake.expire_access_tokens_of(&scene.account.user_id);
    let post_id = scene.schedule("second").await;
    scene.app.run_job("publish").await;
    let post = scene.post(&post_id).await;
    assert_eq!(post["attempts"][0]["code"], "x_app_refused", "{post:#}");
    assert_eq!(scene.bot().await["status"], "active");
    scene
        .fake
        .configure(|settings| settings.client_secret = secret);
    assert_eq!(scene.settle(&post_id).await["state"], "published");
}

/// As long as a refresh may take.
#[tokio::test]
async fn a_new_pair_that_cannot_be_stored_is_told_of_by_its_own_code() {
    let scene = Scene::start().await;
    let first = scene.schedule("first").await;
    scene.settle(&first).await;
    scene.fake.expire_access_tokens_of(&scene.account.user_id);
    let fails = "CREATE TRIGGER fails BEFORE UPDATE ON botdata
        BEGIN SELECT RAISE(ABORT, 'the disk is full'); END;";
    scene.app.database().execute_batch(fails).unwrap();
    let post_id = scene.schedule("second").await;
    scene.app.run_job("publish").await;
    let post = scene.post(&post_id).await;
    let code = &post["attempts"][0]["code"];
    assert_eq!(code, "refresh_not_stored", "{post:#}");
    assert_eq!(post["state"], "scheduled", "{post:#}");
    assert_eq!(scene.fake.requests_to(Endpoint::Token).len(), 1);
    assert_eq!(scene.texts(), ["first"]);
}

#[tokio::test]
async fn a_new_pair_is_stored_although_the_vault_fails_for_a_while() {
    let scene = Scene::start().await;
    let first = scene.schedule("first").await;
    scene.settle(&first).await;
    scene.fake.expire_access_tokens_of(&scene.account.user_id);
    scene
        .app
        .database()
        .execute_batch(
            "CREATE TRIGGER fails BEFORE UPDATE ON botdata
             BEGIN SELECT RAISE(ABORT, 'the disk is full'); END;",
        )
        .unwrap();
    let post_id = scene.schedule("second").await;
    futures::join!(scene.app.run_job("publish"), async {
        until_asked(&scene, Endpoint::Token).await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        let mended = "DROP TRIGGER fails";
        scene.app.database().execute_batch(mended).unwrap();
    });
    assert_eq!(scene.settle(&post_id).await["state"], "published");
    assert_eq!(scene.bot().await["status"], "active");
    assert_eq!(scene.fake.requests_to(Endpoint::Token).len(), 1);
    // The pair that is kept is the new one: it can be renewed again.
    scene.fake.expire_access_tokens_of(&scene.account.user_id);
    let third = scene.schedule("third").await;
    assert_eq!(scene.settle(&third).await["state"], "published");
}

#[tokio::test]
async fn a_bot_that_is_paused_while_its_token_is_fetched_sends_nothing() {
    let scene = Scene::start().await;
    scene.fake.fault(slow(Endpoint::UsersMe));
    let post_id = scene.schedule("not now").await;
    futures::join!(scene.app.run_job("publish"), async {
        until_asked(&scene, Endpoint::UsersMe).await;
        let pause = format!("/api/v1/bots/{}/pause", scene.bot_id);
        scene.admin.post_nothing(&pause).await.json(200);
    });
    let post = scene.post(&post_id).await;
    assert_eq!(post["state"], "scheduled", "{post:#}");
    assert_eq!(post["attempts"][0]["code"], "bot_stopped", "{post:#}");
    assert_eq!(scene.texts(), [""; 0]);
    resume(&scene).await;
    assert_eq!(scene.settle(&post_id).await["state"], "published");
}

#[tokio::test]
async fn a_worker_whose_lease_has_gone_to_another_sends_nothing() {
    let scene = Scene::start().await;
    scene.fake.fault(slow(Endpoint::UsersMe));
    scene.schedule("another worker's").await;
    futures::join!(scene.app.run_job("publish"), async {
        until_asked(&scene, Endpoint::UsersMe).await;
        let taken = "UPDATE posts SET fencing_token = fencing_token + 1";
        scene.app.database().execute(taken, []).unwrap();
    });
    assert!(scene.fake.requests_to(Endpoint::CreatePost).is_empty());
}

#[tokio::test]
async fn another_account_begins_without_the_limits_of_the_one_before() {
    let scene = Scene::start().await;
    let first = scene.schedule("first").await;
    scene.settle(&first).await;
    scene.fake.expire_access_tokens_of(&scene.account.user_id);
    let second = scene.schedule("second").await;
    scene.settle(&second).await;
    let fencing = "SELECT fencing_token FROM token_refreshes";
    let before = scene.app.number(fencing);
    let limited = "UPDATE bots SET rate_limited_until = 9000000000000";
    scene.app.database().execute(limited, []).unwrap();
    let new = scene.fake.add_user("new");
    let credentials: Value = json!({"credentials": {
        "type": "oauth2", "access_token": new.access_token,
        "refresh_token": new.refresh_token,
    }});
    let bot = format!("/api/v1/bots/{}", scene.bot_id);
    scene.admin.patch(&bot, &credentials).await.json(200);
    let limit = "SELECT rate_limited_until FROM bots";
    assert_eq!(scene.app.number(limit), 0);
    // Whoever still refreshes the old pair holds a fencing token that is not given out again.
    assert_eq!(scene.app.number(fencing), before + 1);
}

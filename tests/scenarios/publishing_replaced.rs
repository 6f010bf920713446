//! Credentials that a person replaces while the publisher is at work, and bots that have none that
//! work.

use std::time::Duration;

use serde_json::{Value, json};
use vivesphere_tests::fake_x::{Account, Endpoint, Fault, FaultRule, When};

use crate::publishing::Scene;

fn credentials(account: &Account) -> Value {
    json!({"credentials": {
        "type": "oauth2", "access_token": account.access_token,
        "refresh_token": account.refresh_token,
    }})
}

fn slow(endpoint: Endpoint, user_id: Option<&str>, milliseconds: u64) -> FaultRule {
    FaultRule {
        endpoint: Some(endpoint),
        user_id: user_id.map(str::to_owned),
        fault: Fault::Slow { ms: milliseconds },
        when: When::Next { times: 1, skip: 0 },
    }
}

async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    for _ in 0..200 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what} does not happen");
}

impl Scene {
    async fn replace(&self, account: &Account) -> Value {
        let bot = format!("/api/v1/bots/{}", self.bot_id);
        self.admin
            .patch(&bot, &credentials(account))
            .await
            .json(200)
    }

    fn texts_of(&self, account: &Account) -> Vec<String> {
        let posts = self.fake.posts_of(&account.user_id);
        posts.into_iter().map(|post| post.text).collect()
    }

    /// While the publisher runs.
    async fn meanwhile(&self, work: impl Future<Output = ()>) {
        futures::join!(self.app.run_job("publish"), work);
    }
}

#[tokio::test]
async fn what_is_scheduled_after_the_credentials_goes_out_with_them() {
    let scene = Scene::start().await;
    let (other, new) = (scene.fake.add_user("other"), scene.fake.add_user("new"));
    let slow_bot = scene.app.bot(&scene.admin, &other).await;
    // A call of another bot keeps the run alive.
    scene
        .fake
        .fault(slow(Endpoint::CreatePost, Some(&other.user_id), 3500));
    let text = json!({"text": "slow"});
    scene.admin.schedule(&slow_bot, &text).await;
    let warm = scene.schedule("warm").await;
    scene
        .meanwhile(async {
            until("the first post", async || scene.texts() == ["warm"]).await;
            until("its end", async || {
                scene.post(&warm).await["state"] == "published"
            })
            .await;
            scene.replace(&new).await;
            let post_id = scene.schedule("for the new account").await;
            until("the second post", async || {
                scene.post(&post_id).await["state"] == "published"
            })
            .await;
        })
        .await;
    assert_eq!(scene.texts(), ["warm"]);
    assert_eq!(scene.texts_of(&new), ["for the new account"]);
    assert_eq!(scene.bot().await["handle"], "new");
}

#[tokio::test]
async fn whose_the_old_credentials_were_is_not_written_to_the_new_ones() {
    let scene = Scene::start().await;
    let new = scene.fake.add_user("new");
    scene.fake.fault(slow(Endpoint::UsersMe, None, 1500));
    let post_id = scene.schedule("once").await;
    scene
        .meanwhile(async {
            until("the question whose it is", async || {
                !scene.fake.requests_to(Endpoint::UsersMe).is_empty()
            })
            .await;
            scene.replace(&new).await;
        })
        .await;
    scene
        .fake
        .fault_next(Endpoint::CreatePost, 1, Fault::CutAfter);
    assert_eq!(scene.settle(&post_id).await["state"], "published");
    assert_eq!(scene.bot().await["handle"], "new");
    assert_eq!(scene.texts(), [""; 0]);
    assert_eq!(scene.texts_of(&new), ["once"]);
}

#[tokio::test]
async fn a_dead_grant_does_not_stop_the_one_that_came_after_it() {
    let scene = Scene::start().await;
    let first = scene.schedule("first").await;
    scene.settle(&first).await;
    let new = scene.fake.add_user("new");
    scene.fake.revoke_grants_of(&scene.account.user_id);
    scene.fake.fault(slow(Endpoint::Token, None, 1500));
    let post_id = scene.schedule("with the new one").await;
    scene
        .meanwhile(async {
            until("the refresh", async || {
                !scene.fake.requests_to(Endpoint::Token).is_empty()
            })
            .await;
            scene.replace(&new).await;
        })
        .await;
    assert_eq!(scene.bot().await["status"], "active");
    assert_eq!(scene.settle(&post_id).await["state"], "published");
    assert_eq!(scene.texts_of(&new), ["with the new one"]);
}

#[tokio::test]
async fn one_bots_slow_call_holds_up_nobody_elses_post() {
    let mut scene = Scene::start().await;
    scene.app.set_variable("x_request_timeout_seconds", 20);
    scene.app.restart().await;
    let other = scene.fake.add_user("other");
    let slow_bot = scene.app.bot(&scene.admin, &other).await;
    scene
        .fake
        .fault(slow(Endpoint::CreatePost, Some(&other.user_id), 11_000));
    let text = json!({"text": "slow"});
    let slow_post = scene.admin.schedule(&slow_bot, &text).await;
    scene
        .meanwhile(async {
            // After the time that the run was given.
            tokio::time::sleep(Duration::from_millis(6500)).await;
            let post_id = scene.schedule("at its time").await;
            until("the post", async || {
                scene.post(&post_id).await["state"] == "published"
            })
            .await;
            assert_eq!(scene.post(&slow_post).await["state"], "publishing");
        })
        .await;
    assert_eq!(scene.texts_of(&other), ["slow"]);
}

#[tokio::test]
async fn a_second_bot_of_one_account_is_paused_and_asks_x_once() {
    let scene = Scene::start().await;
    let first = scene.schedule("mine").await;
    scene.settle(&first).await;
    let again = scene.fake.grant(&scene.account.user_id);
    let second =
        json!({"bot_name": "the second", "credentials": credentials(&again)["credentials"]});
    let bot = scene
        .admin
        .post("/api/v1/bots/create", &second)
        .await
        .json(201);
    let bot_id = bot["bot_id"].as_str().unwrap();
    scene
        .admin
        .schedule(bot_id, &json!({"text": "not mine"}))
        .await;
    let before = scene.fake.requests_to(Endpoint::UsersMe).len();
    for _ in 0..3 {
        scene.app.run_job("publish").await;
        scene.app.let_backoffs_pass();
    }
    let path = format!("/api/v1/bots/{bot_id}");
    let bot = scene.admin.get(&path).await.json(200);
    assert_eq!(bot["status"], "paused", "{bot}");
    assert_eq!(bot["status_code"], "x_account_in_use");
    assert_eq!(scene.fake.requests_to(Endpoint::UsersMe).len(), before + 1);
    assert_eq!(scene.texts(), ["mine"]);
}

#[tokio::test]
async fn a_bot_whose_tokens_were_overwritten_says_so() {
    let scene = Scene::start().await;
    let first = scene.schedule("first").await;
    scene.settle(&first).await;
    let note = json!({"bot_id": scene.bot_id, "data": {"note": "no token"}});
    scene
        .admin
        .post("/api/v1/botdata/store", &note)
        .await
        .json(201);
    let post_id = scene.schedule("second").await;
    scene.app.run_job("publish").await;
    let bot = scene.bot().await;
    assert_eq!(bot["status"], "needs_reauth", "{bot}");
    assert_eq!(bot["status_code"], "credentials_missing");
    scene
        .replace(&scene.fake.grant(&scene.account.user_id))
        .await;
    assert_eq!(scene.settle(&post_id).await["state"], "published");
}

#[tokio::test]
async fn new_credentials_do_not_end_a_persons_pause() {
    let scene = Scene::start().await;
    let pause = format!("/api/v1/bots/{}/pause", scene.bot_id);
    scene.admin.post_nothing(&pause).await.json(200);
    scene.schedule("waits").await;
    let bot = scene
        .replace(&scene.fake.grant(&scene.account.user_id))
        .await;
    assert_eq!(bot["status"], "paused", "{bot}");
    scene.app.run_job("publish").await;
    assert_eq!(scene.texts(), [""; 0]);
}

/// Pauses the bot while X is slow to say that it may not act, gives it new credentials, and looks
/// whether it waits for the person all the same.
async fn paused_meanwhile(scene: &Scene, endpoint: Endpoint) {
    scene.fake.fault(slow(endpoint, None, 1500));
    let post_id = scene.schedule("waits for a person").await;
    let path = |call: &str| format!("/api/v1/bots/{}/{call}", scene.bot_id);
    let before = scene.fake.requests_to(endpoint).len();
    scene
        .meanwhile(async {
            until("the call", async || {
                scene.fake.requests_to(endpoint).len() > before
            })
            .await;
            scene.admin.post_nothing(&path("pause")).await.json(200);
        })
        .await;
    let bot = scene.bot().await;
    assert_eq!(bot["status_code"], "paused_by_person", "{bot}");
    let bot = scene
        .replace(&scene.fake.grant(&scene.account.user_id))
        .await;
    assert_eq!(bot["status_code"], "paused_by_person", "{bot}");
    scene.app.run_job("publish").await;
    assert_eq!(scene.texts(), [""; 0]);
    scene.admin.post_nothing(&path("resume")).await.json(200);
    assert_eq!(scene.settle(&post_id).await["state"], "published");
}

#[tokio::test]
async fn what_x_says_meanwhile_does_not_take_the_place_of_a_persons_pause() {
    let scene = Scene::start().await;
    scene
        .fake
        .fault_next(Endpoint::CreatePost, 1, Fault::AccountLocked);
    paused_meanwhile(&scene, Endpoint::CreatePost).await;
}

#[tokio::test]
async fn a_dead_grant_does_not_take_the_place_of_a_persons_pause() {
    let scene = Scene::start().await;
    scene.fake.revoke_grants_of(&scene.account.user_id);
    paused_meanwhile(&scene, Endpoint::Token).await;
}

#[tokio::test]
async fn the_rest_of_a_thread_is_cancelled_with_its_bot() {
    let scene = Scene::start().await;
    scene.fake.fault(slow(Endpoint::CreatePost, None, 1500));
    let thread = json!({"thread": ["first", "second"]});
    scene.admin.schedule(&scene.bot_id, &thread).await;
    scene
        .meanwhile(async {
            until("the first part", async || {
                !scene.fake.requests_to(Endpoint::CreatePost).is_empty()
            })
            .await;
            let bot = format!("/api/v1/bots/{}", scene.bot_id);
            assert_eq!(scene.admin.delete(&bot).await.status, 204);
        })
        .await;
    assert_eq!(scene.texts(), ["first"]);
    let open = "SELECT count(*) FROM posts WHERE state <> 'cancelled'";
    assert_eq!(scene.app.number(open), 0);
    for action in ["post.part_published", "post.cancelled"] {
        let audited = format!("SELECT count(*) FROM audit_log WHERE action = '{action}'");
        assert_eq!(scene.app.number(&audited), 1, "{action}");
    }
    assert_eq!(scene.app.run_job("publish").await["remaining"], 0);
}

//! What stops a bot rather than a post: credits, locks, limits, its place in the order.

use serde_json::json;
use vivesphere_tests::app::App;
use vivesphere_tests::fake_x::{Endpoint, FakeX, Fault, Settings, UserChange};

use crate::publishing::{Scene, outcomes};

#[tokio::test]
async fn what_only_a_person_can_mend_pauses_the_bot_and_says_so() {
    let scene = Scene::start().await;
    for (fault, code) in [
        (Fault::CreditsDepleted { older: false }, "credits_depleted"),
        (Fault::CreditsDepleted { older: true }, "credits_depleted"),
        (Fault::AccountLocked, "account_locked"),
        (Fault::AccountSuspended, "account_suspended"),
        (Fault::ClientForbidden, "client_forbidden"),
        (Fault::UsageCapped, "usage_capped"),
    ] {
        let text = format!("after {fault:?}");
        scene.fake.fault_next(Endpoint::CreatePost, 1, fault);
        let post_id = scene.schedule(&text).await;
        scene.app.run_job("publish").await;
        let bot = scene.bot().await;
        assert_eq!(
            (&bot["status"], &bot["status_code"]),
            (&json!("paused"), &json!(code)),
            "{bot}"
        );
        assert!(!bot["status_detail"].as_str().unwrap().is_empty());
        let post = scene.post(&post_id).await;
        assert_eq!(post["state"], "scheduled", "{code}");
        assert_eq!(outcomes(&post), ["refused"]);
        // Nothing is tried while it is paused.
        assert_eq!(scene.app.run_job("publish").await["claimed"], 0);
        let resume = format!("/api/v1/bots/{}/resume", scene.bot_id);
        scene.admin.post_nothing(&resume).await.json(200);
        assert_eq!(scene.settle(&post_id).await["state"], "published", "{code}");
        assert_eq!(scene.texts().last(), Some(&text));
    }
}

#[tokio::test]
async fn an_account_that_is_locked_stays_paused_until_it_is_not() {
    let scene = Scene::start().await;
    let lock = |locked| UserChange {
        locked: Some(locked),
        ..UserChange::default()
    };
    assert!(scene.fake.change_user(&scene.account.user_id, &lock(true)));
    let post_id = scene.schedule("behind the lock").await;
    let resume = format!("/api/v1/bots/{}/resume", scene.bot_id);
    for _ in 0..2 {
        scene.app.run_job("publish").await;
        assert_eq!(scene.bot().await["status_code"], "account_locked");
        scene.admin.post_nothing(&resume).await.json(200);
    }
    assert!(scene.fake.change_user(&scene.account.user_id, &lock(false)));
    assert_eq!(scene.settle(&post_id).await["state"], "published");
    assert_eq!(scene.texts(), ["behind the lock"]);
}

#[tokio::test]
async fn a_rate_limit_makes_the_bot_wait_and_spends_no_attempt() {
    let fake = FakeX::start().await;
    let (ann, bob) = (fake.add_user("ann"), fake.add_user("bob"));
    let app = App::builder()
        .x(&fake)
        .variable("publish_max_attempts", 1)
        .start()
        .await;
    let admin = app.admin().await;
    let (of_ann, of_bob) = (app.bot(&admin, &ann).await, app.bot(&admin, &bob).await);
    fake.fault(vivesphere_tests::fake_x::FaultRule {
        endpoint: Some(Endpoint::CreatePost),
        user_id: Some(ann.user_id.clone()),
        fault: Fault::RateLimited {
            reset_after: Some(3),
            legacy: false,
        },
        when: vivesphere_tests::fake_x::When::Next { times: 1, skip: 0 },
    });
    let waiting = admin
        .schedule(&of_ann, &json!({"text": "has to wait"}))
        .await;
    let behind = admin.schedule(&of_ann, &json!({"text": "behind it"})).await;
    let other = admin.schedule(&of_bob, &json!({"text": "goes on"})).await;
    let started = std::time::Instant::now();
    app.run_job("publish").await;
    let post = admin
        .get(&format!("/api/v1/posts/{waiting}"))
        .await
        .json(200);
    assert_eq!(post["state"], "scheduled", "{post:#}");
    assert_eq!(outcomes(&post), ["deferred"]);
    assert_eq!(post["attempts"][0]["http_status"], 429);
    assert!(fake.posts_of(&ann.user_id).is_empty());
    app.publish_until(&admin, &other, &["published"]).await;
    // With its only attempt unspent it is sent once the window is over, and not before.
    app.publish_until(&admin, &behind, &["published"]).await;
    assert!(
        started.elapsed().as_millis() >= 2_000,
        "{:?}",
        started.elapsed()
    );
    let texts: Vec<String> = fake
        .posts_of(&ann.user_id)
        .into_iter()
        .map(|post| post.text)
        .collect();
    assert_eq!(texts, ["has to wait", "behind it"]);
}

#[tokio::test]
async fn a_limit_without_a_reset_time_is_waited_out_too() {
    let scene = Scene::start().await;
    for legacy in [false, true] {
        scene.fake.fault_next(
            Endpoint::CreatePost,
            1,
            Fault::RateLimited {
                reset_after: None,
                legacy,
            },
        );
        let post_id = scene.schedule(&format!("legacy {legacy}")).await;
        scene.app.run_job("publish").await;
        let post = scene.post(&post_id).await;
        assert_eq!(outcomes(&post), ["deferred"]);
        let next = post["next_attempt_at"].as_str().unwrap();
        let next = chrono::DateTime::parse_from_rfc3339(next).unwrap();
        let minutes = (next.to_utc() - chrono::Utc::now()).num_minutes();
        assert!((13..=16).contains(&minutes), "{minutes} minutes");
        assert_eq!(scene.settle(&post_id).await["state"], "published");
    }
}

#[tokio::test]
async fn a_bots_posts_go_out_one_by_one_in_their_order() {
    let scene = Scene::start().await;
    let texts: Vec<String> = (0..8).map(|number| format!("number {number}")).collect();
    let mut last = String::new();
    for text in &texts {
        last = scene.schedule(text).await;
    }
    // The third is in doubt, the fifth has to be tried again: the others wait for them.
    for (skip, fault) in [
        (2, Fault::CutAfter),
        (
            4,
            Fault::ErrorBefore {
                status: 500,
                html: false,
            },
        ),
    ] {
        scene.fake.fault(vivesphere_tests::fake_x::FaultRule {
            endpoint: Some(Endpoint::CreatePost),
            user_id: None,
            fault,
            when: vivesphere_tests::fake_x::When::Next { times: 1, skip },
        });
    }
    scene.settle(&last).await;
    assert_eq!(scene.texts(), texts);
}

#[tokio::test]
async fn a_post_that_fails_for_good_does_not_hold_up_the_next() {
    let scene = Scene::start().await;
    scene
        .fake
        .fault_next(Endpoint::CreatePost, 1, Fault::InvalidRequest);
    let failing = scene.schedule("not accepted").await;
    let next = scene.schedule("accepted").await;
    assert_eq!(scene.settle(&next).await["state"], "published");
    assert_eq!(scene.post(&failing).await["state"], "failed");
    assert_eq!(scene.texts(), ["accepted"]);
}

#[tokio::test]
async fn no_more_than_the_daily_limit_goes_out_in_a_day() {
    let scene = Scene::start().await;
    let bot = format!("/api/v1/bots/{}", scene.bot_id);
    let limit = json!({"daily_post_limit": 3});
    scene.admin.patch(&bot, &limit).await.json(200);
    let mut posts = Vec::new();
    for number in 0..5 {
        posts.push(scene.schedule(&format!("number {number}")).await);
    }
    for _ in 0..3 {
        scene.app.run_job("publish").await;
    }
    assert_eq!(scene.texts().len(), 3);
    let post = scene.post(&posts[3]).await;
    assert_eq!(post["state"], "scheduled", "{post:#}");
    assert_eq!(outcomes(&post), ["deferred"]);
    assert_eq!(post["attempts"][0]["code"], "daily_post_limit");
    let next = chrono::DateTime::parse_from_rfc3339(post["next_attempt_at"].as_str().unwrap());
    let hours = (next.unwrap().to_utc() - chrono::Utc::now()).num_hours();
    assert!((23..=24).contains(&hours), "{hours} hours");
    // A day later.
    scene
        .app
        .database()
        .execute(
            "UPDATE post_metrics SET published_at = published_at - 86400000",
            [],
        )
        .unwrap();
    assert_eq!(scene.settle(&posts[4]).await["state"], "published");
    assert_eq!(scene.texts().len(), 5);
}

#[tokio::test]
async fn bots_do_not_wait_for_each_other() {
    let settings = Settings {
        delay_ms: 400,
        ..Settings::unlimited()
    };
    let options = vivesphere_tests::fake_x::Options {
        settings,
        ..Default::default()
    };
    let fake = FakeX::start_with(options).await.unwrap();
    let app = App::start_with(&fake).await;
    let admin = app.admin().await;
    for number in 0..10 {
        let account = fake.add_user(&format!("account_{number}"));
        let bot_id = app.bot(&admin, &account).await;
        admin
            .schedule(&bot_id, &json!({"text": "at the same time"}))
            .await;
    }
    let started = std::time::Instant::now();
    let done = app.run_job("publish").await;
    assert_eq!(done["published"], 10, "{done}");
    // Each needs two calls of 400 ms: one after the other that would be 8 seconds.
    assert!(
        started.elapsed().as_millis() < 4_000,
        "{:?}",
        started.elapsed()
    );
}

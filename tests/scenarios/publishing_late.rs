//! A worker that comes back after its lease went to another: what it says then changes nothing, and
//! nothing is posted twice.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinHandle;
use vivesphere_tests::app::App;
use vivesphere_tests::fake_x::{Endpoint, FakeX, Fault};

use crate::publishing::{Scene, outcomes};

/// One bot at an X that may keep us waiting for as long as it likes.
async fn patient() -> Scene {
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let app = App::builder()
        .x(&fake)
        .variable("x_request_timeout_seconds", 60)
        .start()
        .await;
    let admin = app.admin().await;
    let bot_id = app.bot(&admin, &account).await;
    Scene {
        fake,
        account,
        app,
        admin,
        bot_id,
    }
}

/// A worker that X keeps waiting, as the one of so many; its job's answer comes when it is let go.
async fn held_worker(scene: &Scene, held: usize) -> JoinHandle<Value> {
    let service = scene.app.service();
    let worker = tokio::spawn(async move {
        let path = "/api/v1/jobs/publish/run?budget_seconds=5";
        service.post_nothing(path).await.json(200)
    });
    let end = Instant::now() + Duration::from_secs(30);
    while scene.fake.held() < held {
        assert!(Instant::now() < end, "no call is held");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    worker
}

/// Its lease has run out, and so has the time that others leave it to come back.
async fn another_takes_over(scene: &Scene) {
    let database = scene.app.database();
    let expired = "UPDATE posts SET leased_until = 0 WHERE state = 'publishing'";
    assert_eq!(database.execute(expired, []).unwrap(), 1);
    scene.app.run_job("publish").await;
    let in_doubt = "UPDATE posts SET next_attempt_at = 0 WHERE state = 'outcome_unknown'";
    assert_eq!(database.execute(in_doubt, []).unwrap(), 1);
}

/// The post, what is counted of it, and what its account's posts are.
async fn everything(scene: &Scene, post_id: &str) -> (Value, i64, Value, Vec<String>) {
    let mut post = scene.post(post_id).await;
    // What became of each call is history, and the late one belongs to it.
    post.as_object_mut().unwrap().remove("attempts");
    let measured = scene.app.number("SELECT count(*) FROM post_metrics");
    let mut bot = scene.bot().await;
    // Each refresh and each call may be noted there; what a person reads may not change.
    bot.as_object_mut().unwrap().remove("updated_at");
    (post, measured, bot, scene.texts())
}

#[tokio::test]
async fn a_late_success_is_not_written_over_what_the_next_worker_found() {
    let scene = patient().await;
    scene
        .fake
        .fault_next(Endpoint::CreatePost, 1, Fault::HeldAfter);
    let post_id = scene.schedule("sent before the lease ended").await;
    let late = held_worker(&scene, 1).await;
    another_takes_over(&scene).await;
    let post = scene.settle(&post_id).await;
    assert_eq!(post["state"], "published", "{post:#}");
    assert_eq!(outcomes(&post), ["unknown"]);
    let before = everything(&scene, &post_id).await;

    scene.fake.let_go();
    late.await.unwrap();
    assert_eq!(everything(&scene, &post_id).await, before);
    assert_eq!(scene.texts(), ["sent before the lease ended"]);
    assert_eq!(scene.fake.counts()[&Endpoint::CreatePost], 1);
}

#[tokio::test]
async fn a_late_refusal_does_not_take_back_what_the_next_worker_sent() {
    let scene = patient().await;
    // The first call reaches X only after the second worker has sent the post: X refuses it then.
    scene
        .fake
        .fault_next(Endpoint::CreatePost, 1, Fault::HeldBefore);
    let post_id = scene.schedule("sent by the second").await;
    let late = held_worker(&scene, 1).await;
    another_takes_over(&scene).await;
    let post = scene.settle(&post_id).await;
    assert_eq!(post["state"], "published", "{post:#}");
    let before = everything(&scene, &post_id).await;

    scene.fake.let_go();
    late.await.unwrap();
    let post = scene.post(&post_id).await;
    assert_eq!(outcomes(&post), ["refused", "sent"], "{post:#}");
    assert_eq!(everything(&scene, &post_id).await, before);
    // The publisher goes on, and finds nothing to do about it.
    scene.app.run_job("publish").await;
    assert_eq!(everything(&scene, &post_id).await, before);
    assert_eq!(scene.texts(), ["sent by the second"]);
}

#[tokio::test]
async fn a_late_answer_does_not_bring_back_what_a_person_withdrew() {
    let scene = patient().await;
    scene
        .fake
        .fault_next(Endpoint::CreatePost, 1, Fault::HeldBefore);
    let post_id = scene.schedule("withdrawn").await;
    let late = held_worker(&scene, 1).await;
    another_takes_over(&scene).await;
    // It is not on X, so it waits to be sent again: time enough to withdraw it.
    scene.app.run_job("publish").await;
    let path = format!("/api/v1/posts/{post_id}");
    let cancelled = scene.admin.post_nothing(&format!("{path}/cancel")).await;
    assert_eq!(cancelled.json(200)["state"], "cancelled");
    let (before, measured, ..) = everything(&scene, &post_id).await;

    // The call of the first worker is refused for good when it reaches X at last.
    scene
        .fake
        .configure(|settings| settings.max_weighted_length = 1);
    scene.fake.let_go();
    late.await.unwrap();
    let (post, still_measured, ..) = everything(&scene, &post_id).await;
    assert_eq!((post, still_measured), (before, measured));
    scene.app.run_job("publish").await;
    assert_eq!(scene.post(&post_id).await["state"], "cancelled");
    assert!(scene.texts().is_empty());
}

#[tokio::test]
async fn a_late_refusal_does_not_end_a_call_that_another_has_under_way() {
    let scene = patient().await;
    for fault in [Fault::HeldBefore, Fault::HeldAfter] {
        scene.fake.fault_next(Endpoint::CreatePost, 1, fault);
    }
    let post_id = scene.schedule("under way twice").await;
    let late = held_worker(&scene, 1).await;
    another_takes_over(&scene).await;
    // It is not there, and so is sent again; X has it, and keeps the second worker waiting.
    scene.app.run_job("publish").await;
    scene.app.let_backoffs_pass();
    let second = held_worker(&scene, 2).await;
    let before = everything(&scene, &post_id).await;
    assert_eq!(before.0["state"], "publishing", "{:#}", before.0);

    // X refuses the first worker's call for good: the post would have failed.
    scene
        .fake
        .configure(|settings| settings.max_weighted_length = 1);
    scene.fake.let_first_go();
    late.await.unwrap();
    assert_eq!(everything(&scene, &post_id).await, before);
    scene.fake.let_go();
    second.await.unwrap();
    let post = scene.post(&post_id).await;
    assert_eq!(post["state"], "published", "{post:#}");
    assert_eq!(scene.texts(), ["under way twice"]);
}

#[tokio::test]
async fn who_looked_too_early_does_not_have_a_post_sent_again() {
    let scene = patient().await;
    scene.fake.configure(|settings| {
        settings.refuse_duplicates = false;
        settings.timeline_lag_ms = 3_600_000;
    });
    scene
        .fake
        .fault_next(Endpoint::CreatePost, 1, Fault::CutAfter);
    scene
        .fake
        .fault_next(Endpoint::UserPosts, 2, Fault::HeldAfter);
    let post_id = scene.schedule("there, but not to be seen").await;
    scene.app.run_job("publish").await;
    assert_eq!(outcomes(&scene.post(&post_id).await), ["unknown"]);
    // A worker looks before the timeline shows the post, and is long in coming back.
    let late = held_worker(&scene, 1).await;
    scene
        .fake
        .configure(|settings| settings.timeline_lag_ms = 0);
    let expired = "UPDATE posts SET leased_until = 0 WHERE state = 'outcome_unknown'";
    assert_eq!(scene.app.database().execute(expired, []).unwrap(), 1);
    let second = held_worker(&scene, 2).await;
    let before = everything(&scene, &post_id).await;

    scene.fake.let_first_go();
    late.await.unwrap();
    assert_eq!(everything(&scene, &post_id).await, before);
    scene.fake.let_go();
    second.await.unwrap();
    assert_eq!(scene.settle(&post_id).await["state"], "published");
    assert_eq!(scene.texts(), ["there, but not to be seen"]);
    assert_eq!(scene.fake.counts()[&Endpoint::CreatePost], 1);
}

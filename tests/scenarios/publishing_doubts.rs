//! Posts of which nobody knows whether X has them: each ends as what it really is.

use serde_json::{Value, json};
use vivesphere_tests::fake_x::caller::Caller;
use vivesphere_tests::fake_x::{Endpoint, Fault};

use crate::publishing::{Scene, outcomes};

/// A post whose call was answered with this fault; it is in doubt, and nobody looks for it any more.
async fn given_up(scene: &Scene, text: &str, fault: Fault) -> String {
    scene.fake.fault_next(Endpoint::CreatePost, 1, fault);
    let post_id = scene.schedule(text).await;
    scene.app.run_job("publish").await;
    let post = scene.post(&post_id).await;
    assert_eq!(outcomes(&post), ["unknown"], "{post:#}");
    let given_up = "UPDATE posts SET next_attempt_at = NULL, state = 'outcome_unknown',
        failure_code = 'reconcile_failed' WHERE post_id = ?";
    scene.app.database().execute(given_up, [&post_id]).unwrap();
    post_id
}

async fn retry(scene: &Scene, post_id: &str) -> Value {
    let path = format!("/api/v1/posts/{post_id}/retry");
    scene.admin.post_nothing(&path).await.json(200)
}

#[tokio::test]
async fn a_retry_does_not_look_before_the_post_can_be_seen() {
    let scene = Scene::start().await;
    let post_id = given_up(&scene, "sent, and not to be seen yet", Fault::CutAfter).await;
    let later = scene
        .app
        .number("SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) + 600000");
    let waits = "UPDATE posts SET next_attempt_at = ?, failure_code = NULL WHERE post_id = ?";
    let database = scene.app.database();
    database.execute(waits, (later, &post_id)).unwrap();
    retry(&scene, &post_id).await;
    let kept = format!("SELECT next_attempt_at FROM posts WHERE post_id = '{post_id}'");
    assert_eq!(scene.app.number(&kept), later);
    // One that nobody looks for any more is looked for now.
    let given_up = "UPDATE posts SET next_attempt_at = NULL WHERE post_id = ?";
    database.execute(given_up, [&post_id]).unwrap();
    retry(&scene, &post_id).await;
    assert_eq!(scene.settle(&post_id).await["state"], "published");
    assert_eq!(scene.texts(), ["sent, and not to be seen yet"]);
}

#[tokio::test]
async fn two_that_say_the_same_are_not_found_in_one_and_the_same_post() {
    let scene = Scene::start().await;
    scene
        .fake
        .configure(|settings| settings.refuse_duplicates = false);
    let first = given_up(&scene, "the same", Fault::CutAfter).await;
    let second = given_up(&scene, "the same", Fault::CutBefore).await;
    retry(&scene, &first).await;
    retry(&scene, &second).await;
    let first = scene.settle(&first).await;
    let second = scene.settle(&second).await;
    assert_eq!(first["state"], "published", "{first:#}");
    assert_eq!(second["state"], "published", "{second:#}");
    assert_ne!(first["x_post_id"], second["x_post_id"]);
    assert_eq!(scene.texts(), ["the same", "the same"]);
}

#[tokio::test]
async fn a_reply_that_a_person_wrote_is_not_the_bots_post() {
    let scene = Scene::start().await;
    let x = Caller::of(&scene.fake);
    let token = &scene.account.access_token;
    let (_, question) = x.post(token, "Did you like it?").await;
    let reply = json!({"text": "Thank you all!",
        "reply": {"in_reply_to_tweet_id": question["data"]["id"]}});
    let answer = x.try_post(token, &reply).await.unwrap();
    assert_eq!(answer.status(), 201);
    scene
        .fake
        .configure(|settings| settings.refuse_duplicates = false);
    scene
        .fake
        .fault_next(Endpoint::CreatePost, 1, Fault::CutBefore);
    let post_id = scene.schedule("Thank you all!").await;
    let post = scene.settle(&post_id).await;
    assert_eq!(post["state"], "published", "{post:#}");
    let there = scene.fake.posts_of(&scene.account.user_id);
    let own: Vec<_> = there
        .iter()
        .filter(|post| post.text == "Thank you all!" && post.in_reply_to.is_none())
        .collect();
    assert_eq!(own.len(), 1, "{there:?}");
    assert_eq!(post["x_post_id"], own[0].id.as_str());
}

#[tokio::test]
async fn a_post_that_was_found_counts_towards_the_days_limit() {
    let scene = Scene::start().await;
    let bot = format!("/api/v1/bots/{}", scene.bot_id);
    let limit = json!({"daily_post_limit": 1});
    scene.admin.patch(&bot, &limit).await.json(200);
    scene
        .fake
        .fault_next(Endpoint::CreatePost, 1, Fault::CutAfter);
    let first = scene.schedule("the only one today").await;
    assert_eq!(scene.settle(&first).await["state"], "published");
    let second = scene.schedule("for tomorrow").await;
    scene.app.run_job("publish").await;
    let second = scene.post(&second).await;
    assert_eq!(second["state"], "scheduled", "{second:#}");
    assert_eq!(second["attempts"][0]["code"], "daily_post_limit");
    assert_eq!(scene.texts(), ["the only one today"]);
}

#[tokio::test]
async fn a_limit_of_the_timeline_is_waited_for() {
    let scene = Scene::start().await;
    let post_id = given_up(&scene, "behind a limit", Fault::CutAfter).await;
    let limited = Fault::RateLimited {
        reset_after: Some(600),
        legacy: false,
    };
    scene.fake.fault_next(Endpoint::UserPosts, 1, limited);
    retry(&scene, &post_id).await;
    scene.app.run_job("publish").await;
    let wait = format!(
        "SELECT (next_attempt_at - CAST(unixepoch('subsec') * 1000 AS INTEGER)) / 1000
         FROM posts WHERE post_id = '{post_id}'"
    );
    assert!((500..700).contains(&scene.app.number(&wait)));
}

#[tokio::test]
async fn a_reset_that_has_passed_by_our_clock_is_waited_for_all_the_same() {
    let scene = Scene::start().await;
    let limited = Fault::RateLimited {
        reset_after: Some(-30),
        legacy: false,
    };
    scene
        .fake
        .fault_by_chance(Endpoint::CreatePost, 1.0, limited);
    let post_id = scene.schedule("not in a hurry").await;
    scene.app.run_job("publish").await;
    assert!(outcomes(&scene.post(&post_id).await).len() <= 2);
    assert!(scene.fake.requests_to(Endpoint::CreatePost).len() <= 2);
    scene.fake.clear_faults();
    assert_eq!(scene.settle(&post_id).await["state"], "published");
}

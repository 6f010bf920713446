//! When an approval must be given, by when, and what becomes of a post when nobody gives it.

use chrono::Utc;
use serde_json::{Value, json};

use crate::approvals::{LATER, Scene, act, act_on, id, time};
use crate::config::{felt, set};

#[tokio::test]
async fn what_nobody_decides_in_time_is_a_draft_again() {
    let scene = Scene::start().await;
    let (late, later) = (scene.asked("late").await, scene.asked("in time").await);
    scene.let_pass(&late, 86_390);
    assert_eq!(scene.app.run_job("publish").await["expired"], 0);
    scene.let_pass(&late, 10);
    // The deadline holds also before a worker has come by.
    let before = scene.post(&late).await;
    scene.approve(&late).await.problem(409, "approval_expired");
    assert_eq!(scene.post(&late).await, before);
    let run = scene.app.run_job("publish").await;
    assert_eq!((&run["expired"], &run["claimed"]), (&json!(1), &json!(0)));
    assert_eq!(scene.app.run_job("publish").await["expired"], 0);
    let expired = scene.post(&late).await;
    assert_eq!(expired["state"], "draft");
    assert_eq!(expired["failure_code"], "approval_expired");
    assert!(expired["failure_detail"].is_string());
    assert_eq!(expired["version"], 2);
    let answer = scene.approve(&late).await;
    answer.problem(409, "not_awaiting_approval");
    assert_eq!(scene.post(&later).await["state"], "awaiting_approval");

    let again = act(&scene.author, &late, "submit").await.json(200);
    let left = time(&again["approval_due_at"]) - Utc::now();
    assert!(left.num_seconds() > 86_300, "{left}");
    scene.approve(&late).await.json(200);
    let app = &scene.app;
    app.publish_until(&scene.author, &late, &["published"])
        .await;
    assert_eq!(scene.texts(), ["late"]);
    let trail = scene.trail(&late);
    assert_eq!(trail[..2], ["post.submitted", "post.approval_expired"]);
    let by_service = "SELECT count(*) FROM audit_log
        WHERE action = 'post.approval_expired' AND actor_kind = 'service'";
    assert_eq!(app.number(by_service), 1);

    // Sent back after its time, it says more than that nobody looked.
    scene.let_pass(&later, 86_400);
    let rejected = scene.reject(&later, "not this week").await.json(200);
    assert_eq!(rejected["failure_code"], "approval_rejected");
}

#[tokio::test]
async fn many_that_are_overdue_are_all_given_up() {
    let scene = Scene::start().await;
    let post_id = scene.asked("one of many").await;
    scene.let_pass(&post_id, 86_400);
    scene
        .app
        .database()
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 450)
             INSERT INTO posts (post_id, bot_id, created_by, state, requires_approval,
                scheduled_at, approval_requested_at, created_at, updated_at)
             SELECT format('01890000-0000-7000-8000-%012d', i), bot_id, created_by, state, 1,
                scheduled_at, approval_requested_at, created_at, updated_at FROM posts, n;",
        )
        .unwrap();
    assert_eq!(scene.app.run_job("publish").await["expired"], 451);
    let audited = "SELECT count(*) FROM audit_log WHERE action = 'post.approval_expired'";
    assert_eq!(scene.app.number(audited), 451);
}

#[tokio::test]
async fn another_deadline_holds_within_five_seconds() {
    let scene = Scene::start().await;
    let (one, two) = (scene.asked("one").await, scene.asked("two").await);
    for post_id in [&one, &two] {
        scene.let_pass(post_id, 100);
    }
    assert_eq!(scene.app.run_job("publish").await["expired"], 0);
    let asked = scene.post(&one).await;
    let deadline = async |seconds: i64| {
        let settings = json!({"approval_deadline_seconds": seconds});
        set(&scene.admin, "posts", settings).await;
    };
    deadline(60).await;
    felt("the deadline of what is shown", async || {
        let due = time(&scene.post(&one).await["approval_due_at"]);
        (time(&asked["approval_due_at"]) - due).num_seconds() == 86_340
    })
    .await;
    scene.approve(&one).await.problem(409, "approval_expired");
    deadline(3_600).await;
    felt("a longer deadline", async || {
        act_on(&scene.reviewer, &one, "approve", 1).await.status == 200
    })
    .await;
    deadline(60).await;
    felt("the worker's deadline", async || {
        scene.app.run_job("publish").await;
        scene.post(&two).await["state"] == "draft"
    })
    .await;
}

#[tokio::test]
async fn where_every_post_must_be_approved_none_goes_around_it() {
    let scene = Scene::start().await;
    let plain = json!({"text": "plain", "scheduled_at": LATER});
    let older = id(&scene.try_new(&plain).await.json(201));
    let required = async |value: Value| {
        let settings = json!({"approval_required": value});
        set(&scene.admin, "posts", settings).await;
    };
    required(json!(true)).await;
    let now = json!({"text": "now", "scheduled_at": LATER, "requires_approval": false});
    felt("that approval is required", async || {
        scene.try_new(&now).await.status == 422
    })
    .await;
    assert_eq!(scene.try_new(&now).await.pointer(), "/requires_approval");
    let post = scene.try_new(&plain).await.json(201);
    assert_eq!(post["state"], "awaiting_approval");
    assert_eq!(post["requires_approval"], true);
    let post_id = scene.asked("asked for anyway").await;

    // What was scheduled before stays so until it says something else.
    assert_eq!(scene.post(&older).await["state"], "scheduled");
    let path = format!("/api/v1/posts/{older}");
    let around = json!({"text": "unseen", "requires_approval": false});
    let answer = scene.author.patch(&path, &around).await;
    assert_eq!(answer.pointer(), "/requires_approval");
    let changed = scene.edit(&older, json!({"text": "unseen"})).await;
    assert_eq!(changed["state"], "awaiting_approval");
    assert_eq!(changed["requires_approval"], true);

    required(Value::Null).await;
    felt("that approval is not required", async || {
        scene.try_new(&now).await.status == 201
    })
    .await;
    let post = scene.try_new(&plain).await.json(201);
    assert_eq!(
        (&post["state"], &post["requires_approval"]),
        (&json!("scheduled"), &json!(false))
    );
    // What was asked for under the other rule still is.
    assert_eq!(scene.post(&post_id).await["state"], "awaiting_approval");
}

#[tokio::test]
async fn a_draft_that_needs_no_approval_is_scheduled_when_it_is_submitted() {
    let scene = Scene::start().await;
    let post = json!({"text": "plain", "scheduled_at": LATER});
    let post_id = id(&scene.try_new(&post).await.json(201));
    let changed = scene.app.database().execute(
        "UPDATE posts SET state = 'draft', scheduled_at = 1, next_attempt_at = NULL
         WHERE post_id = ?",
        [&post_id],
    );
    assert_eq!(changed.unwrap(), 1);
    let submitted = act(&scene.author, &post_id, "submit").await.json(200);
    assert_eq!(submitted["state"], "scheduled");
    let app = &scene.app;
    app.publish_until(&scene.author, &post_id, &["published"])
        .await;
    assert_eq!(scene.texts(), ["plain"]);
}

#[tokio::test]
async fn the_publisher_takes_nothing_that_lacks_its_approval() {
    let scene = Scene::start().await;
    let post_id = scene.asked("forged").await;
    let state = |sql: &str| {
        let sql = format!("UPDATE posts SET {sql} WHERE post_id = ?");
        let changed = scene.app.database().execute(&sql, [&post_id]);
        assert_eq!(changed.unwrap(), 1);
    };
    state("next_attempt_at = 0");
    assert_eq!(scene.app.run_job("publish").await["claimed"], 0);
    // Not even when a row says that it is scheduled, which no call can bring about.
    state("state = 'scheduled'");
    assert_eq!(scene.app.run_job("publish").await["claimed"], 0);
    assert!(scene.texts().is_empty());
    state("state = 'awaiting_approval'");
    scene.approve(&post_id).await.json(200);
    let app = &scene.app;
    app.publish_until(&scene.author, &post_id, &["published"])
        .await;
    assert_eq!(scene.texts(), ["forged"]);
}

//! Health: alive means alive, ready means that posts go out.

use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::fake_x::FakeX;

use crate::publishing::Scene;

/// The hour in so many hours, in UTC.
fn hour(hours: i64) -> String {
    let then = chrono::Utc::now() + chrono::TimeDelta::hours(hours);
    then.format("%H:00").to_string()
}

#[tokio::test]
async fn it_is_ready_while_work_is_done_and_says_when_it_is_not() {
    let scene = Scene::start().await;
    let (app, anonymous) = (&scene.app, scene.app.anonymous());
    let alive = anonymous.get("/api/v1/health").await.json(200);
    assert_eq!(alive["status"], "ok");
    app.run_job("publish").await;
    let ready = anonymous.get("/api/v1/health/ready").await.json(200);
    assert_eq!(ready["status"], "ready");
    assert_eq!(ready["database_writable"], true);
    assert!(ready["oldest_due_post_seconds"].is_null());
    let claim = ready["seconds_since_last_claim"]["publish"]
        .as_i64()
        .unwrap();
    assert!((0..=10).contains(&claim));

    // A post that has been due for an hour, and a publisher that has not looked since.
    let post_id = scene.schedule("forgotten").await;
    app.database()
        .execute_batch(
            "UPDATE posts SET next_attempt_at = next_attempt_at - 3600000;
             UPDATE worker_claims SET claimed_at = claimed_at - 3600000;",
        )
        .unwrap();
    let answer = anonymous.get("/api/v1/health/ready").await;
    let ready = answer.json(503);
    assert_eq!(ready["status"], "not_ready");
    assert!((3600..=3700).contains(&ready["oldest_due_post_seconds"].as_i64().unwrap()));
    assert!(
        ready["seconds_since_last_claim"]["publish"]
            .as_i64()
            .unwrap()
            >= 3600
    );
    // Alive it is all the same, and ready again once the post is out.
    anonymous.get("/api/v1/health").await.json(200);
    scene.settle(&post_id).await;
    anonymous.get("/api/v1/health/ready").await.json(200);

    // While posts may not go out, and in the first minutes after, nobody is late.
    let windows = |hours: Value| {
        json!({"settings_data": {"service_name": "publisher",
            "settings": {"publishing_windows": hours}}})
    };
    let update = "/api/v1/config/update";
    let hours = json!([{"from": hour(2), "to": hour(3)}]);
    scene.admin.post(update, &windows(hours)).await.json(200);
    let waits = scene.schedule("for its hours").await;
    let overdue = "UPDATE posts SET next_attempt_at = next_attempt_at - 3600000
        WHERE state = 'scheduled'";
    app.database().execute(overdue, []).unwrap();
    // What an instance knows of the settings is two seconds old at most.
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    app.run_job("publish").await;
    assert_eq!(scene.post(&waits).await["state"], "scheduled");
    let asleep = "UPDATE worker_claims SET claimed_at = claimed_at - 3600000";
    app.database().execute(asleep, []).unwrap();
    anonymous.get("/api/v1/health/ready").await.json(200);
    let metrics = app.service().get("/api/v1/metrics").await.text;
    let oldest = "\nvivesphere_posts_due_oldest_seconds 0\n";
    assert!(metrics.contains(oldest), "{metrics}");
    scene
        .admin
        .post(update, &windows(json!([])))
        .await
        .json(200);
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    anonymous.get("/api/v1/health/ready").await.json(503);
    scene.settle(&waits).await;

    // A paused bot's posts are its owner's matter, not the deployment's.
    let pause = format!("/api/v1/bots/{}/pause", scene.bot_id);
    scene.admin.post_nothing(&pause).await.json(200);
    scene.schedule("behind the pause").await;
    app.database()
        .execute(
            "UPDATE posts SET next_attempt_at = next_attempt_at - 3600000",
            [],
        )
        .unwrap();
    anonymous.get("/api/v1/health/ready").await.json(200);
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_not_ready() {
    let app = App::start().await;
    let anonymous = app.anonymous();
    anonymous.get("/api/v1/health/ready").await.json(200);
    let database = app.database();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = anonymous.get("/api/v1/health/ready").await;
    answer.problem(503, "storage_unavailable");
    database.execute_batch("ROLLBACK").unwrap();
    anonymous.get("/api/v1/health/ready").await.json(200);
}

#[tokio::test]
async fn the_details_are_for_those_who_may_see_them() {
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let app = App::start_with(&fake).await;
    let admin = app.admin().await;
    let bot_id = app.bot(&admin, &account).await;
    admin.schedule(&bot_id, &json!({"text": "counted"})).await;
    let detailed = admin.get("/api/v1/health/detailed").await.json(200);
    assert_eq!(detailed["posts"], json!({"scheduled": 1}));
    assert_eq!(detailed["bots"], json!({"active": 1}));
    assert!(detailed["version"].is_string());
    let viewer = app.user(&admin, &["viewer"]).await;
    viewer
        .get("/api/v1/health/detailed")
        .await
        .problem(403, "forbidden");
}

#[tokio::test]
async fn it_is_alive_without_a_database_and_says_that_it_is_not_ready() {
    let mut app = App::start().await;
    let anonymous = app.anonymous();
    // Nothing can be written: not even what is counted of the clients.
    app.database()
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON rate_limits
                BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END;
             CREATE TRIGGER full_again BEFORE UPDATE ON rate_limits
                BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END;",
        )
        .unwrap();
    for _ in 0..3 {
        anonymous.get("/api/v1/health").await.json(200);
    }
    // Nor can it be read.
    app.kill();
    for file in ["sqlite_db.db", "sqlite_db.db-wal", "sqlite_db.db-shm"] {
        let file = app.state_dir().join(file);
        if file.exists() {
            std::fs::write(file, "this is no database ".repeat(1000)).unwrap();
        }
    }
    app.restart().await;
    let alive = anonymous.get("/api/v1/health").await.json(200);
    assert_eq!(alive["status"], "ok");
    let ready = anonymous.get("/api/v1/health/ready").await;
    ready.problem(503, "storage_unavailable");
}

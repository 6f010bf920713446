//! Looking for a post that may be on X: what is found, what cannot be read, and when a person has to
//! decide.

use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::fake_x::caller::Caller;
use vivesphere_tests::fake_x::{Account, Endpoint, FakeX, Fault};

use crate::publishing::{Scene, outcomes};

const DOWN: Fault = Fault::ErrorBefore {
    status: 503,
    html: false,
};

/// A post that X has although its answer was lost, and that nobody could look for yet.
async fn in_doubt(scene: &Scene, text: &str) -> String {
    scene.fake.fault_by_chance(Endpoint::UserPosts, 1.0, DOWN);
    scene
        .fake
        .fault_next(Endpoint::CreatePost, 1, Fault::CutAfter);
    let post_id = scene.schedule(text).await;
    scene.app.run_job("publish").await;
    let post = scene.post(&post_id).await;
    assert_eq!(post["state"], "outcome_unknown", "{post:#}");
    scene.fake.clear_faults();
    scene.app.let_backoffs_pass();
    post_id
}

async fn act_as(scene: &Scene, account: &Account) {
    let credentials = json!({"credentials": {
        "type": "oauth2", "access_token": account.access_token,
        "refresh_token": account.refresh_token,
    }});
    let bot = format!("/api/v1/bots/{}", scene.bot_id);
    scene.admin.patch(&bot, &credentials).await.json(200);
}

async fn retry(scene: &Scene, post_id: &str) -> Value {
    let path = format!("/api/v1/posts/{post_id}/retry");
    scene.admin.post_nothing(&path).await.json(200)
}

fn texts_of(scene: &Scene, account: &Account) -> Vec<String> {
    let posts = scene.fake.posts_of(&account.user_id);
    posts.into_iter().map(|post| post.text).collect()
}

fn of_post(app: &App, what: &str, post_id: &str) -> i64 {
    app.number(&format!(
        "SELECT {what} FROM posts WHERE post_id = '{post_id}'"
    ))
}

#[tokio::test]
async fn a_text_with_a_link_to_a_picture_is_found_and_not_sent_again() {
    let scene = Scene::start().await;
    scene
        .fake
        .configure(|settings| settings.refuse_duplicates = false);
    for text in [
        "look at https://x.com/ann/status/1990000000000000001/photo/1",
        "https://twitter.com/ann/status/1990000000000000001/video/1 was it",
    ] {
        scene
            .fake
            .fault_next(Endpoint::CreatePost, 1, Fault::CutAfter);
        let post_id = scene.schedule(text).await;
        let post = scene.settle(&post_id).await;
        assert_eq!(post["state"], "published", "{post:#}");
        assert_eq!(outcomes(&post), ["unknown"]);
    }
    assert_eq!(scene.texts().len(), 2);
}

#[tokio::test]
async fn a_timeline_that_cannot_be_read_is_read_later_however_long_it_takes() {
    let scene = Scene::start().await;
    let post_id = in_doubt(&scene, "after a long outage").await;
    scene.fake.fault_by_chance(Endpoint::UserPosts, 1.0, DOWN);
    for _ in 0..12 {
        scene.app.run_job("publish").await;
        scene.app.let_backoffs_pass();
    }
    let post = scene.post(&post_id).await;
    assert_eq!(post["state"], "outcome_unknown", "{post:#}");
    assert_eq!(post["failure_code"], Value::Null, "{post:#}");
    assert!(of_post(&scene.app, "look_failures", &post_id) >= 12);
    assert_eq!(of_post(&scene.app, "reconciliations", &post_id), 0);
    scene.fake.clear_faults();
    assert_eq!(scene.settle(&post_id).await["state"], "published");
    assert_eq!(scene.texts(), ["after a long outage"]);
}

#[tokio::test]
async fn what_keeps_an_account_from_being_read_pauses_the_bot_and_the_post_waits() {
    let scene = Scene::start().await;
    let resume = format!("/api/v1/bots/{}/resume", scene.bot_id);
    for (fault, code) in [
        (Fault::CreditsDepleted { older: false }, "credits_depleted"),
        (Fault::AccountLocked, "account_locked"),
        (Fault::AccountSuspended, "account_suspended"),
        (Fault::Unauthorized, "unauthorized"),
    ] {
        let text = format!("before {code}");
        let post_id = in_doubt(&scene, &text).await;
        scene.fake.fault_by_chance(Endpoint::UserPosts, 1.0, fault);
        scene.app.run_job("publish").await;
        let bot = scene.bot().await;
        assert_eq!(
            (&bot["status"], &bot["status_code"]),
            (&json!("paused"), &json!(code)),
            "{bot}"
        );
        let post = scene.post(&post_id).await;
        assert_eq!(post["state"], "outcome_unknown", "{code}: {post:#}");
        assert!(post["next_attempt_at"].is_string(), "{code}: {post:#}");
        let before = scene.fake.requests_to(Endpoint::UserPosts).len();
        scene.app.run_job("publish").await;
        let after = scene.fake.requests_to(Endpoint::UserPosts).len();
        assert_eq!(before, after, "{code}");
        scene.fake.clear_faults();
        scene.admin.post_nothing(&resume).await.json(200);
        assert_eq!(scene.settle(&post_id).await["state"], "published", "{code}");
        assert_eq!(scene.texts().last(), Some(&text));
    }
    assert_eq!(scene.texts().len(), 4);
}

#[tokio::test]
async fn a_post_that_may_be_on_the_account_before_is_not_sent_to_the_next_unasked() {
    let scene = Scene::start().await;
    let new = scene.fake.add_user("new");
    let first = in_doubt(&scene, "on the account before").await;
    act_as(&scene, &new).await;
    scene.app.run_job("publish").await;
    let post = scene.post(&first).await;
    assert_eq!(post["state"], "outcome_unknown", "{post:#}");
    assert_eq!(post["failure_code"], "account_changed", "{post:#}");
    let audited = "SELECT count(*) FROM audit_log WHERE action = 'post.outcome_unknown'
        AND detail LIKE '%\"given_up\":true%'";
    assert_eq!(scene.app.number(audited), 1);
    // It holds up nothing.
    let next = scene.schedule("for the new one").await;
    assert_eq!(scene.settle(&next).await["state"], "published");
    assert_eq!(texts_of(&scene, &new), ["for the new one"]);
    // On the account before it is found.
    act_as(&scene, &scene.fake.grant(&scene.account.user_id)).await;
    retry(&scene, &first).await;
    let post = scene.settle(&first).await;
    assert_eq!(post["state"], "published", "{post:#}");
    assert_eq!(scene.texts(), ["on the account before"]);
    // Or a person decides that it is the new one's.
    let second = in_doubt(&scene, "on both").await;
    act_as(&scene, &scene.fake.grant(&new.user_id)).await;
    scene.app.run_job("publish").await;
    let post = scene.post(&second).await;
    assert_eq!(post["failure_code"], "account_changed", "{post:#}");
    retry(&scene, &second).await;
    let post = scene.settle(&second).await;
    assert_eq!(post["state"], "published", "{post:#}");
    assert_eq!(texts_of(&scene, &new), ["for the new one", "on both"]);
}

#[tokio::test]
async fn a_timeline_that_is_too_long_is_read_once() {
    let scene = Scene::start().await;
    let x = Caller::of(&scene.fake);
    for number in 0..12 {
        x.post(&scene.account.access_token, &format!("other {number}"))
            .await;
    }
    let post_id = in_doubt(&scene, "behind the others").await;
    for number in 12..24 {
        x.post(&scene.account.access_token, &format!("other {number}"))
            .await;
    }
    scene.fake.configure(|settings| settings.page_cap = Some(1));
    scene.app.run_job("publish").await;
    let post = scene.post(&post_id).await;
    assert_eq!(post["state"], "outcome_unknown", "{post:#}");
    assert_eq!(post["failure_code"], "timeline_too_long", "{post:#}");
    scene.fake.configure(|settings| settings.page_cap = None);
    retry(&scene, &post_id).await;
    assert_eq!(scene.settle(&post_id).await["state"], "published");
}

#[tokio::test]
async fn a_look_begins_at_the_first_call_that_x_may_have_got() {
    let scene = Scene::start().await;
    let post_id = scene.schedule("put off long ago").await;
    let put_off = "INSERT INTO attempts (post_id, number, bot_id, position, fencing_token,
            started_at, ended_at, outcome, code)
        VALUES (?, 1, ?, 0, 1, 1000, 2000, 'deferred', 'rate_limited')";
    let database = scene.app.database();
    database
        .execute(put_off, (&post_id, &scene.bot_id))
        .unwrap();
    scene
        .fake
        .fault_next(Endpoint::CreatePost, 1, Fault::CutAfter);
    assert_eq!(scene.settle(&post_id).await["state"], "published");
    let looks = scene.fake.requests_to(Endpoint::UserPosts);
    let query = &looks[0].query;
    let (_, start) = query.iter().find(|(name, _)| name == "start_time").unwrap();
    let start = chrono::DateTime::parse_from_rfc3339(start).unwrap();
    let minutes = (chrono::Utc::now() - start.to_utc()).num_minutes();
    assert!((1..=5).contains(&minutes), "{minutes} minutes");
}

#[tokio::test]
async fn a_page_of_a_proxy_refuses_no_post() {
    let scene = Scene::start().await;
    for status in [400, 404, 405] {
        let page = Fault::ErrorBefore { status, html: true };
        scene.fake.fault_next(Endpoint::CreatePost, 1, page);
        let post_id = scene.schedule(&format!("despite a {status}")).await;
        let post = scene.settle(&post_id).await;
        assert_eq!(post["state"], "published", "{post:#}");
        assert_eq!(outcomes(&post), ["unknown", "sent"], "{post:#}");
    }
    assert_eq!(scene.bot().await["status"], "active");
}

#[tokio::test]
async fn a_look_ends_before_its_lease_does() {
    let scene = Scene::start().await;
    let x = Caller::of(&scene.fake);
    let post_id = in_doubt(&scene, "behind the others").await;
    for number in 0..9 {
        x.post(&scene.account.access_token, &format!("other {number}"))
            .await;
    }
    scene.fake.configure(|settings| settings.page_cap = Some(1));
    scene
        .fake
        .fault_by_chance(Endpoint::UserPosts, 1.0, Fault::Slow { ms: 1600 });
    let failures = of_post(&scene.app, "look_failures", &post_id);
    scene.app.run_job("publish").await;
    let post = scene.post(&post_id).await;
    assert_eq!(post["state"], "outcome_unknown", "{post:#}");
    assert!(of_post(&scene.app, "look_failures", &post_id) > failures);
    scene.fake.clear_faults();
    assert_eq!(scene.settle(&post_id).await["state"], "published");
}

#[tokio::test]
async fn what_a_dead_worker_began_late_in_its_lease_is_not_looked_for_too_early() {
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let app = App::builder()
        .x(&fake)
        .variable("publish_reconcile_delay_seconds", 600)
        .start()
        .await;
    let admin = app.admin().await;
    let bot_id = app.bot(&admin, &account).await;
    let post_id = admin.schedule(&bot_id, &json!({"text": "late"})).await;
    app.database()
        .execute_batch(&format!(
            "INSERT INTO attempts (post_id, number, bot_id, position, fencing_token, started_at)
                VALUES ('{post_id}', 1, '{bot_id}', 0, 1, 1000);
             UPDATE posts SET state = 'publishing', fencing_token = 1,
                leased_until = CAST(unixepoch('subsec') * 1000 AS INTEGER) - 2000
                WHERE post_id = '{post_id}';"
        ))
        .unwrap();
    app.run_job("publish").await;
    let wait = "(next_attempt_at - CAST(unixepoch('subsec') * 1000 AS INTEGER)) / 1000";
    let seconds = of_post(&app, wait, &post_id);
    assert!((500..=600).contains(&seconds), "{seconds}");
    // Nor does a retry look too early for what has just been sent, after looks for an earlier call.
    app.database()
        .execute_batch(
            "UPDATE posts SET state = 'scheduled', next_attempt_at = 0, reconciliations = 2,
                look_failures = 3",
        )
        .unwrap();
    fake.fault_next(Endpoint::CreatePost, 1, Fault::CutAfter);
    app.run_job("publish").await;
    let retry = format!("/api/v1/posts/{post_id}/retry");
    let post = admin.post_nothing(&retry).await.json(200);
    assert_eq!(post["state"], "outcome_unknown", "{post:#}");
    let seconds = of_post(&app, wait, &post_id);
    assert!((500..=600).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn an_id_that_a_late_worker_noted_is_adopted_unless_the_text_has_changed() {
    let scene = Scene::start().await;
    let tomorrow = (chrono::Utc::now() + chrono::TimeDelta::days(1)).to_rfc3339();
    let mut posts = Vec::new();
    for text in ["sent by a late worker", "to be changed"] {
        let later = json!({"text": text, "scheduled_at": tomorrow});
        posts.push(scene.admin.schedule(&scene.bot_id, &later).await);
    }
    for (number, post_id) in posts.iter().enumerate() {
        let noted = "INSERT INTO attempts (post_id, number, bot_id, position, fencing_token,
                started_at, ended_at, outcome, code, x_post_id)
            VALUES (?, 1, ?, 0, 1, 1000, 2000, 'sent', 'created', ?)";
        let id = (1990 + number).to_string();
        let database = scene.app.database();
        database
            .execute(noted, (post_id, &scene.bot_id, &id))
            .unwrap();
    }
    let changed = json!({"text": "changed"});
    let path = format!("/api/v1/posts/{}", posts[1]);
    scene.admin.patch(&path, &changed).await.json(200);
    let due = "UPDATE posts SET scheduled_at = 1000, next_attempt_at = 1000";
    scene.app.database().execute(due, []).unwrap();
    let post = scene.settle(&posts[0]).await;
    assert_eq!(post["x_post_id"], "1990", "{post:#}");
    let post = scene.settle(&posts[1]).await;
    assert_eq!(post["state"], "published", "{post:#}");
    assert_ne!(post["x_post_id"], "1991", "{post:#}");
    assert_eq!(scene.texts(), ["changed"]);
}

#[tokio::test]
async fn while_a_post_of_the_bot_is_being_sent_no_other_is_looked_for() {
    let scene = Scene::start().await;
    let doubt = in_doubt(&scene, "the same").await;
    let sending = scene.schedule("the same").await;
    let set = |text: &str| scene.app.database().execute(text, [&sending]).unwrap();
    set("UPDATE posts SET state = 'publishing', fencing_token = 1,
            leased_until = CAST(unixepoch('subsec') * 1000 AS INTEGER) + 60000 WHERE post_id = ?");
    let before = scene.fake.requests_to(Endpoint::UserPosts).len();
    scene.app.run_job("publish").await;
    assert_eq!(scene.fake.requests_to(Endpoint::UserPosts).len(), before);
    set("UPDATE posts SET state = 'cancelled', next_attempt_at = NULL WHERE post_id = ?");
    assert_eq!(scene.settle(&doubt).await["state"], "published");
}

#[tokio::test]
async fn what_is_in_doubt_ends_with_its_bot() {
    let scene = Scene::start().await;
    let post_id = in_doubt(&scene, "nobody can look for it any more").await;
    let bot = format!("/api/v1/bots/{}", scene.bot_id);
    scene.admin.delete(&bot).await.nothing();
    let ended = "state = 'failed' AND failure_code = 'bot_deleted' AND next_attempt_at IS NULL";
    assert_eq!(of_post(&scene.app, ended, &post_id), 1);
}

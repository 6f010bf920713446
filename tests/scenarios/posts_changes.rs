//! Posts that are changed, withdrawn or tried again: until the moment of sending.

use reqwest::Method;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;
use vivesphere_tests::fake_x::{Account, Endpoint, FakeX, Fault};

async fn start() -> (FakeX, Account, App, Client, String) {
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let app = App::start_with(&fake).await;
    let admin = app.admin().await;
    let bot_id = app.bot(&admin, &account).await;
    (fake, account, app, admin, bot_id)
}

fn path(post_id: &str) -> String {
    format!("/api/v1/posts/{post_id}")
}

#[tokio::test]
async fn what_is_sent_is_the_last_version() {
    let (fake, account, app, admin, bot_id) = start().await;
    let later = json!({"text": "first words", "scheduled_at": "2099-01-01T00:00:00Z"});
    let post_id = admin.schedule(&bot_id, &later).await;
    let path = path(&post_id);
    assert_eq!(app.run_job("publish").await["claimed"], 0);
    let changed = admin
        .patch(&path, &json!({"text": "last words"}))
        .await
        .json(200);
    assert_eq!(changed["version"], 2);
    assert_eq!(changed["scheduled_at"], "2099-01-01T00:00:00.000Z");
    let stale = admin
        .patch_version(&path, 1, &json!({"text": "too late"}))
        .await;
    stale.problem(412, "stale_version");
    let now = chrono::Utc::now().to_rfc3339();
    let due = json!({"scheduled_at": now});
    admin.patch_version(&path, 2, &due).await.json(200);
    app.publish_until(&admin, &post_id, &["published"]).await;
    let posted = fake.posts_of(&account.user_id);
    assert_eq!(posted.len(), 1);
    assert_eq!(posted[0].text, "last words");

    // After that it is history.
    let edit = admin.patch(&path, &json!({"text": "other words"})).await;
    edit.problem(409, "not_editable");
    let cancel = admin.post_nothing(&format!("{path}/cancel")).await;
    cancel.problem(409, "not_cancellable");
    let retry = admin.post_nothing(&format!("{path}/retry")).await;
    retry.problem(409, "not_retryable");
}

#[tokio::test]
async fn a_post_becomes_a_thread_and_is_checked_again() {
    let (fake, account, app, admin, bot_id) = start().await;
    let later = json!({"text": "one", "scheduled_at": "2099-01-01T00:00:00Z"});
    let post_id = admin.schedule(&bot_id, &later).await;
    let path = path(&post_id);
    for (body, pointer) in [
        (json!({"text": "a".repeat(281)}), "/text"),
        (json!({"thread": ["a", ""]}), "/thread/1"),
        (
            json!({"scheduled_at": "2001-01-01T00:00:00Z"}),
            "/scheduled_at",
        ),
        (json!({"local_time": "noon"}), "/local_time"),
        (json!({"surprise": true}), "/surprise"),
    ] {
        let answer = admin.patch(&path, &body).await;
        assert_eq!(answer.pointer(), pointer, "{body}");
    }
    let unchanged = admin.get(&path).await.json(200);
    assert_eq!(
        (&unchanged["version"], &unchanged["text"]),
        (&json!(1), &json!("one"))
    );
    let now = chrono::Utc::now().to_rfc3339();
    let thread = json!({"thread": ["one", "two"], "scheduled_at": now});
    let changed = admin.patch(&path, &thread).await.json(200);
    assert_eq!(changed["thread"], json!(["one", "two"]));
    let post = app.publish_until(&admin, &post_id, &["published"]).await;
    let posted = fake.posts_of(&account.user_id);
    let texts: Vec<&str> = posted.iter().map(|post| post.text.as_str()).collect();
    assert_eq!(texts, ["one", "two"]);
    assert_eq!(
        posted[1].in_reply_to.as_deref(),
        Some(posted[0].id.as_str())
    );
    assert_eq!(post["x_post_ids"], json!([posted[0].id, posted[1].id]));
}

#[tokio::test]
async fn a_cancelled_post_is_never_sent() {
    let (fake, account, app, admin, bot_id) = start().await;
    let post_id = admin.schedule(&bot_id, &json!({"text": "never"})).await;
    let path = path(&post_id);
    let stale = admin
        .send(Method::POST, &format!("{path}/cancel"), |request| {
            request.header("if-match", "\"7\"")
        })
        .await;
    stale.problem(412, "stale_version");
    let cancelled = admin
        .post_nothing(&format!("{path}/cancel"))
        .await
        .json(200);
    assert_eq!(cancelled["state"], "cancelled");
    assert_eq!(app.run_job("publish").await["claimed"], 0);
    let again = admin.post_nothing(&format!("{path}/cancel")).await;
    again.problem(409, "not_cancellable");
    let edit = admin.patch(&path, &json!({"text": "after all"})).await;
    edit.problem(409, "not_editable");
    let next = admin.schedule(&bot_id, &json!({"text": "instead"})).await;
    app.publish_until(&admin, &next, &["published"]).await;
    let posted = fake.posts_of(&account.user_id);
    assert_eq!((posted.len(), posted[0].text.as_str()), (1, "instead"));
}

#[tokio::test]
async fn posts_of_others_do_not_exist() {
    let (_fake, _account, app, admin, bot_id) = start().await;
    let operator = app.user(&admin, &["operator"]).await;
    let viewer = app.user(&admin, &["viewer"]).await;
    let later = json!({"text": "mine", "scheduled_at": "2099-01-01T00:00:00Z"});
    let post_id = admin.schedule(&bot_id, &later).await;
    let path = path(&post_id);
    let change = json!({"text": "yours"});
    operator.get(&path).await.problem(404, "not_found");
    operator
        .patch(&path, &change)
        .await
        .problem(404, "not_found");
    for action in ["cancel", "retry"] {
        let answer = operator.post_nothing(&format!("{path}/{action}")).await;
        answer.problem(404, "not_found");
        let answer = viewer.post_nothing(&format!("{path}/{action}")).await;
        answer.problem(403, "forbidden");
    }
    viewer.patch(&path, &change).await.problem(403, "forbidden");
    let seen: Value = viewer.get(&path).await.json(200);
    assert_eq!(
        (&seen["text"], &seen["version"]),
        (&json!("mine"), &json!(1))
    );
    let unknown = "/api/v1/posts/01890000-0000-7000-8000-000000000000";
    admin.get(unknown).await.problem(404, "not_found");
    admin.get("/api/v1/posts/x").await.problem(404, "not_found");
}

#[tokio::test]
async fn what_a_person_changes_while_it_is_due_wins_or_is_told_no() {
    let (fake, account, app, admin, bot_id) = start().await;
    fake.configure(|settings| settings.delay_ms = 300);
    for round in 0..4 {
        let text = format!("round {round}");
        let post_id = admin.schedule(&bot_id, &json!({"text": text})).await;
        let path = path(&post_id);
        let wait = std::time::Duration::from_millis(60 * round);
        let cancel = async {
            tokio::time::sleep(wait).await;
            admin.post_nothing(&format!("{path}/cancel")).await
        };
        let (_, cancelled) = tokio::join!(app.run_job("publish"), cancel);
        let sent = fake.posts_of(&account.user_id);
        let sent = sent.iter().any(|post| post.text == text);
        match cancelled.status {
            200 => assert!(!sent, "cancelled and sent"),
            _ => {
                cancelled.problem(409, "not_cancellable");
                assert!(sent, "neither cancelled nor sent");
            }
        }
    }
}

#[tokio::test]
async fn what_is_edited_while_it_is_due_is_sent_as_it_was_or_as_it_is_and_never_both() {
    let (fake, account, app, admin, bot_id) = start().await;
    fake.configure(|settings| settings.delay_ms = 300);
    let mut expected = Vec::new();
    for round in 0..6 {
        let (old, new) = (format!("old {round}"), format!("new {round}"));
        let post_id = admin.schedule(&bot_id, &json!({"text": old})).await;
        let path = path(&post_id);
        let wait = std::time::Duration::from_millis(50 * round);
        let change = json!({"thread": [new, format!("{new}, more")]});
        let edit = async {
            tokio::time::sleep(wait).await;
            admin.patch_version(&path, 1, &change).await
        };
        let (_, edited) = tokio::join!(app.run_job("publish"), edit);
        match edited.status {
            200 => {
                assert_eq!(edited.json(200)["thread"], change["thread"]);
                expected.extend([new.clone(), format!("{new}, more")]);
            }
            409 => {
                edited.problem(409, "not_editable");
                expected.push(old);
            }
            // It has become another version by being claimed.
            _ => {
                edited.problem(412, "stale_version");
                expected.push(old);
            }
        }
        app.publish_until(&admin, &post_id, &["published"]).await;
        let sent = fake.posts_of(&account.user_id);
        let sent: Vec<&str> = sent.iter().map(|post| post.text.as_str()).collect();
        assert_eq!(sent, expected);
        // Afterwards it is history, whoever won.
        let late = admin.patch(&path, &json!({"text": "too late"})).await;
        late.problem(409, "not_editable");
    }
    // One that is claimed is not editable for as long as X keeps us waiting.
    fake.fault_next(Endpoint::CreatePost, 1, Fault::HeldAfter);
    let post_id = admin
        .schedule(&bot_id, &json!({"text": "on its way"}))
        .await;
    let path = path(&post_id);
    let worker = async {
        app.run_job("publish").await;
    };
    let person = async {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while fake.held() == 0 {
            assert!(std::time::Instant::now() < end, "no call is held");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let late = admin.patch(&path, &json!({"text": "too late"})).await;
        late.problem(409, "not_editable");
        let late = admin.post_nothing(&format!("{path}/cancel")).await;
        late.problem(409, "not_cancellable");
        fake.let_go();
    };
    tokio::join!(worker, person);
    app.publish_until(&admin, &post_id, &["published"]).await;
    assert_eq!(fake.posts_of(&account.user_id).len(), expected.len() + 1);
}

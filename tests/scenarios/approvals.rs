//! Approval by people: what requires it goes out only as somebody with `posts:approve` has seen it,
//! in time, and no program can stand in for them.

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::{Answer, Client};
use vivesphere_tests::fake_x::{Account, FakeX};

pub(crate) const QUEUE: &str = "/api/v1/posts/awaiting-approval";
pub(crate) const LATER: &str = "2099-01-01T00:00:00Z";

pub(crate) struct Scene {
    pub(crate) fake: FakeX,
    pub(crate) account: Account,
    pub(crate) app: App,
    pub(crate) admin: Client,
    pub(crate) author: Client,
    pub(crate) reviewer: Client,
    pub(crate) bot_id: String,
}

impl Scene {
    /// An author with a bot that can publish, and a reviewer.
    pub(crate) async fn start() -> Self {
        let fake = FakeX::start().await;
        let account = fake.add_user("ann");
        let app = App::start_with(&fake).await;
        let admin = app.admin().await;
        let author = app.user(&admin, &["operator"]).await;
        let reviewer = app.user(&admin, &["reviewer"]).await;
        let bot_id = app.bot(&author, &account).await;
        Self {
            fake,
            account,
            app,
            admin,
            author,
            reviewer,
            bot_id,
        }
    }

    pub(crate) async fn try_new(&self, body: &Value) -> Answer {
        let path = format!("/api/v1/bots/{}/posts", self.bot_id);
        self.author.post(&path, body).await
    }

    /// A post that waits for approval.
    pub(crate) async fn asked(&self, text: &str) -> String {
        let body = json!({"text": text, "requires_approval": true});
        let post = self.try_new(&body).await.json(201);
        assert_eq!(post["state"], "awaiting_approval");
        id(&post)
    }

    pub(crate) async fn post(&self, post_id: &str) -> Value {
        let path = format!("/api/v1/posts/{post_id}");
        self.author.get(&path).await.json(200)
    }

    pub(crate) async fn edit(&self, post_id: &str, change: Value) -> Value {
        let path = format!("/api/v1/posts/{post_id}");
        self.author.patch(&path, &change).await.json(200)
    }

    pub(crate) async fn approve(&self, post_id: &str) -> Answer {
        act(&self.reviewer, post_id, "approve").await
    }

    pub(crate) async fn reject(&self, post_id: &str, reason: &str) -> Answer {
        let path = format!("/api/v1/posts/{post_id}/reject");
        self.reviewer.post(&path, &json!({"reason": reason})).await
    }

    /// A request for approval was made this much earlier than it was.
    pub(crate) fn let_pass(&self, post_id: &str, seconds: i64) {
        let changed = self.app.database().execute(
            "UPDATE posts SET approval_requested_at = approval_requested_at - ?2 * 1000
             WHERE post_id = ?1",
            (post_id, seconds),
        );
        assert_eq!(changed.unwrap(), 1);
    }

    /// What the audit trail tells of a post, in order.
    pub(crate) fn trail(&self, post_id: &str) -> Vec<String> {
        let database = self.app.database();
        let mut rows = database
            .prepare("SELECT action FROM audit_log WHERE subject_id = ? ORDER BY audit_id")
            .unwrap();
        let actions = rows.query_map([post_id], |row| row.get(0)).unwrap();
        actions.map(Result::unwrap).collect()
    }

    /// The texts that are on X.
    pub(crate) fn texts(&self) -> Vec<String> {
        let posts = self.fake.posts_of(&self.account.user_id);
        posts.into_iter().map(|post| post.text).collect()
    }
}

pub(crate) fn id(post: &Value) -> String {
    post["post_id"].as_str().unwrap().to_owned()
}

pub(crate) fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

pub(crate) async fn act(client: &Client, post_id: &str, what: &str) -> Answer {
    let path = format!("/api/v1/posts/{post_id}/{what}");
    client.post_nothing(&path).await
}

/// The same when this is the version.
pub(crate) async fn act_on(client: &Client, post_id: &str, what: &str, version: i64) -> Answer {
    let path = format!("/api/v1/posts/{post_id}/{what}");
    let body = json!({"reason": "not like this"});
    client
        .send(Method::POST, &path, |request| {
            let request = request.header("if-match", format!("\"{version}\""));
            match what {
                "reject" => request.json(&body),
                _ => request,
            }
        })
        .await
}

pub(crate) async fn queue(client: &Client) -> Vec<String> {
    let page = client.get(QUEUE).await.json(200);
    page["items"].as_array().unwrap().iter().map(id).collect()
}

#[tokio::test]
async fn what_a_reviewer_approves_goes_out_once_and_not_before() {
    let scene = Scene::start().await;
    let body = json!({"text": "look at this", "requires_approval": true});
    let post = scene.try_new(&body).await.json(201);
    assert_eq!(post["state"], "awaiting_approval");
    assert_eq!(post["requires_approval"], true);
    let due = time(&post["approval_due_at"]) - time(&post["created_at"]);
    assert_eq!(due.num_seconds(), 86_400);
    for absent in ["next_attempt_at", "approved_by", "approved_at"] {
        assert!(post[absent].is_null(), "{absent}");
    }
    let post_id = id(&post);
    let run = scene.app.run_job("publish").await;
    let done = ["claimed", "expired", "remaining"].map(|name| run[name].clone());
    assert_eq!(done, [0, 0, 0].map(Value::from));

    // Who writes does not approve.
    scene.author.get(QUEUE).await.problem(403, "forbidden");
    for what in ["approve", "reject"] {
        let answer = act_on(&scene.author, &post_id, what, 1).await;
        answer.problem(403, "forbidden");
    }
    assert_eq!(queue(&scene.reviewer).await, [post_id.as_str()]);
    for what in ["approve", "reject"] {
        let answer = act_on(&scene.reviewer, &post_id, what, 7).await;
        answer.problem(412, "stale_version");
    }
    let approved = act_on(&scene.reviewer, &post_id, "approve", 1).await;
    let approved = approved.json(200);
    assert_eq!(approved["state"], "scheduled");
    assert_eq!(approved["approved_by"], scene.reviewer.user_id.as_str());
    assert_eq!(approved["version"], 2);
    assert!(approved["approval_due_at"].is_null());
    // Its own time has passed meanwhile: it is due from the approval on.
    assert_eq!(approved["next_attempt_at"], approved["approved_at"]);
    assert!(queue(&scene.reviewer).await.is_empty());
    scene
        .approve(&post_id)
        .await
        .problem(409, "not_awaiting_approval");
    let answer = scene.reject(&post_id, "too late").await;
    answer.problem(409, "not_awaiting_approval");

    let app = &scene.app;
    let out = app
        .publish_until(&scene.author, &post_id, &["published"])
        .await;
    assert_eq!(out["approved_by"], approved["approved_by"]);
    app.run_job("publish").await;
    assert_eq!(scene.texts(), ["look at this"]);
    let wanted = [
        "post.submitted",
        "post.approved",
        "post.claimed",
        "post.published",
    ];
    assert_eq!(scene.trail(&post_id), wanted);
}

#[tokio::test]
async fn an_approved_post_waits_for_its_time() {
    let scene = Scene::start().await;
    let body = json!({"text": "in time", "requires_approval": true, "scheduled_at": LATER});
    let post_id = id(&scene.try_new(&body).await.json(201));
    let approved = scene.approve(&post_id).await.json(200);
    assert_eq!(approved["next_attempt_at"], "2099-01-01T00:00:00.000Z");
    assert_eq!(scene.app.run_job("publish").await["claimed"], 0);
}

#[tokio::test]
async fn what_is_rejected_goes_back_with_the_reason_and_may_come_again() {
    let scene = Scene::start().await;
    let post_id = scene.asked("Everyone must buy this!").await;
    for reason in ["", " \n ", &"a".repeat(501), "a\u{0}b"] {
        let answer = scene.reject(&post_id, reason).await;
        assert_eq!(answer.pointer(), "/reason", "{reason:?}");
    }
    let path = format!("/api/v1/posts/{post_id}/reject");
    for body in [json!({}), json!({"reason": 5}), json!({"reason": null})] {
        let answer = scene.reviewer.post(&path, &body).await;
        assert_eq!(answer.pointer(), "/reason", "{body}");
    }
    assert_eq!(scene.post(&post_id).await["state"], "awaiting_approval");

    let reason = "Too loud.\nSay what it is.";
    let rejected = scene.reject(&post_id, reason).await.json(200);
    assert_eq!(rejected["state"], "draft");
    assert_eq!(rejected["failure_code"], "approval_rejected");
    assert_eq!(rejected["failure_detail"], reason);
    assert!(rejected["approval_due_at"].is_null());
    assert!(queue(&scene.reviewer).await.is_empty());
    assert_eq!(scene.app.run_job("publish").await["claimed"], 0);

    // The author works on it; only they hand it in again.
    let edited = scene.edit(&post_id, json!({"text": "A new tool."})).await;
    assert_eq!(edited["state"], "draft");
    assert_eq!(edited["failure_detail"], reason);
    let answer = act(&scene.reviewer, &post_id, "submit").await;
    answer.problem(403, "forbidden");
    let version = edited["version"].as_i64().unwrap();
    let stale = act_on(&scene.author, &post_id, "submit", version - 1).await;
    stale.problem(412, "stale_version");
    let again = act_on(&scene.author, &post_id, "submit", version).await;
    let again = again.json(200);
    assert_eq!(again["state"], "awaiting_approval");
    assert!(again["failure_code"].is_null() && again["failure_detail"].is_null());
    let answer = act(&scene.author, &post_id, "submit").await;
    answer.problem(409, "not_submittable");

    scene.approve(&post_id).await.json(200);
    let answer = act(&scene.author, &post_id, "submit").await;
    answer.problem(409, "not_submittable");
    let app = &scene.app;
    app.publish_until(&scene.author, &post_id, &["published"])
        .await;
    assert_eq!(scene.texts(), ["A new tool."]);
    let wanted = [
        "post.submitted",
        "post.rejected",
        "post.edited",
        "post.submitted",
        "post.approved",
        "post.claimed",
        "post.published",
    ];
    assert_eq!(scene.trail(&post_id), wanted);
}

#[tokio::test]
async fn an_approval_is_for_what_was_seen() {
    let scene = Scene::start().await;
    let body = json!({"text": "as seen", "requires_approval": true, "scheduled_at": LATER});
    let post_id = id(&scene.try_new(&body).await.json(201));
    let path = format!("/api/v1/posts/{post_id}");
    for change in [
        json!({"text": "as never seen"}),
        json!({"scheduled_at": Utc::now().to_rfc3339()}),
        json!({"thread": ["several", "now"]}),
    ] {
        scene.approve(&post_id).await.json(200);
        let changed = scene.edit(&post_id, change.clone()).await;
        assert_eq!(changed["state"], "awaiting_approval", "{change}");
        for absent in ["approved_by", "approved_at", "next_attempt_at"] {
            assert!(changed[absent].is_null(), "{change}: {absent}");
        }
        assert_eq!(scene.app.run_job("publish").await["claimed"], 0);
    }
    let voided = ["post.approved", "post.edited", "post.submitted"];
    assert_eq!(scene.trail(&post_id)[1..4], voided);

    // What waits keeps waiting, from now on.
    scene.let_pass(&post_id, 3_600);
    let before = time(&scene.post(&post_id).await["approval_due_at"]);
    let changed = scene.edit(&post_id, json!({"text": "once more"})).await;
    assert_eq!(changed["state"], "awaiting_approval");
    let after = time(&changed["approval_due_at"]);
    assert!((after - before).num_seconds() >= 3_600, "{before} {after}");

    // An author does not take the requirement away, wherever the post is.
    let never = json!({"requires_approval": false});
    let refused = async || scene.author.patch(&path, &never).await.pointer();
    assert_eq!(refused().await, "/requires_approval");
    let approved = scene.approve(&post_id).await.json(200);
    assert_eq!(refused().await, "/requires_approval");
    // What changes nothing takes nothing away.
    for same in [json!({}), json!({"requires_approval": true})] {
        let same = scene.edit(&post_id, same).await;
        assert_eq!(same["state"], "scheduled");
        assert_eq!(same["approved_at"], approved["approved_at"]);
    }
    scene.edit(&post_id, json!({"text": "and again"})).await;
    let rejected = scene.reject(&post_id, "enough").await.json(200);
    assert_eq!(refused().await, "/requires_approval");
    assert_eq!(scene.post(&post_id).await, rejected);
}

#[tokio::test]
async fn what_has_failed_is_tried_again_as_approved_or_approved_again() {
    let scene = Scene::start().await;
    let post_id = scene.asked("tried").await;
    scene.approve(&post_id).await.json(200);
    let fail = || {
        let changed = scene.app.database().execute(
            "UPDATE posts SET state = 'failed', failure_code = 'refused', attempts_spent = 3,
                next_attempt_at = NULL WHERE post_id = ?",
            [&post_id],
        );
        assert_eq!(changed.unwrap(), 1);
    };
    fail();
    let retried = act(&scene.author, &post_id, "retry").await.json(200);
    assert_eq!(retried["state"], "scheduled");
    assert_eq!(retried["approved_by"], scene.reviewer.user_id.as_str());
    fail();
    let changed = scene.edit(&post_id, json!({"text": "corrected"})).await;
    assert_eq!(changed["state"], "awaiting_approval");
    assert!(changed["failure_code"].is_null() && changed["approved_by"].is_null());
    let answer = act(&scene.author, &post_id, "retry").await;
    answer.problem(409, "not_retryable");
    scene.approve(&post_id).await.json(200);
    let app = &scene.app;
    app.publish_until(&scene.author, &post_id, &["published"])
        .await;
    assert_eq!(scene.texts(), ["corrected"]);
}

#[tokio::test]
async fn approval_may_be_asked_for_later_and_a_waiting_post_cancelled() {
    let scene = Scene::start().await;
    let body = json!({"text": "perhaps", "scheduled_at": LATER});
    let post = scene.try_new(&body).await.json(201);
    assert_eq!(post["requires_approval"], false);
    let post_id = id(&post);
    let changed = json!({"requires_approval": false, "text": "surely"});
    let changed = scene.edit(&post_id, changed).await;
    assert_eq!(changed["state"], "scheduled");
    let asked = scene
        .edit(&post_id, json!({"requires_approval": true}))
        .await;
    assert_eq!(asked["state"], "awaiting_approval");
    assert_eq!(queue(&scene.reviewer).await, [post_id.as_str()]);
    let cancelled = act(&scene.author, &post_id, "cancel").await.json(200);
    assert_eq!(cancelled["state"], "cancelled");
    let answer = scene.approve(&post_id).await;
    answer.problem(409, "not_awaiting_approval");
    assert!(queue(&scene.reviewer).await.is_empty());
}

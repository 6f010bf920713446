//! What becomes of a post when X, or the way to it, fails: done, refused or unknown, and never
//! twice.

use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;
use vivesphere_tests::fake_x::{Account, Endpoint, FakeX, Fault, FaultRule, When};

pub(crate) struct Scene {
    pub(crate) fake: FakeX,
    pub(crate) account: Account,
    pub(crate) app: App,
    pub(crate) admin: Client,
    pub(crate) bot_id: String,
}

impl Scene {
    /// One bot that can publish.
    pub(crate) async fn start() -> Self {
        let fake = FakeX::start().await;
        let account = fake.add_user("ann");
        let app = App::start_with(&fake).await;
        let admin = app.admin().await;
        let bot_id = app.bot(&admin, &account).await;
        Self {
            fake,
            account,
            app,
            admin,
            bot_id,
        }
    }

    pub(crate) async fn schedule(&self, text: &str) -> String {
        self.admin
            .schedule(&self.bot_id, &json!({"text": text}))
            .await
    }

    pub(crate) async fn post(&self, post_id: &str) -> Value {
        self.admin
            .get(&format!("/api/v1/posts/{post_id}"))
            .await
            .json(200)
    }

    pub(crate) async fn bot(&self) -> Value {
        self.admin
            .get(&format!("/api/v1/bots/{}", self.bot_id))
            .await
            .json(200)
    }

    /// Publishes until it ends one way or the other; whoever backs off has waited enough.
    pub(crate) async fn settle(&self, post_id: &str) -> Value {
        for _ in 0..100 {
            self.app.run_job("publish").await;
            let post = self.post(post_id).await;
            if matches!(post["state"].as_str().unwrap(), "published" | "failed") {
                return post;
            }
            self.app.let_backoffs_pass();
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("it does not end: {:#}", self.post(post_id).await);
    }

    /// The texts that are on X.
    pub(crate) fn texts(&self) -> Vec<String> {
        let posts = self.fake.posts_of(&self.account.user_id);
        posts.into_iter().map(|post| post.text).collect()
    }
}

pub(crate) fn outcomes(post: &Value) -> Vec<String> {
    let attempts = post["attempts"].as_array().unwrap().iter();
    attempts
        .map(|attempt| attempt["outcome"].as_str().unwrap_or("open").to_owned())
        .collect()
}

/// The next call to create a post goes wrong like this; the post is published all the same.
async fn once(scene: &Scene, fault: Fault) -> Value {
    let text = format!("despite {fault:?}");
    scene.fake.fault_next(Endpoint::CreatePost, 1, fault);
    let post_id = scene.schedule(&text).await;
    let post = scene.settle(&post_id).await;
    assert_eq!(post["state"], "published", "{post:#}");
    let there = scene.fake.posts_of(&scene.account.user_id);
    let there: Vec<_> = there.iter().filter(|post| post.text == text).collect();
    assert_eq!(there.len(), 1, "{text}: {post:#}");
    assert_eq!(post["x_post_id"], there[0].id.as_str(), "{text}");
    post
}

#[tokio::test]
async fn what_was_stored_before_the_answer_was_lost_is_found_and_not_sent_again() {
    let scene = Scene::start().await;
    let html = true;
    for fault in [
        Fault::CutAfter,
        Fault::CutInside,
        Fault::ErrorAfter {
            status: 500,
            html: false,
        },
        Fault::ErrorAfter { status: 503, html },
        Fault::MalformedAfter,
        Fault::TruncatedAfter,
        Fault::EmptyAfter,
    ] {
        let calls = |scene: &Scene| scene.fake.requests_to(Endpoint::CreatePost).len();
        let before = calls(&scene);
        let post = once(&scene, fault.clone()).await;
        assert_eq!(outcomes(&post), ["unknown"], "{fault:?}: {post:#}");
        assert_eq!(
            calls(&scene),
            before + 1,
            "{fault:?} was answered with a second call"
        );
    }
}

#[tokio::test]
async fn what_was_not_stored_is_sent_again_after_it_was_looked_for() {
    let scene = Scene::start().await;
    for fault in [
        Fault::CutBefore,
        Fault::ErrorBefore {
            status: 500,
            html: false,
        },
        Fault::ErrorBefore {
            status: 502,
            html: true,
        },
        Fault::ErrorBefore {
            status: 504,
            html: false,
        },
    ] {
        let looks = |scene: &Scene| {
            scene
                .fake
                .counts()
                .get(&Endpoint::UserPosts)
                .copied()
                .unwrap_or(0)
        };
        let before = looks(&scene);
        let post = once(&scene, fault.clone()).await;
        assert_eq!(outcomes(&post), ["unknown", "sent"], "{fault:?}: {post:#}");
        assert!(looks(&scene) > before, "{fault:?} was not looked for");
    }
}

#[tokio::test]
async fn an_answer_with_more_in_it_than_expected_is_an_answer() {
    let scene = Scene::start().await;
    let post = once(&scene, Fault::StrangeAfter).await;
    assert_eq!(outcomes(&post), ["sent"]);
}

#[tokio::test]
async fn a_slow_answer_beyond_the_timeout_is_an_unknown_outcome() {
    let scene = Scene::start().await;
    // Longer than x_request_timeout_seconds, so it arrives after we have left.
    let post = once(&scene, Fault::Slow { ms: 2_600 }).await;
    assert_eq!(outcomes(&post)[0], "unknown");
    assert_eq!(post["attempts"][0]["code"], "timeout");
}

#[tokio::test]
async fn while_it_cannot_be_looked_for_it_is_not_sent() {
    let scene = Scene::start().await;
    scene
        .fake
        .fault_next(Endpoint::CreatePost, 1, Fault::CutAfter);
    scene.fake.fault_by_chance(
        Endpoint::UserPosts,
        1.0,
        Fault::ErrorBefore {
            status: 503,
            html: false,
        },
    );
    let post_id = scene.schedule("in doubt").await;
    for _ in 0..3 {
        scene.app.run_job("publish").await;
        scene.app.let_backoffs_pass();
    }
    let post = scene.post(&post_id).await;
    assert_eq!(post["state"], "outcome_unknown", "{post:#}");
    assert_eq!(scene.fake.counts()[&Endpoint::CreatePost], 1);
    scene.fake.clear_faults();
    // A person need not wait for the next look, and is not asked to risk a second post.
    let retry = format!("/api/v1/posts/{post_id}/retry");
    scene.admin.post_nothing(&retry).await.json(200);
    let post = scene.settle(&post_id).await;
    assert_eq!(post["state"], "published");
    assert_eq!(scene.texts(), ["in doubt"]);
}

#[tokio::test]
async fn a_timeline_that_lags_does_not_lead_to_a_second_post() {
    let scene = Scene::start().await;
    scene.fake.configure(|settings| {
        settings.timeline_lag_ms = 1_500;
        settings.refuse_duplicates = true;
    });
    scene
        .fake
        .fault_next(Endpoint::CreatePost, 1, Fault::CutAfter);
    let post_id = scene.schedule("late on the timeline").await;
    let post = scene.settle(&post_id).await;
    assert_eq!(scene.texts(), ["late on the timeline"], "{post:#}");
}

#[tokio::test]
async fn what_x_refuses_for_good_fails_at_once_and_a_person_can_retry() {
    let scene = Scene::start().await;
    for fault in [Fault::InvalidRequest, Fault::ReplyClosed] {
        scene
            .fake
            .fault_next(Endpoint::CreatePost, 1, fault.clone());
        let post_id = scene.schedule(&format!("refused {fault:?}")).await;
        scene.app.run_job("publish").await;
        let post = scene.post(&post_id).await;
        assert_eq!(post["state"], "failed", "{fault:?}: {post:#}");
        assert_eq!(outcomes(&post), ["refused"]);
        assert!(post["failure_code"].is_string() && post["failure_detail"].is_string());
        let retry = format!("/api/v1/posts/{post_id}/retry");
        let retried = scene.admin.post_nothing(&retry).await.json(200);
        assert_eq!(
            (&retried["state"], &retried["failure_code"]),
            (&json!("scheduled"), &Value::Null)
        );
        let post = scene.settle(&post_id).await;
        assert_eq!(post["state"], "published");
        assert_eq!(outcomes(&post), ["refused", "sent"]);
    }
    assert_eq!(scene.texts().len(), 2);
}

#[tokio::test]
async fn the_same_text_twice_fails_once_x_has_the_first() {
    let scene = Scene::start().await;
    let first = scene.schedule("the same").await;
    let second = scene.schedule("the same").await;
    assert_eq!(scene.settle(&first).await["state"], "published");
    let post = scene.settle(&second).await;
    assert_eq!(post["state"], "failed", "{post:#}");
    assert_eq!(post["failure_code"], "duplicate_content");
    assert_eq!(scene.texts(), ["the same"]);
    assert_ne!(post["x_post_id"], scene.post(&first).await["x_post_id"]);
    // The bot goes on.
    let next = scene.schedule("another").await;
    assert_eq!(scene.settle(&next).await["state"], "published");
}

#[tokio::test]
async fn nobody_listening_is_tried_again_until_the_last_attempt() {
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let app = App::builder()
        .x(&fake)
        .variable("publish_max_attempts", 3)
        .start()
        .await;
    let admin = app.admin().await;
    let bot_id = app.bot(&admin, &account).await;
    let first = admin.schedule(&bot_id, &json!({"text": "first"})).await;
    app.publish_until(&admin, &first, &["published"]).await;
    // X takes nothing and stores nothing from here on.
    let broken = Fault::ErrorBefore {
        status: 503,
        html: false,
    };
    fake.fault_by_chance(Endpoint::CreatePost, 1.0, broken);
    let post_id = admin
        .schedule(&bot_id, &json!({"text": "dead letter"}))
        .await;
    let scene = Scene {
        fake,
        account,
        app,
        admin,
        bot_id,
    };
    let post = scene.settle(&post_id).await;
    assert_eq!(post["state"], "failed", "{post:#}");
    assert_eq!(outcomes(&post), ["unknown"; 3]);
    assert_eq!(post["failure_code"], "server_error");
    // A person has it tried again, with all its attempts.
    scene.fake.clear_faults();
    let retry = format!("/api/v1/posts/{post_id}/retry");
    scene.admin.post_nothing(&retry).await.json(200);
    assert_eq!(scene.settle(&post_id).await["state"], "published");
    assert_eq!(scene.texts(), ["first", "dead letter"]);
}

#[tokio::test]
async fn a_refused_connection_was_certainly_not_sent() {
    let scene = Scene::start().await;
    let first = scene.schedule("first").await;
    scene.settle(&first).await;
    let Scene {
        fake,
        account,
        mut app,
        admin,
        bot_id,
    } = scene;
    app.set_variable("x_api_base_url", "http://127.0.0.1:9");
    app.restart().await;
    let post_id = admin.schedule(&bot_id, &json!({"text": "second"})).await;
    app.run_job("publish").await;
    let path = format!("/api/v1/posts/{post_id}");
    let post = admin.get(&path).await.json(200);
    assert_eq!(post["state"], "scheduled", "{post:#}");
    assert_eq!(post["attempts"][0]["outcome"], "refused");
    assert_eq!(post["attempts"][0]["code"], "connection_refused");
    app.set_variable("x_api_base_url", &fake.base_url);
    app.restart().await;
    app.let_backoffs_pass();
    app.publish_until(&admin, &post_id, &["published"]).await;
    assert_eq!(fake.posts_of(&account.user_id).len(), 2);
}

#[tokio::test]
async fn a_thread_that_was_interrupted_goes_on_where_it_stopped() {
    let scene = Scene::start().await;
    let parts: Vec<String> = (0..5).map(|part| format!("part {part}")).collect();
    for (skip, fault) in [
        (2, Fault::CutAfter),
        (
            3,
            Fault::ErrorBefore {
                status: 500,
                html: false,
            },
        ),
    ] {
        scene.fake.fault(FaultRule {
            endpoint: Some(Endpoint::CreatePost),
            user_id: None,
            fault,
            when: When::Next { times: 1, skip },
        });
    }
    let post_id = scene
        .admin
        .schedule(&scene.bot_id, &json!({"thread": parts}))
        .await;
    let post = scene.settle(&post_id).await;
    assert_eq!(post["state"], "published", "{post:#}");
    assert_eq!(scene.texts(), parts);
    let posted = scene.fake.posts_of(&scene.account.user_id);
    for pair in posted.windows(2) {
        assert_eq!(pair[1].in_reply_to.as_deref(), Some(pair[0].id.as_str()));
    }
    let ids: Vec<&str> = posted.iter().map(|post| post.id.as_str()).collect();
    assert_eq!(post["x_post_ids"], json!(ids));
}

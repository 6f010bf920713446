//! Reading posts' public counts: when they are due, within the budget, once, and what becomes of it
//! when X says no.

use std::time::Duration;

use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::fake_x::{Endpoint, Fault, Names};

use crate::config::set;
use crate::publishing::Scene;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

impl Scene {
    /// A post that is on X; gives its id here and its ids there.
    async fn published(&self, post: Value) -> (String, Vec<String>) {
        let post_id = self.admin.schedule(&self.bot_id, &post).await;
        let post = self.settle(&post_id).await;
        let ids = post["x_post_ids"].as_array().unwrap();
        let ids = ids.iter().map(|id| id.as_str().unwrap().to_owned());
        (post_id, ids.collect())
    }

    async fn readings(&self, post_id: &str) -> Value {
        let path = format!("/api/v1/metrics/posts/{post_id}");
        self.admin.get(&path).await.json(200)
    }

    async fn series(&self) -> Value {
        let path = format!("/api/v1/metrics/bots/{}", self.bot_id);
        self.admin.get(&path).await.json(200)
    }

    fn lookups(&self) -> usize {
        self.fake.requests_to(Endpoint::LookUpPosts).len()
    }
}

/// Everything that is published is so much older, and due if it is read at all.
fn age(app: &App, milliseconds: i64) {
    app.database()
        .execute_batch(&format!(
            "UPDATE post_metrics SET published_at = published_at - {milliseconds},
                next_reading_at = min(next_reading_at, 1)"
        ))
        .unwrap();
}

fn spent(app: &App, purpose: &str) -> i64 {
    let query = "SELECT coalesce(sum(micro_dollars), 0) FROM x_spending WHERE purpose = ?";
    app.database()
        .query_row(query, [purpose], |row| row.get(0))
        .unwrap()
}

async fn collect(app: &App) -> Value {
    app.run_job("collect").await
}

fn numbers(answer: &Value) -> (i64, i64, i64, i64) {
    let number = |name: &str| answer[name].as_i64().unwrap();
    (
        number("calls"),
        number("read"),
        number("missing"),
        number("failed"),
    )
}

#[tokio::test]
async fn posts_are_read_when_they_are_due_in_one_call_and_in_either_vocabulary() {
    let scene = Scene::start().await;
    let (post_id, ids) = scene.published(json!({"text": "one part"})).await;
    let thread = json!({"thread": ["first", "second"]});
    let (thread_id, parts) = scene.published(thread).await;
    // Younger than a quarter of an hour.
    assert_eq!(numbers(&collect(&scene.app).await), (0, 0, 0, 0));
    let part = scene.readings(&post_id).await["parts"][0].clone();
    assert_eq!(
        (&part["availability"], &part["x_post_id"]),
        (&json!("unread"), &json!(ids[0]))
    );
    assert_eq!(part["readings"], json!([]));

    age(&scene.app, 20 * MINUTE);
    for id in ids.iter().chain(&parts) {
        assert!(scene.fake.set_views(id, 1000));
    }
    assert_eq!(numbers(&collect(&scene.app).await), (1, 3, 0, 0));
    let asked = scene.fake.requests_to(Endpoint::LookUpPosts);
    assert_eq!(asked.len(), 1);
    let query = |number: usize, name: &str| {
        let asked = scene.fake.requests_to(Endpoint::LookUpPosts);
        let mut pairs = asked[number].query.clone().into_iter();
        pairs.find(|(key, _)| key == name).map(|(_, value)| value)
    };
    assert_eq!(query(0, "ids").unwrap().split(',').count(), 3);
    assert!(query(0, "tweet.fields").unwrap().contains("public_metrics"));

    let part = scene.readings(&post_id).await["parts"][0].clone();
    assert_eq!(part["availability"], "shown");
    let counts = json!({"impressions": 1000, "likes": 50, "reposts": 10, "replies": 5,
        "quotes": 2, "bookmarks": 3, "engagements": 70});
    assert_eq!(part["readings"][0]["counts"], counts);
    // Twenty minutes old: next when it is an hour old.
    let [next, read] = [&part["next_reading_at"], &part["readings"][0]["read_at"]]
        .map(|at| at.as_str().unwrap().to_owned());
    assert!(next > read);
    assert_eq!(numbers(&collect(&scene.app).await), (0, 0, 0, 0));

    // In the new names, and fewer than before: X's counts may go down.
    set(
        &scene.admin,
        "collector",
        json!({"current_field_names": true}),
    )
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    age(&scene.app, 60 * MINUTE);
    assert!(scene.fake.set_views(&ids[0], 600));
    assert_eq!(numbers(&collect(&scene.app).await), (1, 3, 0, 0));
    assert!(query(1, "post.fields").is_some() && query(1, "tweet.fields").is_none());
    let readings = scene.readings(&post_id).await["parts"][0]["readings"].clone();
    assert_eq!(readings.as_array().unwrap().len(), 2);
    assert_eq!(readings[1]["counts"]["reposts"], 6);

    let series = scene.series().await;
    assert_eq!(series["totals"]["impressions"], 2600);
    let sum = |field: &str| -> i64 {
        let steps = series["steps"].as_array().unwrap().iter();
        steps
            .map(|step| step["change"][field].as_i64().unwrap())
            .sum()
    };
    assert_eq!(sum("impressions"), 2600);
    let latest = series["latest_posts"].as_array().unwrap();
    assert_eq!(latest.len(), 2);
    assert_eq!(latest[0]["post_id"], thread_id.as_str());
    assert_eq!(latest[0]["counts"]["impressions"], 2000);
    let limits = series["rate_limits"].as_array().unwrap();
    assert!(
        limits
            .iter()
            .any(|limit| limit["endpoint"] == "look_up_posts")
    );

    // Whatever was asked for, answers are understood in both.
    for names in [Names::Legacy, Names::Current] {
        scene
            .fake
            .configure(|settings| settings.names = Some(names));
        age(&scene.app, DAY);
        assert_eq!(numbers(&collect(&scene.app).await), (1, 3, 0, 0));
    }
    let readings = scene.readings(&post_id).await["parts"][0]["readings"].clone();
    assert!(
        readings
            .as_array()
            .unwrap()
            .iter()
            .all(|reading| reading["counts"]["reposts"].as_i64() >= Some(6))
    );
    // Thirty days old: for the last time.
    age(&scene.app, 30 * DAY);
    assert_eq!(numbers(&collect(&scene.app).await), (1, 3, 0, 0));
    age(&scene.app, DAY);
    assert_eq!(numbers(&collect(&scene.app).await), (0, 0, 0, 0));
    let part = scene.readings(&post_id).await["parts"][0].clone();
    assert!(part["next_reading_at"].is_null());
}

#[tokio::test]
async fn what_x_does_not_show_is_missing_and_not_asked_for_for_ever() {
    let scene = Scene::start().await;
    let (gone, ids) = scene.published(json!({"text": "soon gone"})).await;
    let (stays, _) = scene.published(json!({"text": "stays"})).await;
    let delete = format!("{}/2/tweets/{}", scene.fake.base_url, ids[0]);
    let token = &scene.account.access_token;
    let client = scene.app.anonymous().with_token(token);
    assert_eq!(client.delete(&delete).await.status, 200);
    age(&scene.app, 20 * MINUTE);
    assert_eq!(numbers(&collect(&scene.app).await), (1, 1, 1, 0));
    let part = scene.readings(&gone).await["parts"][0].clone();
    assert_eq!(part["availability"], "missing");
    assert!(part["next_reading_at"].is_string());
    // What was not shown is not billed.
    assert_eq!(spent(&scene.app, "collect"), 5_000);
    age(&scene.app, 60 * MINUTE);
    assert_eq!(numbers(&collect(&scene.app).await), (1, 1, 1, 0));
    age(&scene.app, DAY);
    assert_eq!(numbers(&collect(&scene.app).await), (1, 1, 0, 0));
    assert!(scene.readings(&gone).await["parts"][0]["next_reading_at"].is_null());
    let part = scene.readings(&stays).await["parts"][0].clone();
    assert_eq!(part["readings"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn the_days_budget_is_never_exceeded_not_even_by_several_workers() {
    let scene = Scene::start().await;
    for number in 0..6 {
        scene
            .published(json!({"text": format!("post {number}")}))
            .await;
    }
    let budget = json!({"metrics_daily_budget_micro_dollars": 10_000});
    set(&scene.admin, "collector", budget).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    age(&scene.app, 20 * MINUTE);
    scene.fake.configure(|settings| settings.delay_ms = 200);
    let app = &scene.app;
    let answers = futures::join!(collect(app), collect(app), collect(app));
    let answers = [answers.0, answers.1, answers.2];
    let read: i64 = answers.iter().map(|answer| numbers(answer).1).sum();
    assert_eq!(read, 2, "{answers:?}");
    assert!(
        answers
            .iter()
            .any(|answer| answer["budget_exhausted"] == true)
    );
    assert_eq!(spent(app, "collect"), 10_000);
    assert_eq!(numbers(&collect(app).await), (0, 0, 0, 0));
    // Where the account owns the application, a reading costs a fifth.
    let owned = json!({"metrics_daily_budget_micro_dollars": 12_000,
        "post_read_micro_dollars": 1_000});
    set(&scene.admin, "collector", owned).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(numbers(&collect(app).await).1, 2);
    // Without a budget nothing is read.
    let none = json!({"metrics_daily_budget_micro_dollars": 0});
    set(&scene.admin, "collector", none).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let answer = collect(app).await;
    assert_eq!(numbers(&answer), (0, 0, 0, 0));
    assert_eq!(answer["budget_exhausted"], true);
}

#[tokio::test]
async fn a_limit_of_x_and_its_credits_stop_everyone_and_are_told_of() {
    let scene = Scene::start().await;
    let (post_id, _) = scene.published(json!({"text": "waits"})).await;
    age(&scene.app, 20 * MINUTE);
    let limited = Fault::RateLimited {
        reset_after: Some(600),
        legacy: false,
    };
    let before = scene.lookups();
    for (fault, code, least) in [
        (limited, "rate_limited", 590),
        (
            Fault::CreditsDepleted { older: false },
            "credits_depleted",
            3590,
        ),
    ] {
        scene
            .fake
            .fault_next(Endpoint::LookUpPosts, 1, fault.clone());
        let asked = chrono::Utc::now();
        let answer = collect(&scene.app).await;
        assert_eq!(numbers(&answer), (1, 0, 0, 1), "{answer}");
        assert_eq!(answer["stopped"]["code"], code, "{answer}");
        let until = answer["stopped"]["until"].as_str().unwrap();
        let until = chrono::DateTime::parse_from_rfc3339(until).unwrap();
        let wait = (until.to_utc() - asked).num_seconds();
        assert!(wait >= least && wait < least + 120, "{wait}");
        // Nobody asks meanwhile, and it can be seen from outside.
        assert_eq!(numbers(&collect(&scene.app).await), (0, 0, 0, 0));
        let metrics = scene.app.service().get("/api/v1/metrics").await.text;
        let line = format!("vivesphere_collector_stopped{{code=\"{code}\"}} 1\n");
        assert!(metrics.contains(&line), "{metrics}");
        // A call that was refused costs nothing.
        assert_eq!(spent(&scene.app, "collect"), 0);
        scene
            .app
            .database()
            .execute("UPDATE collector_stop SET until = 0", [])
            .unwrap();
    }
    assert_eq!(scene.lookups(), before + 2);
    assert_eq!(numbers(&collect(&scene.app).await), (1, 1, 0, 0));
    let part = scene.readings(&post_id).await["parts"][0].clone();
    assert_eq!(part["availability"], "shown");
    assert_eq!(spent(&scene.app, "collect"), 5_000);
}

#[tokio::test]
async fn a_dead_token_is_refreshed_once_and_a_refused_bot_waits_alone() {
    let scene = Scene::start().await;
    let (post_id, _) = scene
        .published(json!({"text": "read with a new token"}))
        .await;
    age(&scene.app, 20 * MINUTE);
    scene.fake.expire_access_tokens_of(&scene.account.user_id);
    assert_eq!(numbers(&collect(&scene.app).await), (1, 1, 0, 0));
    let metrics = scene.app.service().get("/api/v1/metrics").await.text;
    let line = "vivesphere_token_refreshes_total{result=\"refreshed\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");

    // No answer: these posts wait, the call may have been billed.
    age(&scene.app, 60 * MINUTE);
    scene
        .fake
        .fault_next(Endpoint::LookUpPosts, 1, Fault::CutAfter);
    assert_eq!(numbers(&collect(&scene.app).await), (1, 0, 0, 1));
    assert_eq!(spent(&scene.app, "collect"), 10_000);
    assert_eq!(numbers(&collect(&scene.app).await), (0, 0, 0, 0));

    // Another bot goes on while this one is refused.
    let other = scene.fake.add_user("ben");
    let bot_id = scene.app.bot(&scene.admin, &other).await;
    let second = scene
        .admin
        .schedule(&bot_id, &json!({"text": "of another"}))
        .await;
    scene.settle(&second).await;
    age(&scene.app, 6 * 60 * MINUTE);
    scene.fake.fault(vivesphere_tests::fake_x::FaultRule {
        endpoint: Some(Endpoint::LookUpPosts),
        user_id: Some(scene.account.user_id.clone()),
        fault: Fault::Forbidden,
        when: vivesphere_tests::fake_x::When::Always,
    });
    let answer = collect(&scene.app).await;
    assert_eq!(numbers(&answer), (2, 1, 0, 1), "{answer}");
    assert!(answer.get("stopped").is_none());
    assert_eq!(numbers(&collect(&scene.app).await), (0, 0, 0, 0));
    let part = scene.readings(&post_id).await["parts"][0].clone();
    assert_eq!(part["readings"].as_array().unwrap().len(), 1);

    // A paused bot makes no calls.
    scene.fake.clear_faults();
    age(&scene.app, DAY);
    let pause = format!("/api/v1/bots/{bot_id}/pause");
    scene.admin.post_nothing(&pause).await.json(200);
    assert_eq!(numbers(&collect(&scene.app).await), (1, 1, 0, 0));
}

#[tokio::test]
async fn a_worker_that_dies_leaves_its_posts_to_the_next() {
    let mut scene = Scene::start().await;
    let (post_id, _) = scene.published(json!({"text": "read by the second"})).await;
    age(&scene.app, 20 * MINUTE);
    scene
        .fake
        .fault_next(Endpoint::LookUpPosts, 1, Fault::Slow { ms: 20_000 });
    {
        let run = collect(&scene.app);
        tokio::select! {
            answer = run => panic!("it was not held up: {answer}"),
            () = async {
                while scene.lookups() == 0 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            } => {}
        }
    }
    // Under the lease nobody else reads.
    assert_eq!(numbers(&collect(&scene.app).await), (0, 0, 0, 0));
    scene.app.kill();
    scene.app.let_leases_end();
    scene.app.restart().await;
    assert_eq!(numbers(&collect(&scene.app).await), (1, 1, 0, 0));
    // Both calls count: nobody knows whether X billed the first.
    assert_eq!(spent(&scene.app, "collect"), 10_000);
    let part = scene.readings(&post_id).await["parts"][0].clone();
    assert_eq!(part["readings"].as_array().unwrap().len(), 1);
}

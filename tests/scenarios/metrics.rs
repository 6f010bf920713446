//! What Prometheus and people are told: valid, complete, and what really happened.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use vivesphere_domain::metrics::{Kind, METRICS};
use vivesphere_tests::app::App;
use vivesphere_tests::build::repository;
use vivesphere_tests::client::Client;
use vivesphere_tests::fake_x::{Endpoint, Fault};

use crate::publishing::Scene;

const METRICS_PATH: &str = "/api/v1/metrics";
/// What an instance has counted is in the database after a second.
const COUNTED: Duration = Duration::from_millis(1500);

/// The exposition's samples: the name with its labels, and the number.
async fn samples(client: &Client) -> BTreeMap<String, f64> {
    let answer = client.get(METRICS_PATH).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let lines = answer.text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, number) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), number.parse().unwrap())
        })
        .collect()
}

fn requests(samples: &BTreeMap<String, f64>, method: &str, route: &str, status: u16) -> f64 {
    let series = format!(
        "vivesphere_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}"
    );
    samples.get(&series).copied().unwrap_or(0.0)
}

/// Holds the text against Prometheus' own parser, where it can be installed: `tests/prometheus/parse`
/// says what it found as JSON, or ends with 3 where there is no Python or no registry.
fn parsed(text: &str) -> Option<Value> {
    let mut child = Command::new(repository().join("tests/prometheus/parse"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    if output.status.code() == Some(3) {
        return None;
    }
    assert!(output.status.success(), "Prometheus does not read it");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn prometheus_own_parser_reads_it_and_finds_every_name_of_the_table() {
    let scene = Scene::start().await;
    let post_id = scene.schedule("counted").await;
    scene.settle(&post_id).await;
    tokio::time::sleep(COUNTED).await;
    let answer = scene.app.service().get(METRICS_PATH).await;
    assert_eq!(
        answer.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    for metric in METRICS {
        let (name, kind) = (metric.name, metric.kind.as_str());
        let head = format!("# HELP {name} {}\n# TYPE {name} {kind}\n", metric.help);
        assert_eq!(answer.text.matches(&head).count(), 1, "{name}");
    }
    // Nothing else, and nothing without its labels.
    for series in samples(&scene.app.service()).await.keys() {
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let metric = METRICS.iter().find(|metric| {
            let suffixes: &[&str] = match metric.kind {
                Kind::Histogram => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            name.strip_prefix(metric.name)
                .is_some_and(|rest| suffixes.contains(&rest))
        });
        let metric = metric.unwrap_or_else(|| panic!("{series} is not in the table"));
        for label in metric.labels {
            assert!(labels.contains(&format!("{label}=\"")), "{series}");
        }
    }
    match parsed(&answer.text) {
        Some(families) => {
            let families: BTreeSet<&str> = families
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            // The parser takes the ending off a counter's name.
            let wanted: BTreeSet<&str> = METRICS
                .iter()
                .map(|metric| metric.name.trim_end_matches("_total"))
                .collect();
            assert_eq!(families, wanted);
        }
        None => eprintln!("skipped: Prometheus' parser cannot be installed here"),
    }
}

#[tokio::test]
async fn whoever_may_read_metrics_may_scrape_and_nobody_restricted() {
    let app = App::start().await;
    let admin = app.admin().await;
    app.anonymous()
        .get(METRICS_PATH)
        .await
        .problem(401, "missing_credentials");
    let nobody = app.user(&admin, &[]).await;
    nobody.get(METRICS_PATH).await.problem(403, "forbidden");
    let key = async |owner: &Client, body: Value| {
        let made = owner.post("/api/v1/access-keys", &body).await.json(201);
        app.anonymous().with_token(made["key"].as_str().unwrap())
    };
    let prometheus = json!({"name": "prometheus", "scopes": ["metrics:read"]});
    let prometheus = key(&admin, prometheus).await;
    assert_eq!(prometheus.get(METRICS_PATH).await.status, 200);
    assert_eq!(app.service().get(METRICS_PATH).await.status, 200);
    let other = json!({"name": "other", "scopes": ["bots:read"]});
    let other = key(&admin, other).await;
    other.get(METRICS_PATH).await.problem(403, "forbidden");
    let bot = json!({"bot_name": "one"});
    let bot = admin.post("/api/v1/bots/create", &bot).await.json(201);
    let restricted = json!({"name": "restricted", "scopes": ["metrics:read"],
        "bot_ids": [bot["bot_id"]]});
    let restricted = key(&admin, restricted).await;
    restricted.get(METRICS_PATH).await.problem(403, "forbidden");
    let overview = restricted.get("/api/v1/metrics/overview").await.json(200);
    assert!(overview["spending"].is_null());
    assert_eq!(overview["bots"], json!({"unconnected": 1}));
}

#[tokio::test]
async fn every_request_is_counted_once_by_its_route_and_never_by_its_path() {
    let app = App::start().await;
    let admin = app.admin().await;
    let bot = json!({"bot_name": "one"});
    let bot = admin.post("/api/v1/bots/create", &bot).await.json(201);
    let bot_id = bot["bot_id"].as_str().unwrap();
    // More than several instances serve in their lives, at once and one after the other.
    let path = format!("/api/v1/bots/{bot_id}");
    for _ in 0..25 {
        let asked = (0..16).map(|_| admin.get(&path));
        for answer in futures::future::join_all(asked).await {
            answer.json(200);
        }
    }
    admin
        .get("/api/v1/bots/01890000-0000-7000-8000-000000000000")
        .await
        .problem(404, "not_found");
    app.anonymous()
        .get(&path)
        .await
        .problem(401, "missing_credentials");
    admin
        .get("/api/v1/bots/list/surprise/9")
        .await
        .problem(404, "not_found");
    let surprise = Method::from_bytes(b"SURPRISE").unwrap();
    admin.send(surprise, &path, |request| request).await;
    tokio::time::sleep(COUNTED).await;
    let samples = samples(&app.service()).await;
    let route = "/api/v1/bots/{bot_id}";
    assert_eq!(requests(&samples, "GET", route, 200), 400.0);
    assert_eq!(requests(&samples, "GET", route, 404), 1.0);
    assert_eq!(requests(&samples, "GET", route, 401), 1.0);
    assert_eq!(requests(&samples, "GET", "unmatched", 404), 1.0);
    assert_eq!(requests(&samples, "other", "unmatched", 405), 1.0);
    assert_eq!(requests(&samples, "POST", "/api/v1/bots/create", 201), 1.0);
    let series = format!("{{method=\"GET\",route=\"{route}\"}}");
    let count = samples[&format!("vivesphere_http_request_duration_seconds_count{series}")];
    assert_eq!(count, 402.0);
    assert!(samples[&format!("vivesphere_http_request_duration_seconds_sum{series}")] > 0.0);
    assert!(samples.keys().all(|series| !series.contains(bot_id)));
}

#[tokio::test]
async fn counts_survive_a_kill_and_a_restart_and_go_on() {
    let mut app = App::start().await;
    let admin = app.admin().await;
    for _ in 0..10 {
        admin.get("/api/v1/bots/list").await.json(200);
    }
    tokio::time::sleep(COUNTED).await;
    app.kill();
    app.restart().await;
    admin.get("/api/v1/bots/list").await.json(200);
    tokio::time::sleep(COUNTED).await;
    let found = samples(&app.service()).await;
    assert_eq!(requests(&found, "GET", "/api/v1/bots/list", 200), 11.0);
    // One that stops writes what it has first.
    admin.get("/api/v1/bots/list").await.json(200);
    app.stop().await;
    app.restart().await;
    let found = samples(&app.service()).await;
    assert_eq!(requests(&found, "GET", "/api/v1/bots/list", 200), 12.0);
}

#[tokio::test]
async fn publishing_is_told_of_with_what_it_costs() {
    let scene = Scene::start().await;
    for text in ["plain", "with https://example.com/a in it"] {
        let post_id = scene.schedule(text).await;
        assert_eq!(scene.settle(&post_id).await["state"], "published");
    }
    // Sent, its answer lost, found on the timeline.
    scene
        .fake
        .fault_next(Endpoint::CreatePost, 1, Fault::CutAfter);
    let lost = scene.schedule("lost and found").await;
    assert_eq!(scene.settle(&lost).await["state"], "published");
    scene
        .fake
        .fault_next(Endpoint::CreatePost, 1, Fault::InvalidRequest);
    let refused = scene.schedule("refused").await;
    assert_eq!(scene.settle(&refused).await["state"], "failed");
    scene.schedule("still due").await;
    let later = json!({"text": "later", "scheduled_at": "2099-01-01T00:00:00Z"});
    scene.admin.schedule(&scene.bot_id, &later).await;
    tokio::time::sleep(COUNTED).await;
    let samples = samples(&scene.app.service()).await;
    let number = |series: &str| samples.get(series).copied().unwrap_or(f64::NAN);
    let sum = |prefix: &str| -> f64 {
        let all = samples.iter().filter(|(name, _)| name.starts_with(prefix));
        all.map(|(_, number)| number).sum()
    };
    assert_eq!(number("vivesphere_posts{state=\"published\"}"), 3.0);
    assert_eq!(number("vivesphere_posts{state=\"failed\"}"), 1.0);
    assert_eq!(number("vivesphere_posts{state=\"scheduled\"}"), 2.0);
    assert_eq!(number("vivesphere_posts_due"), 1.0);
    assert!(number("vivesphere_posts_due_oldest_seconds") > 1.0);
    assert_eq!(number("vivesphere_posts_dead_letters"), 1.0);
    assert_eq!(number("vivesphere_bots{status=\"active\"}"), 1.0);
    assert_eq!(
        sum("vivesphere_publish_attempts_total{outcome=\"sent\""),
        2.0
    );
    assert_eq!(
        sum("vivesphere_publish_attempts_total{outcome=\"unknown\""),
        1.0
    );
    assert_eq!(
        sum("vivesphere_publish_attempts_total{outcome=\"refused\""),
        1.0
    );
    assert_eq!(
        number("vivesphere_publish_attempt_duration_seconds_count"),
        4.0
    );
    let found = "vivesphere_publish_reconciliations_total{result=\"found\"}";
    assert_eq!(number(found), 1.0);
    // Three posts, one of them with a link; and what was read to find the lost one.
    let spent = "vivesphere_x_spent_dollars_total{purpose=\"publish\"}";
    assert!((number(spent) - 0.23).abs() < 1e-9, "{}", number(spent));
    let today = "vivesphere_x_spent_today_dollars{purpose=\"publish\"}";
    assert_eq!(number(today), number(spent));
    let read = number("vivesphere_x_billed_resources_total{purpose=\"reconcile\"}");
    assert!(read >= 1.0, "{read}");
    assert_eq!(
        number("vivesphere_x_spent_dollars_total{purpose=\"account\"}"),
        0.01
    );
    // Never less than X's own count.
    let ours = (sum("vivesphere_x_spent_dollars_total") * 1000.0).round() as u64;
    assert!(ours >= scene.fake.spent(), "{ours} {}", scene.fake.spent());
    let left = "vivesphere_x_rate_limit_remaining{endpoint=\"create_post\",span=\"window\"}";
    let quota = "vivesphere_x_rate_limit_quota{endpoint=\"create_post\",span=\"window\"}";
    assert!(
        number(left) < number(quota) && number(left) > 0.0,
        "{}",
        number(left)
    );
    let ran = number("vivesphere_worker_last_success_timestamp_seconds{worker=\"publish\"}");
    let now = chrono::Utc::now().timestamp() as f64;
    assert!((now - ran).abs() < 60.0, "{ran}");
    assert_eq!(
        sum("vivesphere_log_queue_records") + sum("vivesphere_log_records_total"),
        scene.app.number(
            "SELECT (SELECT count(*) FROM log_queue) + (SELECT sum(drained) FROM log_counters)"
        ) as f64
    );
}

#[tokio::test]
async fn nobody_is_called_for_a_bot_at_its_own_limit_or_one_that_is_gone() {
    let scene = Scene::start().await;
    let bot = format!("/api/v1/bots/{}", scene.bot_id);
    scene
        .fake
        .fault_next(Endpoint::CreatePost, 1, Fault::InvalidRequest);
    let refused = scene.schedule("refused").await;
    assert_eq!(scene.settle(&refused).await["state"], "failed");
    let limit = json!({"daily_post_limit": 1});
    scene.admin.patch(&bot, &limit).await.json(200);
    let mut last = String::new();
    for text in ["the day's", "for tomorrow", "and another"] {
        last = scene.schedule(text).await;
    }
    for _ in 0..3 {
        scene.app.run_job("publish").await;
    }
    assert_eq!(scene.texts(), ["the day's"]);
    assert_eq!(scene.post(&last).await["state"], "scheduled");
    let of = async |series: &str| samples(&scene.app.service()).await[series];
    assert_eq!(of("vivesphere_posts_due_oldest_seconds").await, 0.0);
    assert_eq!(of("vivesphere_posts_dead_letters").await, 1.0);
    scene.admin.delete(&bot).await.nothing();
    assert_eq!(of("vivesphere_posts_dead_letters").await, 0.0);
    assert_eq!(of("vivesphere_posts_due").await, 0.0);
}

#[tokio::test]
async fn the_overview_tells_of_what_one_may_see() {
    let scene = Scene::start().await;
    let post_id = scene.schedule("seen").await;
    scene.settle(&post_id).await;
    let path = "/api/v1/metrics/overview";
    let all = scene.admin.get(path).await.json(200);
    assert_eq!(all["bots"], json!({"active": 1}));
    assert_eq!(all["posts"], json!({"published": 1}));
    assert_eq!(
        (&all["published_today"], &all["failed_today"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(all["spending"]["publish"]["micro_dollars"], 15_000);
    let owner = scene.app.user(&scene.admin, &["operator"]).await;
    let own = owner.get(path).await.json(200);
    assert_eq!((&own["bots"], &own["posts"]), (&json!({}), &json!({})));
    assert_eq!(own["published_today"], 0);
    assert!(own["spending"].is_null());
    let viewer = scene.app.user(&scene.admin, &["viewer"]).await;
    assert_eq!(viewer.get(path).await.json(200), all);
    let series = format!("/api/v1/metrics/bots/{}", scene.bot_id);
    owner.get(&series).await.problem(404, "not_found");
    let seen = viewer.get(&series).await.json(200);
    let published = seen["steps"].as_array().unwrap().iter();
    let published: i64 = published
        .map(|step| step["published"].as_i64().unwrap())
        .sum();
    assert_eq!(published, 1);
}

#[tokio::test]
async fn a_series_has_the_steps_that_were_asked_for() {
    let app = App::start().await;
    let admin = app.admin().await;
    let bot = json!({"bot_name": "one"});
    let bot = admin.post("/api/v1/bots/create", &bot).await.json(201);
    let path = format!("/api/v1/metrics/bots/{}", bot["bot_id"].as_str().unwrap());
    let series = admin
        .get(&format!(
            "{path}?from=2026-01-01T05:30:00Z&to=2026-01-03T00:00:00Z&step=86400"
        ))
        .await
        .json(200);
    let steps = series["steps"].as_array().unwrap();
    let begin: Vec<&str> = steps
        .iter()
        .map(|step| step["at"].as_str().unwrap())
        .collect();
    assert_eq!(
        begin,
        ["2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"]
    );
    assert_eq!(
        admin.get(&path).await.json(200)["steps"]
            .as_array()
            .unwrap()
            .len(),
        169
    );
    for (query, pointer) in [
        ("step=0", "/step"),
        ("step=5000", "/step"),
        ("from=yesterday", "/from"),
        ("to=2026-01-01", "/to"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "/from"),
        ("from=2020-01-01T00:00:00Z", "/step"),
    ] {
        let answer = admin.get(&format!("{path}?{query}")).await;
        assert_eq!(answer.pointer(), pointer, "{query}");
    }
}

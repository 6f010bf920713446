//! Central settings: typed, versioned, audited, and felt where they are read.

use std::time::{Duration, Instant};

use chrono::Timelike as _;
use reqwest::Method;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::{Answer, Client};
use vivesphere_tests::fake_x::{Endpoint, FakeX, Fault};

use crate::publishing::{Scene, outcomes};

const UPDATE: &str = "/api/v1/config/update";
const ROLLBACK: &str = "/api/v1/config/rollback";

/// Within this time a change is felt everywhere.
const FELT: Duration = Duration::from_secs(5);

pub(crate) async fn try_set(client: &Client, service: &str, settings: Value) -> Answer {
    let data = json!({"settings_data": {"service_name": service, "settings": settings}});
    client.post(UPDATE, &data).await
}

pub(crate) async fn set(client: &Client, service: &str, settings: Value) -> Value {
    try_set(client, service, settings).await.json(200)
}

async fn settings(client: &Client, service: &str) -> Value {
    let path = format!("/api/v1/config/settings?service_name={service}");
    client.get(&path).await.json(200)
}

/// Waits until something is so, five seconds at most.
pub(crate) async fn felt(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let changed = Instant::now();
    while !is_so().await {
        assert!(changed.elapsed() < FELT, "{what} is not felt");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_setting_is_the_variables_until_it_is_set_and_again_when_it_is_taken_back() {
    let app = App::builder()
        .variable("rate_limit_per_minute", 4321)
        .start()
        .await;
    let admin = app.admin().await;
    let before = settings(&admin, "gateway").await;
    assert_eq!(before["version"], 0);
    assert_eq!(before["settings"]["rate_limit_per_minute"], 4321);
    assert_eq!(before["sources"]["rate_limit_per_minute"], "variable");
    assert_eq!(before["settings"]["write_rate_limit_per_minute"], 4321);
    assert_eq!(before["sources"]["write_rate_limit_per_minute"], "default");
    assert_eq!(before["settings"]["compression"], true);
    assert_eq!(before["updated_by"], Value::Null);

    let after = set(&admin, "gateway", json!({"rate_limit_per_minute": 5000})).await;
    assert_eq!(after["version"], 1);
    assert_eq!(after["settings"]["rate_limit_per_minute"], 5000);
    assert_eq!(after["sources"]["rate_limit_per_minute"], "set");
    assert_eq!(after["updated_by"]["id"], json!(admin.user_id));
    assert_eq!(settings(&admin, "gateway").await, after);
    // The same again is no change.
    let again = set(&admin, "gateway", json!({"rate_limit_per_minute": 5000})).await;
    assert_eq!(again, after);
    // What is not named stays; null is the default again.
    set(&admin, "gateway", json!({"compression": false})).await;
    let back = set(&admin, "gateway", json!({"rate_limit_per_minute": null})).await;
    assert_eq!(back["version"], 3);
    assert_eq!(back["settings"]["rate_limit_per_minute"], 4321);
    assert_eq!(back["settings"]["compression"], false);
    let all = admin.get("/api/v1/config/settings").await.json(200);
    let names = all["items"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|item| item["service_name"].clone()).collect();
    assert_eq!(
        names,
        [
            "gateway",
            "posts",
            "publisher",
            "logs",
            "trends",
            "collector"
        ]
    );
    assert_eq!(all["items"][0], back);
}

#[tokio::test]
async fn what_is_not_of_the_schema_is_refused_with_its_place_and_changes_nothing() {
    let app = App::start().await;
    let admin = app.admin().await;
    set(&admin, "gateway", json!({"compression": false})).await;
    let before = settings(&admin, "gateway").await;
    for (given, pointer) in [
        (json!({"surprise": 1}), "/surprise"),
        (
            json!({"rate_limit_per_minute": "100"}),
            "/rate_limit_per_minute",
        ),
        (
            json!({"rate_limit_per_minute": 0}),
            "/rate_limit_per_minute",
        ),
        (
            json!({"rate_limit_per_minute": 1.5}),
            "/rate_limit_per_minute",
        ),
        (json!({"compression": 1}), "/compression"),
        (
            json!({"cors_allowed_origins": "*"}),
            "/cors_allowed_origins",
        ),
        (
            json!({"cors_allowed_origins": ["https://a.example", "https://a.example/"]}),
            "/cors_allowed_origins/1",
        ),
        (
            json!({"cors_allowed_origins": ["*"], "cors_allow_credentials": true}),
            "/cors_allow_credentials",
        ),
        // One of two is wrong: neither is set.
        (
            json!({"compression": true, "publishing_windows": []}),
            "/publishing_windows",
        ),
    ] {
        let answer = try_set(&admin, "gateway", given).await;
        assert_eq!(
            answer.pointer(),
            format!("/settings_data/settings{pointer}")
        );
    }
    let windows = json!({"publishing_windows": [{"from": "08:00", "to": "25:00"}]});
    let answer = try_set(&admin, "publisher", windows).await;
    let wanted = "/settings_data/settings/publishing_windows/0/to";
    assert_eq!(answer.pointer(), wanted);
    let answer = try_set(&admin, "nothing", json!({})).await;
    assert_eq!(answer.pointer(), "/settings_data/service_name");
    for path in ["settings", "history", "schema"] {
        let path = format!("/api/v1/config/{path}?service_name=nothing");
        admin.get(&path).await.problem(404, "not_found");
    }
    assert_eq!(settings(&admin, "gateway").await, before);
    assert_eq!(app.number("SELECT count(*) FROM settings"), 1);
}

#[tokio::test]
async fn an_old_version_is_not_built_upon() {
    let app = App::start().await;
    let admin = app.admin().await;
    let change = |version: i64, limit: i64| {
        json!({"settings_data": {"service_name": "publisher", "version": version,
            "settings": {"publish_max_attempts": limit}}})
    };
    admin.post(UPDATE, &change(0, 5)).await.json(200);
    admin
        .post(UPDATE, &change(0, 6))
        .await
        .problem(412, "stale_version");
    admin.post(UPDATE, &change(1, 6)).await.json(200);
    let roll_back = json!({"service_name": "publisher", "to_version": 1, "version": 1});
    admin
        .post(ROLLBACK, &roll_back)
        .await
        .problem(412, "stale_version");
    let matching = async |version: &str| {
        admin
            .send(Method::POST, UPDATE, |request| {
                let data = json!({"settings_data": {"service_name": "publisher",
                    "settings": {"publish_max_attempts": 7}}});
                request.header("if-match", version).json(&data)
            })
            .await
    };
    matching("\"1\"").await.problem(412, "stale_version");
    assert_eq!(matching("\"2\"").await.json(200)["version"], 3);
    // At once, only one of many is the next version.
    let tries = (0..10).map(|number| {
        let data = change(3, 10 + number);
        let admin = admin.clone();
        async move { admin.post(UPDATE, &data).await.status }
    });
    let mut statuses = futures::future::join_all(tries).await;
    statuses.sort_unstable();
    assert_eq!(statuses[..2], [200, 412], "{statuses:?}");
}

#[tokio::test]
async fn versions_tell_who_changed_what_and_can_be_compared_and_brought_back() {
    let app = App::start().await;
    let admin = app.admin().await;
    for limit in [10, 20, 30] {
        set(&admin, "publisher", json!({"daily_post_limit": limit})).await;
    }
    set(&admin, "publisher", json!({"publish_max_attempts": 3})).await;
    let back = json!({"service_name": "publisher", "to_version": 2});
    let back = admin.post(ROLLBACK, &back).await.json(200);
    assert_eq!(back["version"], 5);
    assert_eq!(back["settings"]["daily_post_limit"], 20);
    assert_eq!(back["sources"]["publish_max_attempts"], "variable");

    let path = "/api/v1/config/history?service_name=publisher&limit=2";
    let (mut versions, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("{path}{cursor}")).await.json(200);
        versions.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let numbers: Vec<_> = versions.iter().map(|version| &version["version"]).collect();
    assert_eq!(numbers, [5, 4, 3, 2, 1]);
    assert_eq!(versions[0]["action"], "rollback");
    assert_eq!(versions[0]["rolled_back_to"], 2);
    assert_eq!(
        versions[0]["changes"],
        json!([
            {"name": "daily_post_limit", "from": 30, "to": 20},
            {"name": "publish_max_attempts", "from": 3, "to": null},
        ])
    );
    assert_eq!(
        versions[4]["changes"],
        json!([{"name": "daily_post_limit", "from": null, "to": 10}])
    );
    for version in &versions {
        assert_eq!(
            version["changed_by"],
            json!({"kind": "user", "id": admin.user_id})
        );
        assert!(version["changed_at"].as_str().unwrap().ends_with('Z'));
        assert!(!version["request_id"].as_str().unwrap().is_empty());
    }
    let diff = async |from: i64, to: i64| {
        let path = format!("/api/v1/config/diff?service_name=publisher&from={from}&to={to}");
        admin.get(&path).await
    };
    let two_to_five = diff(2, 5).await.json(200);
    assert_eq!(two_to_five["changes"], json!([]));
    let none_to_four = diff(0, 4).await.json(200);
    assert_eq!(
        none_to_four["changes"],
        json!([
            {"name": "daily_post_limit", "from": null, "to": 30},
            {"name": "publish_max_attempts", "from": null, "to": 3},
        ])
    );
    diff(1, 9).await.problem(404, "not_found");
    let nowhere = json!({"service_name": "publisher", "to_version": 9});
    assert_eq!(
        admin.post(ROLLBACK, &nowhere).await.pointer(),
        "/to_version"
    );
    // Version 0 is the defaults.
    let defaults = json!({"service_name": "publisher", "to_version": 0});
    let defaults = admin.post(ROLLBACK, &defaults).await.json(200);
    assert_eq!(defaults["settings"]["daily_post_limit"], 2400);
    let audited = "SELECT count(*) FROM audit_log WHERE subject_id = 'publisher' AND action = ";
    assert_eq!(app.number(&format!("{audited}'settings.updated'")), 4);
    assert_eq!(app.number(&format!("{audited}'settings.rolled_back'")), 2);
}

#[tokio::test]
async fn the_schema_says_of_every_setting_what_it_may_hold() {
    let app = App::start().await;
    let admin = app.admin().await;
    let schema = admin.get("/api/v1/config/schema").await.json(200);
    let services = schema["items"].as_array().unwrap();
    for service in services {
        let name = service["service_name"].as_str().unwrap();
        let held = settings(&admin, name).await;
        let described = service["settings"].as_array().unwrap();
        assert_eq!(held["settings"].as_object().unwrap().len(), described.len());
        for setting in described {
            let name = setting["name"].as_str().unwrap();
            assert!(!held["settings"][name].is_null(), "{name}");
            assert!(!setting["description"].as_str().unwrap().is_empty());
            assert_eq!(setting["secret"], false);
            match setting["type"].as_str().unwrap() {
                "integer" => {
                    let held = held["settings"][name].as_i64().unwrap();
                    let bound = |bound: &str| setting[bound].as_i64().unwrap();
                    assert!(
                        (bound("minimum")..=bound("maximum")).contains(&held),
                        "{name}"
                    );
                    assert!(setting["unit"].is_string(), "{name}");
                }
                "boolean" => assert!(held["settings"][name].is_boolean(), "{name}"),
                _ => assert!(held["settings"][name].is_array(), "{name}"),
            }
        }
    }
    let one = "/api/v1/config/schema?service_name=logs";
    let one = admin.get(one).await.json(200);
    let logs = services.iter().find(|it| it["service_name"] == "logs");
    assert_eq!(one["items"], json!([logs]));
    let names = one["items"][0]["settings"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|setting| setting["name"].clone()).collect();
    for category in ["user_activity", "debug", "terminal", "console"] {
        assert!(names.contains(&json!(format!("retention_days_{category}"))));
    }
}

#[tokio::test]
async fn a_change_is_felt_by_every_component_and_every_process_within_seconds() {
    let app = App::start().await;
    let beside = App::builder().beside(&app).start().await;
    let admin = app.admin().await;
    let there = beside
        .anonymous()
        .with_token(admin.token.as_deref().unwrap());
    let limit = async |client: &Client, path: &str| {
        let answer = client.get(path).await;
        answer.header("ratelimit-limit").to_owned()
    };
    let paths = [
        "/api/v1/bots/list",
        "/api/v1/auth/me",
        "/api/v1/health/detailed",
    ];
    // Every one has read the settings before the change.
    for path in paths {
        assert_eq!(limit(&admin, path).await, "1000000");
        assert_eq!(limit(&there, path).await, "1000000");
    }
    set(&admin, "gateway", json!({"rate_limit_per_minute": 777})).await;
    felt("the limit", async || {
        for path in paths {
            if limit(&admin, path).await != "777" || limit(&there, path).await != "777" {
                return false;
            }
        }
        true
    })
    .await;
    set(&admin, "gateway", json!({"rate_limit_enabled": false})).await;
    felt("that there is no limit", async || {
        limit(&there, paths[0]).await.is_empty()
    })
    .await;
}

/// Hours around the time in a zone so many hours east of Greenwich, from one before to one after.
fn hours_around(east: u32) -> Value {
    let hour = chrono::Utc::now().hour() + 24 + east;
    let time = |hour: u32| format!("{:02}:00", hour % 24);
    json!([{"from": time(hour - 1), "to": time(hour + 2)}])
}

#[tokio::test]
async fn outside_of_a_bots_hours_its_posts_wait_until_the_window_opens() {
    let fake = FakeX::start().await;
    let (ann, bob) = (fake.add_user("ann"), fake.add_user("bob"));
    let app = App::start_with(&fake).await;
    let admin = app.admin().await;
    let (in_tokyo, in_utc) = (app.bot(&admin, &ann).await, app.bot(&admin, &bob).await);
    let zone = json!({"timezone": "Asia/Tokyo"});
    let path = format!("/api/v1/bots/{in_tokyo}");
    admin.patch(&path, &zone).await.json(200);
    // Open where it is nine hours later than in Greenwich, closed in Greenwich.
    let windows = json!({"publishing_windows": hours_around(9)});
    set(&admin, "publisher", windows).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let open = admin.schedule(&in_tokyo, &json!({"text": "by day"})).await;
    let closed = admin.schedule(&in_utc, &json!({"text": "by night"})).await;
    app.publish_until(&admin, &open, &["published"]).await;
    app.run_job("publish").await;
    let waiting = admin
        .get(&format!("/api/v1/posts/{closed}"))
        .await
        .json(200);
    assert_eq!(waiting["state"], "scheduled");
    assert_eq!(outcomes(&waiting), [""; 0]);
    assert!(fake.posts_of(&bob.user_id).is_empty());
    // The window opens: the post goes out without having lost an attempt.
    set(
        &admin,
        "publisher",
        json!({"publishing_windows": hours_around(0)}),
    )
    .await;
    felt("the window", async || {
        app.run_job("publish").await;
        !fake.posts_of(&bob.user_id).is_empty()
    })
    .await;
    let posts = fake.posts_of(&bob.user_id);
    let texts: Vec<_> = posts.into_iter().map(|post| post.text).collect();
    assert_eq!(texts, ["by night"]);
    assert_eq!(fake.posts_of(&ann.user_id).len(), 1);
}

#[tokio::test]
async fn a_thread_that_has_begun_is_not_left_half_when_the_window_closes() {
    let scene = Scene::start().await;
    scene.fake.fault(vivesphere_tests::fake_x::FaultRule {
        endpoint: Some(Endpoint::CreatePost),
        user_id: None,
        fault: Fault::ErrorBefore {
            status: 500,
            html: false,
        },
        when: vivesphere_tests::fake_x::When::Next { times: 1, skip: 1 },
    });
    let thread = json!({"thread": ["the first half", "the second half"]});
    let post_id = scene.admin.schedule(&scene.bot_id, &thread).await;
    let first = async || scene.texts() == ["the first half"];
    while !first().await {
        scene.app.run_job("publish").await;
    }
    let next = scene.schedule("has to wait").await;
    let windows = json!({"publishing_windows": hours_around(12)});
    set(&scene.admin, "publisher", windows).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(scene.settle(&post_id).await["state"], "published");
    for _ in 0..3 {
        scene.app.run_job("publish").await;
    }
    assert_eq!(scene.texts(), ["the first half", "the second half"]);
    assert_eq!(scene.post(&next).await["state"], "scheduled");
}

#[tokio::test]
async fn the_publisher_takes_its_limits_from_the_settings() {
    let scene = Scene::start().await;
    let limits = json!({"daily_post_limit": 2, "publish_max_attempts": 1});
    set(&scene.admin, "publisher", limits).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let fault = Fault::CutBefore;
    scene.fake.fault_next(Endpoint::CreatePost, 1, fault);
    let failing = scene.schedule("one attempt only").await;
    assert_eq!(scene.settle(&failing).await["state"], "failed");
    for number in 0..2 {
        let post_id = scene.schedule(&format!("number {number}")).await;
        assert_eq!(scene.settle(&post_id).await["state"], "published");
    }
    let third = scene.schedule("one too many").await;
    scene.app.run_job("publish").await;
    let third = scene.post(&third).await;
    assert_eq!(third["state"], "scheduled");
    assert_eq!(third["attempts"][0]["code"], "daily_post_limit");
}

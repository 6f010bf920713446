//! Logs: what is handed in comes out by its filters, without its secrets; the application tells of
//! itself; what is old goes.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;
use vivesphere_tests::launch::canary;

const SUBMIT: &str = "/api/v1/logs/submit";

async fn submit(client: &Client, log_type: &str, log_data: Value) -> String {
    let record = json!({"log_type": log_type, "log_data": log_data});
    let answer = client.post(SUBMIT, &record).await.json(202);
    answer["log_id"].as_str().unwrap().to_owned()
}

/// Every item that a query gives, page by page.
async fn all(client: &Client, query: &str, limit: u32) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/logs?limit={limit}&{query}{cursor}");
        let page = client.get(&path).await.json(200);
        let found = page["items"].as_array().unwrap();
        assert!(found.len() <= limit as usize);
        items.extend(found.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

fn ids(items: &[Value]) -> Vec<&str> {
    items
        .iter()
        .map(|item| item["log_id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn what_is_submitted_comes_out_without_its_secrets() {
    let app = App::start().await;
    let admin = app.admin().await;
    let program = app.user(&admin, &["operator"]).await;
    let secret = canary("logged");
    let data = json!({
        "level": "warn", "service": "importer", "actor": "ann", "message": "it stalled",
        "rows": 5, "password": secret, "deep": [{"api_key": secret}, {"said": format!("Bearer {secret}")}],
        "headers": {"Authorization": format!("Basic {secret}")}, "note": format!("sk-{secret} token={secret}"),
    });
    let log_id = submit(&program, "terminal", data).await;
    let records = json!({"records": [
        {"log_type": "debug", "log_data": {}},
        {"log_type": "user_activity", "log_data": {"message": format!("password={secret}")}},
    ]});
    let answer = program.post(SUBMIT, &records).await.json(202);
    assert_eq!(answer["log_ids"].as_array().unwrap().len(), 2);
    let done = app.run_job("drain-logs").await;
    assert_eq!(done["drained"]["terminal"], 1);
    assert_eq!(done["drained"]["debug"], 1);
    assert_eq!(done["remaining"], 0);
    let found = all(&admin, "log_type=terminal", 20).await;
    assert_eq!(found.len(), 1);
    let mut record = found[0].clone();
    let logged_at = record["logged_at"].take();
    assert!(logged_at.as_str().unwrap().ends_with('Z'));
    assert_eq!(
        record,
        json!({
            "log_id": log_id, "log_type": "terminal", "level": "warn", "service": "importer",
            "actor": "ann", "message": "it stalled", "logged_at": null,
            "submitted_by": program.user_id,
            "data": {
                "rows": 5, "password": "[redacted]",
                "deep": [{"api_key": "[redacted]"}, {"said": "Bearer [redacted]"}],
                "headers": {"Authorization": "[redacted]"},
                "note": "[redacted] token=[redacted]",
            },
        })
    );
    let debug = all(&admin, "log_type=debug", 20).await;
    assert_eq!(debug[0]["service"], program.user_id.as_str());
    assert_eq!(debug[0]["actor"], Value::Null);
    for file in std::fs::read_dir(app.state_dir()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "a secret is in the database");
    }
    assert!(!app.log().contains(&secret));
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_nothing_is_kept() {
    let app = App::start().await;
    let admin = app.admin().await;
    let good = json!({"log_type": "debug", "log_data": {}});
    for (body, pointer) in [
        (json!({"log_type": "debug"}), "/log_data"),
        (json!({"log_data": {}}), "/log_type"),
        (json!({"log_type": "noise", "log_data": {}}), "/log_type"),
        (json!({"log_type": "debug", "log_data": []}), "/log_data"),
        (
            json!({"log_type": "debug", "log_data": {"level": "loud"}}),
            "/log_data/level",
        ),
        (
            json!({"log_type": "debug", "log_data": {"x": "y".repeat(70_000)}}),
            "/log_data",
        ),
        (json!({"records": []}), "/records"),
        (json!({"records": [good], "log_type": "debug"}), "/records"),
        (
            json!({"records": [good, {"log_type": "x", "log_data": {}}]}),
            "/records/1/log_type",
        ),
        (
            json!({"records": [good, {"log_type": "debug"}]}),
            "/records/1/log_data",
        ),
        (json!({"records": vec![good.clone(); 1001]}), "/records"),
    ] {
        let refused = admin.post(SUBMIT, &body).await;
        assert_eq!(refused.pointer(), pointer, "{}", refused.text);
    }
    assert_eq!(app.number("SELECT count(*) FROM log_queue"), 0);
    let viewer = app.user(&admin, &["viewer"]).await;
    viewer.post(SUBMIT, &good).await.problem(403, "forbidden");
    for query in [
        "level=loud",
        "to=now",
        "text=",
        "text=%00",
        "limit=201",
        "cursor=x",
    ] {
        let answer = admin.get(&format!("/api/v1/logs?{query}")).await;
        answer.problem(422, "invalid");
    }
}

#[tokio::test]
async fn filters_pages_and_the_export_agree() {
    let app = App::start().await;
    let admin = app.admin().await;
    let mut sent = Vec::new();
    for number in 0..60 {
        let log_type = ["debug", "terminal", "console"][number % 3];
        let level = ["info", "warn", "error"][number % 4 % 3];
        let data = json!({
            "level": level,
            "service": format!("service {}", number % 2),
            "actor": format!("actor {}", number % 5),
            "message": format!("Message 100% {number}"),
            "data": {"number": number, "path": format!("C:\\new\"{number}\"\n")},
        });
        sent.push((submit(&admin, log_type, data.clone()).await, log_type, data));
    }
    app.run_job("drain-logs").await;
    let services = |item: &Value| item["service"].as_str().unwrap().starts_with("service ");
    let newest_first: Vec<&str> = sent.iter().rev().map(|(id, _, _)| id.as_str()).collect();
    let everything = all(&admin, "", 7).await;
    let ours: Vec<Value> = everything
        .iter()
        .filter(|item| services(item))
        .cloned()
        .collect();
    assert_eq!(ids(&ours), newest_first);
    let middle = ours[30]["logged_at"].as_str().unwrap().replace('+', "%2B");
    for (query, fits) in [
        (
            "log_type=debug".to_owned(),
            Box::new(|item: &Value| item["log_type"] == "debug") as Box<dyn Fn(&Value) -> bool>,
        ),
        (
            "level=error".to_owned(),
            Box::new(|item| item["level"] == "error"),
        ),
        (
            "level=info&log_type=console".to_owned(),
            Box::new(|item| item["level"] == "info" && item["log_type"] == "console"),
        ),
        (
            "service=service%201".to_owned(),
            Box::new(|item| item["service"] == "service 1"),
        ),
        (
            "actor=actor%203&service=service%200&level=warn".to_owned(),
            Box::new(|item| {
                item["actor"] == "actor 3"
                    && item["service"] == "service 0"
                    && item["level"] == "warn"
            }),
        ),
        (
            "text=mESSAGE%20100%25%2042".to_owned(),
            Box::new(|item| item["message"] == "Message 100% 42"),
        ),
        (
            "text=%22number%22:7,".to_owned(),
            Box::new(|item| item["data"]["data"]["number"] == 7),
        ),
        (
            "text=c:%5Cnew%2212%22%0A".to_owned(),
            Box::new(|item| item["data"]["data"]["number"] == 12),
        ),
        ("text=1_0".to_owned(), Box::new(|_| false)),
        (
            format!("from={middle}"),
            Box::new(|item| item["logged_at"].as_str() >= ours[30]["logged_at"].as_str()),
        ),
        (
            format!("to={middle}&log_type=terminal"),
            Box::new(|item| {
                item["logged_at"].as_str() < ours[30]["logged_at"].as_str()
                    && item["log_type"] == "terminal"
            }),
        ),
    ] {
        let wanted: Vec<Value> = everything
            .iter()
            .filter(|item| fits(item))
            .cloned()
            .collect();
        for limit in [3, 200] {
            assert_eq!(all(&admin, &query, limit).await, wanted, "{query}");
        }
        let export = admin.get(&format!("/api/v1/logs/export?{query}")).await;
        assert_eq!(export.status, 200);
        assert_eq!(export.header("content-type"), "application/x-ndjson");
        let lines: Vec<Value> = export
            .text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines, wanted, "{query}");
    }
}

#[tokio::test]
async fn a_search_looks_at_so_many_records_a_page_and_finds_all_in_the_end() {
    let app = App::start().await;
    let admin = app.admin().await;
    let mut database = app.database();
    let transaction = database.transaction().unwrap();
    {
        let mut insert = transaction
            .prepare("INSERT INTO logs VALUES (?, 'debug', 'info', 's', '', ?, '{}', 'system')")
            .unwrap();
        for number in 0..45_000_u64 {
            let id = format!("019a0000-{:04x}-7000-8000-{:012x}", number / 60_000, number);
            let text = if number == 3 || number == 44_000 {
                "needle"
            } else {
                "hay"
            };
            insert.execute((id, text)).unwrap();
        }
    }
    transaction.commit().unwrap();
    let first = admin
        .get("/api/v1/logs?log_type=debug&text=needle")
        .await
        .json(200);
    assert_eq!(first["items"].as_array().unwrap().len(), 1);
    assert!(first["next_cursor"].is_string());
    let found = all(&admin, "log_type=debug&text=needle", 20).await;
    assert_eq!(found.len(), 2);
    let export = admin.get("/api/v1/logs/export?log_type=debug").await;
    let distinct: BTreeSet<&str> = export.text.lines().collect();
    assert_eq!(distinct.len(), 45_000);
}

#[tokio::test]
async fn the_application_tells_of_itself_and_reading_leaves_nothing() {
    let app = App::start().await;
    let admin = app.admin().await;
    let operator = app.user(&admin, &["operator"]).await;
    let bot = json!({"bot_name": "told of"});
    let bot = operator.post("/api/v1/bots/create", &bot).await.json(201);
    let wrong = json!({"username": operator.username, "password": "not the password"});
    let login = app.anonymous().post("/api/v1/auth/login", &wrong).await;
    login.problem(401, "invalid_credentials");
    app.run_job("drain-logs").await;
    let of_operator = format!("log_type=user_activity&actor={}", operator.user_id);
    let told = all(&admin, &of_operator, 20).await;
    let created = told
        .iter()
        .find(|item| item["data"]["action"] == "bot.created")
        .unwrap();
    assert_eq!(created["data"]["subject_id"], bot["bot_id"]);
    assert_eq!(created["service"], "bot");
    assert_eq!(created["submitted_by"], "system");
    assert!(
        told.iter().any(|item| item["service"] == "session"),
        "{told:?}"
    );
    let failed = all(&admin, "level=warn&text=login.failed", 20).await;
    assert_eq!(failed.len(), 1, "{failed:?}");

    // A run that did something, in terminal; one that did not, nowhere.
    app.run_job("expire").await;
    app.run_job("publish").await;
    app.database()
        .execute("UPDATE oauth_states SET expires_at = 0", [])
        .unwrap();
    app.database()
        .execute("INSERT INTO oauth_states VALUES ('x', 'b', 'u', 0)", [])
        .unwrap();
    app.run_job("expire").await;
    // Problems, in console; their causes, in debug.
    let rename = |from: &str, to: &str| {
        let statement = format!("ALTER TABLE {from} RENAME TO {to}");
        app.database().execute(&statement, []).unwrap();
    };
    rename("bots", "bots_away");
    let broken = operator.get("/api/v1/bots/list").await;
    let request_id = broken.problem(503, "storage_unavailable")["request_id"].clone();
    rename("bots_away", "bots");
    wait_for(&app, "SELECT count(*) FROM log_queue", 3).await;
    app.run_job("drain-logs").await;
    let runs = all(&admin, "log_type=terminal", 20).await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(runs[0]["service"], "expire");
    let problems = all(&admin, "log_type=console&level=error", 20).await;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0]["data"]["request_id"], request_id);
    assert_eq!(problems[0]["data"]["code"], "storage_unavailable");
    let causes = all(&admin, "log_type=debug", 20).await;
    assert_eq!(causes[0]["data"]["request_id"], request_id);
    assert!(causes[0]["message"].as_str().unwrap().contains("bots"));

    let count = "SELECT (SELECT count(*) FROM logs) + (SELECT count(*) FROM log_queue)";
    let before = app.number(count);
    for _ in 0..10 {
        operator.get("/api/v1/bots/list").await.json(200);
        operator
            .get("/api/v1/bots/nothing")
            .await
            .problem(404, "not_found");
        app.run_job("drain-logs").await;
    }
    assert_eq!(app.number(count), before);
}

async fn wait_for(app: &App, query: &str, wanted: i64) {
    for _ in 0..100 {
        if app.number(query) >= wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{query} is {}, not {wanted}", app.number(query));
}

#[tokio::test]
async fn what_is_old_is_deleted_by_category() {
    let app = App::start().await;
    let admin = app.admin().await;
    let stats = admin.get("/api/v1/logs/stats").await.json(200);
    let days = |log_type: &str| stats["retention_days"][log_type].as_u64().unwrap();
    let mut database = app.database();
    let transaction = database.transaction().unwrap();
    for log_type in ["debug", "terminal", "console", "user_activity"] {
        for number in 0..1200_u64 {
            // Half of them an hour too old, half with an hour to go.
            let hours = days(log_type) * 24;
            let hours = if number % 2 == 0 {
                hours + 1
            } else {
                hours - 1
            };
            let age = Duration::from_secs(hours * 3600).as_millis();
            let now = std::time::SystemTime::now();
            let now = now
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_millis();
            let moment = format!("{:012x}", now - age);
            let id = format!("{}-{}-7000-8000-{number:012x}", &moment[..8], &moment[8..]);
            transaction
                .execute(
                    "INSERT INTO logs VALUES (?, ?, 'info', 's', '', '', '{}', 'system')",
                    (id, log_type),
                )
                .unwrap();
        }
    }
    transaction
        .execute("UPDATE log_drain SET expire_at = 0", [])
        .unwrap();
    transaction.commit().unwrap();
    let done = app.run_job("drain-logs").await;
    let wanted = json!({"debug": 600, "terminal": 600, "console": 600, "user_activity": 600});
    assert_eq!(done["deleted"], wanted);
    assert_eq!(
        app.number("SELECT count(*) FROM logs WHERE service = 's'"),
        2400
    );
    let again = app.run_job("drain-logs").await;
    assert_eq!(again["deleted"]["debug"], 0);
    let stats = admin.get("/api/v1/logs/stats").await.json(200);
    assert_eq!(stats["deleted"], wanted);
}

//! The log queue: nothing that was accepted is lost by a crash, workers do not get in each other's
//! way, and when it is full the less important goes.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;

const SUBMIT: &str = "/api/v1/logs/submit";

/// Hands records in until nobody answers, and notes the ids of those that were accepted.
async fn submit_until_the_end(client: Client, number: usize, accepted: Arc<Mutex<Vec<String>>>) {
    for count in 0.. {
        let data = json!({"message": format!("record {count} of {number}")});
        let body = json!({"log_type": "console", "log_data": data});
        let sent = client.try_send(Method::POST, SUBMIT, |request| request.json(&body));
        let Ok(answer) = sent.await else { return };
        if answer.status == 202 {
            let answer = answer.json(202);
            let log_id = answer["log_id"].as_str().unwrap().to_owned();
            accepted.lock().unwrap().push(log_id);
        }
    }
}

fn ids(app: &App, query: &str) -> Vec<String> {
    let database = app.database();
    let mut statement = database.prepare(query).unwrap();
    let ids = statement.query_map([], |row| row.get(0)).unwrap();
    ids.collect::<Result<_, _>>().unwrap()
}

/// Runs the job until nothing is left; gives how many were drained.
async fn drain_all(app: &App) -> u64 {
    let mut drained = 0;
    for _ in 0..100 {
        let done = app.run_job("drain-logs").await;
        drained += numbers(&done["drained"]);
        if done["remaining"] == 0 && done["busy"] == false {
            return drained;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the queue does not get empty");
}

fn numbers(by_type: &Value) -> u64 {
    let counts = by_type.as_object().unwrap().values();
    counts.map(|count| count.as_u64().unwrap()).sum()
}

/// The beginning of an id of this moment.
fn now() -> String {
    let moment = std::time::SystemTime::now();
    let moment = moment.duration_since(std::time::UNIX_EPOCH).unwrap();
    let digits = format!("{:012x}", moment.as_millis());
    format!("{}-{}", &digits[..8], &digits[8..])
}

/// Puts records right into the queue.
fn fill(app: &App, log_type: &str, count: usize) {
    let mut database = app.database();
    let transaction = database.transaction().unwrap();
    for _ in 0..count {
        let number = rand::random::<u64>() >> 16;
        let id = format!("{}-7000-8000-{number:012x}", now());
        transaction
            .execute(
                "INSERT INTO log_queue
                    (log_id, log_type, level, service, actor, message, data, submitted_by)
                 VALUES (?, ?, 'info', 's', '', 'queued', '{}', 'system')",
                (id, log_type),
            )
            .unwrap();
    }
    transaction.commit().unwrap();
}

#[tokio::test]
async fn nothing_accepted_is_lost_when_the_process_is_killed() {
    let mut app = App::start().await;
    let admin = app.admin().await;
    let accepted = Arc::new(Mutex::new(Vec::new()));
    for round in 1..=3 {
        let submitters: Vec<_> = (0..32)
            .map(|number| submit_until_the_end(admin.clone(), number, accepted.clone()))
            .map(tokio::spawn)
            .collect();
        // In the midst of it, not after so much time: a slow machine accepts less in it.
        while accepted.lock().unwrap().len() < 150 * round {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        app.kill();
        join_all(submitters).await;
        app.restart().await;
    }
    let accepted = accepted.lock().unwrap().clone();
    assert!(accepted.len() >= 450, "{}", accepted.len());
    drain_all(&app).await;
    let kept = ids(&app, "SELECT log_id FROM logs WHERE log_type = 'console'");
    let distinct: BTreeSet<&String> = kept.iter().collect();
    assert_eq!(distinct.len(), kept.len());
    let lost: Vec<_> = accepted
        .iter()
        .filter(|id| !distinct.contains(id))
        .collect();
    assert!(
        lost.is_empty(),
        "{} of {} are lost",
        lost.len(),
        accepted.len()
    );
}

#[tokio::test]
async fn a_worker_that_is_killed_leaves_every_record_once() {
    let mut app = App::start().await;
    app.admin().await;
    fill(&app, "debug", 9_000);
    fill(&app, "user_activity", 500);
    let queued: BTreeSet<String> = ids(&app, "SELECT log_id FROM log_queue")
        .into_iter()
        .collect();
    assert_eq!(queued.len(), 9_500);
    for wait in [5, 20, 60] {
        let service = app.service();
        let run = tokio::spawn(async move {
            let path = "/api/v1/jobs/drain-logs/run";
            let _lost = service
                .try_send(Method::POST, path, |request| request)
                .await;
        });
        tokio::time::sleep(Duration::from_millis(wait)).await;
        app.kill();
        run.await.unwrap();
        app.let_leases_end();
        app.restart().await;
    }
    drain_all(&app).await;
    let kept = ids(&app, "SELECT log_id FROM logs WHERE service = 's'");
    assert_eq!(kept.len(), 9_500);
    assert_eq!(kept.into_iter().collect::<BTreeSet<_>>(), queued);
}

#[tokio::test]
async fn workers_at_the_same_time_do_not_get_in_each_others_way() {
    let app = App::start().await;
    app.admin().await;
    fill(&app, "terminal", 5_000);
    let runs = join_all((0..6).map(|_| app.run_job("drain-logs"))).await;
    let drained: u64 = runs.iter().map(|done| numbers(&done["drained"])).sum();
    let rest = drain_all(&app).await;
    assert_eq!(drained + rest, 5_000);
    assert_eq!(
        app.number("SELECT count(*) FROM logs WHERE service = 's'"),
        5_000
    );
    // A lease that a dead worker left keeps others away until it ends.
    app.database()
        .execute(
            "UPDATE log_drain SET leased_until = CAST(unixepoch('subsec') * 1000 AS INTEGER) + 1500",
            [],
        )
        .unwrap();
    fill(&app, "terminal", 10);
    assert_eq!(app.run_job("drain-logs").await["busy"], true);
    tokio::time::sleep(Duration::from_millis(1600)).await;
    assert_eq!(app.run_job("drain-logs").await["drained"]["terminal"], 10);
}

#[tokio::test]
async fn a_full_queue_drops_debug_first_and_counts_it() {
    let app = App::start().await;
    let admin = app.admin().await;
    let queued = |log_type: &str| {
        let query = format!("SELECT count(*) FROM log_queue WHERE log_type = '{log_type}'");
        app.number(&query)
    };
    let records = |log_type: &str, count: usize| json!({"records": vec![json!({"log_type": log_type, "log_data": {}}); count]});
    fill(&app, "user_activity", 9_000);
    fill(&app, "debug", 600);
    fill(&app, "console", 395);
    // Five still fit.
    admin.post(SUBMIT, &records("debug", 5)).await.json(202);
    let full = admin.post(SUBMIT, &records("debug", 1)).await;
    full.problem(503, "log_queue_full");
    assert_eq!(queued("debug"), 605);
    admin
        .post(SUBMIT, &records("user_activity", 500))
        .await
        .json(202);
    assert_eq!((queued("debug"), queued("console")), (105, 395));
    admin
        .post(SUBMIT, &records("terminal", 100))
        .await
        .json(202);
    assert_eq!((queued("debug"), queued("terminal")), (5, 100));
    admin
        .post(SUBMIT, &records("user_activity", 205))
        .await
        .json(202);
    assert_eq!(
        (queued("debug"), queued("terminal"), queued("console")),
        (0, 0, 295)
    );
    admin
        .post(SUBMIT, &records("user_activity", 295))
        .await
        .json(202);
    assert_eq!(queued("user_activity"), 10_000);
    for log_type in ["debug", "terminal", "console", "user_activity"] {
        let full = admin.post(SUBMIT, &records(log_type, 1)).await;
        full.problem(503, "log_queue_full");
    }
    let dropped = json!({"debug": 605, "terminal": 100, "console": 100 + 295, "user_activity": 0});
    let stats = admin.get("/api/v1/logs/stats").await.json(200);
    assert_eq!(stats["dropped"], dropped);
    assert_eq!(stats["queued"]["user_activity"], 10_000);
    assert_eq!(stats["queue_limit"], 10_000);
    let done = app.run_job("drain-logs").await;
    assert_eq!(done["dropped"], dropped);
    drain_all(&app).await;
    assert_eq!(
        app.number("SELECT count(*) FROM logs WHERE log_type = 'debug'"),
        0
    );
    admin.post(SUBMIT, &records("debug", 1)).await.json(202);
}

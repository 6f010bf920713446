//! Log records handed in one at a time, and a page of a million of them.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use rusqlite::{Connection, params};
use serde_json::json;

use crate::application::Application;
use crate::flags::Flags;
use crate::load;
use crate::table::{Table, Wanted};

const SUBMIT: &str = "/api/v1/logs/submit";
/// Records of one request of a program that gathers them.
const EACH: usize = 5;
const ROWS: u64 = 1_000_000;
/// The time over which the rows are spread.
const DAYS: u64 = 30;
const TYPES: [&str; 4] = ["debug", "terminal", "console", "user_activity"];
const QUERIES: u64 = 200;

/// Both.
pub(crate) async fn measure(flags: &Flags, table: &mut Table) -> anyhow::Result<()> {
    submit(flags, table).await?;
    query(table).await
}

async fn submit(flags: &Flags, table: &mut Table) -> anyhow::Result<()> {
    eprintln!("handing in log records");
    // With its schedules: what is handed in has to be drained meanwhile.
    let mut application = Application::vivesphere(None, true)?;
    application.restart().await?;
    let token = application.sign_in().await?;
    let record = json!({"log_type": "terminal", "log_data": {
        "level": "info", "service": "benchmark", "message": "a record of usual length, with a text",
        "request": {"path": "/api/v1/somewhere", "milliseconds": 12.5, "attempts": 3},
    }});
    let target = application.target(SUBMIT, Some(&token)).posting(&record);
    let cpu = application.cpu_time()?;
    let answers = load::run(&target, flags.connections, flags.time()).await?;
    let cpu = application.cpu_time()? - cpu;
    let what = |detail: &str| format!("POST {SUBMIT}, one record each{detail}");
    let rate = answers.rate();
    table.add(what(""), rate, "records/s", Wanted::AtLeast(2000.0));
    let (p50, p99) = (answers.percentile(50.0), answers.percentile(99.0));
    table.add(what(", p50"), p50, "ms", Wanted::Nothing);
    table.add(what(", p99"), p99, "ms", Wanted::Nothing);
    // With what drains the queue meanwhile, and the warm-up.
    let per_record = cpu.as_secs_f64() * 1e6 / answers.count() as f64;
    let detail = what(", the host's processor time a record");
    table.add(detail, per_record, "us", Wanted::Nothing);
    let several = json!({"records": vec![&record; EACH]});
    let target = application.target(SUBMIT, Some(&token)).posting(&several);
    // Who hands in more than is drained is told that the queue is full, which is no failure.
    let batches = load::run_refusable(&target, flags.connections, flags.time()).await?;
    let what = format!("POST {SUBMIT}, {EACH} records each");
    let rate = batches.rate() * EACH as f64;
    table.add(&what, rate, "records/s", Wanted::Nothing);
    table.add(
        format!("{what}, refused since the queue was full"),
        batches.refused() * 100.0,
        "%",
        Wanted::Nothing,
    );
    // Everything that was accepted is there.
    let accepted = answers.count() + batches.count() * EACH as u64;
    let database = application.database()?;
    let mut kept: i64 = 0;
    for _ in 0..100 {
        application.drain_logs().await?;
        let queued: i64 =
            database.query_row("SELECT count(*) FROM log_queue", [], |row| row.get(0))?;
        kept = database.query_row(
            "SELECT count(*) FROM logs WHERE service = 'benchmark'",
            [],
            |row| row.get(0),
        )?;
        if queued == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure!(
        kept.unsigned_abs() >= accepted,
        "{accepted} records were accepted, {kept} are there"
    );
    Ok(())
}

async fn query(table: &mut Table) -> anyhow::Result<()> {
    eprintln!("querying {ROWS} log records");
    let mut application = Application::vivesphere(None, false)?;
    application.restart().await?;
    let token = application.sign_in().await?;
    let now = chrono::Utc::now().timestamp_millis().unsigned_abs();
    let begin = now - DAYS * 86_400_000;
    application
        .fill(move |database| fill(database, begin, now))
        .await?;
    let mut by_type = Vec::new();
    let mut by_text = Vec::new();
    for number in 0..QUERIES {
        let log_type = TYPES[(number % 4) as usize];
        let from = begin + (now - begin) / QUERIES * number;
        let from = moment(from)?;
        let to = moment(now)?;
        let path = format!("/api/v1/logs?log_type={log_type}&from={from}&to={to}");
        let (page, time) = application.get(&path, &token).await?;
        let items = page["items"].as_array().context("no items")?;
        ensure!(items.len() == 20, "{} of 20 items", items.len());
        by_type.push(time);
        let path = format!("/api/v1/logs?log_type={log_type}&text=number%20{number}");
        by_text.push(application.get(&path, &token).await?.1);
    }
    let what = "first page by type and time of 1000000 log records, median";
    table.add(what, median(by_type), "ms", Wanted::AtMost(20.0));
    let what = "a page by type and text of 1000000 log records, median";
    table.add(what, median(by_text), "ms", Wanted::Nothing);
    Ok(())
}

fn moment(millis: u64) -> anyhow::Result<String> {
    let millis = i64::try_from(millis)?;
    let moment = chrono::DateTime::from_timestamp_millis(millis).context("out of range")?;
    Ok(moment.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

/// Rows as the log writer leaves them, spread evenly over the time.
fn fill(database: &mut Connection, begin: u64, end: u64) -> anyhow::Result<()> {
    let transaction = database.transaction()?;
    {
        let mut insert =
            transaction.prepare("INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?, ?, 'system')")?;
        for number in 0..ROWS {
            let millis = begin + (end - begin) * number / ROWS;
            let digits = format!("{millis:012x}");
            let log_id = format!("{}-{}-7000-8000-{number:012x}", &digits[..8], &digits[8..]);
            let level = if number % 50 == 0 { "error" } else { "info" };
            let service = format!("service {}", number % 20);
            let actor = format!("actor {}", number % 1000);
            let message = format!("record number {number} of the benchmark");
            let data = format!("{{\"number\":{number},\"path\":\"/api/v1/somewhere\"}}");
            let log_type = TYPES[(number % 4) as usize];
            insert.execute(params![
                log_id, log_type, level, service, actor, message, data
            ])?;
        }
    }
    transaction.commit()?;
    // Else the first to write afterwards would pay for it.
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

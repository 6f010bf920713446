//! A database of a gibibyte, backed up while requests are served, and restored.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use rand::Rng as _;
use rusqlite::{Connection, params};
use serde_json::json;

use crate::application::Application;
use crate::cargo;
use crate::table::{Table, Wanted};

const BYTES: u64 = 1 << 30;
const BOTS: usize = 50;
/// Time between two requests: 100 a second, whether or not the last ones were answered.
const EVERY: Duration = Duration::from_millis(10);
/// Before and after the backup.
const AROUND: Duration = Duration::from_secs(2);

/// All of it.
pub(crate) async fn measure(table: &mut Table) -> anyhow::Result<()> {
    eprintln!("backing a database of {BYTES} bytes up");
    let mut application = Application::vivesphere(None, false)?;
    application.restart().await?;
    let token = application.sign_in().await?;
    // Several: a bot takes only so many posts that wait.
    let mut posts = Vec::new();
    for number in 0..BOTS {
        let bot = json!({"bot_name": format!("bot {number}")});
        let bot = application
            .post("/api/v1/bots/create", &token, Some(&bot))
            .await?;
        let bot_id = bot["bot_id"].as_str().context("no bot")?;
        posts.push(format!("/api/v1/bots/{bot_id}/posts"));
    }
    let state = application.state();
    application
        .fill(move |database| fill(database, &state))
        .await?;

    let stop = Arc::new(AtomicBool::new(false));
    let base = format!("http://{}", application.address);
    let loading = tokio::spawn(load(base, token.clone(), posts.clone(), stop.clone()));
    tokio::time::sleep(AROUND).await;
    let copy = application.beside("backup");
    let began = Instant::now();
    run("backup", &application.state(), "--to", &copy).await?;
    let time = began.elapsed().as_secs_f64();
    tokio::time::sleep(AROUND).await;
    stop.store(true, Ordering::Relaxed);
    let (answered, failed, latencies) = loading.await??;
    let size = copy.join("sqlite_database.default.db").metadata()?.len();
    ensure!(size >= BYTES, "the copy has {size} bytes");
    let rate = answered as f64 / (time + 2.0 * AROUND.as_secs_f64());

    let what = "backup of a database of 1 GiB while 100 requests/s are served";
    table.add(what, time, "s", Wanted::Nothing);
    let requests = |detail: &str| format!("requests during the backup, {detail}");
    table.add(requests("served"), rate, "req/s", Wanted::AtLeast(95.0));
    table.add(requests("failed"), failed as f64, "", Wanted::AtMost(0.0));
    for percent in [50.0, 99.0] {
        let time = latencies.value_at_percentile(percent) as f64 / 1000.0;
        let detail = format!("p{percent}");
        table.add(requests(&detail), time, "ms", Wanted::Nothing);
    }

    // The checks of the copy are part of `restore`; then it has to serve.
    let restored = application.beside("restored");
    let began = Instant::now();
    run("restore", &restored, "--from", &copy).await?;
    let time = began.elapsed().as_secs_f64();
    table.add("its restore, with its checks", time, "s", Wanted::Nothing);
    application.take_state(&restored)?;
    application.restart().await?;
    let token = application.sign_in().await?;
    let first = posts.first().context("no bot")?;
    let (page, _) = application.get(first, &token).await?;
    let there = page["items"].as_array().map_or(0, Vec::len);
    ensure!(there > 0, "the restored copy has no posts");
    Ok(())
}

async fn run(command: &str, state: &Path, flag: &str, other: &Path) -> anyhow::Result<()> {
    let output = tokio::process::Command::new(cargo::host())
        .arg(command)
        .arg("--state-dir")
        .arg(state)
        .arg(flag)
        .arg(other)
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    eprint!("{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

/// Log records of some kilobytes that do not compress, until the file is big enough.
fn fill(database: &Connection, state: &Path) -> anyhow::Result<()> {
    let mut random = rand::rng();
    let mut number = 0_u64;
    while state.join("sqlite_db.db").metadata()?.len() < BYTES {
        database.execute_batch("BEGIN")?;
        {
            let mut insert = database.prepare_cached(
                "INSERT INTO logs VALUES (?, 'debug', 'info', 'filler', '', ?, '{}', 'system')",
            )?;
            for _ in 0..10_000 {
                number += 1;
                let mut bytes = [0; 1500];
                random.fill_bytes(&mut bytes);
                let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                insert.execute(params![format!("filler-{number:010}"), text])?;
            }
        }
        database.execute_batch("COMMIT")?;
        database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}

/// Requests at a steady rate, every third of them a write. Gives how many were answered as they
/// should be, how many were not, and how long they took from the moment they were due.
async fn load(
    base: String,
    token: String,
    posts: Vec<String>,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<(u64, u64, Histogram<u64>)> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let results = Arc::new(Mutex::new((0_u64, 0_u64, Histogram::<u64>::new(3)?)));
    let mut requests = tokio::task::JoinSet::new();
    let mut tick = tokio::time::interval(EVERY);
    let mut number = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let due = tick.tick().await;
        number += 1;
        let request = if number.is_multiple_of(3) {
            let post = json!({
                "text": format!("meanwhile {number}"), "scheduled_at": "2099-01-01T00:00:00Z",
            });
            let path = &posts[(number / 3) as usize % posts.len()];
            client.post(format!("{base}{path}")).json(&post)
        } else {
            client.get(format!("{base}/api/v1/bots/list"))
        };
        let request = request.bearer_auth(&token);
        let results = results.clone();
        requests.spawn(async move {
            let answer = request.send().await;
            let told = match answer {
                Ok(answer) if answer.status().is_success() => None,
                Ok(answer) => Some(format!("{}", answer.status())),
                Err(error) => Some(format!("{error:?}")),
            };
            let good = told.is_none();
            if let Some(told) = told {
                eprintln!("failed: {told}");
            }
            let micros = due.elapsed().as_micros();
            if let Ok(mut results) = results.lock() {
                if good {
                    results.0 += 1;
                } else {
                    results.1 += 1;
                }
                let micros = u64::try_from(micros).unwrap_or(u64::MAX);
                // Grows as far as it has to; a number that does not fit is no latency.
                let _ = results.2.record(micros);
            }
        });
    }
    while requests.join_next().await.is_some() {}
    let results = results
        .lock()
        .map_err(|_| anyhow::anyhow!("a request's task panicked"))?;
    Ok((results.0, results.1, results.2.clone()))
}

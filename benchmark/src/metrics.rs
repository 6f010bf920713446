//! The exposition with many bots and posts, and what counting requests costs each of them.

use std::time::Duration;

use anyhow::ensure;
use rusqlite::{Connection, params};

use crate::application::Application;
use crate::flags::Flags;
use crate::load;
use crate::table::{Table, Wanted};

const PATH: &str = "/api/v1/metrics";
const BOTS: u32 = 1_000;
const POSTS: u32 = 100_000;
const SCRAPES: usize = 200;

/// The median of a scrape; and requests by the second on a route that does little else.
pub(crate) async fn measure(flags: &Flags, table: &mut Table) -> anyhow::Result<()> {
    eprintln!("scraping metrics of {BOTS} bots and {POSTS} posts");
    let mut application = Application::vivesphere(None, false)?;
    application.restart().await?;
    let token = application.sign_in().await?;
    application.fill(fill).await?;
    let mut times = Vec::with_capacity(SCRAPES);
    let mut bytes = 0;
    for _ in 0..SCRAPES {
        let (text, time) = application.get_text(PATH, &token).await?;
        ensure!(
            text.contains("\nvivesphere_posts{state=\"published\"} 8"),
            "the posts are not counted: {text}"
        );
        bytes = text.len();
        times.push(time);
    }
    let what = format!("GET {PATH}, {BOTS} bots and {POSTS} posts");
    let median = median(times);
    table.add(
        format!("{what}, median"),
        median,
        "ms",
        Wanted::AtMost(20.0),
    );
    table.add(
        format!("{what}, length"),
        bytes as f64 / 1e3,
        "kB",
        Wanted::Nothing,
    );
    let path = "/api/v1/metrics/overview";
    let mut times = Vec::with_capacity(SCRAPES);
    for _ in 0..SCRAPES {
        times.push(application.get(path, &token).await?.1);
    }
    let what = format!("GET {path}, the same, median");
    table.add(what, self::median(times), "ms", Wanted::Nothing);
    counting(&application, flags, table).await
}

/// The cheapest route, under load: each of its requests is counted.
async fn counting(
    application: &Application,
    flags: &Flags,
    table: &mut Table,
) -> anyhow::Result<()> {
    let path = "/api/v1/health";
    let before = counted(&application.database()?)?;
    let cpu = application.cpu_time()?;
    let answers = load::run(
        &application.target(path, None),
        flags.connections,
        flags.time(),
    )
    .await?;
    let cpu = application.cpu_time()? - cpu;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = counted(&application.database()?)?;
    let found = (after - before).unsigned_abs();
    ensure!(
        found >= answers.count(),
        "{} requests were answered, {found} were counted",
        answers.count()
    );
    let per_request = cpu.as_secs_f64() * 1e6 / answers.count() as f64;
    let what = format!("GET {path}, the host's processor time a request");
    table.add(what, per_request, "us", Wanted::Nothing);
    Ok(())
}

fn counted(database: &Connection) -> anyhow::Result<i64> {
    Ok(database.query_row(
        "SELECT coalesce(sum(events), 0) FROM counters
         WHERE counter = 'requests' AND labels = 'GET /api/v1/health 200'",
        [],
        |row| row.get(0),
    )?)
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

/// Bots with posts in every state, with their counts, and series of every route and bucket.
fn fill(database: &mut Connection) -> anyhow::Result<()> {
    let now = chrono::Utc::now().timestamp_millis();
    let transaction = database.transaction()?;
    {
        let mut bot = transaction.prepare(
            "INSERT INTO bots (bot_id, owner_id, bot_name, status, timezone, daily_post_limit,
                created_at, updated_at) VALUES (?1, 'somebody', ?1, ?2, 'UTC', 2400, 1, 1)",
        )?;
        let mut sums =
            transaction.prepare("INSERT INTO bot_metrics VALUES (?, 9, 8, 7, 6, 5, 4, 3)")?;
        let mut limit =
            transaction.prepare("INSERT INTO x_rate_limits VALUES (?, ?, 'window', 100, 50, ?)")?;
        for number in 0..BOTS {
            let bot_id = format!("01890000-0000-7000-8000-{number:012x}");
            let status = ["active", "active", "active", "paused"][number as usize % 4];
            bot.execute(params![bot_id, status])?;
            sums.execute(params![bot_id])?;
            for endpoint in ["create_post", "look_up_posts"] {
                limit.execute(params![bot_id, endpoint, now + 900_000])?;
            }
        }
        let mut post = transaction.prepare(
            "INSERT INTO posts (post_id, bot_id, created_by, state, scheduled_at, next_attempt_at,
                published_at, created_at, updated_at) VALUES (?, ?, 'me', ?, ?, ?, ?, 1, ?)",
        )?;
        let mut counts = transaction.prepare(
            "INSERT INTO post_metrics (post_id, position, bot_id, x_post_id, published_at,
                next_reading_at) VALUES (?, 0, ?, ?, ?, ?)",
        )?;
        for number in 0..POSTS {
            let bot_id = format!("01890000-0000-7000-8000-{:012x}", number % BOTS);
            let post_id = format!("01890000-0000-7000-9000-{number:012x}");
            let at = now - i64::from(number) * 30_000;
            let (state, next, published) = match number % 10 {
                0 => (
                    "scheduled",
                    Some(now + 3_600_000 - i64::from(number) * 100),
                    None,
                ),
                1 => ("failed", None, None),
                _ => ("published", None, Some(at)),
            };
            post.execute(params![post_id, bot_id, state, at, next, published, at])?;
            if published.is_some() {
                counts.execute(params![post_id, bot_id, number, at, at + 86_400_000])?;
            }
        }
        let mut series = transaction.prepare(
            "INSERT INTO counters VALUES ('requests', ?, ?, 1000, 5000000, ?)
             ON CONFLICT DO NOTHING",
        )?;
        for route in 0..100 {
            for status in [200, 401, 404] {
                for bucket in 0..6 {
                    let labels = format!("GET /api/v1/capability/{route}/{{some_id}} {status}");
                    series.execute(params![labels, bucket, now])?;
                }
            }
        }
        let mut spent = transaction.prepare("INSERT INTO x_spending VALUES (?, ?, 9, 9, 9000)")?;
        for day in 0..365 {
            for purpose in ["publish", "collect", "reconcile", "account"] {
                spent.execute(params![format!("2025-{day:05}"), purpose])?;
            }
        }
    }
    transaction.commit()?;
    // Else the first to write afterwards would pay for it.
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

//! Scheduled posts by the thousand: each bot's first is made by the API, the others are copies
//! of its rows, so that they are what the API would have written.

use anyhow::Context as _;
use rusqlite::{Connection, params};
use serde_json::json;

use crate::application::Application;

/// A bot and the post of it that the API made, which is not due for a year.
pub(crate) struct Pattern {
    post_id: String,
}

/// One pattern for each bot.
pub(crate) async fn patterns(
    application: &Application,
    token: &str,
    bots: &[String],
) -> anyhow::Result<Vec<Pattern>> {
    let next_year = (chrono::Utc::now() + chrono::Duration::days(365)).to_rfc3339();
    let mut patterns = Vec::new();
    for (number, bot) in bots.iter().enumerate() {
        let path = format!("/api/v1/bots/{bot}/posts");
        let text = format!("pattern of bot {number}");
        let new = json!({"text": text, "scheduled_at": next_year});
        let post = application.post(&path, token, Some(&new)).await?;
        let post_id = post["post_id"].as_str().context("no id")?.to_owned();
        patterns.push(Pattern { post_id });
    }
    Ok(patterns)
}

/// Adds this many posts for each pattern. Due ones were due a second ago; the others are as
/// their pattern.
pub(crate) fn copy(
    database: &mut Connection,
    patterns: &[Pattern],
    each: usize,
    due: bool,
) -> anyhow::Result<()> {
    let moment = due.then(|| chrono::Utc::now().timestamp_millis() - 1000);
    let transaction =
        database.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TEMP TABLE post AS SELECT * FROM posts LIMIT 0;
         CREATE TEMP TABLE part AS SELECT * FROM post_parts LIMIT 0;",
    )?;
    for pattern in patterns {
        transaction.execute_batch("DELETE FROM post; DELETE FROM part;")?;
        let id = [&pattern.post_id];
        transaction.execute("INSERT INTO post SELECT * FROM posts WHERE post_id = ?", id)?;
        transaction.execute(
            "INSERT INTO part SELECT * FROM post_parts WHERE post_id = ?",
            id,
        )?;
        for _ in 0..each {
            let post_id = uuid::Uuid::now_v7().to_string();
            transaction
                .prepare_cached(
                    "UPDATE post SET post_id = ?1, scheduled_at = coalesce(?2, scheduled_at),
                        next_attempt_at = coalesce(?2, next_attempt_at)",
                )?
                .execute(params![post_id, moment])?;
            transaction
                .prepare_cached("UPDATE part SET post_id = ?1, text = ?2")?
                .execute(params![post_id, format!("measured post {post_id}")])?;
            transaction
                .prepare_cached("INSERT INTO posts SELECT * FROM post")?
                .execute([])?;
            transaction
                .prepare_cached("INSERT INTO post_parts SELECT * FROM part")?
                .execute([])?;
        }
    }
    transaction.execute_batch("DROP TABLE post; DROP TABLE part;")?;
    transaction.commit()?;
    // Else the first to write afterwards would pay for it.
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

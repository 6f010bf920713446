//! What the scraper does besides: topics that nobody sees any more sink, and what is old goes.

use serde_json::{Value, json};
use vivesphere_db::{Database, Row, params};
use vivesphere_feeds::momentum::{HalfLife, Strength};

use crate::{Error, Instant};

/// How often every topic is scored anew, and how often what is old is looked for.
const SCORE_EVERY_MILLISECONDS: i64 = 60_000;
const EXPIRE_EVERY_MILLISECONDS: i64 = 600_000;
/// Topics scored at once, and rows deleted at once: nobody waits long for the write lock.
const BATCH: usize = 1_000;
const DAY: i64 = 86_400_000;

/// What is kept how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Days that an item is kept after it was last seen.
    pub item_days: i64,
    /// Days that a point of a time series is kept.
    pub series_days: i64,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Topics that were scored anew.
    pub scored: usize,
    /// Rows of items, topics and time series that were deleted.
    pub deleted: usize,
}

/// Scores and deletes when it is time for either, until `end`.
///
/// # Errors
/// Storage; what was done before stays done.
pub async fn upkeep(
    db: &Database,
    half_life: HalfLife,
    kept: Kept,
    end: Instant,
) -> Result<Upkeep, Error> {
    let now = Instant::now().unix_millis();
    let mut done = Upkeep::default();
    if begins(db, "scored_at", now, SCORE_EVERY_MILLISECONDS).await? {
        done.scored = score(db, half_life, now, end).await?;
    }
    if begins(db, "expired_at", now, EXPIRE_EVERY_MILLISECONDS).await? {
        done.deleted = expire(db, kept, now, end).await?;
    }
    Ok(done)
}

/// Whether it is time, and this worker is the one to do it.
async fn begins(db: &Database, column: &str, now: i64, every: i64) -> Result<bool, Error> {
    let last: Option<i64> = db
        .query_optional(&format!("SELECT {column} FROM trend_upkeep"), params![])
        .await?;
    if last.is_some_and(|last| last.saturating_add(every) > now) {
        return Ok(false);
    }
    let first: Option<i64> = db
        .query_optional(
            &format!("UPDATE trend_upkeep SET {column} = ?1 WHERE {column} = ?2 RETURNING 1"),
            params![now, last],
        )
        .await?;
    Ok(first.is_some())
}

async fn score(db: &Database, half_life: HalfLife, now: i64, end: Instant) -> Result<usize, Error> {
    let mut count = 0;
    loop {
        // A topic at nothing stays there until it is seen again.
        let rows: Vec<Row> = db
            .query(
                "SELECT trend_id, short_strength, long_strength, strength_at FROM trends
                 WHERE momentum > 0 AND scored_at < ? ORDER BY momentum DESC LIMIT ?",
                params![now, BATCH as i64],
            )
            .await?;
        let mut scores = Vec::with_capacity(rows.len());
        for row in &rows {
            let strength = Strength {
                short: row.get(1)?,
                long: row.get(2)?,
                at: row.get(3)?,
            };
            scores.push(json!([row.text(0)?, strength.momentum(half_life, now)]));
        }
        if !scores.is_empty() {
            db.execute(
                "UPDATE trends SET momentum = score.momentum, scored_at = ?2
                 FROM (SELECT value ->> 0 AS trend_id, value ->> 1 AS momentum
                       FROM json_each(?1)) AS score
                 WHERE trends.trend_id = score.trend_id AND trends.scored_at < ?2",
                params![Value::from(scores).to_string(), now],
            )
            .await?;
        }
        count += rows.len();
        if rows.len() < BATCH || Instant::now() >= end {
            return Ok(count);
        }
    }
}

async fn expire(db: &Database, kept: Kept, now: i64, end: Instant) -> Result<usize, Error> {
    let items = now - kept.item_days.saturating_mul(DAY);
    let series = now - kept.series_days.saturating_mul(DAY);
    let mut count = 0;
    for (statement, before) in [
        // Links first: one to an item that is gone would lead nowhere.
        (
            "DELETE FROM trend_topic_items WHERE item_id IN (
                SELECT i.item_id FROM trend_items i JOIN trend_topic_items t USING (item_id)
                WHERE i.last_seen_at < ? LIMIT ?) RETURNING 1",
            items,
        ),
        (
            "DELETE FROM trend_items WHERE item_id IN (
                SELECT item_id FROM trend_items WHERE last_seen_at < ? LIMIT ?) RETURNING 1",
            items,
        ),
        (
            "DELETE FROM trend_points WHERE (trend_id, began_at) IN (
                SELECT trend_id, began_at FROM trend_points WHERE began_at < ? LIMIT ?)
             RETURNING 1",
            series,
        ),
        // A topic goes with the last that tells of it.
        (
            "DELETE FROM trends WHERE trend_id IN (
                SELECT trend_id FROM trends r WHERE last_seen_at < ?
                    AND NOT EXISTS (SELECT 1 FROM trend_topic_items t WHERE t.trend_id = r.trend_id)
                    AND NOT EXISTS (SELECT 1 FROM trend_points p WHERE p.trend_id = r.trend_id)
                LIMIT ?) RETURNING 1",
            items.max(series),
        ),
        // A server that nobody asks any more.
        (
            "DELETE FROM scrape_hosts WHERE origin IN (
                SELECT origin FROM scrape_hosts
                WHERE max(robots_expires_at, next_request_at) < ? LIMIT ?) RETURNING 1",
            now - 7 * DAY,
        ),
    ] {
        loop {
            let rows: Vec<i64> = db.query(statement, params![before, BATCH as i64]).await?;
            count += rows.len();
            if rows.len() < BATCH || Instant::now() >= end {
                break;
            }
        }
    }
    Ok(count)
}

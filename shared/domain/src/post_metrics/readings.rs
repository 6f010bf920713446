//! What a reading changes.

use std::collections::{HashMap, HashSet};

use serde_json::json;
use vivesphere_db::{Database, Row, params};

use super::claims::{Batch, Part};
use super::{Counts, next_reading_at};
use crate::counters::{self, Count, Counter};
use crate::x_rate_limits::{self, Allowance};
use crate::{Error, Instant, x_spending};

/// A part that X has not shown so often in succession is not asked for again.
const MISSED: i64 = 2;
const HOUR: i64 = 3_600_000;

/// What X showed: the counts by its ids; an id that is missing was not shown.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// By id on X.
    pub counts: HashMap<String, Counts>,
    /// What the answer said of the calls that are left.
    pub allowances: Vec<Allowance>,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Parts whose counts are new.
    pub read: usize,
    /// Parts that X did not show: deleted, hidden, or never there.
    pub missing: usize,
}

/// One part's row after its reading.
fn row(part: &Part, read: &Read, now: Instant) -> serde_json::Value {
    let shown = read.counts.get(&part.x_post_id).copied();
    let missed = if shown.is_some() { 0 } else { part.missed + 1 };
    let next = next_reading_at(part.published_at, now)
        .filter(|_| missed < MISSED)
        .map(Instant::unix_millis);
    let counts = shown.unwrap_or(part.before).values();
    json!([
        part.post_id,
        part.position,
        part.fencing_token,
        next,
        missed,
        counts[0],
        counts[1],
        counts[2],
        counts[3],
        counts[4],
        counts[5]
    ])
}

/// Writes a batch's counts, the readings, the bot's hour and sums, and takes back what was not
/// billed: X bills what it shows. Parts whose lease has gone to another are left alone.
///
/// # Errors
/// Storage; then nothing is written.
pub async fn write(db: &Database, batch: &Batch, read: &Read) -> Result<Written, Error> {
    let now = Instant::now();
    let rows = batch.parts.iter().map(|part| row(part, read, now));
    let rows = serde_json::Value::from_iter(rows).to_string();
    let transaction = db.transaction().await?;
    let written: Vec<Row> = transaction
        .query(
            "UPDATE post_metrics SET next_reading_at = new.value ->> 3,
                missed = new.value ->> 4, read_at = iif(new.value ->> 4 = 0, ?2, read_at),
                impressions = new.value ->> 5, likes = new.value ->> 6,
                reposts = new.value ->> 7, replies = new.value ->> 8,
                quotes = new.value ->> 9, bookmarks = new.value ->> 10, leased_until = 0
             FROM json_each(?1) AS new
             WHERE post_id = new.value ->> 0 AND position = new.value ->> 1
                AND fencing_token = new.value ->> 2
             RETURNING post_id, position",
            params![rows.as_str(), now.unix_millis()],
        )
        .await?;
    let mut held = HashSet::with_capacity(written.len());
    for row in &written {
        held.insert((row.text(0)?, row.get::<i64>(1)?));
    }
    let mut done = Written::default();
    let mut change = Counts::default();
    let mut shown = Vec::new();
    for part in &batch.parts {
        if !held.contains(&(part.post_id.clone(), part.position)) {
            continue;
        }
        let Some(counts) = read.counts.get(&part.x_post_id) else {
            done.missing += 1;
            continue;
        };
        done.read += 1;
        change = change + (*counts - part.before);
        let [a, b, c, d, e, f] = counts.values();
        shown.push(json!([part.post_id, part.position, a, b, c, d, e, f]));
    }
    if done.read > 0 {
        let shown = serde_json::Value::from(shown).to_string();
        transaction
            .execute(
                "INSERT INTO post_readings SELECT value ->> 0, value ->> 1, ?2, value ->> 2,
                    value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
                 FROM json_each(?1) WHERE TRUE ON CONFLICT DO NOTHING",
                params![shown, now.unix_millis()],
            )
            .await?;
        let hour = now.unix_millis() - now.unix_millis().rem_euclid(HOUR);
        let [a, b, c, d, e, f] = change.values();
        let readings = i64::try_from(done.read).unwrap_or(0);
        let bot_id = batch.bot_id.as_str();
        let add = "readings = readings + excluded.readings,
            impressions = impressions + excluded.impressions, likes = likes + excluded.likes,
            reposts = reposts + excluded.reposts, replies = replies + excluded.replies,
            quotes = quotes + excluded.quotes, bookmarks = bookmarks + excluded.bookmarks";
        transaction
            .execute(
                &format!(
                    "INSERT INTO bot_metric_hours VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                     ON CONFLICT (bot_id, hour) DO UPDATE SET {add}"
                ),
                params![bot_id, hour, readings, a, b, c, d, e, f],
            )
            .await?;
        transaction
            .execute(
                &format!(
                    "INSERT INTO bot_metrics VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                     ON CONFLICT (bot_id) DO UPDATE SET {add}"
                ),
                params![bot_id, readings, a, b, c, d, e, f],
            )
            .await?;
    }
    let answered = batch
        .parts
        .iter()
        .filter(|part| read.counts.contains_key(&part.x_post_id))
        .count();
    let refund = batch.refund(batch.parts.len() - answered);
    x_spending::add_in(&transaction, &batch.day, &[refund]).await?;
    let said = read.allowances.iter();
    let said = said.map(|allowance| (batch.bot_id.as_str(), allowance));
    x_rate_limits::note_in(&transaction, said).await?;
    let mut counts = Vec::new();
    for (result, events) in [("read", done.read), ("missing", done.missing)] {
        if events > 0 {
            let events = u64::try_from(events).unwrap_or(0);
            counts.push(Count::many(Counter::Readings, result, events));
        }
    }
    counters::add_in(&transaction, &counts).await?;
    transaction.commit().await?;
    Ok(done)
}

/// Gives a batch back that was not read. `billed` says whether X may have billed it all the same;
/// the parts are due again at `at`.
///
/// # Errors
/// Storage; then the lease runs out.
pub async fn give_up(db: &Database, batch: &Batch, at: Instant, billed: bool) -> Result<(), Error> {
    let rows = batch
        .parts
        .iter()
        .map(|part| json!([part.post_id, part.position, part.fencing_token]));
    let rows = serde_json::Value::from_iter(rows).to_string();
    let transaction = db.transaction().await?;
    transaction
        .execute(
            "UPDATE post_metrics SET leased_until = 0,
                next_reading_at = max(next_reading_at, ?2)
             FROM json_each(?1) AS old
             WHERE post_id = old.value ->> 0 AND position = old.value ->> 1
                AND fencing_token = old.value ->> 2",
            params![rows, at.unix_millis()],
        )
        .await?;
    if !billed {
        let refund = batch.refund(batch.parts.len());
        x_spending::add_in(&transaction, &batch.day, &[refund]).await?;
    }
    let failed = u64::try_from(batch.parts.len()).unwrap_or(0);
    let count = Count::many(Counter::Readings, "failed", failed);
    counters::add_in(&transaction, &[count]).await?;
    transaction.commit().await?;
    Ok(())
}

/// Puts off everything that is due of a bot.
///
/// # Errors
/// Storage.
pub async fn postpone(db: &Database, bot_id: &str, at: Instant) -> Result<(), Error> {
    db.execute(
        "UPDATE post_metrics SET next_reading_at = ?2
         WHERE bot_id = ?1 AND next_reading_at IS NOT NULL AND next_reading_at < ?2",
        params![bot_id, at.unix_millis()],
    )
    .await?;
    Ok(())
}

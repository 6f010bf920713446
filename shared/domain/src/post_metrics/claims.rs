//! Which posts are read now: one bot's at a time, under a lease, within the day's budget.
//!
//! The price of every post that is about to be read is counted as spent in the transaction that
//! claims it, and what turns out not to be billed is taken back with the outcome. So any number of
//! workers together never exceed the budget, and a worker that dies leaves too much counted rather
//! than too little.

use vivesphere_db::{Database, Row, params};

use super::Counts;
use crate::x_spending::{self, Purpose, Spent};
use crate::{Error, Instant};

/// X takes no more ids in one call (<https://docs.x.com/x-api/posts/get-posts-by-ids>).
const IDS: i64 = 100;

/// What holds for claims at this moment, from the settings.
#[derive(Debug, Clone, Copy)]
pub struct Claims {
    /// What may be spent on a day (UTC), in millionths of a dollar.
    pub daily_budget: i64,
    /// What X takes for a post that is read, in millionths of a dollar.
    pub price: i64,
    /// How long a claimed post is a worker's.
    pub lease_milliseconds: i64,
}

/// A part that is to be read.
#[derive(Debug, Clone)]
pub struct Part {
    /// The post.
    pub post_id: String,
    /// Which part of it, from 0.
    pub position: i64,
    /// Its id on X.
    pub x_post_id: String,
    /// When it came to be on X.
    pub published_at: Instant,
    /// What X showed last.
    pub before: Counts,
    /// How often in succession X did not show it.
    pub missed: i64,
    /// Nothing is written under another token.
    pub fencing_token: i64,
}

/// Parts of one bot, for one call.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The bot.
    pub bot_id: String,
    /// 1 to 100.
    pub parts: Vec<Part>,
    /// The day on which they were paid for.
    pub day: String,
    /// What was counted for each.
    pub price: i64,
    /// When the lease ends.
    pub leased_until: Instant,
}

impl Batch {
    /// What was counted for so many of them, to be taken back.
    pub(super) fn refund(&self, parts: usize) -> Spent {
        let parts = i64::try_from(parts).unwrap_or(0);
        Spent {
            purpose: Purpose::Collect,
            requests: 0,
            resources: -parts,
            micro_dollars: -parts * self.price,
        }
    }
}

/// What a claim found.
#[derive(Debug, Clone)]
pub enum Claimed {
    /// Something to read.
    Batch(Batch),
    /// Nothing is due.
    Nothing,
    /// The budget of this day is used up while something is due.
    BudgetExhausted,
}

/// The bot whose post has been due for longest. A bot that is not active makes no calls.
const NEXT_BOT: &str = "
    SELECT m.bot_id FROM post_metrics m JOIN bots b ON b.bot_id = m.bot_id
    WHERE m.next_reading_at <= ?1 AND m.leased_until <= ?1
        AND b.status = 'active' AND b.deleted_at IS NULL
    ORDER BY m.next_reading_at LIMIT 1";

/// Claims what is due of the bot that has waited for longest.
///
/// # Errors
/// Storage.
pub async fn claim(db: &Database, claims: &Claims) -> Result<Claimed, Error> {
    let now = Instant::now();
    // Looked at without the write lock first: most runs find nothing.
    let due: Option<String> = db
        .query_optional(NEXT_BOT, params![now.unix_millis()])
        .await?;
    if due.is_none() {
        return Ok(Claimed::Nothing);
    }
    let transaction = db.transaction().await?;
    let day = x_spending::day_of(now);
    let spent = x_spending::on_day(&transaction, &day, Purpose::Collect).await?;
    let affordable = (claims.daily_budget - spent) / claims.price.max(1);
    if affordable < 1 {
        return Ok(Claimed::BudgetExhausted);
    }
    let bot: Option<String> = transaction
        .query_optional(NEXT_BOT, params![now.unix_millis()])
        .await?;
    let Some(bot_id) = bot else {
        return Ok(Claimed::Nothing);
    };
    let leased_until = now.plus_millis(claims.lease_milliseconds);
    let rows: Vec<Row> = transaction
        .query(
            &format!(
                "UPDATE post_metrics SET fencing_token = fencing_token + 1, leased_until = ?4
                 WHERE (post_id, position) IN (
                    SELECT post_id, position FROM post_metrics
                    WHERE bot_id = ?1 AND next_reading_at <= ?2 AND leased_until <= ?2
                    ORDER BY next_reading_at LIMIT ?3)
                 RETURNING post_id, position, x_post_id, published_at, missed, fencing_token, {}",
                Counts::COLUMNS
            ),
            params![
                bot_id.as_str(),
                now.unix_millis(),
                affordable.min(IDS),
                leased_until.unix_millis()
            ],
        )
        .await?;
    let mut parts = Vec::with_capacity(rows.len());
    for row in &rows {
        parts.push(Part {
            post_id: row.text(0)?,
            position: row.get(1)?,
            x_post_id: row.text(2)?,
            published_at: Instant::from_unix_millis(row.get(3)?),
            missed: row.get(4)?,
            fencing_token: row.get(5)?,
            before: Counts::from_columns(row, 6)?,
        });
    }
    let count = i64::try_from(parts.len()).unwrap_or(0);
    let spent = Spent {
        purpose: Purpose::Collect,
        requests: 1,
        resources: count,
        micro_dollars: count * claims.price,
    };
    x_spending::add_in(&transaction, &day, &[spent]).await?;
    transaction.commit().await?;
    Ok(Claimed::Batch(Batch {
        bot_id,
        parts,
        day,
        price: claims.price,
        leased_until,
    }))
}

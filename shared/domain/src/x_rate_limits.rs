//! What X's last answers said about the calls that are left
//! (<https://docs.x.com/x-api/fundamentals/rate-limits>).

use vivesphere_db::{Database, FromRow, Row, Transaction, params};

use crate::{Error, Instant};

/// One of X's windows, as an answer's headers had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// `create_post` or `look_up_posts`.
    pub endpoint: &'static str,
    /// `window` (15 minutes), `user_day` or `app_day`.
    pub span: &'static str,
    /// Calls in a window.
    pub quota: u64,
    /// Calls left.
    pub remaining: u64,
    /// When the window starts again.
    pub reset_at: Instant,
}

/// Keeps what was said to each bot. What was said last holds.
///
/// # Errors
/// Storage; the transaction is then not to be committed.
pub async fn note_in<'a>(
    transaction: &Transaction,
    said: impl IntoIterator<Item = (&'a str, &'a Allowance)>,
) -> Result<(), Error> {
    let rows: Vec<_> = said
        .into_iter()
        .map(|(bot_id, allowance)| {
            serde_json::json!([
                bot_id,
                allowance.endpoint,
                allowance.span,
                allowance.quota,
                allowance.remaining,
                allowance.reset_at.unix_millis(),
            ])
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let rows = serde_json::Value::from(rows).to_string();
    transaction
        .execute(
            "INSERT INTO x_rate_limits (bot_id, endpoint, span, quota, remaining, reset_at)
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
             FROM json_each(?) WHERE TRUE
             ON CONFLICT (bot_id, endpoint, span) DO UPDATE SET quota = excluded.quota,
                remaining = excluded.remaining, reset_at = excluded.reset_at",
            params![rows],
        )
        .await?;
    Ok(())
}

/// What is left of one of X's windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// As [`Allowance::endpoint`].
    pub endpoint: String,
    /// As [`Allowance::span`].
    pub span: String,
    /// Calls in a window.
    pub quota: i64,
    /// Calls left; all of them once the window is over.
    pub remaining: i64,
    /// When the window starts again, or did.
    pub reset_at: Instant,
}

impl FromRow for Left {
    fn from_row(row: &mut Row) -> Result<Self, vivesphere_db::Error> {
        Ok(Self {
            endpoint: row.text(0)?,
            span: row.text(1)?,
            quota: row.get(2)?,
            remaining: row.get(3)?,
            reset_at: Instant::from_unix_millis(row.get(4)?),
        })
    }
}

/// Of each endpoint and span what is left to the bot that has least.
///
/// # Errors
/// Storage.
pub async fn least(db: &Database) -> Result<Vec<Left>, Error> {
    // SQLite takes the other columns from the row that has the minimum.
    Ok(db
        .query(
            "SELECT endpoint, span, quota, min(iif(reset_at > ?, remaining, quota)), reset_at
             FROM x_rate_limits GROUP BY endpoint, span",
            params![Instant::now().unix_millis()],
        )
        .await?)
}

/// What is left to one bot.
///
/// # Errors
/// Storage.
pub async fn of_bot(db: &Database, bot_id: &str) -> Result<Vec<Left>, Error> {
    Ok(db
        .query(
            "SELECT endpoint, span, quota, iif(reset_at > ?2, remaining, quota), reset_at
             FROM x_rate_limits WHERE bot_id = ?1 ORDER BY endpoint, span",
            params![bot_id, Instant::now().unix_millis()],
        )
        .await?)
}

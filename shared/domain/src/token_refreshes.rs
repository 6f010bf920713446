//! One token refresh at a time per bot: X's refresh tokens work once, so two at a time could end
//! the grant.

use vivesphere_db::{Database, Row, params};

use crate::counters::{self, Count, Counter};
use crate::{Error, Instant};

/// How long a refresh may take before another may be tried.
const LEASE_MILLISECONDS: i64 = 60_000;
/// Backoff after a failure: doubling from 5 seconds to 15 minutes.
const BACKOFF_MILLISECONDS: i64 = 5_000;
const BACKOFF_CAP_MILLISECONDS: i64 = 900_000;

/// What taking the lease found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// It is ours, under this fencing token.
    Taken(i64),
    /// Another is refreshing, or the last failure is too recent: seconds to wait.
    Wait(u64),
}

/// How a refresh ended that will not be tried again as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// There is a new pair.
    Refreshed,
    /// X will give none: a person has to connect the bot again.
    Refused,
    /// Another had refreshed it already.
    Unneeded,
}

/// Takes the lease of a bot.
///
/// # Errors
/// Storage.
pub async fn take(db: &Database, bot_id: &str) -> Result<Lease, Error> {
    let now = Instant::now().unix_millis();
    let transaction = db.transaction().await?;
    let token: Option<i64> = transaction
        .query_optional(
            "INSERT INTO token_refreshes (bot_id, fencing_token, leased_until)
             VALUES (?1, 1, ?2 + ?3)
             ON CONFLICT (bot_id) DO UPDATE SET fencing_token = fencing_token + 1,
                leased_until = excluded.leased_until
             WHERE leased_until <= ?2 AND not_before <= ?2
             RETURNING fencing_token",
            params![bot_id, now, LEASE_MILLISECONDS],
        )
        .await?;
    if let Some(token) = token {
        transaction.commit().await?;
        return Ok(Lease::Taken(token));
    }
    let row: Option<Row> = transaction
        .query_optional(
            "SELECT max(leased_until, not_before) FROM token_refreshes WHERE bot_id = ?",
            params![bot_id],
        )
        .await?;
    let until: i64 = row.map_or(Ok(now), |row| row.get(0))?;
    Ok(Lease::Wait(
        (until - now).max(1000).unsigned_abs().div_ceil(1000),
    ))
}

/// Gives the lease back, and counts what became of the refresh.
///
/// # Errors
/// Storage.
pub async fn done(db: &Database, bot_id: &str, token: i64, ended: Ended) -> Result<(), Error> {
    let result = match ended {
        Ended::Refreshed => Some("refreshed"),
        Ended::Refused => Some("refused"),
        Ended::Unneeded => None,
    };
    if let Some(result) = result {
        counters::add(db, &[Count::one(Counter::TokenRefreshes, result)]).await?;
    }
    db.execute(
        "UPDATE token_refreshes SET leased_until = 0, failures = 0, not_before = 0
         WHERE bot_id = ? AND fencing_token = ?",
        params![bot_id, token],
    )
    .await?;
    Ok(())
}

/// Gives the lease back after a failure that may pass, and backs off.
///
/// # Errors
/// Storage.
pub async fn failed(db: &Database, bot_id: &str, token: i64) -> Result<(), Error> {
    counters::add(db, &[Count::one(Counter::TokenRefreshes, "failed")]).await?;
    db.execute(
        "UPDATE token_refreshes SET leased_until = 0, failures = failures + 1,
            not_before = ?3 + min(?4 << min(failures, 10), ?5)
         WHERE bot_id = ?1 AND fencing_token = ?2",
        params![
            bot_id,
            token,
            Instant::now().unix_millis(),
            BACKOFF_MILLISECONDS,
            BACKOFF_CAP_MILLISECONDS
        ],
    )
    .await?;
    Ok(())
}

//! One token refresh at a time per bot: X's refresh tokens work once, so two at a time could end
//! the grant.

use std::time::Duration;

use vivesphere_db::{Database, Row, params};

use crate::counters::{self, Count, Counter};
use crate::{Error, Instant};

/// How long a refresh may take at least before another may be tried.
const LEASE_MILLISECONDS: i64 = 60_000;
/// For reading the old pair and storing the new one.
const MARGIN_MILLISECONDS: i64 = 15_000;
/// Backoff after a failure: doubling from 5 seconds to 15 minutes.
const BACKOFF_MILLISECONDS: i64 = 5_000;
const BACKOFF_CAP_MILLISECONDS: i64 = 900_000;

/// A lease that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Its fencing token.
    pub token: i64,
    /// When it ends.
    pub until: Instant,
}

impl Held {
    /// Whether a call that takes no longer than this ends within the lease, with some time left in
    /// which to store what it gives.
    #[must_use]
    pub fn outlasts(&self, call: Duration) -> bool {
        let end = Instant::now().plus(call);
        self.until.millis_since(end) >= MARGIN_MILLISECONDS / 2
    }
}

/// How long the lease is where a call of X may take this long: twice that, since the answer of the
/// first may come at its end, and what was begun late must not outlive the lease.
fn lease_milliseconds(call: Duration) -> i64 {
    let call = i64::try_from(call.as_millis()).unwrap_or(i64::MAX);
    let twice = call.saturating_mul(2);
    LEASE_MILLISECONDS.max(twice.saturating_add(MARGIN_MILLISECONDS))
}

/// What taking the lease found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// It is ours.
    Taken(Held),
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

/// Takes the lease of a bot, for a call that takes no longer than `call`.
///
/// # Errors
/// Storage.
pub async fn take(db: &Database, bot_id: &str, call: Duration) -> Result<Lease, Error> {
    let now = Instant::now().unix_millis();
    let lease = lease_milliseconds(call);
    let transaction = db.transaction().await?;
    let token: Option<i64> = transaction
        .query_optional(
            "INSERT INTO token_refreshes (bot_id, fencing_token, leased_until)
             VALUES (?1, 1, ?2 + ?3)
             ON CONFLICT (bot_id) DO UPDATE SET fencing_token = fencing_token + 1,
                leased_until = excluded.leased_until
             WHERE leased_until <= ?2 AND not_before <= ?2
             RETURNING fencing_token",
            params![bot_id, now, lease],
        )
        .await?;
    if let Some(token) = token {
        transaction.commit().await?;
        return Ok(Lease::Taken(Held {
            token,
            until: Instant::from_unix_millis(now + lease),
        }));
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
pub async fn done(db: &Database, bot_id: &str, held: Held, ended: Ended) -> Result<(), Error> {
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
        params![bot_id, held.token],
    )
    .await?;
    Ok(())
}

/// Gives the lease back after a failure that may pass, and backs off. Gives the seconds until it may be
/// tried again.
///
/// # Errors
/// Storage.
pub async fn failed(db: &Database, bot_id: &str, held: Held) -> Result<u64, Error> {
    counters::add(db, &[Count::one(Counter::TokenRefreshes, "failed")]).await?;
    let now = Instant::now().unix_millis();
    let until: Option<i64> = db
        .query_optional(
            "UPDATE token_refreshes SET leased_until = 0, failures = failures + 1,
                not_before = ?3 + min(?4 << min(failures, 10), ?5)
             WHERE bot_id = ?1 AND fencing_token = ?2 RETURNING not_before",
            params![
                bot_id,
                held.token,
                now,
                BACKOFF_MILLISECONDS,
                BACKOFF_CAP_MILLISECONDS
            ],
        )
        .await?;
    let wait = until.map_or(BACKOFF_MILLISECONDS, |until| until - now);
    Ok(wait.unsigned_abs().div_ceil(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_outlasts_any_call_that_is_allowed() {
        assert_eq!(lease_milliseconds(Duration::from_secs(2)), 60_000);
        for seconds in [30, 60, 300] {
            let call = Duration::from_secs(seconds);
            let held = Held {
                token: 1,
                until: Instant::now().plus_millis(lease_milliseconds(call)),
            };
            assert!(held.outlasts(call), "{seconds}");
            let late = Held {
                until: Instant::now().plus(call),
                ..held
            };
            assert!(!late.outlasts(call), "{seconds}");
        }
    }
}

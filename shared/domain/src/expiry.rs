//! What is kept for a time only, and its deletion when that is over.

use vivesphere_db::{Database, params};

use crate::{Error, Instant, idempotency_keys, login_failures};

/// Rows deleted by one statement: nobody waits long for the write lock.
const BATCH: usize = 500;
/// A window of the rate limit lasts a minute; an hour later nobody counts in it.
const RATE_LIMIT_MILLISECONDS: i64 = 3_600_000;

/// The tables, how their rows are found, and how long after that moment they are kept. Tokens go
/// before their sessions: a token without a session would be nobody's.
const KEPT: [(&str, &str, i64); 6] = [
    (
        "refresh_tokens",
        "DELETE FROM refresh_tokens WHERE token_hash IN (
            SELECT token_hash FROM refresh_tokens WHERE expires_at < ? LIMIT ?) RETURNING 1",
        0,
    ),
    (
        "sessions",
        "DELETE FROM sessions WHERE session_id IN (
            SELECT session_id FROM sessions WHERE expires_at < ? LIMIT ?) RETURNING 1",
        0,
    ),
    (
        "login_failures",
        "DELETE FROM login_failures WHERE login_failure_id IN (
            SELECT login_failure_id FROM login_failures WHERE failed_at < ? LIMIT ?) RETURNING 1",
        login_failures::WINDOW_MILLISECONDS,
    ),
    (
        "idempotency_keys",
        "DELETE FROM idempotency_keys WHERE (principal_id, idempotency_key) IN (
            SELECT principal_id, idempotency_key FROM idempotency_keys
            WHERE created_at < ? LIMIT ?) RETURNING 1",
        idempotency_keys::KEPT_MILLISECONDS,
    ),
    (
        "oauth_states",
        "DELETE FROM oauth_states WHERE state_hash IN (
            SELECT state_hash FROM oauth_states WHERE expires_at < ? LIMIT ?) RETURNING 1",
        0,
    ),
    (
        "rate_limits",
        "DELETE FROM rate_limits WHERE client IN (
            SELECT client FROM rate_limits WHERE window_start < ? LIMIT ?) RETURNING 1",
        RATE_LIMIT_MILLISECONDS,
    ),
];

/// What a run deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expired {
    /// Rows by table.
    pub deleted: Vec<(&'static str, usize)>,
    /// Whether time ran out before everything was gone.
    pub remaining: bool,
}

/// Deletes what has expired, table by table, until nothing is left or it is `end`.
///
/// # Errors
/// Storage; what was deleted before stays deleted.
pub async fn run(db: &Database, end: Instant) -> Result<Expired, Error> {
    let now = Instant::now().unix_millis();
    let mut expired = Expired::default();
    for (table, statement, kept) in KEPT {
        let mut count = 0;
        loop {
            let rows: Vec<i64> = db
                .query(statement, params![now - kept, BATCH as i64])
                .await?;
            count += rows.len();
            if rows.len() < BATCH {
                break;
            }
            if Instant::now() >= end {
                expired.remaining = true;
                break;
            }
        }
        expired.deleted.push((table, count));
    }
    Ok(expired)
}

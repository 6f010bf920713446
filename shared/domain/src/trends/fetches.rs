//! Fetching a source: leased, and settled with the lease's fencing token.

use serde_json::json;
use vivesphere_db::{Database, Row, Transaction, params};

use super::source_fields::Target;
use super::sources::target;
use crate::{Actor, Error, Instant, audit};

/// What a server gave to ask with the next time (RFC 9110, section 13).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`, as it was sent.
    pub etag: Option<String>,
    /// `Last-Modified`, as it was sent.
    pub last_modified: Option<String>,
}

/// A source that is this worker's to fetch.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The source.
    pub source_id: String,
    /// Names this claim; a later one has a higher number.
    pub fencing_token: i64,
    /// What is read.
    pub target: Target,
    /// Overrides what the items say.
    pub language: Option<String>,
    /// Overrides what the items say.
    pub category: Option<String>,
    /// How much a sighting counts.
    pub weight: f64,
    /// Its own interval, if it has one.
    pub interval_seconds: Option<i64>,
    /// Of the last whole answer.
    pub validators: Validators,
    /// Failures in a row so far.
    pub failures: i64,
    /// What the document asked for when it was last read.
    pub minutes_between_fetches: Option<u32>,
}

/// Claims up to `limit` due sources, the longest due first, for `lease_milliseconds`.
///
/// # Errors
/// Storage.
pub async fn claim(
    db: &Database,
    limit: usize,
    lease_milliseconds: i64,
) -> Result<Vec<Claimed>, Error> {
    let now = Instant::now().unix_millis();
    let due: Option<i64> = db
        .query_optional(
            "SELECT 1 FROM trend_source_states WHERE stopped_at IS NULL AND next_fetch_at <= ?
             LIMIT 1",
            params![now],
        )
        .await?;
    if due.is_none() {
        // With nothing to do nothing is written.
        return Ok(Vec::new());
    }
    let transaction = db.relaxed_transaction().await?;
    let ids: Vec<String> = transaction
        .query(
            "UPDATE trend_source_states SET fencing_token = fencing_token + 1, leased_until = ?2
             WHERE source_id IN (
                SELECT f.source_id FROM trend_source_states f JOIN trend_sources s USING (source_id)
                WHERE s.deleted_at IS NULL AND s.enabled AND f.stopped_at IS NULL
                    AND f.next_fetch_at <= ?1 AND f.not_before <= ?1 AND f.leased_until <= ?1
                ORDER BY f.next_fetch_at LIMIT ?3)
             RETURNING source_id",
            params![
                now,
                now.saturating_add(lease_milliseconds),
                i64::try_from(limit).unwrap_or(i64::MAX)
            ],
        )
        .await?;
    let rows: Vec<Row> = transaction
        .query(
            "SELECT s.source_id, f.fencing_token, s.target, s.language, s.category, s.weight,
                s.interval_seconds, f.etag, f.last_modified, f.failures,
                f.minutes_between_fetches
             FROM trend_source_states f JOIN trend_sources s USING (source_id)
             WHERE s.source_id IN (SELECT value FROM json_each(?)) ORDER BY f.next_fetch_at",
            params![serde_json::Value::from(ids).to_string()],
        )
        .await?;
    transaction.commit().await?;
    rows.iter()
        .map(|row| {
            Ok(Claimed {
                source_id: row.text(0)?,
                fencing_token: row.get(1)?,
                target: target(&row.text(2)?)?,
                language: row.text_optional(3)?,
                category: row.text_optional(4)?,
                weight: row.get(5)?,
                interval_seconds: row.get_optional(6)?,
                validators: Validators {
                    etag: row.text_optional(7)?,
                    last_modified: row.text_optional(8)?,
                },
                failures: row.get(9)?,
                minutes_between_fetches: row
                    .get_optional::<i64>(10)?
                    .and_then(|minutes| u32::try_from(minutes).ok()),
            })
        })
        .collect()
}

/// Gives a claim back without an answer: it is looked at again at `until`. `requests` were sent, for
/// its robots.txt, say.
///
/// # Errors
/// Storage.
pub async fn postpone(
    db: &Database,
    claimed: &Claimed,
    until: Instant,
    requests: i64,
) -> Result<(), Error> {
    db.execute(
        "UPDATE trend_source_states SET leased_until = 0, next_fetch_at = ?3,
            requests = requests + ?4
         WHERE source_id = ?1 AND fencing_token = ?2",
        params![
            claimed.source_id.as_str(),
            claimed.fencing_token,
            until.unix_millis(),
            requests
        ],
    )
    .await?;
    Ok(())
}

/// An answer that was understood, or one that says that nothing is new.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// When it came.
    pub at: Instant,
    /// When it is next fetched.
    pub next_fetch_at: Instant,
    /// To ask with the next time.
    pub validators: Validators,
    /// What the document asks for, kept for the answers that say that it has not changed.
    pub minutes_between_fetches: Option<u32>,
    /// The status.
    pub http_status: Option<u16>,
    /// Requests that it took.
    pub requests: i64,
    /// Items that had not been seen before.
    pub new_items: i64,
}

/// Settles a claim well, in the transaction that records what came. False when another has the
/// source by now: nothing is then to be committed.
///
/// # Errors
/// Storage.
pub async fn fetched(
    transaction: &Transaction,
    claimed: &Claimed,
    fetched: &Fetched,
) -> Result<bool, Error> {
    let ours: Option<i64> = transaction
        .query_optional(
            "UPDATE trend_source_states SET leased_until = 0, next_fetch_at = ?3, etag = ?4,
                last_modified = ?5, failures = 0, backoff_until = NULL, not_before = 0,
                last_attempt_at = ?6, last_success_at = ?6, last_http_status = ?7,
                minutes_between_fetches = ?10, requests = requests + ?8, items = items + ?9,
                last_item_at = CASE WHEN ?9 > 0 THEN ?6 ELSE last_item_at END
             WHERE source_id = ?1 AND fencing_token = ?2 RETURNING 1",
            params![
                claimed.source_id.as_str(),
                claimed.fencing_token,
                fetched.next_fetch_at.unix_millis(),
                fetched.validators.etag.clone(),
                fetched.validators.last_modified.clone(),
                fetched.at.unix_millis(),
                fetched.http_status.map(i64::from),
                fetched.requests,
                fetched.new_items,
                fetched.minutes_between_fetches,
            ],
        )
        .await?;
    Ok(ours.is_some())
}

/// A fetch that gave nothing.
#[derive(Debug, Clone)]
pub struct Failure {
    /// A stable name.
    pub code: &'static str,
    /// The status, when there was an answer.
    pub http_status: Option<u16>,
    /// When it is tried again.
    pub again_at: Instant,
    /// Whether the server itself asked for that: nobody then tries before.
    pub asked_for: bool,
    /// Requests that it took.
    pub requests: i64,
}

/// Settles a claim that failed.
///
/// # Errors
/// Storage.
pub async fn fail(db: &Database, claimed: &Claimed, failure: &Failure) -> Result<(), Error> {
    let again = failure.again_at.unix_millis();
    db.execute(
        "UPDATE trend_source_states SET leased_until = 0, next_fetch_at = ?3, backoff_until = ?3,
            not_before = max(not_before, ?4), failures = failures + 1, last_attempt_at = ?5,
            last_error_code = ?6, last_error_at = ?5, last_http_status = ?7,
            requests = requests + ?8
         WHERE source_id = ?1 AND fencing_token = ?2",
        params![
            claimed.source_id.as_str(),
            claimed.fencing_token,
            again,
            if failure.asked_for { again } else { 0 },
            Instant::now().unix_millis(),
            failure.code,
            failure.http_status.map(i64::from),
            failure.requests,
        ],
    )
    .await?;
    Ok(())
}

/// Stops a source for good: its server says that it is gone (410). Only a person starts it again.
///
/// # Errors
/// Storage.
pub async fn stop(
    db: &Database,
    actor: &Actor,
    claimed: &Claimed,
    requests: i64,
) -> Result<(), Error> {
    let transaction = db.transaction().await?;
    let ours: Option<i64> = transaction
        .query_optional(
            "UPDATE trend_source_states SET leased_until = 0, stopped_at = ?3,
                failures = failures + 1, last_attempt_at = ?3, last_error_code = 'gone',
                last_error_at = ?3, last_http_status = 410, requests = requests + ?4
             WHERE source_id = ?1 AND fencing_token = ?2 RETURNING 1",
            params![
                claimed.source_id.as_str(),
                claimed.fencing_token,
                Instant::now().unix_millis(),
                requests,
            ],
        )
        .await?;
    if ours.is_some() {
        let detail = json!({"http_status": 410});
        let action = "trend_source.stopped";
        audit::record(&transaction, actor, action, &claimed.source_id, &detail).await?;
        transaction.commit().await?;
    }
    Ok(())
}

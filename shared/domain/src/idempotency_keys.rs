//! Idempotency keys: who sent which request first, and what was answered.

use vivesphere_db::{Database, Error, Row, params};

use crate::Instant;

/// A key that is still without an answer after this long belongs to a request that died, or whose
/// answer could not be kept.
const ABANDONED_MILLISECONDS: i64 = 60_000;

/// Whether the request that holds a key has changed something: every change writes an audit row in
/// its own transaction, under the request's id (but a log record, of which a second does no harm). That id is the client's, who may have given it to
/// requests before: only rows after the key was taken count. Their time, from five seconds before since
/// clocks are set, is what they are found by.
const DONE: &str = "EXISTS (SELECT 1 FROM audit_log a
    WHERE a.occurred_at >= idempotency_keys.created_at - 5000
        AND a.audit_id > idempotency_keys.audit_after
        AND a.request_id = idempotency_keys.request_id)";

/// How long an answer is kept: a day.
pub const KEPT_MILLISECONDS: i64 = 86_400_000;

/// A key that a request has taken. Another request may have taken it over since, when this one took
/// too long: then it is no longer this one's to answer or to let go.
#[derive(Debug, Clone, Copy)]
pub struct Hold<'a> {
    /// Whose key it is.
    pub principal_id: &'a str,
    /// The key.
    pub key: &'a str,
    /// The request that took it.
    pub request_id: &'a str,
    /// When it did: a client may send several requests under one id.
    pub taken_at: Instant,
}

/// The row of a hold, as long as nobody else has taken it over.
const HELD: &str = "principal_id = ?1 AND idempotency_key = ?2 AND request_id = ?3
    AND created_at = ?4 AND status IS NULL";

/// What taking a key found.
#[derive(Debug)]
pub enum Taken {
    /// Nobody had it.
    New,
    /// The same request was answered before.
    Answered {
        /// The answer's status.
        status: u16,
        /// The answer's body; nothing where it held a secret and was not kept.
        body: Option<String>,
    },
    /// The same request is being answered right now.
    BeingAnswered,
    /// The same request has changed something, and its answer was lost.
    AnswerLost,
    /// It was used with another request.
    OtherRequest,
}

/// Takes the key for a request, or says what became of it. One that was left by a request which
/// changed nothing is taken over; what has changed something is never done again.
///
/// # Errors
/// Any storage error.
pub async fn take(
    db: &Database,
    principal_id: &str,
    key: &str,
    request: (&str, &str),
    now: Instant,
) -> Result<Taken, Error> {
    let (request_id, request_hash) = request;
    let now = now.unix_millis();
    let taken: Option<Row> = db
        .query_optional(
            &format!(
                "INSERT INTO idempotency_keys
                    (principal_id, idempotency_key, request_hash, created_at, request_id, audit_after)
                 VALUES (?1, ?2, ?3, ?4, ?7, (SELECT coalesce(max(audit_id), 0) FROM audit_log))
                 ON CONFLICT (principal_id, idempotency_key) DO UPDATE SET
                    request_hash = excluded.request_hash, created_at = excluded.created_at,
                    request_id = excluded.request_id, audit_after = excluded.audit_after,
                    status = NULL, body = NULL
                 WHERE created_at < ?4 - ?5
                    OR (status IS NULL AND request_hash = excluded.request_hash
                        AND created_at < ?4 - ?6 AND NOT {DONE})
                 RETURNING 1"
            ),
            params![
                principal_id,
                key,
                request_hash,
                now,
                KEPT_MILLISECONDS,
                ABANDONED_MILLISECONDS,
                request_id
            ],
        )
        .await?;
    if taken.is_some() {
        return Ok(Taken::New);
    }
    let row: Option<Row> = db
        .query_optional(
            "SELECT request_hash, status, body, created_at FROM idempotency_keys
             WHERE principal_id = ? AND idempotency_key = ?",
            params![principal_id, key],
        )
        .await?;
    let Some(row) = row else {
        // Let go between the two statements: the client's next try takes it.
        return Ok(Taken::BeingAnswered);
    };
    if row.get::<&str>(0)? != request_hash {
        return Ok(Taken::OtherRequest);
    }
    Ok(match row.get_optional::<u16>(1)? {
        Some(status) => Taken::Answered {
            status,
            body: row.text_optional(2)?,
        },
        None if row.get::<i64>(3)? < now - ABANDONED_MILLISECONDS => Taken::AnswerLost,
        None => Taken::BeingAnswered,
    })
}

/// Keeps the answer, or without a body that it was given.
///
/// # Errors
/// Any storage error.
pub async fn answer(
    db: &Database,
    hold: &Hold<'_>,
    status: u16,
    body: Option<&str>,
) -> Result<(), Error> {
    db.execute(
        &format!("UPDATE idempotency_keys SET status = ?5, body = ?6 WHERE {HELD}"),
        params![
            hold.principal_id,
            hold.key,
            hold.request_id,
            hold.taken_at.unix_millis(),
            status,
            body.map(str::to_owned)
        ],
    )
    .await
}

/// Lets the key go, if the request changed nothing. A request may fail after its first change.
///
/// # Errors
/// Any storage error.
pub async fn release(db: &Database, hold: &Hold<'_>) -> Result<(), Error> {
    db.execute(
        &format!("DELETE FROM idempotency_keys WHERE {HELD} AND NOT {DONE}"),
        params![
            hold.principal_id,
            hold.key,
            hold.request_id,
            hold.taken_at.unix_millis()
        ],
    )
    .await
}

//! The publisher's side of posts: leases, attempts, outcomes. A row is the only schedule: what a
//! claim does not find due at this moment does not happen.

use serde_json::json;
use vivesphere_db::{Database, FromRow, Row, Transaction, params};

use crate::{Actor, Error, Instant, audit, bots};

const DAY_MILLISECONDS: i64 = 86_400_000;
/// How often a post is looked for before a person has to decide.
const RECONCILIATIONS: i64 = 10;

/// A call to be made, under a lease.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The post.
    pub post_id: String,
    /// Its bot.
    pub bot_id: String,
    /// Outcomes under another token are not written.
    pub fencing_token: i64,
    /// This call's number.
    pub attempt: i64,
    /// Which part of the thread, from 0.
    pub position: i64,
    /// Its text.
    pub text: String,
    /// X's id of the part before.
    pub in_reply_to: Option<String>,
    /// Attempts that counted so far.
    pub spent: u32,
    /// When the lease ends.
    pub leased_until: Instant,
}

/// A post whose last call nobody knows the outcome of, under a lease.
#[derive(Debug, Clone)]
pub struct Doubt {
    /// The post.
    pub post_id: String,
    /// Its bot.
    pub bot_id: String,
    /// Outcomes under another token are not written.
    pub fencing_token: i64,
    /// The part in doubt.
    pub position: i64,
    /// Its text.
    pub text: String,
    /// When the first call for this part began.
    pub since: Instant,
    /// An id that a worker without a lease has noted.
    pub noted_id: Option<String>,
    /// The last call's code.
    pub last_code: String,
    /// Attempts that counted so far.
    pub spent: u32,
    /// How often it has been looked for.
    pub reconciliations: u32,
}

/// What is written of a call or of looking for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// This part is on X under this id.
    Sent(String),
    /// Given up; a person may have it tried again.
    Failed,
    /// Certainly not on X; to be sent at this moment.
    Again {
        /// When.
        at: Instant,
        /// Whether the attempt counts.
        spent: bool,
    },
    /// Perhaps on X; to be looked for at this moment.
    LookAt(Instant),
    /// As `Again` without counting, and the bot is paused until a person resumes it.
    PauseBot,
    /// As `Again` without counting, and the whole bot waits.
    BotWaits(Instant),
}

/// A call's result as the attempt row keeps it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// `sent`, `refused`, `unknown` or `deferred`.
    pub name: &'static str,
    /// The answer's status.
    pub http_status: Option<u16>,
    /// A stable code.
    pub code: String,
    /// For people.
    pub detail: String,
    /// What follows.
    pub effect: Effect,
}

/// Calls whose worker died: nobody knows their outcome. Gives back how many there were.
///
/// # Errors
/// Storage.
pub async fn recover(
    db: &Database,
    actor: &Actor,
    request_timeout_milliseconds: i64,
    reconcile_delay_milliseconds: i64,
) -> Result<usize, Error> {
    let now = Instant::now().unix_millis();
    // Read first: a run that finds nothing must not take the write lock.
    let expired: Vec<String> = db
        .query(
            "SELECT post_id FROM posts WHERE state IN ('publishing', 'outcome_unknown')
                AND state = 'publishing' AND leased_until < ?",
            params![now],
        )
        .await?;
    if expired.is_empty() {
        return Ok(0);
    }
    let transaction = db.transaction().await?;
    let mut recovered = 0;
    for post_id in expired {
        let row: Option<Row> = transaction
            .query_optional(
                "SELECT max(started_at) FROM attempts WHERE post_id = ?1 AND ended_at IS NULL
                    AND EXISTS (SELECT 1 FROM posts WHERE post_id = ?1
                        AND state = 'publishing' AND leased_until < ?2)",
                params![post_id.as_str(), now],
            )
            .await?;
        let started: Option<i64> = row.map(|row| row.get_optional(0)).transpose()?.flatten();
        let Some(started) = started else { continue };
        transaction
            .execute(
                "UPDATE attempts SET ended_at = ?2, outcome = 'unknown', code = 'worker_lost',
                    detail = 'the worker stopped before it wrote the outcome'
                 WHERE post_id = ?1 AND ended_at IS NULL",
                params![post_id.as_str(), now],
            )
            .await?;
        // The call may still be under way until its own timeout.
        let at = now.max(started + request_timeout_milliseconds + reconcile_delay_milliseconds);
        transaction
            .execute(
                "UPDATE posts SET state = 'outcome_unknown', next_attempt_at = ?2,
                    leased_until = 0, version = version + 1, updated_at = ?3
                 WHERE post_id = ?1",
                params![post_id.as_str(), at, now],
            )
            .await?;
        let detail = json!({"code": "worker_lost"});
        audit::record(
            &transaction,
            actor,
            "post.outcome_unknown",
            &post_id,
            &detail,
        )
        .await?;
        recovered += 1;
    }
    transaction.commit().await?;
    Ok(recovered)
}

/// The bots' next due posts. A bot with a call in flight, or one to be looked for, has none; the
/// first by time goes before the others, also while it backs off. Asked bot by bot, so its cost
/// depends on the number of bots, not of scheduled posts.
const DUE: &str = "
    SELECT h.post_id FROM bots b
    JOIN posts h ON h.post_id = (
        SELECT post_id FROM posts WHERE bot_id = b.bot_id AND state = 'scheduled'
        ORDER BY scheduled_at, post_id LIMIT 1)
    WHERE b.status = 'active' AND b.deleted_at IS NULL AND b.rate_limited_until <= ?1
        AND h.next_attempt_at <= ?1
        AND NOT EXISTS (SELECT 1 FROM posts q WHERE q.bot_id = b.bot_id
            AND q.state IN ('publishing', 'outcome_unknown')
            AND (q.state = 'publishing' OR q.next_attempt_at IS NOT NULL))
    ORDER BY h.next_attempt_at, h.post_id LIMIT ?2";

/// Claims up to `limit` calls and writes their attempts before anything is sent.
///
/// # Errors
/// Storage.
pub async fn claim(
    db: &Database,
    actor: &Actor,
    limit: usize,
    lease_milliseconds: i64,
) -> Result<Vec<Claimed>, Error> {
    let now = Instant::now();
    let limit = i64::try_from(limit).unwrap_or(1);
    // Looked at without the write lock first: most ticks find nothing.
    let due: Vec<String> = db.query(DUE, params![now.unix_millis(), limit]).await?;
    let mut claimed = Vec::new();
    let transaction = if due.is_empty() {
        db.relaxed_transaction().await?
    } else {
        db.transaction().await?
    };
    if !due.is_empty() {
        let due: Vec<String> = transaction
            .query(DUE, params![now.unix_millis(), limit])
            .await?;
        for post_id in due {
            if let Some(call) =
                claim_one(&transaction, actor, &post_id, now, lease_milliseconds).await?
            {
                claimed.push(call);
            }
        }
    }
    transaction
        .execute(
            "INSERT INTO worker_claims (job, claimed_at, claimed) VALUES ('publish', ?1, ?2)
             ON CONFLICT (job) DO UPDATE SET claimed_at = excluded.claimed_at,
                claimed = excluded.claimed",
            params![now.unix_millis(), i64::try_from(claimed.len()).unwrap_or(0)],
        )
        .await?;
    transaction.commit().await?;
    Ok(claimed)
}

async fn claim_one(
    transaction: &Transaction,
    actor: &Actor,
    post_id: &str,
    now: Instant,
    lease_milliseconds: i64,
) -> Result<Option<Claimed>, Error> {
    let row: Option<Row> = transaction
        .query_optional(
            "SELECT p.bot_id, p.fencing_token + 1, n.position, n.text,
                (SELECT x_post_id FROM post_parts WHERE post_id = p.post_id
                    AND position = n.position - 1),
                p.attempts_spent,
                (SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE post_id = p.post_id),
                b.daily_post_limit,
                (SELECT count(*) FROM attempts WHERE bot_id = p.bot_id AND outcome = 'sent'
                    AND ended_at > ?2),
                (SELECT min(ended_at) FROM attempts WHERE bot_id = p.bot_id AND outcome = 'sent'
                    AND ended_at > ?2)
             FROM posts p JOIN bots b ON b.bot_id = p.bot_id
                JOIN post_parts n ON n.post_id = p.post_id AND n.position =
                    (SELECT min(position) FROM post_parts WHERE post_id = p.post_id
                        AND x_post_id IS NULL)
             WHERE p.post_id = ?1",
            params![post_id, now.unix_millis() - DAY_MILLISECONDS],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let claimed = Claimed {
        post_id: post_id.to_owned(),
        bot_id: row.text(0)?,
        fencing_token: row.get(1)?,
        position: row.get(2)?,
        text: row.text(3)?,
        in_reply_to: row.text_optional(4)?,
        spent: row.get(5)?,
        attempt: row.get(6)?,
        leased_until: now.plus_millis(lease_milliseconds),
    };
    transaction
        .execute(
            "INSERT INTO attempts (post_id, number, bot_id, position, fencing_token, started_at)
             VALUES (?, ?, ?, ?, ?, ?)",
            params![
                post_id,
                claimed.attempt,
                claimed.bot_id.as_str(),
                claimed.position,
                claimed.fencing_token,
                now.unix_millis()
            ],
        )
        .await?;
    transaction
        .execute(
            "UPDATE posts SET state = 'publishing', fencing_token = ?2, leased_until = ?3,
                version = version + 1, updated_at = ?4 WHERE post_id = ?1",
            params![
                post_id,
                claimed.fencing_token,
                claimed.leased_until.unix_millis(),
                now.unix_millis()
            ],
        )
        .await?;
    audit::record(
        transaction,
        actor,
        "post.claimed",
        post_id,
        &json!({"attempt": claimed.attempt}),
    )
    .await?;
    if row.get::<i64>(8)? >= row.get::<i64>(7)? {
        let oldest: i64 = row.get_optional(9)?.unwrap_or_else(|| now.unix_millis());
        let free = Instant::from_unix_millis(oldest + DAY_MILLISECONDS);
        let outcome = Outcome {
            name: "deferred",
            http_status: None,
            code: "daily_post_limit".to_owned(),
            detail: "the bot has reached its limit of posts in 24 hours".to_owned(),
            effect: Effect::Again {
                at: free,
                spent: false,
            },
        };
        write(transaction, actor, &claimed, &outcome).await?;
        return Ok(None);
    }
    Ok(Some(claimed))
}

/// Writes the outcomes of calls in one transaction.
///
/// # Errors
/// Storage; then none is written, and the leases run out.
pub async fn finish(
    db: &Database,
    actor: &Actor,
    results: &[(Claimed, Outcome)],
) -> Result<(), Error> {
    let transaction = db.transaction().await?;
    for (claimed, outcome) in results {
        write(&transaction, actor, claimed, outcome).await?;
    }
    transaction.commit().await?;
    Ok(())
}

async fn write(
    transaction: &Transaction,
    actor: &Actor,
    claimed: &Claimed,
    outcome: &Outcome,
) -> Result<(), Error> {
    let now = Instant::now().unix_millis();
    let x_post_id = match &outcome.effect {
        Effect::Sent(id) => Some(id.as_str()),
        _ => None,
    };
    // Also without the lease: an id that is known must be found by whoever looks for it.
    transaction
        .execute(
            "UPDATE attempts SET ended_at = ?3, outcome = ?4, http_status = ?5, code = ?6,
                detail = ?7, x_post_id = ?8 WHERE post_id = ?1 AND number = ?2",
            params![
                claimed.post_id.as_str(),
                claimed.attempt,
                now,
                outcome.name,
                outcome.http_status,
                outcome.code.as_str(),
                outcome.detail.as_str(),
                x_post_id
            ],
        )
        .await?;
    let held: Option<i64> = transaction
        .query_optional(
            "SELECT 1 FROM posts WHERE post_id = ? AND fencing_token = ? AND state = 'publishing'",
            params![claimed.post_id.as_str(), claimed.fencing_token],
        )
        .await?;
    if held.is_some() {
        apply(
            transaction,
            actor,
            (&claimed.post_id, &claimed.bot_id, claimed.position),
            outcome,
        )
        .await?;
    }
    Ok(())
}

/// Takes the posts that are to be looked for now.
///
/// # Errors
/// Storage.
pub async fn claim_doubts(
    db: &Database,
    limit: usize,
    lease_milliseconds: i64,
) -> Result<Vec<Doubt>, Error> {
    const DUE_DOUBTS: &str = "
        SELECT p.post_id FROM posts p JOIN bots b ON b.bot_id = p.bot_id
        WHERE p.state IN ('publishing', 'outcome_unknown') AND p.state = 'outcome_unknown'
            AND p.next_attempt_at <= ?1 AND p.leased_until <= ?1
            AND b.status = 'active' AND b.deleted_at IS NULL AND b.rate_limited_until <= ?1
        ORDER BY p.next_attempt_at LIMIT ?2";
    let now = Instant::now();
    let limit = i64::try_from(limit).unwrap_or(1);
    let due: Vec<String> = db
        .query(DUE_DOUBTS, params![now.unix_millis(), limit])
        .await?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let transaction = db.transaction().await?;
    let due: Vec<String> = transaction
        .query(DUE_DOUBTS, params![now.unix_millis(), limit])
        .await?;
    let mut doubts = Vec::new();
    for post_id in due {
        transaction
            .execute(
                "UPDATE posts SET fencing_token = fencing_token + 1, leased_until = ?2
                 WHERE post_id = ?1",
                params![post_id.as_str(), now.unix_millis() + lease_milliseconds],
            )
            .await?;
        let doubt: Option<Doubt> = transaction
            .query_optional(
                "SELECT p.post_id, p.bot_id, p.fencing_token, n.position, n.text,
                    (SELECT min(started_at) FROM attempts WHERE post_id = p.post_id
                        AND position = n.position),
                    (SELECT x_post_id FROM attempts WHERE post_id = p.post_id
                        AND position = n.position AND x_post_id IS NOT NULL LIMIT 1),
                    (SELECT code FROM attempts WHERE post_id = p.post_id
                        ORDER BY number DESC LIMIT 1),
                    p.attempts_spent, p.reconciliations
                 FROM posts p JOIN post_parts n ON n.post_id = p.post_id AND n.position =
                    (SELECT min(position) FROM post_parts WHERE post_id = p.post_id
                        AND x_post_id IS NULL)
                 WHERE p.post_id = ?",
                params![post_id.as_str()],
            )
            .await?;
        doubts.extend(doubt);
    }
    transaction.commit().await?;
    Ok(doubts)
}

impl FromRow for Doubt {
    fn from_row(row: &Row) -> Result<Self, vivesphere_db::Error> {
        Ok(Self {
            post_id: row.text(0)?,
            bot_id: row.text(1)?,
            fencing_token: row.get(2)?,
            position: row.get(3)?,
            text: row.text(4)?,
            since: Instant::from_unix_millis(row.get_optional(5)?.unwrap_or(0)),
            noted_id: row.text_optional(6)?,
            last_code: row.text_optional(7)?.unwrap_or_default(),
            spent: row.get(8)?,
            reconciliations: row.get(9)?,
        })
    }
}

/// Whether an id on X belongs to a part already.
///
/// # Errors
/// Storage.
pub async fn is_adopted(db: &Database, bot_id: &str, x_post_id: &str) -> Result<bool, Error> {
    let found: Option<i64> = db
        .query_optional(
            "SELECT 1 FROM post_parts n JOIN posts p ON p.post_id = n.post_id
             WHERE p.bot_id = ? AND n.x_post_id = ? LIMIT 1",
            params![bot_id, x_post_id],
        )
        .await?;
    Ok(found.is_some())
}

/// Writes what looking for a post has found.
///
/// # Errors
/// Storage.
pub async fn settle(
    db: &Database,
    actor: &Actor,
    doubt: &Doubt,
    outcome: &Outcome,
) -> Result<(), Error> {
    let transaction = db.transaction().await?;
    let held: Option<i64> = transaction
        .query_optional(
            "SELECT 1 FROM posts WHERE post_id = ? AND fencing_token = ?
                AND state = 'outcome_unknown'",
            params![doubt.post_id.as_str(), doubt.fencing_token],
        )
        .await?;
    if held.is_none() {
        return Ok(());
    }
    if let Effect::LookAt(_) = outcome.effect {
        transaction
            .execute(
                "UPDATE posts SET reconciliations = reconciliations + 1 WHERE post_id = ?",
                params![doubt.post_id.as_str()],
            )
            .await?;
    }
    apply(
        &transaction,
        actor,
        (&doubt.post_id, &doubt.bot_id, doubt.position),
        outcome,
    )
    .await?;
    if i64::from(doubt.reconciliations) + 1 >= RECONCILIATIONS
        && matches!(outcome.effect, Effect::LookAt(_))
    {
        // It no longer holds up the bot; a person looks at the account and decides.
        transaction
            .execute(
                "UPDATE posts SET next_attempt_at = NULL, failure_code = 'reconcile_failed',
                    failure_detail = ?2 WHERE post_id = ?1",
                params![doubt.post_id.as_str(), outcome.detail.as_str()],
            )
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}

async fn apply(
    transaction: &Transaction,
    actor: &Actor,
    (post_id, bot_id, position): (&str, &str, i64),
    outcome: &Outcome,
) -> Result<(), Error> {
    let now = Instant::now().unix_millis();
    let update = |state: &'static str, next: Option<i64>, spent: i64| {
        transaction.execute(
            "UPDATE posts SET state = ?2, next_attempt_at = ?3,
                attempts_spent = attempts_spent + ?4, leased_until = 0,
                failure_code = CASE ?2 WHEN 'failed' THEN ?5 END,
                failure_detail = CASE ?2 WHEN 'failed' THEN ?6 END,
                version = version + 1, updated_at = ?7 WHERE post_id = ?1",
            params![
                post_id,
                state,
                next,
                spent,
                outcome.code.as_str(),
                outcome.detail.as_str(),
                now
            ],
        )
    };
    let action = match &outcome.effect {
        Effect::Sent(x_post_id) => {
            transaction
                .execute(
                    "UPDATE post_parts SET x_post_id = ? WHERE post_id = ? AND position = ?",
                    params![x_post_id.as_str(), post_id, position],
                )
                .await?;
            let open: Option<i64> = transaction
                .query_optional(
                    "SELECT count(*) FROM post_parts WHERE post_id = ? AND x_post_id IS NULL",
                    params![post_id],
                )
                .await?;
            transaction
                .execute(
                    "UPDATE posts SET attempts_spent = 0, reconciliations = 0 WHERE post_id = ?",
                    params![post_id],
                )
                .await?;
            if open == Some(0) {
                update("published", None, 0).await?;
                transaction
                    .execute(
                        "UPDATE posts SET published_at = ? WHERE post_id = ?",
                        params![now, post_id],
                    )
                    .await?;
                "post.published"
            } else {
                update("scheduled", Some(now), 0).await?;
                "post.part_published"
            }
        }
        Effect::Failed => {
            update("failed", None, 1).await?;
            "post.failed"
        }
        Effect::Again { at, spent } => {
            update("scheduled", Some(at.unix_millis()), i64::from(*spent)).await?;
            "post.deferred"
        }
        Effect::LookAt(at) => {
            update("outcome_unknown", Some(at.unix_millis()), 0).await?;
            "post.outcome_unknown"
        }
        Effect::PauseBot => {
            update("scheduled", Some(now), 0).await?;
            let reason = Some((outcome.code.as_str(), outcome.detail.as_str()));
            bots::set_status(transaction, actor, bot_id, "paused", reason).await?;
            "post.deferred"
        }
        Effect::BotWaits(until) => {
            update("scheduled", Some(until.unix_millis()), 0).await?;
            transaction
                .execute(
                    "UPDATE bots SET rate_limited_until = ? WHERE bot_id = ?",
                    params![until.unix_millis(), bot_id],
                )
                .await?;
            "post.deferred"
        }
    };
    let detail = json!({"code": outcome.code});
    audit::record(transaction, actor, action, post_id, &detail).await?;
    Ok(())
}

/// How many posts are due now, whoever holds them up.
///
/// # Errors
/// Storage.
pub async fn remaining(db: &Database) -> Result<i64, Error> {
    let count: Option<i64> = db
        .query_optional(
            "SELECT count(*) FROM posts WHERE state = 'scheduled' AND next_attempt_at <= ?",
            params![Instant::now().unix_millis()],
        )
        .await?;
    Ok(count.unwrap_or(0))
}

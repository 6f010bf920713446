//! Taking what is due, and what a worker left behind when it died.

use serde_json::json;
use vivesphere_db::{Database, Row, Transaction, params};

use super::doubts::NOTED;
use super::{Claimed, Effect, Outcome, Rules, Standing, outcomes};
use crate::counters::{self, Count, Counter};
use crate::post_state::PostState;
use crate::settings::PublishingWindows;
use crate::time_zone::Zone;
use crate::{Actor, Error, Instant, audit};

const DAY_MILLISECONDS: i64 = 86_400_000;
const WORKER_LOST: &str = "the worker stopped before it wrote the outcome";

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
        // Under the write lock: its worker may have come back since.
        let row: Option<Row> = transaction
            .query_optional(
                "SELECT (SELECT max(started_at) FROM attempts WHERE post_id = ?1
                    AND ended_at IS NULL), leased_until, bot_id FROM posts
                 WHERE post_id = ?1 AND state = 'publishing' AND leased_until < ?2",
                params![post_id.as_str(), now],
            )
            .await?;
        let Some(row) = row else { continue };
        let started: i64 = row.get_optional(0)?.unwrap_or(now);
        let leased_until: i64 = row.get(1)?;
        transaction
            .execute(
                "UPDATE attempts SET ended_at = ?2, outcome = 'unknown', code = 'worker_lost',
                    detail = ?3
                 WHERE post_id = ?1 AND ended_at IS NULL",
                params![post_id.as_str(), now, WORKER_LOST],
            )
            .await?;
        // The call may still be under way until its own timeout, which may begin late in the lease.
        let last = leased_until.max(started + request_timeout_milliseconds);
        let at = now.max(last + reconcile_delay_milliseconds);
        let outcome = Outcome {
            name: "unknown",
            http_status: None,
            code: "worker_lost".to_owned(),
            detail: WORKER_LOST.to_owned(),
            effect: Effect::LookAt(Instant::from_unix_millis(at)),
            allowances: Vec::new(),
            posts_read: 0,
        };
        let bot_id = row.text(2)?;
        let part = (post_id.as_str(), bot_id.as_str(), 0);
        outcomes::apply(&transaction, actor, PostState::Publishing, part, &outcome).await?;
        recovered += 1;
    }
    let lost = u64::try_from(recovered).unwrap_or(0);
    let lost = Count::many(Counter::Attempts, "unknown worker_lost", lost);
    counters::add_in(&transaction, &[lost]).await?;
    transaction.commit().await?;
    Ok(recovered)
}

/// The bots' next due posts. A bot with a call in flight, or one to be looked for, has none; the
/// first by time goes before the others, also while it backs off. Asked bot by bot, so its cost
/// depends on the number of bots, not of scheduled posts. In the time zones of ?3 the publishing
/// window is closed: nothing begins there, but a thread that has begun goes on. What waits for
/// approval is not `scheduled`; that what was scheduled has the approval it requires is looked at
/// all the same, on a row that is read anyway: here is the last place before X.
const DUE: &str = "
    SELECT h.post_id FROM bots b
    JOIN posts h ON h.post_id = (
        SELECT post_id FROM posts WHERE bot_id = b.bot_id AND state = 'scheduled'
        ORDER BY scheduled_at, post_id LIMIT 1)
    WHERE b.status = 'active' AND b.deleted_at IS NULL AND b.rate_limited_until <= ?1
        AND h.next_attempt_at <= ?1
        AND (h.requires_approval = 0 OR h.approved_at IS NOT NULL)
        AND (b.timezone NOT IN (SELECT value FROM json_each(?3))
            OR EXISTS (SELECT 1 FROM post_parts n WHERE n.post_id = h.post_id
                AND n.x_post_id IS NOT NULL))
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
    rules: &Rules,
) -> Result<Vec<Claimed>, Error> {
    let now = Instant::now();
    let limit = i64::try_from(limit).unwrap_or(1);
    let closed = closed_zones(db, &rules.windows, &[now]).await?;
    // Looked at without the write lock first: most ticks find nothing.
    let due: Vec<String> = db
        .query(DUE, params![now.unix_millis(), limit, closed.as_str()])
        .await?;
    let mut claimed = Vec::new();
    let transaction = if due.is_empty() {
        db.relaxed_transaction().await?
    } else {
        db.transaction().await?
    };
    if !due.is_empty() {
        let due: Vec<String> = transaction
            .query(DUE, params![now.unix_millis(), limit, closed.as_str()])
            .await?;
        for post_id in due {
            if let Some(call) = claim_one(&transaction, actor, &post_id, now, rules).await? {
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

/// The time zones of bots in which posts may not begin to go out at one of these moments, as a JSON
/// list.
///
/// # Errors
/// Storage.
pub async fn closed_zones(
    db: &Database,
    windows: &PublishingWindows,
    moments: &[Instant],
) -> Result<String, Error> {
    if windows.always_open() {
        return Ok("[]".to_owned());
    }
    let mut zones: Vec<String> = db
        .query(
            "SELECT DISTINCT timezone FROM bots WHERE status = 'active' AND deleted_at IS NULL",
            params![],
        )
        .await?;
    zones.retain(|name| {
        Zone::parse(name).is_ok_and(|zone| !moments.iter().all(|at| windows.is_open(&zone, *at)))
    });
    Ok(json!(zones).to_string())
}

async fn claim_one(
    transaction: &Transaction,
    actor: &Actor,
    post_id: &str,
    now: Instant,
    rules: &Rules,
) -> Result<Option<Claimed>, Error> {
    let row: Option<Row> = transaction
        .query_optional(
            &format!(
                "SELECT p.bot_id, p.fencing_token + 1, n.position, n.text,
                (SELECT x_post_id FROM post_parts WHERE post_id = p.post_id
                    AND position = n.position - 1),
                p.attempts_spent,
                (SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE post_id = p.post_id),
                b.daily_post_limit,
                (SELECT count(*) FROM post_metrics WHERE bot_id = p.bot_id AND published_at > ?2),
                (SELECT min(published_at) FROM post_metrics WHERE bot_id = p.bot_id
                    AND published_at > ?2),
                coalesce((SELECT version FROM botdata WHERE bot_id = p.bot_id), 0),
                iif(b.account_version = (SELECT version FROM botdata WHERE bot_id = p.bot_id),
                    b.x_user_id, NULL),
                {NOTED}
             FROM posts p JOIN bots b ON b.bot_id = p.bot_id
                JOIN post_parts n ON n.post_id = p.post_id AND n.position =
                    (SELECT min(position) FROM post_parts WHERE post_id = p.post_id
                        AND x_post_id IS NULL)
             WHERE p.post_id = ?1"
            ),
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
        credentials_version: row.get(10)?,
        leased_until: now.plus_millis(rules.lease_milliseconds),
    };
    transaction
        .execute(
            "INSERT INTO attempts (post_id, number, bot_id, position, fencing_token, started_at,
                x_user_id) VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![
                post_id,
                claimed.attempt,
                claimed.bot_id.as_str(),
                claimed.position,
                claimed.fencing_token,
                now.unix_millis(),
                row.text_optional(11)?
            ],
        )
        .await?;
    transaction
        .execute(
            "UPDATE posts SET state = 'publishing', fencing_token = ?2, leased_until = ?3,
                reconciliations = 0, look_failures = 0, look_on_any_account = 0,
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
    let at_once = match row.text_optional(12)? {
        Some(x_post_id) => Some(noted(x_post_id)),
        None if row.get::<i64>(8)? >= row.get::<i64>(7)?.min(rules.daily_post_limit) => {
            let oldest: i64 = row.get_optional(9)?.unwrap_or_else(|| now.unix_millis());
            Some(day_is_full(Instant::from_unix_millis(
                oldest + DAY_MILLISECONDS,
            )))
        }
        None => None,
    };
    if let Some(outcome) = at_once {
        let count = outcomes::write(transaction, actor, &claimed, &outcome).await?;
        counters::add_in(transaction, &[count]).await?;
        return Ok(None);
    }
    Ok(Some(claimed))
}

/// A worker that had lost its lease sent this part, and has said so since: it is not sent again. That
/// worker has counted its price.
fn noted(x_post_id: String) -> Outcome {
    Outcome {
        name: "sent",
        http_status: None,
        code: "reconciled".to_owned(),
        detail: "an earlier call was carried out".to_owned(),
        effect: Effect::Sent(x_post_id),
        allowances: Vec::new(),
        posts_read: 0,
    }
}

fn day_is_full(free: Instant) -> Outcome {
    Outcome {
        name: "deferred",
        http_status: None,
        code: "daily_post_limit".to_owned(),
        detail: "the bot has reached its limit of posts in 24 hours".to_owned(),
        effect: Effect::Again {
            at: free,
            spent: false,
        },
        allowances: Vec::new(),
        posts_read: 0,
    }
}

/// Whether a claimed call may be made now, some time after it was claimed, for this account; notes the
/// account with the attempt, so that it is looked for nowhere else.
///
/// # Errors
/// Storage.
pub async fn standing(
    db: &Database,
    claimed: &Claimed,
    x_user_id: &str,
) -> Result<Standing, Error> {
    let row: Option<Row> = db
        .query_optional(
            "SELECT b.status = 'active' AND b.deleted_at IS NULL, a.x_user_id IS ?4
             FROM posts p JOIN bots b ON b.bot_id = p.bot_id
                JOIN attempts a ON a.post_id = p.post_id AND a.number = ?3
             WHERE p.post_id = ?1 AND p.fencing_token = ?2 AND p.state = 'publishing'",
            params![
                claimed.post_id.as_str(),
                claimed.fencing_token,
                claimed.attempt,
                x_user_id
            ],
        )
        .await?;
    let Some(row) = row else {
        return Ok(Standing::Lost);
    };
    if row.get::<i64>(0)? == 0 {
        return Ok(Standing::BotStopped);
    }
    if row.get::<i64>(1)? == 0 {
        db.execute(
            "UPDATE attempts SET x_user_id = ?4
             WHERE post_id = ?1 AND number = ?2 AND fencing_token = ?3",
            params![
                claimed.post_id.as_str(),
                claimed.attempt,
                claimed.fencing_token,
                x_user_id
            ],
        )
        .await?;
    }
    Ok(Standing::Ready)
}

//! What a call, or looking for one, changes.

use serde_json::json;
use vivesphere_db::{Database, Transaction, params};

use super::{Claimed, Effect, Outcome};
use crate::counters::{self, Count, Counter};
use crate::post_state::{InvalidTransition, PostEvent, PostState, next};
use crate::x_spending::{self, Purpose, Spent};
use crate::{Actor, Error, Instant, audit, bots, post_metrics, x_rate_limits};

/// What making a post costs.
pub(super) fn price_of(text: &str) -> Spent {
    Spent {
        purpose: Purpose::Publish,
        requests: 1,
        resources: 1,
        micro_dollars: x_spending::price_of_post(text),
    }
}

/// Writes the outcomes of calls in one transaction, with what they cost.
///
/// # Errors
/// Storage; then none is written, and the leases run out.
pub async fn finish(
    db: &Database,
    actor: &Actor,
    results: &[(Claimed, Outcome)],
) -> Result<(), Error> {
    let transaction = db.transaction().await?;
    let (mut counts, mut spent) = (Vec::new(), Vec::new());
    for (claimed, outcome) in results {
        counts.push(write(&transaction, actor, claimed, outcome).await?);
        // Also without the lease: X bills it all the same.
        if matches!(outcome.effect, Effect::Sent(_)) {
            spent.push(price_of(&claimed.text));
        }
    }
    counters::add_in(&transaction, &counts).await?;
    let today = x_spending::day_of(Instant::now());
    x_spending::add_in(&transaction, &today, &spent).await?;
    let said = results.iter().flat_map(|(claimed, outcome)| {
        let allowances = outcome.allowances.iter();
        allowances.map(|allowance| (claimed.bot_id.as_str(), allowance))
    });
    x_rate_limits::note_in(&transaction, said).await?;
    transaction.commit().await?;
    Ok(())
}

/// Writes one outcome; gives what is to be counted of it.
pub(super) async fn write(
    transaction: &Transaction,
    actor: &Actor,
    claimed: &Claimed,
    outcome: &Outcome,
) -> Result<Count, Error> {
    let now = Instant::now().unix_millis();
    let x_post_id = match &outcome.effect {
        Effect::Sent(id) => Some(id.as_str()),
        _ => None,
    };
    // Also without the lease: an id that is known must be found by whoever looks for it. Of a text that
    // was replaced since it is not the id.
    let milliseconds: Option<i64> = transaction
        .query_optional(
            "UPDATE attempts SET ended_at = ?3, outcome = ?4, http_status = ?5, code = ?6,
                detail = ?7,
                x_post_id = iif((SELECT text FROM post_parts WHERE post_id = ?1
                    AND position = attempts.position) = ?10, ?8, NULL)
             WHERE post_id = ?1 AND number = ?2 AND fencing_token = ?9
             RETURNING ended_at - started_at",
            params![
                claimed.post_id.as_str(),
                claimed.attempt,
                now,
                outcome.name,
                outcome.http_status,
                outcome.code.as_str(),
                outcome.detail.as_str(),
                x_post_id,
                claimed.fencing_token,
                claimed.text.as_str()
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
            PostState::Publishing,
            (&claimed.post_id, &claimed.bot_id, claimed.position),
            outcome,
        )
        .await?;
        fold(transaction, claimed, outcome, now).await?;
    }
    let microseconds = u64::try_from(milliseconds.unwrap_or(0)).unwrap_or(0) * 1000;
    let labels = format!("{} {}", outcome.name, outcome.code);
    Ok(Count::timed(Counter::Attempts, labels, microseconds))
}

/// What is put off for the same reason as the time before, and never reached X, is one row: a refused
/// token is asked for again and again for days.
async fn fold(
    transaction: &Transaction,
    claimed: &Claimed,
    outcome: &Outcome,
    now: i64,
) -> Result<(), Error> {
    if outcome.name != "deferred" || outcome.http_status.is_some() {
        return Ok(());
    }
    let before: Option<i64> = transaction
        .query_optional(
            "UPDATE attempts SET ended_at = ?5, detail = ?6
             WHERE post_id = ?1 AND number = ?2 - 1 AND position = ?3 AND outcome = 'deferred'
                AND http_status IS NULL AND code = ?4 RETURNING number",
            params![
                claimed.post_id.as_str(),
                claimed.attempt,
                claimed.position,
                outcome.code.as_str(),
                now,
                outcome.detail.as_str()
            ],
        )
        .await?;
    if before.is_some() {
        transaction
            .execute(
                "DELETE FROM attempts WHERE post_id = ? AND number = ? AND fencing_token = ?",
                params![
                    claimed.post_id.as_str(),
                    claimed.attempt,
                    claimed.fencing_token
                ],
            )
            .await?;
    }
    Ok(())
}

/// Changes the post as the effect says, from the state it is in: `publishing` after a call,
/// `outcome_unknown` after looking for one. The caller has checked the fencing token.
pub(super) async fn apply(
    transaction: &Transaction,
    actor: &Actor,
    from: PostState,
    (post_id, bot_id, position): (&str, &str, i64),
    outcome: &Outcome,
) -> Result<(), Error> {
    let now = Instant::now().unix_millis();
    let looked = from == PostState::OutcomeUnknown;
    let either = |called, found| if looked { found } else { called };
    let (event, next_attempt_at, spent) = match &outcome.effect {
        Effect::Sent(x_post_id) => {
            let part = (post_id, bot_id, position);
            post_metrics::begin(transaction, part, x_post_id, Instant::now()).await?;
            if sent(transaction, post_id, position, x_post_id).await? {
                let event = either(PostEvent::Sent, PostEvent::ReconciledFound);
                (event, None, 0)
            } else {
                let event = either(PostEvent::PartSent, PostEvent::ReconciledPartFound);
                (event, Some(now), 0)
            }
        }
        Effect::Failed => (either(PostEvent::Refused, PostEvent::Exhausted), None, 1),
        Effect::Again { at, spent } => {
            let event = either(PostEvent::Deferred, PostEvent::ReconciledAbsent);
            (event, Some(at.unix_millis()), i64::from(*spent))
        }
        Effect::LookAt(at) | Effect::CouldNotLook(at) | Effect::Inconclusive(at) => {
            (PostEvent::BecameUnknown, Some(at.unix_millis()), 0)
        }
        Effect::GiveUp => (PostEvent::BecameUnknown, None, 0),
        Effect::PauseBot => {
            let reason = (outcome.code.as_str(), outcome.detail.as_str());
            bots::stop(transaction, actor, bot_id, "paused", reason).await?;
            // In doubt it stays so, and is due once the bot is resumed.
            let event = either(PostEvent::Deferred, PostEvent::BecameUnknown);
            (event, Some(now), 0)
        }
        Effect::BotWaits(until) => {
            transaction
                .execute(
                    "UPDATE bots SET rate_limited_until = ? WHERE bot_id = ?",
                    params![until.unix_millis(), bot_id],
                )
                .await?;
            (PostEvent::Deferred, Some(until.unix_millis()), 0)
        }
    };
    let impossible = |error: InvalidTransition| Error::Internal(error.to_string());
    let mut state = next(from, event).map_err(impossible)?;
    let mut next_attempt_at = next_attempt_at;
    let mut reason = (outcome.code.as_str(), outcome.detail.as_str());
    if matches!(state, PostState::Scheduled | PostState::OutcomeUnknown)
        && bots::is_gone(transaction, bot_id).await?
    {
        // As what waited, or was in doubt, when its bot was deleted.
        let end = match state {
            PostState::Scheduled => PostEvent::Cancel,
            _ => PostEvent::Exhausted,
        };
        state = next(state, end).map_err(impossible)?;
        next_attempt_at = None;
        if state == PostState::Failed {
            reason = bots::DELETED_IN_DOUBT;
        }
    }
    let given_up = outcome.effect == Effect::GiveUp;
    transaction
        .execute(
            "UPDATE posts SET state = ?2, next_attempt_at = ?3,
                attempts_spent = attempts_spent + ?4, leased_until = 0,
                failure_code = iif(?2 = 'failed' OR ?8, ?5, NULL),
                failure_detail = iif(?2 = 'failed' OR ?8, ?6, NULL),
                published_at = CASE ?2 WHEN 'published' THEN ?7 ELSE published_at END,
                version = version + 1, updated_at = ?7 WHERE post_id = ?1",
            params![
                post_id,
                state.as_str(),
                next_attempt_at,
                spent,
                reason.0,
                reason.1,
                now,
                i64::from(given_up)
            ],
        )
        .await?;
    let mut detail = json!({"code": reason.0});
    if given_up {
        detail["given_up"] = json!(true);
    }
    let part = matches!(event, PostEvent::PartSent | PostEvent::ReconciledPartFound);
    if part {
        audit::record(transaction, actor, "post.part_published", post_id, &detail).await?;
    }
    let action = match state {
        PostState::Published => "post.published",
        PostState::Failed => "post.failed",
        PostState::Cancelled => "post.cancelled",
        PostState::OutcomeUnknown => "post.outcome_unknown",
        _ if part => return Ok(()),
        _ => "post.deferred",
    };
    audit::record(transaction, actor, action, post_id, &detail).await?;
    Ok(())
}

/// Notes a part's id on X. Gives back whether the whole post is out. The next part begins with
/// all its attempts.
async fn sent(
    transaction: &Transaction,
    post_id: &str,
    position: i64,
    x_post_id: &str,
) -> Result<bool, Error> {
    transaction
        .execute(
            "UPDATE post_parts SET x_post_id = ? WHERE post_id = ? AND position = ?",
            params![x_post_id, post_id, position],
        )
        .await?;
    transaction
        .execute(
            "UPDATE posts SET attempts_spent = 0, reconciliations = 0, look_failures = 0 WHERE post_id = ?",
            params![post_id],
        )
        .await?;
    let open: Option<i64> = transaction
        .query_optional(
            "SELECT count(*) FROM post_parts WHERE post_id = ? AND x_post_id IS NULL",
            params![post_id],
        )
        .await?;
    Ok(open == Some(0))
}

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
    // Also without the lease: an id that is known must be found by whoever looks for it.
    let milliseconds: Option<i64> = transaction
        .query_optional(
            "UPDATE attempts SET ended_at = ?3, outcome = ?4, http_status = ?5, code = ?6,
                detail = ?7, x_post_id = ?8 WHERE post_id = ?1 AND number = ?2
             RETURNING ended_at - started_at",
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
            PostState::Publishing,
            (&claimed.post_id, &claimed.bot_id, claimed.position),
            outcome,
        )
        .await?;
    }
    let microseconds = u64::try_from(milliseconds.unwrap_or(0)).unwrap_or(0) * 1000;
    let labels = format!("{} {}", outcome.name, outcome.code);
    Ok(Count::timed(Counter::Attempts, labels, microseconds))
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
        Effect::LookAt(at) => (PostEvent::BecameUnknown, Some(at.unix_millis()), 0),
        Effect::PauseBot => {
            let reason = (outcome.code.as_str(), outcome.detail.as_str());
            bots::stop(transaction, actor, bot_id, "paused", reason).await?;
            (PostEvent::Deferred, Some(now), 0)
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
    if state == PostState::Scheduled && bots::is_gone(transaction, bot_id).await? {
        // As what waited when its bot was deleted.
        state = next(state, PostEvent::Cancel).map_err(impossible)?;
        next_attempt_at = None;
    }
    transaction
        .execute(
            "UPDATE posts SET state = ?2, next_attempt_at = ?3,
                attempts_spent = attempts_spent + ?4, leased_until = 0,
                failure_code = CASE ?2 WHEN 'failed' THEN ?5 END,
                failure_detail = CASE ?2 WHEN 'failed' THEN ?6 END,
                published_at = CASE ?2 WHEN 'published' THEN ?7 ELSE published_at END,
                version = version + 1, updated_at = ?7 WHERE post_id = ?1",
            params![
                post_id,
                state.as_str(),
                next_attempt_at,
                spent,
                outcome.code.as_str(),
                outcome.detail.as_str(),
                now
            ],
        )
        .await?;
    let action = match (state, event) {
        (PostState::Published, _) => "post.published",
        (_, PostEvent::PartSent | PostEvent::ReconciledPartFound) => "post.part_published",
        (PostState::Failed, _) => "post.failed",
        (PostState::Cancelled, _) => "post.cancelled",
        (PostState::OutcomeUnknown, _) => "post.outcome_unknown",
        _ => "post.deferred",
    };
    let detail = json!({"code": outcome.code});
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
            "UPDATE posts SET attempts_spent = 0, reconciliations = 0 WHERE post_id = ?",
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

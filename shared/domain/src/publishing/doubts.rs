//! Posts whose last call nobody knows the outcome of.

use vivesphere_db::{Database, FromRow, Row, Transaction, params};

use super::{Doubt, Effect, Outcome, outcomes};
use crate::counters::{self, Count, Counter};
use crate::post_state::PostState;
use crate::x_spending::{self, Purpose, Spent, price};
use crate::{Actor, Error, Instant};

/// How often the timeline is read without an answer before a person has to decide.
const RECONCILIATIONS: u32 = 10;

/// X's id of a part `n` of a post `p` that a worker without a lease has noted, unless it is another
/// part's by now.
pub(super) const NOTED: &str = "(SELECT a.x_post_id FROM attempts a
    WHERE a.post_id = p.post_id AND a.position = n.position AND a.x_post_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM post_parts o JOIN posts q ON q.post_id = o.post_id
            WHERE q.bot_id = p.bot_id AND o.x_post_id = a.x_post_id) LIMIT 1)";

/// An attempt after which a part may be on X: the others say that it is not.
const MAY_BE_THERE: &str = "(outcome IS NULL OR outcome = 'unknown' OR code = 'duplicate_content')";

/// Takes the posts that are to be looked for now. While another post of the bot is being sent, its own
/// id on X is not known yet: if it says the same, it would be taken for the one in doubt.
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
            AND NOT EXISTS (SELECT 1 FROM posts q WHERE q.bot_id = p.bot_id
                AND q.state IN ('publishing', 'outcome_unknown') AND q.state = 'publishing')
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
                &format!(
                    "SELECT p.post_id, p.bot_id, p.fencing_token, n.position, n.text,
                    coalesce((SELECT min(started_at) FROM attempts WHERE post_id = p.post_id
                            AND position = n.position AND {MAY_BE_THERE}),
                        (SELECT min(started_at) FROM attempts WHERE post_id = p.post_id
                            AND position = n.position)),
                    {NOTED},
                    (SELECT code FROM attempts WHERE post_id = p.post_id
                        ORDER BY number DESC LIMIT 1),
                    p.attempts_spent, p.reconciliations,
                    (SELECT x_post_id FROM post_parts WHERE post_id = p.post_id
                        AND position = n.position - 1),
                    coalesce((SELECT version FROM botdata WHERE bot_id = p.bot_id), 0),
                    iif(p.look_on_any_account, NULL, (SELECT x_user_id FROM attempts
                        WHERE post_id = p.post_id AND position = n.position AND {MAY_BE_THERE}
                        ORDER BY number DESC LIMIT 1)),
                    p.leased_until, p.look_failures
                 FROM posts p JOIN post_parts n ON n.post_id = p.post_id AND n.position =
                    (SELECT min(position) FROM post_parts WHERE post_id = p.post_id
                        AND x_post_id IS NULL)
                 WHERE p.post_id = ?"
                ),
                params![post_id.as_str()],
            )
            .await?;
        doubts.extend(doubt);
    }
    transaction.commit().await?;
    Ok(doubts)
}

impl FromRow for Doubt {
    fn from_row(row: &mut Row) -> Result<Self, vivesphere_db::Error> {
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
            in_reply_to: row.text_optional(10)?,
            credentials_version: row.get(11)?,
            x_user_id: row.text_optional(12)?,
            leased_until: Instant::from_unix_millis(row.get(13)?),
            failures: row.get(14)?,
        })
    }
}

const ADOPTED: &str = "SELECT 1 FROM post_parts n JOIN posts p ON p.post_id = n.post_id
    WHERE p.bot_id = ? AND n.x_post_id = ? LIMIT 1";

/// Whether an id on X belongs to a part already.
///
/// # Errors
/// Storage.
pub async fn is_adopted(db: &Database, bot_id: &str, x_post_id: &str) -> Result<bool, Error> {
    let found: Option<i64> = db
        .query_optional(ADOPTED, params![bot_id, x_post_id])
        .await?;
    Ok(found.is_some())
}

/// Under the write lock once more: two that say the same are looked for at the same time, and what
/// is on X is only one of them.
async fn or_adopted_meanwhile(
    transaction: &Transaction,
    doubt: &Doubt,
    outcome: &Outcome,
) -> Result<Option<Outcome>, Error> {
    let Effect::Sent(x_post_id) = &outcome.effect else {
        return Ok(None);
    };
    let found: Option<i64> = transaction
        .query_optional(ADOPTED, params![doubt.bot_id.as_str(), x_post_id.as_str()])
        .await?;
    Ok(found.map(|_| Outcome {
        name: "unknown",
        code: "found_for_another".to_owned(),
        detail: "what was found is another post that says the same".to_owned(),
        effect: Effect::Inconclusive(Instant::now()),
        allowances: Vec::new(),
        ..outcome.clone()
    }))
}

/// After the last reading that does not tell: it no longer holds up the bot; a person looks at the
/// account and decides.
fn or_given_up(doubt: &Doubt, outcome: &Outcome) -> Option<Outcome> {
    let last = doubt.reconciliations + 1 >= RECONCILIATIONS
        && matches!(outcome.effect, Effect::Inconclusive(_));
    last.then(|| Outcome {
        code: "reconcile_failed".to_owned(),
        effect: Effect::GiveUp,
        ..outcome.clone()
    })
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
    let meanwhile = or_adopted_meanwhile(&transaction, doubt, outcome).await?;
    let outcome = meanwhile.as_ref().unwrap_or(outcome);
    let at_last = or_given_up(doubt, outcome);
    let outcome = at_last.as_ref().unwrap_or(outcome);
    transaction
        .execute(
            "UPDATE posts SET reconciliations = reconciliations + ?2,
                look_failures = look_failures + ?3 WHERE post_id = ?1",
            params![
                doubt.post_id.as_str(),
                i64::from(matches!(outcome.effect, Effect::Inconclusive(_))),
                i64::from(matches!(outcome.effect, Effect::CouldNotLook(_)))
            ],
        )
        .await?;
    outcomes::apply(
        &transaction,
        actor,
        PostState::OutcomeUnknown,
        (&doubt.post_id, &doubt.bot_id, doubt.position),
        outcome,
    )
    .await?;
    count(&transaction, doubt, outcome).await?;
    transaction.commit().await?;
    Ok(())
}

/// Counts the look, what it cost, and what the post cost if nobody has counted that yet: a worker
/// that knew its id did.
async fn count(transaction: &Transaction, doubt: &Doubt, outcome: &Outcome) -> Result<(), Error> {
    let result = match outcome.effect {
        Effect::Sent(_) => "found",
        Effect::Failed | Effect::Again { .. } => "absent",
        _ => "unclear",
    };
    let count = Count::one(Counter::Reconciliations, result);
    counters::add_in(transaction, &[count]).await?;
    let mut spent = Vec::new();
    if outcome.posts_read > 0 {
        let read = i64::from(outcome.posts_read);
        spent.push(Spent {
            purpose: Purpose::Reconcile,
            requests: 1,
            resources: read,
            micro_dollars: read * price::POST_READ,
        });
    }
    if matches!(outcome.effect, Effect::Sent(_)) && doubt.noted_id.is_none() {
        spent.push(outcomes::price_of(&doubt.text));
    }
    let today = x_spending::day_of(Instant::now());
    x_spending::add_in(transaction, &today, &spent).await
}

//! Approval by people: asking for it, giving it, refusing it, and what nobody decided in time.
//!
//! A post that requires approval is `scheduled` only with one, and an approval is for what a
//! reviewer has seen: whatever changes the post takes it away again.

use serde_json::json;
use vivesphere_db::{Database, Transaction, params};

use super::{Locked, Post, PostChange, get, lock};
use crate::post_state::{PostEvent, PostState};
use crate::{Actor, Error, Instant, Principal, audit, bots};

/// Most characters of a reason.
const REASON: usize = 500;
/// Requests that one transaction gives up at most: others want to write, too.
const EXPIRED_AT_ONCE: i64 = 200;

/// What holds for approvals at this moment, from the settings.
#[derive(Debug, Clone, Copy)]
pub struct ApprovalRules {
    /// Whether every new or changed post needs one.
    pub required: bool,
    /// How long a request may wait.
    pub deadline_milliseconds: i64,
}

impl ApprovalRules {
    /// Whether a new post needs approval.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is to go without the one that every post needs.
    pub(super) fn of_new(self, wanted: Option<bool>) -> Result<bool, Error> {
        if self.required && wanted == Some(false) {
            return Err(Error::invalid(
                "/requires_approval",
                "must not be false: every post must be approved here",
            ));
        }
        Ok(wanted.unwrap_or(self.required))
    }

    /// Whether a post needs approval after a change.
    ///
    /// `requires_approval: true` begins to require it. `false` is taken only where it changes
    /// nothing: an author who could take the requirement away could also send what a reviewer has
    /// refused. Whoever no longer wants an approval cancels the post and makes another, which the
    /// settings then allow or not. Where every post must be approved, so must an older one that is
    /// given another text or time.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub(super) fn of_changed(
        self,
        required_before: bool,
        change: &PostChange,
        other_content: bool,
    ) -> Result<bool, Error> {
        if required_before && change.requires_approval == Some(false) {
            return Err(Error::invalid(
                "/requires_approval",
                "must not be false: what requires approval keeps requiring it; cancel the post \
                 and make another",
            ));
        }
        let wanted = self.of_new(change.requires_approval)?;
        Ok(required_before || change.requires_approval == Some(true) || (wanted && other_content))
    }
}

impl Post {
    /// Until when its approval can be decided on, while it waits for it.
    #[must_use]
    pub fn approval_due_at(&self, rules: ApprovalRules) -> Option<Instant> {
        (self.state == PostState::AwaitingApproval.as_str())
            .then_some(self.approval_requested_at?)
            .map(|asked| asked.plus_millis(rules.deadline_milliseconds))
    }
}

/// Approval is asked for, at first or anew: what was given before is void, the deadline starts.
pub(super) async fn ask(
    transaction: &Transaction,
    post_id: &str,
    scheduled_at: Option<Instant>,
) -> Result<(), Error> {
    transaction
        .execute(
            "UPDATE posts SET state = 'awaiting_approval', requires_approval = 1,
                scheduled_at = coalesce(?2, scheduled_at), next_attempt_at = NULL,
                approval_requested_at = ?3, approved_by = NULL, approved_at = NULL,
                attempts_spent = 0, reconciliations = 0, failure_code = NULL,
                failure_detail = NULL, version = version + 1, updated_at = ?3
             WHERE post_id = ?1",
            params![
                post_id,
                scheduled_at.map(Instant::unix_millis),
                Instant::now().unix_millis()
            ],
        )
        .await?;
    Ok(())
}

/// Hands a draft in: to the reviewers if it requires approval, else to the schedule.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::StaleVersion`]; [`Error::Conflict`]
/// `not_submittable`; storage.
pub async fn submit(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    post_id: &str,
    expected_version: Option<i64>,
    rules: ApprovalRules,
) -> Result<Post, Error> {
    let post = get(db, principal, post_id).await?;
    bots::get_writable(db, principal, &post.bot_id).await?;
    let transaction = db.transaction().await?;
    let found = lock(&transaction, post_id, expected_version).await?;
    // What is scheduled or has failed is asked for again by changing it, not by handing it in.
    if found.state != PostState::Draft {
        return Err(found.refused("not_submittable"));
    }
    let state = if found.requires_approval || rules.required {
        let state = found.after(PostEvent::Submit, "not_submittable")?;
        ask(&transaction, post_id, None).await?;
        state
    } else {
        let state = found.after(PostEvent::Schedule, "not_submittable")?;
        let due = found.scheduled_at.max(Instant::now());
        super::set_state(&transaction, post_id, state, Some(due)).await?;
        state
    };
    let detail = json!({"state": state.as_str()});
    audit::record(&transaction, actor, "post.submitted", post_id, &detail).await?;
    transaction.commit().await?;
    get(db, principal, post_id).await
}

/// The point of an approval is that a person has looked. A program does not, whatever the scopes
/// of its key.
fn must_be_a_person(principal: &Principal) -> Result<(), Error> {
    if principal.is_person() {
        return Ok(());
    }
    Err(Error::ForbiddenAs {
        code: "approval_needs_a_person",
        detail: "Only a person who is signed in may approve or reject, no access key.".to_owned(),
    })
}

/// Approves a post of any bot that the principal may see: it goes out at its time, or at once
/// when that has passed.
///
/// # Errors
/// [`Error::ForbiddenAs`] `approval_needs_a_person`; [`Error::NotFound`],
/// [`Error::StaleVersion`]; [`Error::Conflict`] `not_awaiting_approval`, `approval_expired`;
/// storage.
pub async fn approve(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    post_id: &str,
    expected_version: Option<i64>,
    rules: ApprovalRules,
) -> Result<Post, Error> {
    let (transaction, found, state) =
        decide(db, principal, post_id, expected_version, PostEvent::Approve).await?;
    let now = Instant::now();
    // The worker that makes a draft of it comes by every few seconds; the deadline holds before.
    let due = found
        .approval_requested_at
        .map(|asked| asked.plus_millis(rules.deadline_milliseconds));
    if due.is_none_or(|due| due <= now) {
        return Err(Error::conflict(
            "approval_expired",
            "Nobody decided in time; the post has to be submitted again.",
        ));
    }
    transaction
        .execute(
            "UPDATE posts SET state = ?2, next_attempt_at = ?3, approved_by = ?4,
                approved_at = ?5, version = version + 1, updated_at = ?5
             WHERE post_id = ?1",
            params![
                post_id,
                state.as_str(),
                found.scheduled_at.max(now).unix_millis(),
                principal.id.as_str(),
                now.unix_millis()
            ],
        )
        .await?;
    let detail = json!({"version": found.version});
    audit::record(&transaction, actor, "post.approved", post_id, &detail).await?;
    transaction.commit().await?;
    get(db, principal, post_id).await
}

/// Sends a post of any bot that the principal may see back to its author, with the reason. Also
/// after the deadline: the post becomes a draft either way, and the reason says more.
///
/// # Errors
/// As [`approve`], without `approval_expired`; [`Error::Invalid`] for the reason.
pub async fn reject(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    post_id: &str,
    expected_version: Option<i64>,
    reason: &str,
) -> Result<Post, Error> {
    let reason = reason.trim();
    let odd = |letter: char| letter.is_control() && letter != '\n';
    if reason.is_empty() || reason.chars().count() > REASON || reason.chars().any(odd) {
        return Err(Error::invalid(
            "/reason",
            format!("must be 1 to {REASON} printable characters"),
        ));
    }
    let (transaction, found, state) =
        decide(db, principal, post_id, expected_version, PostEvent::Reject).await?;
    transaction
        .execute(
            "UPDATE posts SET state = ?2, next_attempt_at = NULL,
                failure_code = 'approval_rejected', failure_detail = ?3,
                version = version + 1, updated_at = ?4
             WHERE post_id = ?1",
            params![
                post_id,
                state.as_str(),
                reason,
                Instant::now().unix_millis()
            ],
        )
        .await?;
    let detail = json!({"version": found.version, "reason": reason});
    audit::record(&transaction, actor, "post.rejected", post_id, &detail).await?;
    transaction.commit().await?;
    get(db, principal, post_id).await
}

/// What approving and rejecting have in common, up to the write.
async fn decide(
    db: &Database,
    principal: &Principal,
    post_id: &str,
    expected_version: Option<i64>,
    event: PostEvent,
) -> Result<(Transaction, Locked, PostState), Error> {
    must_be_a_person(principal)?;
    get(db, principal, post_id).await?;
    let transaction = db.transaction().await?;
    let found = lock(&transaction, post_id, expected_version).await?;
    let state = found.after(event, "not_awaiting_approval")?;
    Ok((transaction, found, state))
}

/// Makes drafts of what nobody decided on in time ([`PostEvent::Expire`]). Gives back how many.
///
/// # Errors
/// Storage.
pub async fn expire_approvals(
    db: &Database,
    actor: &Actor,
    deadline_milliseconds: i64,
) -> Result<usize, Error> {
    let now = Instant::now();
    let asked_until = now.plus_millis(-deadline_milliseconds).unix_millis();
    // Read first: a run that finds nothing must not take the write lock.
    let overdue: Option<i64> = db
        .query_optional(
            "SELECT 1 FROM posts WHERE state = 'awaiting_approval' AND approval_requested_at <= ?
             LIMIT 1",
            params![asked_until],
        )
        .await?;
    if overdue.is_none() {
        return Ok(0);
    }
    let mut expired = 0;
    loop {
        let transaction = db.transaction().await?;
        let posts: Vec<String> = transaction
            .query(
                "UPDATE posts SET state = 'draft', next_attempt_at = NULL,
                    failure_code = 'approval_expired',
                    failure_detail = 'Nobody approved or rejected it in time. Submit it again.',
                    version = version + 1, updated_at = ?2
                 WHERE post_id IN (SELECT post_id FROM posts
                    WHERE state = 'awaiting_approval' AND approval_requested_at <= ?1
                    ORDER BY approval_requested_at LIMIT ?3)
                 RETURNING post_id",
                params![asked_until, now.unix_millis(), EXPIRED_AT_ONCE],
            )
            .await?;
        for post_id in &posts {
            let detail = json!({"deadline_seconds": deadline_milliseconds / 1000});
            audit::record(
                &transaction,
                actor,
                "post.approval_expired",
                post_id,
                &detail,
            )
            .await?;
        }
        transaction.commit().await?;
        expired += posts.len();
        if i64::try_from(posts.len()).unwrap_or(0) < EXPIRED_AT_ONCE {
            return Ok(expired);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(required: bool) -> ApprovalRules {
        ApprovalRules {
            required,
            deadline_milliseconds: 60_000,
        }
    }

    #[test]
    fn no_change_by_an_author_goes_around_an_approval() {
        for required in [false, true] {
            for before in [false, true] {
                for wanted in [None, Some(false), Some(true)] {
                    for other_content in [false, true] {
                        let change = PostChange {
                            requires_approval: wanted,
                            ..PostChange::default()
                        };
                        let after = rules(required).of_changed(before, &change, other_content);
                        let case = (required, before, wanted, other_content);
                        if wanted == Some(false) && (required || before) {
                            assert!(after.is_err(), "{case:?}");
                            continue;
                        }
                        let after = after.unwrap();
                        assert!(after || !before, "{case:?}");
                        assert!(after || wanted != Some(true), "{case:?}");
                        assert!(after || !(required && other_content), "{case:?}");
                        let reason = before || wanted == Some(true) || required && other_content;
                        assert_eq!(after, reason, "{case:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_new_post_is_as_the_setting_says_unless_it_asks_for_more() {
        assert!(!rules(false).of_new(None).unwrap());
        assert!(!rules(false).of_new(Some(false)).unwrap());
        assert!(rules(false).of_new(Some(true)).unwrap());
        assert!(rules(true).of_new(None).unwrap());
        assert!(rules(true).of_new(Some(true)).unwrap());
        assert!(rules(true).of_new(Some(false)).is_err());
    }
}

//! The life of a post: its states, what can happen to it, and the one table that says what
//! follows.

use std::fmt;
use std::fmt::Write as _;

/// Where a post is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PostState {
    /// Being written.
    Draft,
    /// Written, and waiting for somebody with `posts:approve`.
    AwaitingApproval,
    /// Goes out when its time comes.
    Scheduled,
    /// Claimed by a publisher under a lease.
    Publishing,
    /// Out. Final.
    Published,
    /// Given up. A person may retry it.
    Failed,
    /// Sent, and nobody knows whether it arrived: it is looked for before anything else is done.
    OutcomeUnknown,
    /// Withdrawn. Final.
    Cancelled,
}

/// What can happen to a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PostEvent {
    /// The author asks for approval, at first or after a change that needs it again.
    Submit,
    /// The author gives it a time, and no approval is needed.
    Schedule,
    /// A reviewer agrees.
    Approve,
    /// A reviewer sends it back.
    Reject,
    /// Nobody decided in time.
    Expire,
    /// Text or time change, without need for another approval.
    Edit,
    /// A publisher takes the lease.
    Claim,
    /// One part of a thread went out; the next is claimed like a post of its own.
    PartSent,
    /// All of it went out.
    Sent,
    /// X refused it for good.
    Refused,
    /// Not now: a rate limit, an outage, a paused bot. Certainly not sent.
    Deferred,
    /// The connection broke, or the publisher died, after sending had begun.
    BecameUnknown,
    /// It was found on X, whole.
    ReconciledFound,
    /// The part in doubt was found on X; the rest of the thread is still to be sent.
    ReconciledPartFound,
    /// It is certainly not on X.
    ReconciledAbsent,
    /// No attempts are left.
    Exhausted,
    /// The author withdraws it.
    Cancel,
    /// A person has it tried again.
    Retry,
}

/// An event that cannot happen in that state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a post that is {state} cannot take {event}")]
pub struct InvalidTransition {
    /// The state the post is in, and stays in.
    pub state: PostState,
    /// What was asked for.
    pub event: PostEvent,
}

/// A name that is no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such post state")]
pub struct UnknownState;

impl PostState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Draft,
        Self::AwaitingApproval,
        Self::Scheduled,
        Self::Publishing,
        Self::Published,
        Self::Failed,
        Self::OutcomeUnknown,
        Self::Cancelled,
    ];

    /// The name by which the API and the database know it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Scheduled => "scheduled",
            Self::Publishing => "publishing",
            Self::Published => "published",
            Self::Failed => "failed",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads [`PostState::as_str`].
    ///
    /// # Errors
    /// [`UnknownState`] for any other text.
    pub fn parse(text: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(UnknownState)
    }

    /// Whether nothing can happen to the post any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Published | Self::Cancelled)
    }
}

impl PostEvent {
    /// Every event.
    pub const ALL: [Self; 18] = [
        Self::Submit,
        Self::Schedule,
        Self::Approve,
        Self::Reject,
        Self::Expire,
        Self::Edit,
        Self::Claim,
        Self::PartSent,
        Self::Sent,
        Self::Refused,
        Self::Deferred,
        Self::BecameUnknown,
        Self::ReconciledFound,
        Self::ReconciledPartFound,
        Self::ReconciledAbsent,
        Self::Exhausted,
        Self::Cancel,
        Self::Retry,
    ];

    /// The name that logs and the audit trail use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Schedule => "schedule",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Expire => "expire",
            Self::Edit => "edit",
            Self::Claim => "claim",
            Self::PartSent => "part_sent",
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Deferred => "deferred",
            Self::BecameUnknown => "became_unknown",
            Self::ReconciledFound => "reconciled_found",
            Self::ReconciledPartFound => "reconciled_part_found",
            Self::ReconciledAbsent => "reconciled_absent",
            Self::Exhausted => "exhausted",
            Self::Cancel => "cancel",
            Self::Retry => "retry",
        }
    }
}

impl fmt::Display for PostState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Display for PostEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What becomes of a post in `state` when `event` happens. The whole table:
///
/// - Once claimed, a post cannot be cancelled: it may be on its way already.
/// - One whose outcome is unknown leaves that state only by what was found out. It is never sent
///   again unseen and cannot be cancelled.
/// - What is published or cancelled stays so.
/// - Out of waiting for approval only a reviewer's word leads towards X.
///
/// # Errors
/// [`InvalidTransition`] for everything that is not in the table.
pub const fn next(state: PostState, event: PostEvent) -> Result<PostState, InvalidTransition> {
    use PostEvent as E;
    use PostState as S;
    let following = match (state, event) {
        (S::Draft, E::Edit) => S::Draft,
        (S::Draft, E::Submit) => S::AwaitingApproval,
        (S::Draft, E::Schedule) => S::Scheduled,

        (S::AwaitingApproval, E::Edit) => S::AwaitingApproval,
        (S::AwaitingApproval, E::Approve) => S::Scheduled,
        (S::AwaitingApproval, E::Reject | E::Expire) => S::Draft,

        (S::Scheduled, E::Edit) => S::Scheduled,
        (S::Scheduled, E::Submit) => S::AwaitingApproval,
        (S::Scheduled, E::Claim) => S::Publishing,

        (S::Publishing, E::PartSent) => S::Scheduled,
        (S::Publishing, E::Sent) => S::Published,
        (S::Publishing, E::Refused | E::Exhausted) => S::Failed,
        (S::Publishing, E::Deferred) => S::Scheduled,
        (S::Publishing, E::BecameUnknown) => S::OutcomeUnknown,

        (S::OutcomeUnknown, E::BecameUnknown) => S::OutcomeUnknown,
        (S::OutcomeUnknown, E::ReconciledFound) => S::Published,
        (S::OutcomeUnknown, E::ReconciledPartFound | E::ReconciledAbsent) => S::Scheduled,
        (S::OutcomeUnknown, E::Exhausted) => S::Failed,
        // A person's word has it looked for again, not sent again.
        (S::OutcomeUnknown, E::Retry) => S::OutcomeUnknown,

        (S::Failed, E::Edit) => S::Failed,
        (S::Failed, E::Submit) => S::AwaitingApproval,
        (S::Failed, E::Retry) => S::Scheduled,

        (S::Draft | S::AwaitingApproval | S::Scheduled | S::Failed, E::Cancel) => S::Cancelled,

        _ => return Err(InvalidTransition { state, event }),
    };
    Ok(following)
}

/// The table of [`next`] in Markdown, for the documentation: a row for each event, a column for
/// each state.
#[must_use]
pub fn table() -> String {
    let mut table = String::from("| event |");
    for state in PostState::ALL {
        let _ = write!(table, " {state} |");
    }
    table.push_str("\n|---|");
    table.push_str(&"---|".repeat(PostState::ALL.len()));
    table.push('\n');
    for event in PostEvent::ALL {
        let _ = write!(table, "| {event} |");
        for state in PostState::ALL {
            match next(state, event) {
                Ok(following) => {
                    let _ = write!(table, " {following} |");
                }
                Err(_) => table.push_str(" – |"),
            }
        }
        table.push('\n');
    }
    table
}

#[cfg(test)]
#[path = "post_state_tests.rs"]
mod tests;

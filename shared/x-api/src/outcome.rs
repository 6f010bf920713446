//! What became of a request to create or delete a post.

use crate::code;
use crate::rate_limit::RateLimits;

/// A post to create (<https://docs.x.com/x-api/posts/create-post>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewPost<'a> {
    /// The text, as people wrote it.
    pub text: &'a str,
    /// The id of the post that it answers; on self-serve plans practically the author's own.
    pub in_reply_to: Option<&'a str>,
}

/// X read the request and does not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// Stable, `snake_case`.
    pub code: &'static str,
    /// X's own words, cut short, without tokens.
    pub detail: String,
}

/// What is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitScope {
    /// The endpoint's 15-minute window.
    Window,
    /// The account's day on this endpoint.
    UserDay,
    /// The application's day on this endpoint: every account of this deployment waits.
    AppDay,
    /// The account's daily ceiling over all of its clients.
    AccountDay,
    /// X did not say.
    Unspecified,
}

/// Too many requests; nothing was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimited {
    /// Unix seconds before which another try is useless, when X said so.
    pub until: Option<i64>,
    /// What is used up.
    pub scope: LimitScope,
    /// The headers.
    pub limits: Box<RateLimits>,
    /// What X said.
    pub refusal: Refusal,
}

/// Nobody knows whether X acted on the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The HTTP status, when there was one.
    pub status: Option<u16>,
    /// Stable, `snake_case`.
    pub code: &'static str,
    /// What was seen, cut short, without tokens.
    pub detail: String,
    /// `retry-after` in seconds, when the answer had one.
    pub retry_after: Option<u64>,
}

/// X certainly never got the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSent {
    /// Stable, `snake_case`.
    pub code: &'static str,
    /// Why.
    pub detail: String,
}

/// A post that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The post's id: 1 to 19 digits.
    pub id: String,
    /// The HTTP status.
    pub status: u16,
    /// What the headers say about the calls left.
    pub limits: RateLimits,
}

/// What became of a post. There is no idempotency key on X: only [`CreateOutcome::NotSent`] and
/// the refusals allow another attempt without looking first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateOutcome {
    /// It is posted.
    Created(Created),
    /// The same text was posted a short while ago, perhaps by an attempt whose answer was lost:
    /// reconcile.
    Duplicate(Refusal),
    /// This text, or what it answers, is not accepted. Trying again does not help.
    Refused(Refusal),
    /// Later.
    RateLimited(RateLimited),
    /// The access token is not valid (any more): refresh it.
    Unauthorized(Refusal),
    /// The whole application is stopped: credits, plan or enrolment.
    AppBlocked(Refusal),
    /// The account may not post: locked, suspended or not permitted. A person has to look.
    AccountBlocked(Refusal),
    /// It may be posted or not: reconcile before anything else.
    Unknown(Unknown),
    /// It is certainly not posted.
    NotSent(NotSent),
}

impl CreateOutcome {
    /// The stable name of what happened.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Created(_) => code::CREATED,
            Self::Duplicate(refusal)
            | Self::Refused(refusal)
            | Self::Unauthorized(refusal)
            | Self::AppBlocked(refusal)
            | Self::AccountBlocked(refusal) => refusal.code,
            Self::RateLimited(limited) => limited.refusal.code,
            Self::Unknown(unknown) => unknown.code,
            Self::NotSent(not_sent) => not_sent.code,
        }
    }

    /// The HTTP status, when there was an answer.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Created(created) => Some(created.status),
            Self::Duplicate(refusal)
            | Self::Refused(refusal)
            | Self::Unauthorized(refusal)
            | Self::AppBlocked(refusal)
            | Self::AccountBlocked(refusal) => Some(refusal.status),
            Self::RateLimited(limited) => Some(limited.refusal.status),
            Self::Unknown(unknown) => unknown.status,
            Self::NotSent(_) => None,
        }
    }

    /// A sentence for people, without tokens; empty for a created post.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::Created(_) => "",
            Self::Duplicate(refusal)
            | Self::Refused(refusal)
            | Self::Unauthorized(refusal)
            | Self::AppBlocked(refusal)
            | Self::AccountBlocked(refusal) => &refusal.detail,
            Self::RateLimited(limited) => &limited.refusal.detail,
            Self::Unknown(unknown) => &unknown.detail,
            Self::NotSent(not_sent) => &not_sent.detail,
        }
    }
}

/// What became of a request to delete a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It was there and is gone.
    Now,
    /// X knows no such post, or not of this account (X does not document which).
    Already,
}

//! What reading calls take and give.

use chrono::{DateTime, Utc};

use crate::answer::Failure;
use crate::code;
use crate::outcome::{NotSent, RateLimited, Refusal, Unknown};
use crate::post::Post;
use crate::rate_limit::RateLimits;

/// Which part of a timeline to read (<https://docs.x.com/x-api/users/get-posts>).
#[derive(Debug, Clone, Default)]
pub struct TimelineQuery<'a> {
    /// From here on, inclusive.
    pub start_time: Option<DateTime<Utc>>,
    /// Posts a page: brought into 5 to 100; nothing means X's 10.
    pub max_results: Option<u8>,
    /// [`Page::next_token`] of the page before.
    pub pagination_token: Option<&'a str>,
}

/// One page, newest first. It may hold fewer than asked and still not be the last.
#[derive(Debug, Clone)]
pub struct Page {
    /// The posts.
    pub posts: Vec<Post>,
    /// For the next page; nothing on the last one.
    pub next_token: Option<String>,
}

/// Posts by id.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// Those that X showed.
    pub posts: Vec<Post>,
    /// The ids that it did not: deleted, hidden, or never there.
    pub missing: Vec<String>,
    /// What the headers say about the calls left.
    pub limits: RateLimits,
}

/// Why a call other than creating a post gave no result. The names mean what those of
/// [`crate::CreateOutcome`] mean.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Not accepted.
    #[error("X refused: {} {} {}", .0.status, .0.code, .0.detail)]
    Refused(Refusal),
    /// Later.
    #[error("X's limit is reached: {}", .0.refusal.detail)]
    RateLimited(RateLimited),
    /// The access token is not valid (any more).
    #[error("X does not accept the access token: {}", .0.detail)]
    Unauthorized(Refusal),
    /// The whole application is stopped.
    #[error("X stopped the application: {} {}", .0.code, .0.detail)]
    AppBlocked(Refusal),
    /// The account may not do this.
    #[error("X stopped the account: {} {}", .0.code, .0.detail)]
    AccountBlocked(Refusal),
    /// No usable answer. For a reading call that is all; a deletion may have happened.
    #[error("no usable answer from X: {} {}", .0.code, .0.detail)]
    Unknown(Unknown),
    /// X never got the request.
    #[error("X was not reached: {} {}", .0.code, .0.detail)]
    NotSent(NotSent),
}

impl CallError {
    /// The stable name of what happened.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal)
            | Self::Unauthorized(refusal)
            | Self::AppBlocked(refusal)
            | Self::AccountBlocked(refusal) => refusal.code,
            Self::RateLimited(limited) => limited.refusal.code,
            Self::Unknown(unknown) => unknown.code,
            Self::NotSent(not_sent) => not_sent.code,
        }
    }

    /// Seconds before another try is worth it, when X said so. `now` in unix seconds.
    #[must_use]
    pub fn retry_after(&self, now: i64) -> Option<u64> {
        match self {
            Self::RateLimited(limited) => {
                u64::try_from(limited.until?.saturating_sub(now).max(0)).ok()
            }
            Self::Unknown(unknown) => unknown.retry_after,
            _ => None,
        }
    }

    /// The HTTP status, when there was an answer.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal)
            | Self::Unauthorized(refusal)
            | Self::AppBlocked(refusal)
            | Self::AccountBlocked(refusal) => Some(refusal.status),
            Self::RateLimited(limited) => Some(limited.refusal.status),
            Self::Unknown(unknown) => unknown.status,
            Self::NotSent(_) => None,
        }
    }

    pub(crate) fn malformed(status: u16, detail: impl Into<String>) -> Self {
        Self::Unknown(Unknown {
            status: Some(status),
            code: code::MALFORMED_RESPONSE,
            detail: detail.into(),
            retry_after: None,
        })
    }
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Duplicate(refusal) | Failure::Refused(refusal) => Self::Refused(refusal),
            Failure::RateLimited(limited) => Self::RateLimited(limited),
            Failure::Unauthorized(refusal) => Self::Unauthorized(refusal),
            Failure::AppBlocked(refusal) => Self::AppBlocked(refusal),
            Failure::AccountBlocked(refusal) => Self::AccountBlocked(refusal),
            Failure::Unknown(unknown) => Self::Unknown(unknown),
        }
    }
}

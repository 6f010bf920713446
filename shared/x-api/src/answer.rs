//! From an answer that is not a success to what it means.
//!
//! X documents few of its errors; the wordings come from published reports. An answer that is not
//! understood is never taken for more than it says: what a server error or a proxy sends is
//! unknown, what a 4xx sends was at least not done.

use http::StatusCode;

use crate::code;
use crate::outcome::{LimitScope, RateLimited, Refusal, Unknown};
use crate::problem::{Problem, Shape};
use crate::rate_limit::RateLimits;
use crate::transport::{Answer, TransportError};

/// What an unsuccessful answer means, for any endpoint.
#[derive(Debug)]
pub(crate) enum Failure {
    Duplicate(Refusal),
    Refused(Refusal),
    RateLimited(RateLimited),
    Unauthorized(Refusal),
    AppBlocked(Refusal),
    AccountBlocked(Refusal),
    Unknown(Unknown),
}

/// Who a refusal is about.
type Kind = fn(Refusal) -> Failure;

/// Numbers of the legacy envelope
/// (<https://developer.x.com/en/support/x-api/error-troubleshooting>).
const LEGACY: &[(i64, Kind, &str)] = &[
    (187, Failure::Duplicate, code::DUPLICATE_CONTENT),
    (186, Failure::Refused, code::TOO_LONG),
    (324, Failure::Refused, code::MEDIA_INVALID),
    (385, Failure::Refused, code::REPLY_TARGET_GONE),
    (433, Failure::Refused, code::REPLY_NOT_ALLOWED),
    (63, Failure::AccountBlocked, code::ACCOUNT_SUSPENDED),
    (64, Failure::AccountBlocked, code::ACCOUNT_SUSPENDED),
    (326, Failure::AccountBlocked, code::ACCOUNT_LOCKED),
    (226, Failure::AccountBlocked, code::AUTOMATION_SUSPECTED),
    (32, Failure::Unauthorized, code::UNAUTHORIZED),
    (89, Failure::Unauthorized, code::UNAUTHORIZED),
    (261, Failure::AppBlocked, code::APP_PERMISSIONS),
    (453, Failure::AppBlocked, code::CLIENT_FORBIDDEN),
];

/// Slugs of `type`, on any status but 429.
const SLUGS: &[(&str, Kind, &str)] = &[
    (
        "client-forbidden",
        Failure::AppBlocked,
        code::CLIENT_FORBIDDEN,
    ),
    ("usage-capped", Failure::AppBlocked, code::USAGE_CAPPED),
    ("credits", Failure::AppBlocked, code::CREDITS_DEPLETED),
    (
        "credits-depleted",
        Failure::AppBlocked,
        code::CREDITS_DEPLETED,
    ),
    (
        "oauth1-permissions",
        Failure::AppBlocked,
        code::APP_PERMISSIONS,
    ),
    (
        "unsupported-authentication",
        Failure::AccountBlocked,
        code::UNSUPPORTED_AUTHENTICATION,
    ),
];

/// Words of a 403 (and of a 400, where reports disagree about the status), in lower case, the
/// specific before the general. A post's own fault is not the account's.
const WORDINGS: &[(&str, Kind, &str)] = &[
    (
        "duplicate content",
        Failure::Duplicate,
        code::DUPLICATE_CONTENT,
    ),
    ("text is too long", Failure::Refused, code::TOO_LONG),
    (
        "media ids are invalid",
        Failure::Refused,
        code::MEDIA_INVALID,
    ),
    (
        "not allowed to post a video",
        Failure::Refused,
        code::MEDIA_INVALID,
    ),
    (
        "reply to this conversation is not allowed",
        Failure::Refused,
        code::REPLY_NOT_ALLOWED,
    ),
    (
        "that is deleted or not visible",
        Failure::Refused,
        code::REPLY_TARGET_GONE,
    ),
    (
        "quoting this post is not allowed",
        Failure::Refused,
        code::QUOTE_NOT_ALLOWED,
    ),
    (
        "appears to be automated",
        Failure::AccountBlocked,
        code::AUTOMATION_SUSPECTED,
    ),
    (
        "might be automated",
        Failure::AccountBlocked,
        code::AUTOMATION_SUSPECTED,
    ),
    (
        "suspended",
        Failure::AccountBlocked,
        code::ACCOUNT_SUSPENDED,
    ),
    // Not "locked" alone, which "blocked" contains.
    (
        "temporarily locked",
        Failure::AccountBlocked,
        code::ACCOUNT_LOCKED,
    ),
    ("been locked", Failure::AccountBlocked, code::ACCOUNT_LOCKED),
    ("is locked", Failure::AccountBlocked, code::ACCOUNT_LOCKED),
    ("log in to", Failure::AccountBlocked, code::ACCOUNT_LOCKED),
    (
        "must use keys and tokens from a twitter developer app",
        Failure::AppBlocked,
        code::CLIENT_FORBIDDEN,
    ),
    (
        "app permissions",
        Failure::AppBlocked,
        code::APP_PERMISSIONS,
    ),
];

/// Words of an account's daily ceiling, which comes as a 403.
const DAILY: &[&str] = &[
    "daily status update limit",
    "daily limit",
    "limit for the day",
];

/// Reads an unsuccessful answer. `now` in unix seconds.
pub(crate) fn classify(answer: &Answer, secrets: &[&str], now: i64) -> Failure {
    let problem = Problem::read(&answer.body, secrets);
    let status = answer.status.as_u16();
    let limits = RateLimits::from_headers(&answer.headers);
    let refusal = |code: &'static str| Refusal {
        status,
        code,
        detail: problem.sentence(),
    };
    let unknown = |code: &'static str| {
        Failure::Unknown(Unknown {
            status: Some(status),
            code,
            detail: problem.sentence(),
            retry_after: limits.retry_after,
        })
    };
    match answer.status {
        status if status.is_server_error() => unknown(code::SERVER_ERROR),
        // Someone on the way gave up waiting; X may not have.
        StatusCode::REQUEST_TIMEOUT => unknown(code::TIMEOUT),
        StatusCode::TOO_MANY_REQUESTS => {
            if problem.slug == "usage-capped" || problem.title == "UsageCapExceeded" {
                return Failure::AppBlocked(refusal(code::USAGE_CAPPED));
            }
            rate_limited(limits, refusal(code::RATE_LIMITED), now)
        }
        StatusCode::UNAUTHORIZED => Failure::Unauthorized(refusal(code::UNAUTHORIZED)),
        StatusCode::PAYMENT_REQUIRED => Failure::AppBlocked(refusal(code::CREDITS_DEPLETED)),
        // The words that are missing could be those of a duplicate, or of a daily ceiling.
        status if status.is_client_error() && !answer.complete => unknown(code::CONNECTION_LOST),
        // A proxy's page says nothing about the account, nor about what was sent.
        status if status.is_client_error() && problem.shape == Shape::Foreign => {
            unknown(code::EDGE_BLOCKED)
        }
        status if status.is_client_error() => by_content(&problem, limits, refusal, answer.status),
        // Redirects are not followed, and nothing else is expected here.
        _ => unknown(code::UNEXPECTED_STATUS),
    }
}

fn by_content(
    problem: &Problem,
    limits: RateLimits,
    refusal: impl Fn(&'static str) -> Refusal,
    status: StatusCode,
) -> Failure {
    let forbidden = status == StatusCode::FORBIDDEN;
    if problem.has_code(185) || (forbidden && DAILY.iter().any(|words| problem.says(words))) {
        return Failure::RateLimited(RateLimited {
            until: limits.exhausted_until(),
            scope: LimitScope::AccountDay,
            limits: Box::new(limits),
            refusal: refusal(code::DAILY_LIMIT),
        });
    }
    if let Some((_, kind, code)) = LEGACY.iter().find(|(code, ..)| problem.has_code(*code)) {
        return kind(refusal(code));
    }
    if let Some((_, kind, code)) = SLUGS.iter().find(|(slug, ..)| problem.slug == *slug) {
        return kind(refusal(code));
    }
    if forbidden || status == StatusCode::BAD_REQUEST {
        if problem.reason == "client-not-enrolled" {
            return Failure::AppBlocked(refusal(code::CLIENT_FORBIDDEN));
        }
        // A validation message may quote the post, so on a 400 only the words about posts count.
        let words = WORDINGS.iter().find(|(words, kind, _)| {
            problem.says(words) && (forbidden || is_about_the_post(*kind))
        });
        if let Some((_, kind, code)) = words {
            return kind(refusal(code));
        }
    }
    match status {
        StatusCode::FORBIDDEN => Failure::AccountBlocked(refusal(code::FORBIDDEN)),
        StatusCode::NOT_FOUND => Failure::Refused(refusal(code::NOT_FOUND)),
        _ => Failure::Refused(refusal(code::INVALID_REQUEST)),
    }
}

fn is_about_the_post(kind: Kind) -> bool {
    let sample = Refusal {
        status: 400,
        code: code::INVALID_REQUEST,
        detail: String::new(),
    };
    matches!(kind(sample), Failure::Refused(_) | Failure::Duplicate(_))
}

fn rate_limited(limits: RateLimits, refusal: Refusal, now: i64) -> Failure {
    let by_scope = [
        (LimitScope::Window, limits.window),
        (LimitScope::UserDay, limits.user_day),
        (LimitScope::AppDay, limits.app_day),
    ];
    let exhausted = by_scope
        .into_iter()
        .filter_map(|(scope, window)| Some((window?.exhausted_until()?, scope)))
        .max_by_key(|(until, _)| *until);
    let after = limits
        .retry_after
        .and_then(|seconds| now.checked_add(i64::try_from(seconds).ok()?));
    // Limited without an empty window: the 15-minute reset is the best guess there is.
    let (reset, scope) = match exhausted {
        Some((until, scope)) => (Some(until), scope),
        None => (
            limits.window.and_then(|window| window.reset),
            LimitScope::Unspecified,
        ),
    };
    Failure::RateLimited(RateLimited {
        until: reset.max(after),
        scope,
        limits: Box::new(limits),
        refusal,
    })
}

/// A success whose body cannot be used.
pub(crate) fn unusable(answer: &Answer, detail: &str) -> Unknown {
    let code = match answer.complete {
        true => code::MALFORMED_RESPONSE,
        false => code::CONNECTION_LOST,
    };
    Unknown {
        status: Some(answer.status.as_u16()),
        code,
        detail: format!("{detail} ({} bytes)", answer.body.len()),
        retry_after: None,
    }
}

/// A transport error after which nobody knows; `Err` gives back one that was certainly not sent.
pub(crate) fn interrupted(error: TransportError) -> Result<Unknown, crate::NotSent> {
    let unknown = |code, detail| {
        Ok(Unknown {
            status: None,
            code,
            detail,
            retry_after: None,
        })
    };
    match error {
        TransportError::NotSent { code, detail } => Err(crate::NotSent { code, detail }),
        TransportError::Interrupted { code, detail } => unknown(code, detail),
        TransportError::Timeout => unknown(code::TIMEOUT, "no answer in time".to_owned()),
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;

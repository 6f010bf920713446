//! What follows when posts could not be read. No input or output here: one function, one table.

use std::time::Duration;

use vivesphere_domain::Instant;
use vivesphere_domain::backoff::rate_limit_wait;
use vivesphere_http::access_tokens::NoToken;
use vivesphere_x_api::{CallError, LimitScope};

/// Before what failed is tried again.
const SOON: Duration = Duration::from_secs(300);
/// Before it is looked whether a person has mended what only a person can.
const LATER: Duration = Duration::from_secs(3600);
/// Without a reset time from X: a whole window of its limits.
const WINDOW: Duration = Duration::from_secs(900);

/// For whom it is put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// These posts.
    Batch,
    /// All posts of the bot.
    Bot,
    /// Everything: it is the application's matter.
    Everyone,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PutOff {
    pub(crate) whose: Whose,
    pub(crate) until: Instant,
    /// Whether X may have billed the call all the same.
    pub(crate) billed: bool,
}

/// After a call. `random` is evenly distributed.
pub(crate) fn after(error: &CallError, now: Instant, random: u64) -> PutOff {
    let (whose, wait, billed) = match error {
        CallError::RateLimited(limited) => {
            let wait = limited.until.map_or(WINDOW, |seconds| {
                let wait = Instant::from_unix_seconds(seconds).millis_since(now);
                Duration::from_millis(wait.max(0).unsigned_abs())
            });
            let whose = match limited.scope {
                LimitScope::UserDay | LimitScope::AccountDay => Whose::Bot,
                // A window that is used up is the application's: it is smaller than the account's.
                LimitScope::Window | LimitScope::AppDay | LimitScope::Unspecified => {
                    Whose::Everyone
                }
            };
            (whose, rate_limit_wait(wait, random), false)
        }
        CallError::AppBlocked(_) => (Whose::Everyone, LATER, false),
        CallError::Unauthorized(_) | CallError::AccountBlocked(_) | CallError::Refused(_) => {
            (Whose::Bot, LATER, false)
        }
        CallError::Unknown(_) => (Whose::Batch, SOON, true),
        CallError::NotSent(_) => (Whose::Batch, SOON, false),
    };
    PutOff {
        whose,
        until: now.plus(wait),
        billed,
    }
}

/// When there is no token to read with.
pub(crate) fn without_token(none: &NoToken, now: Instant) -> PutOff {
    let wait = none.retry_after.map_or(LATER, Duration::from_secs);
    PutOff {
        whose: Whose::Bot,
        until: now.plus(wait.max(SOON)),
        billed: false,
    }
}

#[cfg(test)]
mod tests {
    use vivesphere_x_api::{NotSent, RateLimited, RateLimits, Refusal, Unknown};

    use super::*;

    const NOW: Instant = Instant::from_unix_seconds(1_800_000_000);

    fn refusal(status: u16) -> Refusal {
        Refusal {
            status,
            code: "x",
            detail: String::new(),
        }
    }

    #[test]
    fn each_error_puts_off_what_it_concerns_and_only_an_unknown_call_is_paid_for() {
        let limited = |scope| {
            CallError::RateLimited(RateLimited {
                until: Some(1_800_000_060),
                scope,
                limits: Box::new(RateLimits::default()),
                refusal: refusal(429),
            })
        };
        let unknown = CallError::Unknown(Unknown {
            status: None,
            code: "timeout",
            detail: String::new(),
            retry_after: None,
        });
        let not_sent = CallError::NotSent(NotSent {
            code: "connection_refused",
            detail: String::new(),
        });
        for (error, whose, billed) in [
            (limited(LimitScope::Window), Whose::Everyone, false),
            (limited(LimitScope::AppDay), Whose::Everyone, false),
            (limited(LimitScope::UserDay), Whose::Bot, false),
            (CallError::AppBlocked(refusal(402)), Whose::Everyone, false),
            (CallError::Unauthorized(refusal(401)), Whose::Bot, false),
            (CallError::AccountBlocked(refusal(403)), Whose::Bot, false),
            (unknown, Whose::Batch, true),
            (not_sent, Whose::Batch, false),
        ] {
            let put_off = after(&error, NOW, 0);
            assert_eq!((put_off.whose, put_off.billed), (whose, billed), "{error}");
            assert!(put_off.until.millis_since(NOW) >= 60_000, "{error}");
        }
    }

    #[test]
    fn without_a_token_the_bot_waits_as_long_as_it_was_told() {
        let none = |retry_after| NoToken {
            code: "refresh_waits".to_owned(),
            needs_a_person: false,
            detail: String::new(),
            retry_after,
        };
        for (retry_after, wanted) in [(None, LATER), (Some(1), SOON), (Some(900), WINDOW)] {
            let put_off = without_token(&none(retry_after), NOW);
            assert_eq!(put_off.until, NOW.plus(wanted));
            assert_eq!(put_off.whose, Whose::Bot);
        }
    }
}

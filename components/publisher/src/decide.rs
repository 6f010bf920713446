//! What follows from a call's outcome. No input or output here: one function, one table.

use std::time::Duration;

use vivesphere_domain::backoff::{Backoff, rate_limit_wait};
use vivesphere_domain::publishing::{Effect, Outcome, Standing};
use vivesphere_domain::x_rate_limits::Allowance;
use vivesphere_domain::{Error, Instant};
use vivesphere_http::access_tokens::NoToken;
use vivesphere_x_api::{CallError, CreateOutcome, RateLimits};

/// What the decisions depend on beside the outcome.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) now: Instant,
    /// Attempts that counted before this one.
    pub(crate) spent: u32,
    pub(crate) max_attempts: u32,
    pub(crate) reconcile_delay: Duration,
    /// Evenly distributed.
    pub(crate) random: u64,
}

/// Without a reset time from X: a whole window of its limits.
const WINDOW: Duration = Duration::from_secs(900);

/// Before a post that could not be sent for want of a token is tried again, and before X is asked
/// again whose reset has passed by our clock: clocks differ.
const LEAST: Duration = Duration::from_secs(5);

/// X's longest window is a day. What lies further off is no reset, whoever wrote it.
const LONGEST: Duration = Duration::from_secs(86_400 + 900);

impl Rules {
    /// Another try after a backoff, or the end.
    pub(crate) fn again_or_failed(&self) -> Effect {
        if self.spent + 1 >= self.max_attempts {
            return Effect::Failed;
        }
        let delay = Backoff::default().delay(self.spent, self.random);
        Effect::Again {
            at: self.now.plus(delay),
            spent: true,
        }
    }

    /// When a limit of X is lifted that names this moment.
    pub(crate) fn reset(&self, until: Option<i64>) -> Instant {
        let wait = until
            .map(|seconds| Instant::from_unix_seconds(seconds).millis_since(self.now))
            .map_or(WINDOW, |wait| {
                Duration::from_millis(wait.max(0).unsigned_abs())
            });
        let wait = wait.clamp(LEAST, LONGEST);
        self.now.plus(rate_limit_wait(wait, self.random))
    }
}

/// What is written after X was asked to create a post.
pub(crate) fn created(outcome: &CreateOutcome, rules: &Rules) -> Outcome {
    let (name, effect) = match outcome {
        CreateOutcome::Created(created) => ("sent", Effect::Sent(created.id.clone())),
        CreateOutcome::Refused(_) => ("refused", Effect::Failed),
        // Perhaps an earlier call of ours was carried out: the timeline knows.
        CreateOutcome::Duplicate(_) => (
            "refused",
            Effect::LookAt(rules.now.plus(rules.reconcile_delay)),
        ),
        CreateOutcome::RateLimited(limited) => {
            ("deferred", Effect::BotWaits(rules.reset(limited.until)))
        }
        // After a refresh too: the account is likely locked, and only a person can tell.
        CreateOutcome::Unauthorized(_)
        | CreateOutcome::AppBlocked(_)
        | CreateOutcome::AccountBlocked(_) => ("refused", Effect::PauseBot),
        CreateOutcome::Unknown(_) => (
            "unknown",
            Effect::LookAt(rules.now.plus(rules.reconcile_delay)),
        ),
        CreateOutcome::NotSent(_) => ("refused", rules.again_or_failed()),
    };
    Outcome {
        name,
        http_status: outcome.http_status(),
        code: outcome.code().to_owned(),
        detail: outcome.detail().to_owned(),
        effect,
        allowances: match outcome {
            CreateOutcome::Created(created) => allowances(&created.limits),
            CreateOutcome::RateLimited(limited) => allowances(&limited.limits),
            _ => Vec::new(),
        },
        posts_read: 0,
    }
}

/// What the headers said of the calls that are left.
fn allowances(limits: &RateLimits) -> Vec<Allowance> {
    let windows = limits.whole_windows();
    windows
        .map(|(span, quota, remaining, reset)| Allowance {
            endpoint: "create_post",
            span,
            quota,
            remaining,
            reset_at: Instant::from_unix_seconds(reset),
        })
        .collect()
}

/// What is written when there is no token to send with.
pub(crate) fn without_token(none: &NoToken, rules: &Rules) -> Outcome {
    if none.code == "token_rejected" {
        // A new token that X does not accept either: only a person can tell why.
        return Outcome {
            name: "refused",
            http_status: None,
            code: none.code.clone(),
            detail: none.detail.clone(),
            effect: Effect::PauseBot,
            allowances: Vec::new(),
            posts_read: 0,
        };
    }
    let least = none.retry_after.map_or(LEAST, Duration::from_secs);
    not_sent(&none.code, &none.detail, least, rules)
}

/// Whether the outcome says something of the account or its token, not of the post or the app.
pub(crate) fn is_of_the_credentials(outcome: &CreateOutcome) -> bool {
    matches!(
        outcome,
        CreateOutcome::Unauthorized(_) | CreateOutcome::AccountBlocked(_)
    )
}

/// What is written when X did not accept credentials that a person has replaced meanwhile.
pub(crate) fn credentials_changed(rules: &Rules) -> Outcome {
    let detail = "the bot's credentials were replaced while they were used";
    not_sent("credentials_changed", detail, LEAST, rules)
}

/// What is written when asking for a token took so long that the call could outlive its lease.
pub(crate) fn lease_too_short(rules: &Rules) -> Outcome {
    let detail = "asking for a token took too long";
    not_sent("lease_too_short", detail, LEAST, rules)
}

/// What is written when the call may not be made any more, some time after it was claimed.
pub(crate) fn may_not(standing: Standing, rules: &Rules) -> Outcome {
    let (code, detail) = match standing {
        Standing::Lost => ("lease_lost", "another worker has taken it over"),
        Standing::BotStopped | Standing::Ready => ("bot_stopped", "the bot may not act any more"),
    };
    not_sent(code, detail, Duration::ZERO, rules)
}

/// What is written when it could not be found out whether the call may still be made.
pub(crate) fn not_checked(error: &Error, rules: &Rules) -> Outcome {
    not_sent("storage_unavailable", &error.to_string(), LEAST, rules)
}

/// What is written when the account's timeline could not be read, of which nothing follows for the post:
/// it is looked for again, later each time, and never given up.
pub(crate) fn could_not_look(
    code: &str,
    detail: &str,
    least: Option<u64>,
    failures: u32,
    rules: &Rules,
) -> Outcome {
    let least = least.map_or(Duration::ZERO, Duration::from_secs);
    let wait = rules.reconcile_delay.max(least.min(LONGEST))
        + Backoff::default().delay(failures, rules.random);
    looked(code, detail, Effect::CouldNotLook(rules.now.plus(wait)))
}

/// What is written of a look that did not tell whether X has the post.
pub(crate) fn looked(code: &str, detail: &str, effect: Effect) -> Outcome {
    Outcome {
        name: "unknown",
        http_status: None,
        code: code.to_owned(),
        detail: detail.to_owned(),
        effect,
        allowances: Vec::new(),
        posts_read: 0,
    }
}

/// What is written when there is no token to look with.
pub(crate) fn look_without_token(none: &NoToken, failures: u32, rules: &Rules) -> Outcome {
    if none.code == "token_rejected" {
        return looked(&none.code, &none.detail, Effect::PauseBot);
    }
    if none.needs_a_person {
        // The bot is stopped: it is due once the bot is resumed.
        let at = rules.now.plus(LEAST);
        return looked(&none.code, &none.detail, Effect::LookAt(at));
    }
    could_not_look(&none.code, &none.detail, none.retry_after, failures, rules)
}

/// What is written when X did not show the timeline.
pub(crate) fn not_shown(error: &CallError, failures: u32, rules: &Rules) -> Outcome {
    let (code, sentence) = (error.code(), error.to_string());
    match error {
        // As after a call that was to send it: only a person can settle it with X.
        CallError::Unauthorized(refusal)
        | CallError::AppBlocked(refusal)
        | CallError::AccountBlocked(refusal) => looked(code, &refusal.detail, Effect::PauseBot),
        CallError::RateLimited(limited) => looked(
            code,
            &limited.refusal.detail,
            Effect::CouldNotLook(rules.reset(limited.until)),
        ),
        // X has read the question and does not answer it.
        CallError::Refused(_) => {
            let wait = rules.reconcile_delay + Backoff::default().delay(failures, rules.random);
            looked(code, &sentence, Effect::Inconclusive(rules.now.plus(wait)))
        }
        CallError::Unknown(_) | CallError::NotSent(_) => {
            let least = error.retry_after(rules.now.unix_millis() / 1000);
            could_not_look(code, &sentence, least, failures, rules)
        }
    }
}

/// Not sent, and not the post's fault: it does not count.
fn not_sent(code: &str, detail: &str, least: Duration, rules: &Rules) -> Outcome {
    let delay = least.max(LEAST) + Backoff::default().delay(0, rules.random);
    Outcome {
        name: "deferred",
        http_status: None,
        code: code.to_owned(),
        detail: detail.to_owned(),
        effect: Effect::Again {
            at: rules.now.plus(delay),
            spent: false,
        },
        allowances: Vec::new(),
        posts_read: 0,
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;

//! What follows from a call's outcome. No input or output here: one function, one table.

use std::time::Duration;

use vivesphere_domain::Instant;
use vivesphere_domain::backoff::{Backoff, rate_limit_wait};
use vivesphere_domain::publishing::{Effect, Outcome};
use vivesphere_domain::x_rate_limits::Allowance;
use vivesphere_http::access_tokens::NoToken;
use vivesphere_x_api::{CreateOutcome, RateLimits};

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
mod tests {
    use super::*;
    use vivesphere_x_api::{NotSent, Refusal, Unknown};

    fn rules(spent: u32) -> Rules {
        Rules {
            now: Instant::from_unix_seconds(1_800_000_000),
            spent,
            max_attempts: 8,
            reconcile_delay: Duration::from_secs(30),
            random: u64::MAX / 2,
        }
    }

    #[test]
    fn a_post_without_a_token_waits_as_long_as_it_was_told_and_does_not_count() {
        for (code, retry_after) in [("refresh_waits", Some(900)), ("x_unavailable", None)] {
            let none = NoToken {
                code: code.to_owned(),
                detail: String::new(),
                retry_after,
            };
            let outcome = without_token(&none, &rules(0));
            let least = i64::try_from(retry_after.unwrap_or(5)).unwrap() * 1000;
            assert!(matches!(outcome.effect, Effect::Again { at, spent: false }
                if at.millis_since(rules(0).now) >= least));
        }
        let none = NoToken {
            code: "token_rejected".to_owned(),
            detail: String::new(),
            retry_after: None,
        };
        assert_eq!(without_token(&none, &rules(0)).effect, Effect::PauseBot);
    }

    fn refusal() -> Refusal {
        Refusal {
            status: 403,
            code: "x",
            detail: String::new(),
        }
    }

    #[test]
    fn an_unknown_outcome_is_looked_at_and_never_sent_again_at_once() {
        let unknown = CreateOutcome::Unknown(Unknown {
            status: None,
            code: "timeout",
            detail: String::new(),
            retry_after: None,
        });
        for spent in 0..20 {
            let outcome = created(&unknown, &rules(spent));
            assert_eq!(outcome.name, "unknown");
            assert!(matches!(outcome.effect, Effect::LookAt(at)
                if at.millis_since(rules(0).now) == 30_000));
        }
        let duplicate = created(&CreateOutcome::Duplicate(refusal()), &rules(0));
        assert!(matches!(duplicate.effect, Effect::LookAt(_)));
    }

    #[test]
    fn the_last_attempt_ends_in_the_dead_letter() {
        let not_sent = CreateOutcome::NotSent(NotSent {
            code: "connection_refused",
            detail: String::new(),
        });
        for spent in 0..7 {
            assert!(matches!(
                created(&not_sent, &rules(spent)).effect,
                Effect::Again { spent: true, .. }
            ));
        }
        assert_eq!(created(&not_sent, &rules(7)).effect, Effect::Failed);
    }

    #[test]
    fn a_limit_is_waited_for_at_least_a_moment_and_at_most_a_little_over_a_day() {
        let now = rules(0).now;
        let seconds = now.unix_millis() / 1000;
        for (until, least, most) in [
            (Some(seconds - 100_000), 5, 6),
            (Some(seconds - 1), 5, 6),
            (Some(seconds), 5, 6),
            (Some(seconds + 60), 60, 66),
            (None, 900, 905),
            (Some(seconds + 86_400), 86_400, 86_405),
            (Some(seconds + 10_000_000_000), 86_400, 87_305),
            (Some(i64::MAX), 86_400, 87_305),
            (Some(i64::MIN), 5, 6),
        ] {
            let wait = rules(0).reset(until).millis_since(now);
            assert!(
                (least * 1000..=most * 1000).contains(&wait),
                "{until:?}: {wait}"
            );
        }
    }

    #[test]
    fn what_is_the_accounts_or_the_apps_matter_pauses_the_bot() {
        for outcome in [
            CreateOutcome::Unauthorized(refusal()),
            CreateOutcome::AppBlocked(refusal()),
            CreateOutcome::AccountBlocked(refusal()),
        ] {
            assert_eq!(created(&outcome, &rules(0)).effect, Effect::PauseBot);
        }
        let refused = created(&CreateOutcome::Refused(refusal()), &rules(0));
        assert_eq!(refused.effect, Effect::Failed);
    }
}

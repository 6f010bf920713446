//! What follows from each outcome.

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
            needs_a_person: false,
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
        needs_a_person: true,
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

fn unavailable(retry_after: Option<u64>) -> CallError {
    CallError::Unknown(Unknown {
        status: Some(503),
        code: "server_error",
        detail: String::new(),
        retry_after,
    })
}

fn wait_of(outcome: &Outcome) -> i64 {
    match outcome.effect {
        Effect::CouldNotLook(at) => at.millis_since(rules(0).now),
        _ => panic!("{outcome:?}"),
    }
}

#[test]
fn a_look_that_reads_nothing_backs_off_and_waits_as_long_as_it_is_told() {
    let mut before = 0;
    for failures in [0, 3, 6, 60, u32::MAX] {
        let wait = wait_of(&not_shown(&unavailable(None), failures, &rules(0)));
        assert!(wait >= 30_000 && wait >= before, "{failures}: {wait}");
        assert!(wait <= 30_000 + 900_000, "{failures}: {wait}");
        before = wait;
    }
    let told = wait_of(&not_shown(&unavailable(Some(600)), 0, &rules(0)));
    assert!((600_000..=605_000).contains(&told), "{told}");
    for code in ["component_unavailable", "refresh_waits", "x_unavailable"] {
        let none = NoToken {
            code: code.to_owned(),
            detail: String::new(),
            retry_after: Some(120),
            needs_a_person: false,
        };
        assert!(wait_of(&look_without_token(&none, 4, &rules(0))) >= 120_000);
    }
}

#[test]
fn a_look_that_only_a_person_can_make_possible_pauses_the_bot() {
    for error in [
        CallError::Unauthorized(refusal()),
        CallError::AppBlocked(refusal()),
        CallError::AccountBlocked(refusal()),
    ] {
        assert_eq!(not_shown(&error, 0, &rules(0)).effect, Effect::PauseBot);
    }
    let refused = not_shown(&CallError::Refused(refusal()), 0, &rules(0));
    assert!(matches!(refused.effect, Effect::Inconclusive(_)));
}

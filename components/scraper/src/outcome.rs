//! What became of a fetch, and when there is another.

use std::time::Duration;

use vivesphere_domain::Instant;
use vivesphere_domain::backoff::{Backoff, rate_limit_wait};
use vivesphere_domain::trends::Validators;
use vivesphere_feeds::Document;

/// A source that does not answer is asked again after a minute, at the latest after a day.
const BACKOFF: Backoff = Backoff {
    base: Duration::from_secs(60),
    cap: Duration::from_secs(86_400),
};
const DAY: Duration = Duration::from_secs(86_400);

/// A fetch that went well.
pub(crate) enum Got {
    /// Something to read.
    Document {
        document: Document,
        validators: Validators,
        http_status: Option<u16>,
        /// For how long the server says that it stays as it is.
        fresh_for: Option<Duration>,
    },
    /// The server says that nothing is new (304).
    Unchanged {
        http_status: u16,
        /// For how long the server says that it stays so.
        fresh_for: Option<Duration>,
    },
}

/// A fetch that did not.
pub(crate) enum Missed {
    /// The server is to be left alone until then. Nothing went wrong.
    Postponed(Instant),
    /// It is gone for good (410).
    Gone,
    /// It failed.
    Failed {
        /// Stable.
        code: &'static str,
        http_status: Option<u16>,
        again: Again,
    },
}

/// When a failed source is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Later each time.
    Backoff,
    /// The server asked to wait this long (`Retry-After`).
    AskedFor(Duration),
    /// Trying earlier would be no use.
    In(Duration),
}

impl Missed {
    /// A failure that is tried again by the usual backoff.
    pub(crate) fn failed(code: &'static str) -> Self {
        Self::Failed {
            code,
            http_status: None,
            again: Again::Backoff,
        }
    }

    /// An address that is not fetched, whenever it is tried.
    pub(crate) fn refused(code: &'static str) -> Self {
        Self::Failed {
            code,
            http_status: None,
            again: Again::In(DAY),
        }
    }

    /// A document that was fetched and gives nothing.
    pub(crate) fn unreadable(code: &'static str, http_status: u16) -> Self {
        Self::Failed {
            code,
            http_status: Some(http_status),
            again: Again::Backoff,
        }
    }

    /// An answer that is no success.
    pub(crate) fn answered(status: u16, retry_after: Option<u64>) -> Self {
        let code = match status {
            410 => return Self::Gone,
            429 => "too_many_requests",
            401 | 403 => "not_permitted",
            404 => "not_found",
            503 => "unavailable",
            500..=599 => "server_error",
            _ => "unexpected_status",
        };
        let again = match (status, retry_after) {
            (429 | 503, Some(seconds)) => Again::AskedFor(Duration::from_secs(seconds).min(DAY)),
            // Who says no is not asked again and again.
            (401 | 403, _) => Again::In(DAY),
            _ => Again::Backoff,
        };
        Self::Failed {
            code,
            http_status: Some(status),
            again,
        }
    }
}

impl Again {
    /// The moment, after `failures` failures before this one. With `random` those that failed
    /// together come back one by one.
    pub(crate) fn at(self, now: Instant, failures: i64, random: u64) -> Instant {
        let failures = u32::try_from(failures).unwrap_or(u32::MAX);
        now.plus(match self {
            // Half of it is certain: a server in trouble is given time.
            Self::Backoff => BACKOFF.bound(failures) / 2 + BACKOFF.delay(failures, random) / 2,
            Self::AskedFor(wait) => rate_limit_wait(wait, random),
            Self::In(wait) => wait,
        })
    }
}

/// When a source that answered well is next fetched: after its interval, or later when the server
/// or the document says so (a day at most), with up to a tenth more so that sources spread out.
pub(crate) fn next_fetch(
    now: Instant,
    interval: Duration,
    fresh_for: Option<Duration>,
    minutes_between_fetches: Option<u32>,
    random: u64,
) -> Instant {
    let asked_for = minutes_between_fetches.map(|minutes| Duration::from_secs(60) * minutes);
    let longest = [fresh_for, asked_for]
        .into_iter()
        .flatten()
        .map(|wait| wait.min(DAY))
        .fold(interval, Duration::max);
    let tenth = Backoff {
        base: longest / 10,
        cap: longest / 10,
    };
    now.plus(longest + tenth.delay(0, random))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_server_gets_the_time_that_it_asks_for() {
        let now = Instant::from_unix_millis(0);
        let again = |status, retry_after| match Missed::answered(status, retry_after) {
            Missed::Failed { again, .. } => again,
            _ => Again::In(Duration::ZERO),
        };
        let hour = Duration::from_secs(3_600);
        assert_eq!(again(429, Some(3_600)), Again::AskedFor(hour));
        assert_eq!(again(503, Some(u64::MAX)), Again::AskedFor(DAY));
        assert_eq!(again(429, None), Again::Backoff);
        assert_eq!(again(404, Some(5)), Again::Backoff);
        assert_eq!(again(403, None), Again::In(DAY));
        assert!(matches!(Missed::answered(410, None), Missed::Gone));
        for random in [0, u64::MAX] {
            let at = Again::AskedFor(hour).at(now, 0, random).unix_millis();
            assert!((3_600_000..=3_605_000).contains(&at), "{at}");
            let first = Again::Backoff.at(now, 0, random).unix_millis();
            assert!((30_000..=60_000).contains(&first), "{first}");
            let last = Again::Backoff.at(now, i64::MAX, random).unix_millis();
            assert!((43_200_000..=86_400_000).contains(&last), "{last}");
        }
    }

    #[test]
    fn a_source_may_ask_for_rarer_fetches_and_not_for_more() {
        let now = Instant::from_unix_millis(0);
        let minute = Duration::from_secs(60);
        let at =
            |fresh, minutes| next_fetch(now, 30 * minute, fresh, minutes, 0).unix_millis() / 60_000;
        assert_eq!(at(None, None), 30);
        assert_eq!(at(Some(minute), Some(5)), 30);
        assert_eq!(at(Some(45 * minute), None), 45);
        assert_eq!(at(None, Some(60)), 60);
        assert_eq!(at(None, Some(u32::MAX)), 24 * 60);
        let latest = next_fetch(now, 30 * minute, None, None, u64::MAX).unix_millis();
        assert_eq!(latest, 33 * 60_000);
    }
}

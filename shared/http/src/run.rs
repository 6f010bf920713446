//! How long a worker's run may take, and how long it took.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use vivesphere_domain::Instant;

const DEFAULT_SECONDS: u32 = 4;
/// Below the minute after which a caller gives up.
const MAX_SECONDS: u32 = 55;

/// The query of a job entry.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunQuery {
    /// Seconds that the run may take: 4 when left out, 55 at most.
    #[serde(default)]
    budget_seconds: Option<u32>,
}

impl RunQuery {
    /// Begins the run, now.
    #[must_use]
    pub fn begin(&self) -> TimeBudget {
        TimeBudget::of(self.budget_seconds.unwrap_or(DEFAULT_SECONDS))
    }
}

/// The time of one run.
#[derive(Debug, Clone, Copy)]
pub struct TimeBudget {
    started: Instant,
    end: Instant,
}

impl TimeBudget {
    /// This many seconds from now, or 55 if that is less.
    #[must_use]
    pub fn of(seconds: u32) -> Self {
        let started = Instant::now();
        let end = started.plus(Duration::from_secs(seconds.min(MAX_SECONDS).into()));
        Self { started, end }
    }

    /// When nothing more should be begun.
    #[must_use]
    pub fn end(&self) -> Instant {
        self.end
    }

    /// When nothing more should be begun that takes up to `call`, in a run that is kept from its end by
    /// something slow.
    #[must_use]
    pub fn last(&self, call: Duration) -> Instant {
        let most = Duration::from_secs(MAX_SECONDS.into());
        self.end.max(self.started.plus(most.saturating_sub(call)))
    }

    /// Milliseconds since the run began.
    #[must_use]
    pub fn spent_ms(&self) -> i64 {
        Instant::now().millis_since(self.started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allotted(budget_seconds: Option<u32>) -> i64 {
        let time = RunQuery { budget_seconds }.begin();
        time.end.millis_since(time.started)
    }

    #[test]
    fn a_run_that_is_kept_from_its_end_goes_on_as_long_as_its_caller_waits() {
        let time = RunQuery {
            budget_seconds: None,
        }
        .begin();
        let last = |call| {
            time.last(Duration::from_secs(call))
                .millis_since(time.started)
        };
        assert_eq!(last(30), 25_000);
        assert_eq!(last(55), 4_000);
        assert_eq!(last(600), 4_000);
    }

    #[test]
    fn a_run_has_what_was_asked_for_but_never_more_than_its_caller_waits() {
        assert_eq!(allotted(None), 4_000);
        assert_eq!(allotted(Some(0)), 0);
        assert_eq!(allotted(Some(30)), 30_000);
        assert_eq!(allotted(Some(u32::MAX)), 55_000);
    }
}

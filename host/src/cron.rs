//! Scheduled components: woken by the clock, one instance a tick.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use chrono::{DateTime, TimeDelta, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use tokio::sync::watch;
use vivesphere_wasi::StoreData;
use wasmtime::component::InstancePre;

use crate::instance::{Grants, Guest, guest};
use crate::interfaces::cron::spin::cron::cron_types::{Error, Metadata};
use crate::interfaces::cron::{SpinCron, SpinCronPre};

/// A component that a schedule wakes.
pub(crate) struct Scheduled {
    engine: wasmtime::Engine,
    pre: SpinCronPre<StoreData>,
    grants: Arc<Grants>,
}

impl Scheduled {
    pub(crate) fn new(
        engine: &wasmtime::Engine,
        pre: InstancePre<StoreData>,
        grants: Arc<Grants>,
    ) -> anyhow::Result<Self> {
        let pre = SpinCronPre::new(pre)
            .map_err(anyhow::Error::from)
            .with_context(|| format!("component `{}` cannot be scheduled", grants.id))?;
        Ok(Self {
            engine: engine.clone(),
            pre,
            grants,
        })
    }

    /// Wakes it once, in an instance of its own, with the moment at which it was due.
    pub(crate) async fn run(&self, due: DateTime<Utc>) -> anyhow::Result<()> {
        let mut store = Guest::store(&self.engine, &self.grants)?;
        let computing = guest(store.data_mut()).computing.clone();
        let bindings: SpinCron = self.pre.instantiate_async(&mut store).await?;
        let metadata = Metadata {
            timestamp: u64::try_from(due.timestamp()).unwrap_or_default(),
        };
        let mut run = pin!(store.run_concurrent(async |accessor| {
            bindings.call_handle_cron_event(accessor, metadata).await
        }));
        let outcome = poll_fn(|cx| {
            let polled = run.as_mut().poll(cx);
            if polled.is_pending() {
                computing.pending();
            }
            polled
        });
        outcome.await??.map_err(|Error::Other(text)| anyhow!(text))
    }
}

/// How long is slept before the clock is looked at again: somebody may set it.
const LOOK: Duration = Duration::from_secs(5);
/// A clock that is behind by more than this has been set back; by less, a timer was early.
const SET_BACK: TimeDelta = TimeDelta::seconds(1);

/// Reads an expression of six or seven fields, seconds first. Where both a day of the month and a
/// day of the week are given, both must be met, as in Spin's trigger.
pub(crate) fn parse(expression: &str) -> anyhow::Result<Cron> {
    let fields = expression.split_whitespace().count();
    if !(6..=7).contains(&fields) {
        return Err(anyhow!(
            "the cron expression `{expression}` must have six or seven fields, seconds first"
        ));
    }
    CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Optional)
        .dom_and_dow(true)
        .build()
        .parse(expression)
        .map_err(|error| anyhow!("the cron expression `{expression}` cannot be read: {error}"))
}

/// Whether a moment that has been is far ahead now.
fn is_set_back(now: DateTime<Utc>, been: DateTime<Utc>) -> bool {
    now + SET_BACK < been
}

/// Wakes the component at each moment of the expression until the host stops. A moment at which
/// the tick before still runs is left out; a failed tick changes nothing for the next. A clock that
/// is set changes when the moments come, and no more.
pub(crate) async fn serve(scheduled: Scheduled, cron: Cron, mut stopped: watch::Receiver<bool>) {
    let component = &scheduled.grants.id;
    let mut after = Utc::now();
    loop {
        let Ok(due) = cron.find_next_occurrence(&after, false) else {
            tracing::warn!(%component, "the schedule has no further moment");
            return;
        };
        let now = Utc::now();
        if is_set_back(now, after) {
            tracing::warn!(%component, "the clock was set back; the schedule begins anew");
            after = now;
            continue;
        }
        if let Ok(wait) = (due - now).to_std()
            && !wait.is_zero()
        {
            tokio::select! {
                () = tokio::time::sleep(wait.min(LOOK)) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            if wait > LOOK {
                continue;
            }
        }
        if let Err(error) = scheduled.run(due).await {
            tracing::error!(%component, "the tick failed: {error:#}");
        }
        after = Utc::now().max(due);
        let missed = cron.find_next_occurrence(&due, false);
        if missed.is_ok_and(|missed| missed <= after) {
            tracing::warn!(%component, "ticks were left out while one was running");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_and_seven_fields_are_read_and_others_refused() {
        assert!(parse("*/5 * * * * *").is_ok());
        assert!(parse("0 17 * * * * 2030").is_ok());
        for refused in ["* * * * *", "", "61 * * * * *", "a b c d e f"] {
            assert!(parse(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_day_of_the_month_and_one_of_the_week_are_both_met() {
        let from = DateTime::from_timestamp(1_795_435_200, 0).unwrap_or_default();
        let next = |expression: &str| {
            let cron = parse(expression).expect("an expression");
            cron.find_next_occurrence(&from, false)
                .expect("a moment")
                .to_string()
        };
        assert_eq!(next("0 30 6 13 * FRI"), "2027-08-13 06:30:00 UTC");
        assert_eq!(next("0 30 6 13 * *"), "2026-12-13 06:30:00 UTC");
    }

    #[test]
    fn a_timer_that_was_early_is_no_clock_that_was_set() {
        let been = Utc::now();
        for (milliseconds, set) in [
            (0, false),
            (-900, false),
            (-1100, true),
            (-3_600_000, true),
            (5000, false),
        ] {
            let now = been + TimeDelta::milliseconds(milliseconds);
            assert_eq!(is_set_back(now, been), set, "{milliseconds}");
        }
    }
}

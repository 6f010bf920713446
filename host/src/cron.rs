//! Scheduled components: woken by the clock, one instance a tick.

use std::future::poll_fn;
use std::pin::pin;
use std::str::FromStr as _;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds};
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

/// Reads an expression of six or seven fields, seconds first.
pub(crate) fn parse(expression: &str) -> anyhow::Result<Cron> {
    let fields = expression.split_whitespace().count();
    if !(6..=7).contains(&fields) {
        return Err(anyhow!(
            "the cron expression `{expression}` must have six or seven fields, seconds first"
        ));
    }
    let parser = CronParser::builder().seconds(Seconds::Required).build();
    parser
        .parse(expression)
        .or_else(|_| Cron::from_str(expression))
        .map_err(|error| anyhow!("the cron expression `{expression}` cannot be read: {error}"))
}

/// Wakes the component at each moment of the expression until the host stops. A moment at which
/// the tick before still runs is left out; a failed tick changes nothing for the next.
pub(crate) async fn serve(scheduled: Scheduled, cron: Cron, mut stopped: watch::Receiver<bool>) {
    let component = &scheduled.grants.id;
    let mut after = Utc::now();
    loop {
        let Ok(due) = cron.find_next_occurrence(&after, false) else {
            tracing::warn!(%component, "the schedule has no further moment");
            return;
        };
        let wait = (due - Utc::now()).to_std().unwrap_or_default();
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
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
    use super::parse;

    #[test]
    fn six_and_seven_fields_are_read_and_others_refused() {
        assert!(parse("*/5 * * * * *").is_ok());
        assert!(parse("0 17 * * * * 2030").is_ok());
        for refused in ["* * * * *", "", "61 * * * * *", "a b c d e f"] {
            assert!(parse(refused).is_err(), "{refused}");
        }
    }
}

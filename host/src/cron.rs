//! Scheduled components: woken by the clock, one instance a tick.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use chrono::Utc;
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use wasmtime::component::InstancePre;

use crate::instance::{Grants, Guest};
use crate::interfaces::cron::spin::cron::cron_types::{Error, Metadata};
use crate::interfaces::cron::{SpinCron, SpinCronPre};

/// A component that a schedule wakes.
pub(crate) struct Scheduled {
    engine: wasmtime::Engine,
    pre: SpinCronPre<Guest>,
    grants: Arc<Grants>,
}

impl Scheduled {
    pub(crate) fn new(
        engine: &wasmtime::Engine,
        pre: InstancePre<Guest>,
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

    /// Wakes it once, in an instance of its own.
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let mut store = Guest::store(&self.engine, &self.grants)?;
        let bindings: SpinCron = self.pre.instantiate_async(&mut store).await?;
        let metadata = Metadata {
            timestamp: u64::try_from(Utc::now().timestamp()).unwrap_or_default(),
        };
        let outcome = store
            .run_concurrent(async |accessor| {
                bindings.call_handle_cron_event(accessor, metadata).await
            })
            .await??;
        outcome.map_err(|Error::Other(text)| anyhow!(text))
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

/// Wakes the component at each moment of the expression until the task is aborted. A tick that
/// falls due while the one before still runs is left out.
pub(crate) async fn serve(scheduled: Scheduled, cron: Cron) {
    loop {
        let now = Utc::now();
        let Ok(next) = cron.find_next_occurrence(&now, false) else {
            tracing::warn!(component = %scheduled.grants.id, "the schedule has no further moment");
            return;
        };
        let wait = (next - now).to_std().unwrap_or(Duration::ZERO);
        tokio::time::sleep(wait).await;
        if let Err(error) = scheduled.run().await {
            tracing::error!(component = %scheduled.grants.id, "the tick failed: {error:#}");
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

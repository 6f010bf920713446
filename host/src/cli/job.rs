//! `vivesphere job run`.

use std::process::ExitCode;

use anyhow::bail;

use super::{JobArguments, prepare};
use crate::logging;

pub(super) fn run(arguments: &JobArguments) -> anyhow::Result<ExitCode> {
    logging::start(arguments.application.quiet);
    let prepared = prepare(&arguments.application)?;
    let scheduled = &prepared.manifest.cron_triggers;
    if !scheduled
        .iter()
        .any(|trigger| trigger.component == arguments.component)
    {
        let known: Vec<&str> = scheduled
            .iter()
            .map(|trigger| trigger.component.as_str())
            .collect();
        bail!(
            "`{}` is no scheduled component; the manifest schedules: {}",
            arguments.component,
            if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            }
        );
    }
    let application = prepared.application(None)?;
    let _ = application;
    Ok(ExitCode::SUCCESS)
}

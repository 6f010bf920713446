//! `vivesphere job run`.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::bail;

use super::up::options;
use super::{JobArguments, prepare};
use crate::{logging, server};

pub(super) fn run(arguments: &JobArguments) -> anyhow::Result<ExitCode> {
    logging::start(arguments.application.quiet);
    let prepared = prepare(&arguments.application)?;
    let scheduled = &prepared.manifest.cron_triggers;
    let id = arguments.component.as_str();
    if !scheduled.iter().any(|trigger| trigger.component == id) {
        let known: Vec<&str> = scheduled
            .iter()
            .map(|trigger| trigger.component.as_str())
            .collect();
        bail!(
            "`{id}` is no scheduled component; the manifest schedules: {}",
            if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            }
        );
    }
    let _state = prepared.open_state()?;
    // Only this component is compiled, so only it must be built.
    let application = prepared.application_of(id)?;
    let options = options(&prepared, &arguments.application, application);
    let began = Instant::now();
    let outcome = server::runtime()?.block_on(server::run_scheduled(options, id));
    let took = began.elapsed().as_millis();
    match outcome {
        Ok(()) => {
            if !arguments.application.quiet {
                println!("{id}: done in {took} ms");
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("{id}: failed after {took} ms: {error:#}");
            Ok(ExitCode::FAILURE)
        }
    }
}

//! The host's own log: to standard error, readable on a terminal and JSON elsewhere.
//! What components print passes by it unchanged.

use std::io::IsTerminal as _;

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts the log. `RUST_LOG` chooses what is logged (default `info`): a level, or levels by target
/// such as `warn,vivesphere=debug`. `quiet` leaves errors.
pub fn start(quiet: bool) {
    let filter = if quiet {
        Targets::new().with_default(LevelFilter::ERROR)
    } else {
        let given = std::env::var("RUST_LOG").ok();
        given
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO))
    };
    // When nobody reads the log any more, that is not told either: telling it would panic.
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    let lines = if std::io::stderr().is_terminal() {
        lines.with_target(false).boxed()
    } else {
        lines.json().flatten_event(true).boxed()
    };
    // A second start in one process, as in tests, keeps the first log.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init();
}

//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Measures ViveSphere and prints a table. It passes no judgement by its exit code: a number
/// that is not as wanted is marked in the table.
#[derive(Debug, Parser)]
#[command(name = "benchmark", version)]
pub(crate) struct Flags {
    /// Connections that are kept busy, one request at a time each.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) connections: u16,
    /// How long each route is put under load.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) seconds: u16,
    /// Only this measurement; may be given more than once.
    #[arg(long, value_name = "NAME")]
    only: Vec<Measurement>,
    /// Also time a rebuild after a change in one component.
    #[arg(long)]
    builds: bool,
    /// Also time `cargo up` in a clean clone of the last commit (minutes).
    #[arg(long)]
    clean_clone: bool,
    /// Also time `cargo test` in a clean clone of the last commit (tens of minutes).
    #[arg(long)]
    clean_test: bool,
    /// Real Spin, to be measured beside the embedded host.
    #[arg(long, env = "SPIN_BIN", value_name = "FILE")]
    pub(crate) spin: Option<PathBuf>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measurement {
    /// The bare components, on the embedded host and on Spin.
    Bare,
    /// The authenticated list, and memory under that load.
    List,
    /// What the client rate limit costs.
    Limiter,
    /// The components' files.
    Sizes,
    /// A second start, and memory when nothing happens.
    Start,
    /// A backlog of due posts.
    Drain,
    /// Claiming with few and with many rows.
    Claim,
    /// Handing log records in, and querying a million of them.
    Logs,
    /// Verifying the audit trail.
    Audit,
    /// A backup of a big database while requests are served.
    Backup,
    /// Reading feed documents.
    Feeds,
    /// The exposition with many posts, and what counting requests costs.
    Metrics,
    /// A rebuild after a change (`--builds`).
    Builds,
    /// `cargo up` in a clean clone (`--clean-clone`).
    CleanClone,
    /// `cargo test` in a clean clone (`--clean-test`).
    CleanTest,
}

impl Flags {
    /// Whether this is to be measured.
    pub(crate) fn wants(&self, measurement: Measurement) -> bool {
        match measurement {
            _ if self.only.contains(&measurement) => true,
            Measurement::Builds => self.builds,
            Measurement::CleanClone => self.clean_clone,
            Measurement::CleanTest => self.clean_test,
            _ => self.only.is_empty(),
        }
    }

    /// How long each route is put under load.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}

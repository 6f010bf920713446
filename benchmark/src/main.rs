//! `cargo benchmark`: builds ViveSphere, measures it and prints one table.

mod application;
mod audit;
mod backlog;
mod backup;
mod bare;
mod builds;
mod cargo;
mod claim;
mod drain;
mod fake;
mod feeds;
mod flags;
mod limiter;
mod list;
mod load;
mod logs;
mod machine;
mod metrics;
mod peak;
mod process;
mod sizes;
mod start;
mod table;

use clap::Parser as _;

use crate::flags::{Flags, Measurement};
use crate::table::Table;

// One thread: the load tool is to take as little of the machine as it can.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    cargo::build_everything()?;
    let mut table = Table::default();
    if flags.wants(Measurement::Bare) {
        bare::measure(&flags, &mut table).await?;
    }
    if flags.wants(Measurement::List) {
        list::measure(&flags, &mut table).await?;
    }
    if flags.wants(Measurement::Limiter) {
        limiter::measure(&flags, &mut table).await?;
    }
    if flags.wants(Measurement::Sizes) {
        sizes::measure(&mut table)?;
    }
    if flags.wants(Measurement::Start) {
        start::measure(&mut table).await?;
    }
    if flags.wants(Measurement::Drain) {
        drain::measure(&mut table).await?;
    }
    if flags.wants(Measurement::Claim) {
        claim::measure(&mut table).await?;
    }
    if flags.wants(Measurement::Logs) {
        logs::measure(&flags, &mut table).await?;
    }
    if flags.wants(Measurement::Audit) {
        audit::measure(&mut table).await?;
    }
    if flags.wants(Measurement::Backup) {
        backup::measure(&mut table).await?;
    }
    if flags.wants(Measurement::Feeds) {
        feeds::measure(&mut table).await?;
    }
    if flags.wants(Measurement::Metrics) {
        metrics::measure(&flags, &mut table).await?;
    }
    if flags.wants(Measurement::Builds) {
        builds::after_a_change(&mut table).await?;
    }
    if flags.wants(Measurement::CleanClone) {
        builds::in_a_clean_clone(&mut table).await?;
    }
    if flags.wants(Measurement::CleanTest) {
        builds::tests_in_a_clean_clone(&mut table).await?;
    }
    println!("{}", machine::describe(&flags, &cargo::repository()));
    print!("{table}");
    Ok(())
}

//! Bare components, on the embedded host and on Spin.

use std::time::Duration;

use anyhow::Context as _;

use crate::application::Application;
use crate::cargo;
use crate::flags::Flags;
use crate::load;
use crate::table::{Table, Wanted};

const ROUTES: [(&str, &str); 4] = [
    ("/hello", "hello"),
    ("/key-value", "key-value get"),
    ("/sqlite", "SQLite open and select one row"),
    ("/sqlite-kept", "SQLite select one row, connection kept"),
];

/// The bare components, served.
pub(crate) async fn start(program: &std::path::Path) -> anyhow::Result<Application> {
    let mut application = Application::bare(program)?;
    application.restart().await?;
    // Long enough for the first answer, which makes the tables, on a machine that stalls.
    load::run(
        &application.target("/prepare", None),
        1,
        Duration::from_secs(1),
    )
    .await
    .context("the bare components' stores")?;
    Ok(application)
}

/// Requests a second of each route; with Spin, both in turns, so that what else the machine
/// does falls on both.
pub(crate) async fn measure(flags: &Flags, table: &mut Table) -> anyhow::Result<()> {
    let host = start(&cargo::host()).await?;
    let spin = match &flags.spin {
        Some(program) => Some(start(program).await?),
        None => None,
    };
    for (path, name) in ROUTES {
        eprintln!("load on {name}");
        let mut ours = load::Answers::none()?;
        let mut theirs = load::Answers::none()?;
        for _ in 0..2 {
            let time = flags.time() / 2;
            ours.add(&load::run(&host.target(path, None), flags.connections, time).await?)?;
            if let Some(spin) = &spin {
                let target = spin.target(path, None);
                theirs.add(&load::run(&target, flags.connections, time).await?)?;
            }
        }
        table.add(name, ours.rate(), "req/s", Wanted::Nothing);
        if spin.is_some() {
            let rate = theirs.rate();
            table.add(format!("{name}, on Spin"), rate, "req/s", Wanted::Nothing);
            let what = format!("{name}, host to Spin");
            table.add(what, ours.rate() / rate, "", Wanted::AtLeast(1.0));
        }
    }
    if spin.is_none() {
        table.miss("the host beside real Spin: set SPIN_BIN to Spin 4.1 or later");
    }
    Ok(())
}

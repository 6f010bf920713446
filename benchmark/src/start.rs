//! Starting again, and memory when nothing happens.

use std::time::Duration;

use crate::application::Application;
use crate::table::{Table, Wanted};

const STARTS: usize = 5;
/// How long it is left alone before its memory is read.
const ALONE: Duration = Duration::from_secs(15);

/// Seconds from starting the process to its first answer, all components being loaded: once they are to
/// be compiled, then when they were compiled before. Memory after both.
pub(crate) async fn measure(table: &mut Table) -> anyhow::Result<()> {
    eprintln!("starting it {} times", STARTS + 1);
    let mut application = Application::vivesphere(None, true)?;
    application.compile_apart();
    table.add(
        "first start, all components compiled".to_owned(),
        application.restart().await?.as_secs_f64(),
        "s",
        Wanted::Nothing,
    );
    idle(table, &application, "first").await?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        times.push(application.restart().await?.as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    table.add(
        format!("second start to first answer, all loaded, median of {STARTS}"),
        times[STARTS / 2],
        "s",
        Wanted::AtMost(0.5),
    );
    idle(table, &application, "second").await
}

/// Memory after the first or the second start.
async fn idle(table: &mut Table, application: &Application, start: &str) -> anyhow::Result<()> {
    tokio::time::sleep(ALONE).await;
    table.add(
        format!("resident memory idle after the {start} start, schedules running"),
        application.resident()?,
        "MB",
        Wanted::AtMost(100.0),
    );
    Ok(())
}

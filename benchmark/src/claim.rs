//! What a publisher's run costs with few and with many posts scheduled for later.

use std::time::Instant;

use anyhow::ensure;

use crate::application::Application;
use crate::backlog::{self, Pattern};
use crate::fake::Fake;
use crate::table::{Table, Wanted};

const BOTS: usize = 100;
const FEW: usize = 1_000;
const MANY: usize = 100_000;
/// Posts that are due in a run that finds some, each of another bot: as many as one claim takes.
const DUE: usize = 32;
const IDLE_RUNS: usize = 100;
const BUSY_RUNS: usize = 20;

/// Milliseconds of a run that finds nothing and of one that finds [`DUE`] posts.
struct Cost {
    idle: f64,
    busy: f64,
}

/// Both costs, with both numbers of rows.
pub(crate) async fn measure(table: &mut Table) -> anyhow::Result<()> {
    eprintln!("claiming with {FEW} and with {MANY} scheduled posts");
    let mut fake = Fake::start(0)?;
    let mut application = Application::vivesphere(Some(&fake.base_url), false)?;
    application.restart().await?;
    let token = application.sign_in().await?;
    let bots = fake.bots(&application, &token, BOTS).await?;
    let patterns = backlog::patterns(&application, &token, &bots).await?;
    let mut database = application.database()?;
    backlog::copy(&mut database, &patterns, FEW / BOTS - 1, false)?;
    let few = cost(&application, &patterns).await?;
    backlog::copy(&mut database, &patterns, (MANY - FEW) / BOTS, false)?;
    let many = cost(&application, &patterns).await?;
    for (what, few, many) in [
        (
            "a run that finds nothing due".to_owned(),
            few.idle,
            many.idle,
        ),
        (
            format!("a run that publishes {DUE} posts"),
            few.busy,
            many.busy,
        ),
    ] {
        let at = |rows| format!("{what}, {rows} scheduled");
        table.add(at(FEW), few, "ms", Wanted::Nothing);
        table.add(at(MANY), many, "ms", Wanted::Nothing);
        let ratio = format!("{what}, {MANY} to {FEW}");
        table.add(ratio, many / few, "", Wanted::AtMost(1.5));
    }
    Ok(())
}

async fn cost(application: &Application, patterns: &[Pattern]) -> anyhow::Result<Cost> {
    let mut idle = Vec::new();
    for _ in 0..IDLE_RUNS {
        idle.push(run(application, 0).await?);
    }
    let mut busy = Vec::new();
    for round in 0..BUSY_RUNS {
        // Other bots each time.
        let from = round * DUE % (patterns.len() - DUE);
        let some = &patterns[from..from + DUE];
        backlog::copy(&mut application.database()?, some, 1, true)?;
        busy.push(run(application, DUE as u64).await?);
    }
    Ok(Cost {
        idle: median(idle),
        busy: median(busy),
    })
}

async fn run(application: &Application, expected: u64) -> anyhow::Result<f64> {
    let started = Instant::now();
    let done = application.publish(5).await?;
    let time = started.elapsed().as_secs_f64() * 1000.0;
    ensure!(
        done["published"] == expected,
        "{expected} posts were due: {done}"
    );
    Ok(time)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

//! A backlog of due posts, published by one worker.

use std::time::Instant;

use anyhow::{Context as _, ensure};

use crate::application::Application;
use crate::backlog;
use crate::fake::Fake;
use crate::peak::Peak;
use crate::table::{Table, Wanted};

const BOTS: usize = 100;
const POSTS_EACH: usize = 50;
/// What the stand-in for X takes for an answer.
const DELAY_MILLISECONDS: u32 = 5;

/// Posts a second, every one of them really there, once.
pub(crate) async fn measure(table: &mut Table) -> anyhow::Result<()> {
    eprintln!("draining a backlog");
    let mut fake = Fake::start(DELAY_MILLISECONDS)?;
    let mut application = Application::vivesphere(Some(&fake.base_url), false)?;
    application.restart().await?;
    let token = application.sign_in().await?;
    let bots = fake.bots(&application, &token, BOTS).await?;
    let patterns = backlog::patterns(&application, &token, &bots).await?;
    application
        .fill(move |database| backlog::copy(database, &patterns, POSTS_EACH, true))
        .await?;
    let total = BOTS * POSTS_EACH;
    let peak = Peak::of(application.process_id()?);
    let (started, cpu) = (Instant::now(), application.cpu_time()?);
    let mut published = 0;
    while published < total as u64 {
        let done = application.publish(55).await?;
        let now = done["published"].as_u64().context("no count")?;
        ensure!(now > 0, "nothing more is published: {done}");
        published += now;
    }
    let time = started.elapsed().as_secs_f64();
    let cpu = application.cpu_time()? - cpu;
    let (posted, different) = fake.posted().await?;
    ensure!(
        posted == total && different == total,
        "of {total} posts X has {posted}, {different} of them different"
    );
    table.add(
        format!("{total} due posts over {BOTS} bots, X answering in {DELAY_MILLISECONDS} ms"),
        total as f64 / time,
        "posts/s",
        Wanted::AtLeast(300.0),
    );
    table.add(
        "the host's processor time a post",
        cpu.as_secs_f64() * 1e6 / total as f64,
        "us",
        Wanted::Nothing,
    );
    table.add(
        "resident memory meanwhile, the most",
        peak.megabytes(),
        "MB",
        Wanted::AtMost(250.0),
    );
    Ok(())
}

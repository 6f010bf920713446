//! A page of bots as a signed-in user gets it, beside a bare hello.

use anyhow::Context as _;
use serde_json::json;

use crate::application::Application;
use crate::flags::Flags;
use crate::peak::Peak;
use crate::table::{Table, Wanted};
use crate::{bare, cargo, load};

const BOTS: usize = 200;
const PAGE: usize = 20;
const PATH: &str = "/api/v1/bots/list";
/// Hello and the list take turns, so that what else the machine does falls on both.
const TURNS: u32 = 4;

/// Rates, percentiles and memory.
pub(crate) async fn measure(flags: &Flags, table: &mut Table) -> anyhow::Result<()> {
    eprintln!("load on the authenticated list");
    let bare = bare::start(&cargo::host()).await?;
    let mut application = Application::vivesphere(None, true)?;
    application.restart().await?;
    let token = application.sign_in().await?;
    let mut pages = Vec::with_capacity(BOTS);
    for number in 0..BOTS {
        let new = json!({"bot_name": format!("bot {number:03}")});
        let path = "/api/v1/bots/create";
        let bot = application.post(path, &token, Some(&new)).await?;
        let bot_id = bot["bot_id"].as_str().context("a bot without an id")?;
        pages.push(format!("{PATH}?cursor={bot_id}"));
    }
    // Those that have a whole page after them: more than an instance keeps answers of.
    pages.truncate(BOTS - PAGE);
    let (hello, list) = (
        bare.target("/hello", None),
        application.target(PATH, Some(&token)),
    );
    let another = list.clone().asking(pages);
    let peak = Peak::of(application.process_id()?);
    let (mut simple, mut whole) = (load::Answers::none()?, load::Answers::none()?);
    let mut read = load::Answers::none()?;
    for _ in 0..TURNS {
        let time = flags.time() / TURNS;
        simple.add(&load::run(&hello, flags.connections, time).await?)?;
        whole.add(&load::run(&list, flags.connections, time).await?)?;
        read.add(&load::run(&another, flags.connections, time).await?)?;
    }
    let (p50, p99) = (whole.percentile(50.0), whole.percentile(99.0));
    // What is judged is one page that is asked again and again, as a screen that is left open does: an
    // instance may answer it with what it kept. Beside it, pages that no instance has kept.
    let what = |detail: &str| format!("GET {PATH}, 20 of {BOTS} rows, the same page{detail}");
    let unkept =
        |detail: &str| format!("GET {PATH}, 20 of {BOTS} rows, another page each time{detail}");
    table.add(what(""), whole.rate(), "req/s", Wanted::Nothing);
    let beside = simple.rate();
    table.add("hello, in turns with it", beside, "req/s", Wanted::Nothing);
    let ratio = whole.rate() / beside;
    table.add(what(", to hello"), ratio, "", Wanted::AtLeast(0.30));
    let read_anew = read.rate() / beside;
    table.add(unkept(", to hello"), read_anew, "", Wanted::Nothing);
    table.add(what(", p50"), p50, "ms", Wanted::Nothing);
    table.add(what(", p99"), p99, "ms", Wanted::Nothing);
    table.add(what(", p99 to p50"), p99 / p50, "", Wanted::AtMost(5.0));
    table.add(
        "resident memory under that load, the most",
        peak.megabytes(),
        "MB",
        Wanted::AtMost(250.0),
    );
    Ok(())
}

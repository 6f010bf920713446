//! What counting the clients' requests costs: an authenticated read with and without it.

use std::time::Duration;

use serde_json::json;

use crate::application::Application;
use crate::flags::Flags;
use crate::load;
use crate::table::{Table, Wanted};

const PATH: &str = "/api/v1/bots/list";
/// With and without take turns, so that what else the machine does falls on both.
const TURNS: u32 = 4;
/// Until every instance has felt a change of the settings.
const FELT: Duration = Duration::from_secs(3);

/// Both rates, and one to the other.
pub(crate) async fn measure(flags: &Flags, table: &mut Table) -> anyhow::Result<()> {
    eprintln!("load on an authenticated read, with and without the client rate limit");
    let mut application = Application::vivesphere(None, true)?;
    application.restart().await?;
    let token = application.sign_in().await?;
    let target = application.target(PATH, Some(&token));
    let (mut with, mut without) = (load::Answers::none()?, load::Answers::none()?);
    for turn in 0..TURNS * 2 {
        // With, without; without, with: neither is always the first of a pair.
        let enabled = matches!(turn % 4, 0 | 3);
        let settings = json!({"rate_limit_enabled": enabled, "rate_limit_per_minute": 10_000_000});
        let update = json!({"settings_data": {"service_name": "gateway", "settings": settings}});
        let path = "/api/v1/config/update";
        application.post(path, &token, Some(&update)).await?;
        tokio::time::sleep(FELT).await;
        let answers = load::run(&target, flags.connections, flags.time() / TURNS).await?;
        match enabled {
            true => with.add(&answers)?,
            false => without.add(&answers)?,
        }
    }
    let what = |detail: &str| format!("GET {PATH}, {detail}");
    let (with, without) = (with.rate(), without.rate());
    table.add(what("requests counted"), with, "req/s", Wanted::Nothing);
    table.add(what("not counted"), without, "req/s", Wanted::Nothing);
    let ratio = with / without;
    table.add(what("counted, to not"), ratio, "", Wanted::AtLeast(0.90));
    Ok(())
}

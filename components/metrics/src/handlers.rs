//! Extract → parse → domain → wire.

use vivesphere_domain::metrics::{self, Budget, CONTENT_TYPE};
use vivesphere_domain::post_metrics::{self, Span};
use vivesphere_domain::settings::table::collector as setting;
use vivesphere_domain::settings::table::publisher::PUBLISHING_WINDOWS;
use vivesphere_domain::{Error, Instant, parse_id, time_zone, x_rate_limits};
use vivesphere_http::{Context, Problem, Reply, StatusCode};

use crate::wire;

/// Posts that are told of with a bot.
const LATEST: u32 = 20;

pub(crate) async fn exposition(context: Context) -> Result<Reply, Problem> {
    context.principal()?.must_see_all_bots()?;
    let settings = vivesphere_settings::current(&context.db).await?;
    let budget = Budget {
        daily_micro_dollars: settings
            .integer(&setting::METRICS_DAILY_BUDGET_MICRO_DOLLARS)
            .await?,
    };
    let windows = settings.publishing_windows(&PUBLISHING_WINDOWS).await?;
    let version = env!("CARGO_PKG_VERSION");
    let text = metrics::text(&context.db, version, budget, &windows).await?;
    Ok(Reply::new(StatusCode::OK, CONTENT_TYPE, text))
}

pub(crate) async fn overview(context: Context) -> Result<Reply, Problem> {
    let overview = metrics::overview(&context.db, context.principal()?).await?;
    Reply::ok(&wire::OverviewBody::from(overview))
}

fn moment(text: Option<&str>, pointer: &str) -> Result<Option<Instant>, Error> {
    text.map(|text| {
        time_zone::parse_instant(text).map_err(|error| Error::invalid(pointer, error.to_string()))
    })
    .transpose()
}

pub(crate) async fn bot(context: Context) -> Result<Reply, Problem> {
    let query: wire::SeriesQuery = context.query()?;
    let span = Span::parse(
        moment(query.from.as_deref(), "/from")?,
        moment(query.to.as_deref(), "/to")?,
        query.step,
    )?;
    let bot_id = parse_id(context.parameter("bot_id")).ok_or_else(Problem::not_found)?;
    let (db, principal) = (&context.db, context.principal()?);
    let series = post_metrics::series(db, principal, &bot_id, &span).await?;
    let latest = post_metrics::latest(db, &bot_id, LATEST).await?;
    let limits = x_rate_limits::of_bot(db, &bot_id).await?;
    Reply::ok(&wire::BotBody {
        bot_id,
        from: span.from,
        to: span.to,
        step: span.step / 1000,
        steps: series.steps.into_iter().map(wire::StepBody::from).collect(),
        totals: series.totals.into(),
        latest_posts: latest.into_iter().map(wire::LatestBody::from).collect(),
        rate_limits: limits.into_iter().map(wire::LimitBody::from).collect(),
    })
}

pub(crate) async fn post(context: Context) -> Result<Reply, Problem> {
    let post_id = parse_id(context.parameter("post_id")).ok_or_else(Problem::not_found)?;
    let parts = post_metrics::of_post(&context.db, context.principal()?, &post_id).await?;
    Reply::ok(&wire::PostBody {
        post_id,
        parts: parts.into_iter().map(wire::PartBody::from).collect(),
    })
}

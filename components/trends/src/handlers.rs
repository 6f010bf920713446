//! Topics: extract → parse → domain → wire.

use vivesphere_domain::{parse_id, trends};
use vivesphere_http::{Context, Problem, Reply};

use crate::wire;

fn trend_id(context: &Context) -> Result<String, Problem> {
    parse_id(context.parameter("trend_id")).ok_or_else(Problem::not_found)
}

pub(crate) async fn list(context: Context) -> Result<Reply, Problem> {
    let query: wire::TrendQuery = context.query()?;
    let page = context.page(query.limit, query.cursor.as_deref())?;
    let listed = trends::list(&context.db, &query.into(), &page).await?;
    Reply::ok(&wire::Listed {
        items: listed
            .items
            .into_iter()
            .map(wire::TrendBody::from)
            .collect(),
        next_cursor: listed.next_cursor,
    })
}

pub(crate) async fn get(context: Context) -> Result<Reply, Problem> {
    let (trend, items) = trends::get(&context.db, &trend_id(&context)?).await?;
    Reply::ok(&wire::TrendDetail {
        trend: trend.into(),
        items: items.into_iter().map(wire::TrendItemBody::from).collect(),
    })
}

pub(crate) async fn history(context: Context) -> Result<Reply, Problem> {
    let query: wire::HistoryQuery = context.query()?;
    let trend_id = trend_id(&context)?;
    let points = trends::history(&context.db, &trend_id, query.since.as_deref()).await?;
    Reply::ok(&wire::History {
        trend_id,
        seconds_of_a_point: 900,
        items: points.into_iter().map(wire::PointBody::from).collect(),
        next_cursor: None,
    })
}

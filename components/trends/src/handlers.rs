//! Topics: extract → parse → domain → wire.

use vivesphere_domain::trends;
use vivesphere_http::{Context, List, Problem, Reply};

use crate::wire;

pub(crate) async fn list(context: Context) -> Result<Reply, Problem> {
    let (query, page) = context.paged::<wire::TrendQuery>()?;
    let page = page.by_id()?;
    let listed = trends::list(&context.db, &query.into(), &page).await?;
    Reply::ok(&List::<wire::TrendBody>::of(listed))
}

pub(crate) async fn get(context: Context) -> Result<Reply, Problem> {
    let (trend, items) = trends::get(&context.db, &context.id("trend_id")?).await?;
    Reply::ok(&wire::TrendDetail {
        trend: trend.into(),
        items: items.into_iter().map(wire::TrendItemBody::from).collect(),
    })
}

pub(crate) async fn history(context: Context) -> Result<Reply, Problem> {
    let query: wire::HistoryQuery = context.query()?;
    let trend_id = context.id("trend_id")?;
    let points = trends::history(&context.db, &trend_id, query.since.as_deref()).await?;
    Reply::ok(&wire::History {
        trend_id,
        seconds_of_a_point: 900,
        items: points.into_iter().map(wire::PointBody::from).collect(),
        next_cursor: None,
    })
}

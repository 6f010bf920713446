//! Sources: extract → parse → domain → wire.

use vivesphere_config as config;
use vivesphere_domain::trends::{self, Source};
use vivesphere_http::{Context, List, Problem, Reply, StatusCode};

use crate::wire;

async fn allow_private() -> Result<bool, Problem> {
    Ok(config::boolean("scrape_allow_private_addresses").await?)
}

fn reply(source: Source) -> Result<Reply, Problem> {
    Reply::ok(&wire::SourceBody::from(source))
}

pub(crate) async fn list(context: Context) -> Result<Reply, Problem> {
    let (query, page) = context.paged::<wire::SourceQuery>()?;
    let page = page.by_id()?;
    let listed = trends::list_sources(&context.db, &query.into(), &page).await?;
    Reply::ok(&List::<wire::SourceBody>::of(listed))
}

pub(crate) async fn create(context: Context) -> Result<Reply, Problem> {
    let new: wire::NewSource = context.json()?;
    let (actor, principal) = (context.actor()?, context.principal()?);
    let fields = new.fields()?;
    let allow_private = allow_private().await?;
    let source = trends::create(&context.db, &actor, &principal.id, fields, allow_private).await?;
    Reply::created(&wire::SourceBody::from(source))
}

pub(crate) async fn get(context: Context) -> Result<Reply, Problem> {
    reply(trends::get_source(&context.db, &context.id("source_id")?).await?)
}

pub(crate) async fn update(context: Context) -> Result<Reply, Problem> {
    let patch: wire::SourcePatch = context.json()?;
    let (source_id, expected) = (context.id("source_id")?, context.if_match()?);
    let actor = context.actor()?;
    let change = patch.change()?;
    let allow_private = allow_private().await?;
    reply(
        trends::update(
            &context.db,
            &actor,
            &source_id,
            expected,
            change,
            allow_private,
        )
        .await?,
    )
}

pub(crate) async fn delete(context: Context) -> Result<Reply, Problem> {
    let (source_id, expected) = (context.id("source_id")?, context.if_match()?);
    trends::delete(&context.db, &context.actor()?, &source_id, expected).await?;
    Ok(Reply::no_content())
}

pub(crate) async fn scrape(context: Context) -> Result<Reply, Problem> {
    let (actor, source_id) = (context.actor()?, context.id("source_id")?);
    let source = trends::request_scrape(&context.db, &actor, &source_id).await?;
    Reply::json(
        StatusCode::ACCEPTED,
        &wire::ScrapeBody {
            source_id,
            next_fetch_at: source.health.next_fetch_at,
        },
    )
}

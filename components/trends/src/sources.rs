//! Sources: extract → parse → domain → wire.

use vivesphere_config as config;
use vivesphere_domain::trends::{self, Source};
use vivesphere_domain::{Actor, parse_id};
use vivesphere_http::{Context, Problem, Reply, StatusCode};

use crate::wire;

fn actor(context: &Context) -> Result<Actor, Problem> {
    Ok(Actor::new(context.principal()?, context.request_id()))
}

fn source_id(context: &Context) -> Result<String, Problem> {
    parse_id(context.parameter("source_id")).ok_or_else(Problem::not_found)
}

async fn allow_private() -> Result<bool, Problem> {
    Ok(config::boolean("scrape_allow_private_addresses").await?)
}

fn reply(source: Source) -> Result<Reply, Problem> {
    Reply::ok(&wire::SourceBody::from(source))
}

pub(crate) async fn list(context: Context) -> Result<Reply, Problem> {
    let query: wire::SourceQuery = context.query()?;
    let page = context.page(query.limit, query.cursor.as_deref())?;
    let listed = trends::list_sources(&context.db, &query.into(), &page).await?;
    Reply::ok(&wire::Listed {
        items: listed
            .items
            .into_iter()
            .map(wire::SourceBody::from)
            .collect(),
        next_cursor: listed.next_cursor,
    })
}

pub(crate) async fn create(context: Context) -> Result<Reply, Problem> {
    let new: wire::NewSource = context.json()?;
    let (actor, principal) = (actor(&context)?, context.principal()?);
    let fields = new.fields()?;
    let allow_private = allow_private().await?;
    let source = trends::create(&context.db, &actor, &principal.id, fields, allow_private).await?;
    Reply::created(&wire::SourceBody::from(source))
}

pub(crate) async fn get(context: Context) -> Result<Reply, Problem> {
    reply(trends::get_source(&context.db, &source_id(&context)?).await?)
}

pub(crate) async fn update(context: Context) -> Result<Reply, Problem> {
    let patch: wire::SourcePatch = context.json()?;
    let (source_id, expected) = (source_id(&context)?, context.if_match()?);
    let actor = actor(&context)?;
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
    let (source_id, expected) = (source_id(&context)?, context.if_match()?);
    trends::delete(&context.db, &actor(&context)?, &source_id, expected).await?;
    Ok(Reply::no_content())
}

pub(crate) async fn scrape(context: Context) -> Result<Reply, Problem> {
    let (actor, source_id) = (actor(&context)?, source_id(&context)?);
    let source = trends::request_scrape(&context.db, &actor, &source_id).await?;
    Reply::json(
        StatusCode::ACCEPTED,
        &wire::ScrapeBody {
            source_id,
            next_fetch_at: source.health.next_fetch_at,
        },
    )
}

//! Bots: extract → parse → domain → wire.

use vivesphere_domain::bots::{self, BotChange};
use vivesphere_domain::{Error, parse_id};
use vivesphere_http::{Context, List, Problem, Reply};

use crate::{credentials, wire};

fn reply(bot: bots::Bot) -> Result<Reply, Problem> {
    Reply::ok(&wire::BotBody::from(bot))
}

pub(crate) async fn create(context: Context) -> Result<Reply, Problem> {
    let new: wire::NewBot = context.json()?;
    if let Some(given) = &new.credentials {
        credentials::check(given)?;
    }
    let principal = context.principal()?;
    let actor = context.actor()?;
    let change = BotChange {
        bot_name: Some(new.bot_name),
        timezone: new.timezone,
        daily_post_limit: new.daily_post_limit,
        persona_id: Some(new.persona_id),
    };
    // Unconnected first: a crash on the way leaves a bot that says what it lacks.
    let mut bot = bots::create(&context.db, &actor, principal, &change).await?;
    if let Some(given) = &new.credentials {
        credentials::store_given(&context, &bot.bot_id, given).await?;
        bots::connected(&context.db, &actor, &bot.bot_id, None).await?;
        bot = bots::get(&context.db, principal, &bot.bot_id).await?;
    }
    Reply::created(&wire::BotBody::from(bot))
}

pub(crate) async fn list(context: Context) -> Result<Reply, Problem> {
    let (query, page) = context.paged::<wire::BotQuery>()?;
    let page = page.by_id()?;
    let owner = query
        .user_id
        .map(|id| parse_id(&id).ok_or_else(|| Error::invalid("/user_id", "is not an id")))
        .transpose()?;
    let owner = owner.as_deref();
    let listed = bots::list(&context.db, context.principal()?, owner, &page).await?;
    Reply::ok(&List::<wire::BotBody>::of(listed))
}

pub(crate) async fn get(context: Context) -> Result<Reply, Problem> {
    reply(bots::get(&context.db, context.principal()?, &context.id("bot_id")?).await?)
}

pub(crate) async fn update(context: Context) -> Result<Reply, Problem> {
    let patch: wire::BotPatch = context.json()?;
    if let Some(given) = &patch.credentials {
        credentials::check(given)?;
    }
    let (principal, bot_id) = (context.principal()?, context.id("bot_id")?);
    let change = BotChange {
        bot_name: patch.bot_name,
        timezone: patch.timezone,
        daily_post_limit: patch.daily_post_limit,
        persona_id: patch.persona_id,
    };
    let actor = context.actor()?;
    let expected = context.if_match()?;
    let mut bot = bots::update(&context.db, &actor, principal, &bot_id, expected, &change).await?;
    if let Some(given) = &patch.credentials {
        credentials::store_given(&context, &bot_id, given).await?;
        bots::connected(&context.db, &actor, &bot_id, None).await?;
        bot = bots::get(&context.db, principal, &bot_id).await?;
    }
    reply(bot)
}

pub(crate) async fn delete(context: Context) -> Result<Reply, Problem> {
    let bot_id = context.id("bot_id")?;
    bots::delete(
        &context.db,
        &context.actor()?,
        context.principal()?,
        &bot_id,
    )
    .await?;
    Ok(Reply::no_content())
}

pub(crate) async fn pause(context: Context) -> Result<Reply, Problem> {
    pause_or_resume(&context, true).await
}

pub(crate) async fn resume(context: Context) -> Result<Reply, Problem> {
    pause_or_resume(&context, false).await
}

async fn pause_or_resume(context: &Context, pause: bool) -> Result<Reply, Problem> {
    let bot_id = context.id("bot_id")?;
    let (actor, principal) = (context.actor()?, context.principal()?);
    reply(bots::pause_or_resume(&context.db, &actor, principal, &bot_id, pause).await?)
}

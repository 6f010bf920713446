//! Posts: extract → parse → domain → wire.

use vivesphere_domain::Error;
use vivesphere_domain::post_state::PostState;
use vivesphere_domain::posts::{self, Draft, Post};
use vivesphere_http::{Context, List, Problem, Reply};

use crate::wire;

fn reply(post: Post) -> Result<Reply, Problem> {
    Reply::ok(&wire::PostOut::from(post))
}

fn draft(context: &Context) -> Result<Draft, Problem> {
    let body: wire::PostBody = context.json()?;
    Ok(Draft {
        text: body.text,
        thread: body.thread,
        scheduled_at: body.scheduled_at,
        local_time: body.local_time,
        requires_approval: body.requires_approval,
    })
}

pub(crate) async fn schedule(context: Context) -> Result<Reply, Problem> {
    let (draft, bot_id) = (draft(&context)?, context.id("bot_id")?);
    let (actor, principal) = (context.actor()?, context.principal()?);
    let post = posts::schedule(&context.db, &actor, principal, &bot_id, &draft).await?;
    Reply::created(&wire::PostOut::from(post))
}

pub(crate) async fn list(context: Context) -> Result<Reply, Problem> {
    let query: wire::PostQuery = context.query()?;
    let page = context.page(query.limit, query.cursor.as_deref())?;
    if let Some(state) = &query.state
        && PostState::parse(state).is_err()
    {
        return Err(Error::invalid("/state", "is not a state of a post").into());
    }
    let (bot_id, state) = (context.id("bot_id")?, query.state.as_deref());
    let listed = posts::list(&context.db, context.principal()?, &bot_id, state, &page).await?;
    Reply::ok(&List::<wire::PostOut>::of(listed))
}

pub(crate) async fn get(context: Context) -> Result<Reply, Problem> {
    reply(posts::get(&context.db, context.principal()?, &context.id("post_id")?).await?)
}

pub(crate) async fn edit(context: Context) -> Result<Reply, Problem> {
    let (change, post_id) = (draft(&context)?, context.id("post_id")?);
    let (actor, principal) = (context.actor()?, context.principal()?);
    let expected = context.if_match()?;
    reply(posts::edit(&context.db, &actor, principal, &post_id, expected, &change).await?)
}

pub(crate) async fn cancel(context: Context) -> Result<Reply, Problem> {
    let (actor, principal) = (context.actor()?, context.principal()?);
    let (post_id, expected) = (context.id("post_id")?, context.if_match()?);
    reply(posts::cancel(&context.db, &actor, principal, &post_id, expected).await?)
}

pub(crate) async fn retry(context: Context) -> Result<Reply, Problem> {
    let (actor, principal) = (context.actor()?, context.principal()?);
    let (post_id, expected) = (context.id("post_id")?, context.if_match()?);
    reply(posts::retry(&context.db, &actor, principal, &post_id, expected).await?)
}

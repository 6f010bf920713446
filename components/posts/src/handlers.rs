//! Posts: extract → parse → domain → wire.

use vivesphere_domain::post_state::PostState;
use vivesphere_domain::posts::{self, ApprovalRules, Draft, Post};
use vivesphere_domain::settings::table::posts as setting;
use vivesphere_domain::{Error, Listed};
use vivesphere_http::{Context, List, NoFilter, Problem, Reply};

use crate::wire;

/// What holds for approvals now.
async fn approvals(context: &Context) -> Result<ApprovalRules, Problem> {
    let settings = vivesphere_settings::current(&context.db).await?;
    let deadline = settings
        .integer(&setting::APPROVAL_DEADLINE_SECONDS)
        .await?;
    Ok(ApprovalRules {
        required: settings.boolean(&setting::APPROVAL_REQUIRED).await?,
        deadline_milliseconds: deadline.saturating_mul(1000),
    })
}

fn reply(post: Post, approvals: ApprovalRules) -> Result<Reply, Problem> {
    Reply::ok(&wire::PostOut::of(post, approvals))
}

fn reply_list(listed: Listed<Post>, approvals: ApprovalRules) -> Result<Reply, Problem> {
    let out = |post| wire::PostOut::of(post, approvals);
    Reply::ok(&List::<wire::PostOut>::of(Listed {
        items: listed.items.into_iter().map(out).collect(),
        next_cursor: listed.next_cursor,
    }))
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
    let approvals = approvals(&context).await?;
    let post = posts::schedule(&context.db, &actor, principal, &bot_id, &draft, approvals).await?;
    Reply::created(&wire::PostOut::of(post, approvals))
}

pub(crate) async fn list(context: Context) -> Result<Reply, Problem> {
    let (query, page) = context.paged::<wire::PostQuery>()?;
    let page = page.by_id()?;
    if let Some(state) = &query.state
        && PostState::parse(state).is_err()
    {
        return Err(Error::invalid("/state", "is not a state of a post").into());
    }
    let (bot_id, state) = (context.id("bot_id")?, query.state.as_deref());
    let listed = posts::list(&context.db, context.principal()?, &bot_id, state, &page).await?;
    reply_list(listed, approvals(&context).await?)
}

pub(crate) async fn awaiting_approval(context: Context) -> Result<Reply, Problem> {
    let (NoFilter {}, page) = context.paged()?;
    let page = page.by_id()?;
    let listed = posts::list_awaiting_approval(&context.db, context.principal()?, &page).await?;
    reply_list(listed, approvals(&context).await?)
}

pub(crate) async fn get(context: Context) -> Result<Reply, Problem> {
    let post = posts::get(&context.db, context.principal()?, &context.id("post_id")?).await?;
    reply(post, approvals(&context).await?)
}

pub(crate) async fn edit(context: Context) -> Result<Reply, Problem> {
    let (change, post_id) = (draft(&context)?, context.id("post_id")?);
    let (actor, principal) = (context.actor()?, context.principal()?);
    let (expected, approvals) = (context.if_match()?, approvals(&context).await?);
    let db = &context.db;
    let post = posts::edit(
        db, &actor, principal, &post_id, expected, &change, approvals,
    )
    .await?;
    reply(post, approvals)
}

pub(crate) async fn submit(context: Context) -> Result<Reply, Problem> {
    let (actor, principal) = (context.actor()?, context.principal()?);
    let (post_id, expected) = (context.id("post_id")?, context.if_match()?);
    let approvals = approvals(&context).await?;
    let db = &context.db;
    let post = posts::submit(db, &actor, principal, &post_id, expected, approvals).await?;
    reply(post, approvals)
}

pub(crate) async fn approve(context: Context) -> Result<Reply, Problem> {
    let (actor, principal) = (context.actor()?, context.principal()?);
    let (post_id, expected) = (context.id("post_id")?, context.if_match()?);
    let approvals = approvals(&context).await?;
    let db = &context.db;
    let post = posts::approve(db, &actor, principal, &post_id, expected, approvals).await?;
    reply(post, approvals)
}

pub(crate) async fn reject(context: Context) -> Result<Reply, Problem> {
    let body: wire::RejectBody = context.json()?;
    let (actor, principal) = (context.actor()?, context.principal()?);
    let (post_id, expected) = (context.id("post_id")?, context.if_match()?);
    let db = &context.db;
    let post = posts::reject(db, &actor, principal, &post_id, expected, &body.reason).await?;
    reply(post, approvals(&context).await?)
}

pub(crate) async fn cancel(context: Context) -> Result<Reply, Problem> {
    let (actor, principal) = (context.actor()?, context.principal()?);
    let (post_id, expected) = (context.id("post_id")?, context.if_match()?);
    let post = posts::cancel(&context.db, &actor, principal, &post_id, expected).await?;
    reply(post, approvals(&context).await?)
}

pub(crate) async fn retry(context: Context) -> Result<Reply, Problem> {
    let (actor, principal) = (context.actor()?, context.principal()?);
    let (post_id, expected) = (context.id("post_id")?, context.if_match()?);
    let post = posts::retry(&context.db, &actor, principal, &post_id, expected).await?;
    reply(post, approvals(&context).await?)
}

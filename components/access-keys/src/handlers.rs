//! Extract → parse → domain → wire.

use vivesphere_domain::access_keys::{self, NewAccessKey};
use vivesphere_http::{Context, List, Problem, Reply};

use crate::wire;

pub(crate) async fn create(context: Context) -> Result<Reply, Problem> {
    let new: wire::NewAccessKey = context.json()?;
    let new = NewAccessKey {
        name: new.name,
        scopes: new.scopes,
        bot_ids: new.bot_ids,
        expires_at: new.expires_at,
    };
    let (actor, principal) = (context.actor()?, context.principal()?);
    let (made, key) = access_keys::create(&context.db, &actor, principal, &new).await?;
    let text = key.text();
    let mut body = wire::CreatedBody {
        access_key: wire::AccessKeyBody::from(made),
        key: Some(text.expose()),
        secret: Some(key.secret().expose()),
    };
    let reply = Reply::created(&body)?;
    (body.key, body.secret) = (None, None);
    reply.kept_as(&body)
}

pub(crate) async fn list(context: Context) -> Result<Reply, Problem> {
    let (query, page) = context.paged::<wire::ListQuery>()?;
    let page = page.by_id()?;
    let owner = query.user_id.as_deref();
    let listed = access_keys::list(&context.db, context.principal()?, owner, &page).await?;
    Reply::ok(&List::<wire::AccessKeyBody>::of(listed))
}

pub(crate) async fn get(context: Context) -> Result<Reply, Problem> {
    let id = context.id("access_key_id")?;
    let key = access_keys::get(&context.db, context.principal()?, &id).await?;
    Reply::ok(&wire::AccessKeyBody::from(key))
}

pub(crate) async fn revoke(context: Context) -> Result<Reply, Problem> {
    let id = context.id("access_key_id")?;
    let (actor, principal) = (context.actor()?, context.principal()?);
    access_keys::revoke(&context.db, &actor, principal, &id).await?;
    Ok(Reply::no_content())
}

//! Extract → parse → domain → wire.

use vivesphere_domain::apikeys::{self, Apikey, NewApikey, PROVIDERS};
use vivesphere_domain::{Error, new_id};
use vivesphere_http::{Context, List, Problem, Reply};

use crate::{provider_call, sealing, wire};

fn reply(apikey: Apikey) -> Result<Reply, Problem> {
    Reply::ok(&wire::ApikeyBody::from(apikey))
}

pub(crate) async fn store(context: Context) -> Result<Reply, Problem> {
    let body: wire::NewApikey = context.json()?;
    let new = NewApikey {
        provider: body.provider,
        label: body.label,
    };
    new.check()?;
    let last4 = apikeys::check_key(&body.key)?;
    let (actor, principal) = (context.actor()?, context.principal()?);
    let apikey_id = new_id();
    let sealed = sealing::seal(&context, &apikey_id, 1, &body.key).await?;
    let db = &context.db;
    let stored = apikeys::store(db, &actor, principal, &apikey_id, &new, &last4, &sealed).await?;
    Reply::created(&wire::ApikeyBody::from(stored))
}

/// The closed table, whole.
pub(crate) async fn providers(_context: Context) -> Result<Reply, Problem> {
    let items = PROVIDERS
        .iter()
        .map(|provider| wire::ProviderBody {
            provider: provider.name,
            description: provider.description,
            checkable: provider.check.is_some(),
        })
        .collect();
    Reply::ok(&List::whole(items))
}

pub(crate) async fn list(context: Context) -> Result<Reply, Problem> {
    let (query, page) = context.paged::<wire::ListQuery>()?;
    let page = page.by_id()?;
    let provider = query.provider.as_deref();
    if provider.is_some_and(|name| apikeys::provider(name).is_none()) {
        return Err(Error::invalid("/provider", "is not a provider").into());
    }
    let listed = apikeys::list(&context.db, context.principal()?, provider, &page).await?;
    Reply::ok(&List::<wire::ApikeyBody>::of(listed))
}

pub(crate) async fn get(context: Context) -> Result<Reply, Problem> {
    reply(apikeys::get(&context.db, context.principal()?, &context.id("apikey_id")?).await?)
}

pub(crate) async fn rotate(context: Context) -> Result<Reply, Problem> {
    let body: wire::Replacement = context.json()?;
    let (apikey_id, principal) = (context.id("apikey_id")?, context.principal()?);
    let current = apikeys::get(&context.db, principal, &apikey_id).await?;
    let last4 = apikeys::check_key(&body.key)?;
    let replaced = context.if_match()?.unwrap_or(current.version);
    if replaced != current.version {
        let current = current.version;
        return Err(Error::StaleVersion { current }.into());
    }
    // Sealed for the version that it becomes, or is refused as: another may rotate meanwhile.
    let sealed = sealing::seal(&context, &apikey_id, replaced + 1, &body.key).await?;
    let (db, actor) = (&context.db, context.actor()?);
    reply(apikeys::rotate(db, &actor, principal, &apikey_id, replaced, &last4, &sealed).await?)
}

pub(crate) async fn check(context: Context) -> Result<Reply, Problem> {
    let (apikey_id, principal) = (context.id("apikey_id")?, context.principal()?);
    let apikey = apikeys::get(&context.db, principal, &apikey_id).await?;
    let (version, found) = match apikeys::provider(&apikey.provider).and_then(|row| row.check) {
        Some(check) => {
            let (version, key) = sealing::open(&context, &apikey_id).await?;
            (version, provider_call::ask(&check, &key).await?)
        }
        None => (apikey.version, provider_call::Found::not_checkable()),
    };
    let (db, actor) = (&context.db, context.actor()?);
    let result = found.result;
    let apikey = apikeys::checked(db, &actor, principal, &apikey_id, version, result).await?;
    Reply::ok(&wire::CheckBody {
        result: result.as_str(),
        http_status: found.http_status,
        detail: found.detail,
        apikey: wire::ApikeyBody::from(apikey),
    })
}

pub(crate) async fn delete(context: Context) -> Result<Reply, Problem> {
    let (apikey_id, expected) = (context.id("apikey_id")?, context.if_match()?);
    let (actor, principal) = (context.actor()?, context.principal()?);
    apikeys::delete(&context.db, &actor, principal, &apikey_id, expected).await?;
    Ok(Reply::no_content())
}

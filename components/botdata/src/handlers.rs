//! Extract → parse → domain → wire.

use vivesphere_config as config;
use vivesphere_crypto::{Vault, VaultKey};
use vivesphere_domain::{Actor, Instant, apikeys, botdata, bots, parse_id};
use vivesphere_http::{Context, Problem, Reply, RunQuery};

use crate::wire;

/// Rows that one step of the rotation seals.
const BATCH: i64 = 50;

pub(crate) async fn opened_vault() -> Result<Vault, Problem> {
    let current = VaultKey::new(config::key("vault_key").await?.clone());
    let previous = config::optional_key("vault_key_previous").await?;
    Ok(Vault::new(current, previous.cloned().map(VaultKey::new)))
}

pub(crate) fn id(text: &str) -> Result<String, Problem> {
    parse_id(text).ok_or_else(Problem::not_found)
}

pub(crate) async fn store(context: Context) -> Result<Reply, Problem> {
    let body: wire::Store = context.json()?;
    let principal = context.principal()?;
    let bot_id = id(&body.bot_id)?;
    bots::get_writable(&context.db, principal, &bot_id).await?;
    let stored = botdata::store(
        &context.db,
        &Actor::new(principal, context.request_id()),
        principal,
        &opened_vault().await?,
        &bot_id,
        body.expected_version,
        &body.data,
    )
    .await?;
    Reply::created(&wire::Stored {
        bot_id: stored.bot_id,
        version: stored.version,
        key_id: stored.sealed.key_id,
        stored_at: stored.stored_at,
    })
}

pub(crate) async fn retrieve(context: Context) -> Result<Reply, Problem> {
    let query: wire::Which = context.query()?;
    let stored = botdata::retrieve(&context.db, context.principal()?, &id(&query.bot_id)?).await?;
    let base64 = vivesphere_crypto::base64;
    Reply::ok(&wire::Sealed {
        bot_id: stored.bot_id,
        version: stored.version,
        wrapped_key: base64(&stored.sealed.wrapped_key),
        wrap_nonce: base64(&stored.sealed.wrap_nonce),
        nonce: base64(&stored.sealed.nonce),
        ciphertext: base64(&stored.sealed.ciphertext),
        key_id: stored.sealed.key_id,
        algorithm: stored.sealed.algorithm,
        stored_at: stored.stored_at,
    })
}

pub(crate) async fn reveal(context: Context) -> Result<Reply, Problem> {
    let body: wire::Which = context.json()?;
    let principal = context.principal()?;
    let bot_id = id(&body.bot_id)?;
    let (version, data) = botdata::reveal(
        &context.db,
        &Actor::new(principal, context.request_id()),
        principal,
        &opened_vault().await?,
        &bot_id,
    )
    .await?;
    Reply::ok(&wire::Revealed {
        bot_id,
        version,
        data,
    })
}

pub(crate) async fn rotate(context: Context) -> Result<Reply, Problem> {
    let time = context.query::<RunQuery>()?.begin();
    let vault = opened_vault().await?;
    let mut rotated = wire::Rotated::default();
    let db = &context.db;
    // Where each is to be looked on; nothing at its end.
    let (mut bots, mut keys) = (Some(String::new()), Some(String::new()));
    while bots.is_some() || keys.is_some() {
        if let Some(after) = &bots {
            let batch = botdata::rewrap(db, &vault, after, BATCH).await?;
            bots = rotated.add(batch);
        }
        if let Some(after) = &keys {
            let batch = apikeys::vault::rewrap(db, &vault, after, BATCH).await?;
            keys = rotated.add(batch);
        }
        if Instant::now() >= time.end() {
            break;
        }
    }
    rotated.remaining =
        botdata::remaining(db, &vault).await? + apikeys::vault::remaining(db, &vault).await?;
    rotated.duration_ms = time.spent_ms();
    Reply::ok(&rotated)
}

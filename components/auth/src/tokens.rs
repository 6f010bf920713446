//! Making access tokens. The key's public half is published before its first token is out.

use std::cell::RefCell;

use vivesphere_config as config;
use vivesphere_crypto::Secret;
use vivesphere_db::Database;
use vivesphere_domain::{Error, Instant, new_id, signing_keys};
use vivesphere_http::Problem;
use vivesphere_tokens::{Claims, SigningKey};

thread_local! {
    // True for everyone: the deployment's key, once its public half is in the database.
    static KEY: RefCell<Option<SigningKey>> = const { RefCell::new(None) };
}

/// Reads the key and makes its public half the current one, once an instance.
pub(crate) async fn prepare(db: &Database) -> Result<(), Problem> {
    if KEY.with_borrow(Option::is_some) {
        return Ok(());
    }
    let seed = config::key("jwt_signing_key").await?;
    let key = SigningKey::from_seed(seed).map_err(Problem::internal)?;
    let now = Instant::now();
    let known = signing_keys::current(db, now).await?;
    // The current one comes first: nothing is to be written when it is ours.
    if known
        .first()
        .is_none_or(|current| current.kid() != key.public_key().kid())
    {
        let transaction = db.transaction().await.map_err(Error::from)?;
        signing_keys::make_current(&transaction, key.public_key(), now).await?;
        transaction.commit().await.map_err(Error::from)?;
    }
    KEY.set(Some(key));
    Ok(())
}

/// An access token, and the seconds it lives: no longer than whatever it was given for.
pub(crate) async fn issue(
    db: &Database,
    user_id: &str,
    session_id: &str,
    ends_at: Option<Instant>,
) -> Result<(Secret<String>, u64), Problem> {
    prepare(db).await?;
    let now = Instant::now().unix_seconds();
    let longest = config::integer("access_token_seconds").await?;
    let left = ends_at.map(|end| u64::try_from(end.unix_seconds() - now).unwrap_or(0));
    let lifetime = left.map_or(longest, |left| left.min(longest));
    let claims = Claims {
        subject: user_id.to_owned(),
        session_id: session_id.to_owned(),
        token_id: new_id(),
        issued_at: now,
        not_before: None,
        expires_at: now.saturating_add_unsigned(lifetime),
    };
    let token = KEY
        .with_borrow(|key| key.as_ref().map(|key| key.issue(&claims)))
        .ok_or_else(|| Problem::internal("the signing key is not loaded"))?
        .map_err(Problem::internal)?;
    Ok((token, lifetime))
}

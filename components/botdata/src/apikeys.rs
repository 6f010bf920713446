//! The vault's part in keys of other providers, for the component `apikeys`.

use vivesphere_crypto::base64;
use vivesphere_domain::apikeys::vault;
use vivesphere_http::{Context, Problem, Reply};

use crate::handlers::{id, opened_vault};
use crate::wire;

/// The envelope of a key. It is `apikeys` that stores it, in one transaction with what people see.
pub(crate) async fn seal(context: Context) -> Result<Reply, Problem> {
    let body: wire::ToSeal = context.json()?;
    let apikey_id = id(&body.apikey_id)?;
    let sealed = vault::seal(&opened_vault().await?, &apikey_id, body.version, &body.key)?;
    Reply::ok(&wire::SealedKey {
        wrapped_key: base64(&sealed.wrapped_key),
        wrap_nonce: base64(&sealed.wrap_nonce),
        nonce: base64(&sealed.nonce),
        ciphertext: base64(&sealed.ciphertext),
        key_id: sealed.key_id,
    })
}

/// A stored key in plain text, for whoever is about to use it.
pub(crate) async fn open(context: Context) -> Result<Reply, Problem> {
    let body: wire::ToOpen = context.json()?;
    let apikey_id = id(&body.apikey_id)?;
    let (version, key) = vault::open(&context.db, &opened_vault().await?, &apikey_id).await?;
    let opened = wire::OpenedKey {
        version,
        key: key.expose(),
    };
    Reply::ok(&opened)
}

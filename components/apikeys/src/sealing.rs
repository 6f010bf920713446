//! The vault's part, asked of `botdata`: this component has no key to seal or open with.

use serde::{Deserialize, Serialize};
use vivesphere_crypto::{Sealed, Secret, envelope, from_base64, secret};
use vivesphere_http::{Context, Problem, StatusCode, internal};

#[derive(Serialize)]
struct ToSeal<'a> {
    apikey_id: &'a str,
    version: i64,
    key: &'a str,
}

#[derive(Deserialize)]
struct SealedBody {
    key_id: String,
    wrapped_key: String,
    wrap_nonce: String,
    nonce: String,
    ciphertext: String,
}

/// The envelope of a key, bound to this id and version.
pub(crate) async fn seal(
    context: &Context,
    apikey_id: &str,
    version: i64,
    key: &Secret<String>,
) -> Result<Sealed, Problem> {
    let body = ToSeal {
        apikey_id,
        version,
        key: key.expose(),
    };
    let path = "/internal/botdata/apikeys/seal";
    let sealed: SealedBody = internal::post("botdata", path, &body, context.request_id()).await?;
    let bytes = |text: &str| {
        from_base64(text).ok_or_else(|| Problem::internal("the vault's envelope cannot be read"))
    };
    Ok(Sealed {
        key_id: sealed.key_id,
        algorithm: envelope::ALGORITHM.to_owned(),
        wrapped_key: bytes(&sealed.wrapped_key)?,
        wrap_nonce: bytes(&sealed.wrap_nonce)?,
        nonce: bytes(&sealed.nonce)?,
        ciphertext: bytes(&sealed.ciphertext)?,
    })
}

#[derive(Serialize)]
struct ToOpen<'a> {
    apikey_id: &'a str,
}

#[derive(Deserialize)]
struct OpenedBody {
    version: i64,
    #[serde(deserialize_with = "secret::deserialize")]
    key: Secret<String>,
}

/// A stored key and its version. Whether it may be used is the caller's to know.
pub(crate) async fn open(
    context: &Context,
    apikey_id: &str,
) -> Result<(i64, Secret<String>), Problem> {
    let path = "/internal/botdata/apikeys/open";
    let body = ToOpen { apikey_id };
    let answer = internal::post("botdata", path, &body, context.request_id()).await;
    let opened: OpenedBody = match answer {
        Ok(opened) => opened,
        Err(internal::Error::Refused { status, .. }) if status == StatusCode::NOT_FOUND => {
            return Err(Problem::not_found());
        }
        Err(internal::Error::Refused { status, .. }) if status == StatusCode::CONFLICT => {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "sealed_data_damaged",
                "The stored key does not open: store it again.",
            ));
        }
        Err(error) => return Err(error.into()),
    };
    Ok((opened.version, opened.key))
}

//! The JSON of this component.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vivesphere_crypto::Secret;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    pub(crate) bot_id: String,
    pub(crate) data: BTreeMap<String, String>,
    /// Only stored when this is the version that is there; 0 means none.
    #[serde(default)]
    pub(crate) expected_version: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    pub(crate) bot_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    #[serde(default)]
    pub(crate) budget_seconds: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToSeal {
    pub(crate) apikey_id: String,
    pub(crate) version: i64,
    #[serde(deserialize_with = "vivesphere_crypto::secret::deserialize")]
    pub(crate) key: Secret<String>,
}

#[derive(Serialize)]
pub(crate) struct SealedKey {
    pub(crate) key_id: String,
    pub(crate) wrapped_key: String,
    pub(crate) wrap_nonce: String,
    pub(crate) nonce: String,
    pub(crate) ciphertext: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToOpen {
    pub(crate) apikey_id: String,
}

#[derive(Serialize)]
pub(crate) struct OpenedKey<'a> {
    pub(crate) version: i64,
    pub(crate) key: &'a str,
}

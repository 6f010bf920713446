//! The JSON of this component.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vivesphere_crypto::Secret;
use vivesphere_domain::Instant;
use vivesphere_domain::botdata::Rewrapped;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    #[schemars(extend("format" = "uuid"))]
    pub(crate) bot_id: String,
    /// Names and secrets, 16 KiB together.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 64))]
    pub(crate) data: BTreeMap<String, String>,
    /// Only stored when this is the version that is there; 0 means none.
    #[serde(default)]
    pub(crate) expected_version: Option<i64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    #[schemars(extend("format" = "uuid"))]
    pub(crate) bot_id: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToSeal {
    #[schemars(extend("format" = "uuid"))]
    pub(crate) apikey_id: String,
    pub(crate) version: i64,
    #[serde(deserialize_with = "vivesphere_crypto::secret::deserialize")]
    #[schemars(with = "String")]
    pub(crate) key: Secret<String>,
}

/// The envelope of a provider's key; its binary parts in base64.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SealedKey {
    pub(crate) key_id: String,
    pub(crate) wrapped_key: String,
    pub(crate) wrap_nonce: String,
    pub(crate) nonce: String,
    pub(crate) ciphertext: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToOpen {
    #[schemars(extend("format" = "uuid"))]
    pub(crate) apikey_id: String,
}

/// A provider's key in plain text.
#[derive(Serialize, JsonSchema)]
pub(crate) struct OpenedKey<'a> {
    pub(crate) version: i64,
    pub(crate) key: &'a str,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Stored {
    #[schemars(extend("format" = "uuid"))]
    pub(crate) bot_id: String,
    /// Rises with every store.
    pub(crate) version: i64,
    /// The vault key that it is sealed with.
    pub(crate) key_id: String,
    pub(crate) stored_at: Instant,
}

/// The envelope; its binary parts in base64.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Sealed {
    #[schemars(extend("format" = "uuid"))]
    pub(crate) bot_id: String,
    pub(crate) version: i64,
    pub(crate) key_id: String,
    /// `AES-256-GCM`.
    pub(crate) algorithm: String,
    pub(crate) wrapped_key: String,
    pub(crate) wrap_nonce: String,
    pub(crate) nonce: String,
    pub(crate) ciphertext: String,
    pub(crate) stored_at: Instant,
}

/// Data in plain text.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Revealed {
    #[schemars(extend("format" = "uuid"))]
    pub(crate) bot_id: String,
    pub(crate) version: i64,
    pub(crate) data: BTreeMap<String, String>,
}

/// What a run has done.
#[derive(Serialize, JsonSchema, Default)]
pub(crate) struct Rotated {
    /// Sealed anew.
    pub(crate) rotated: usize,
    /// Of what was looked at, what does not open under the keys that are here: its key was lost, or
    /// it was altered.
    pub(crate) damaged: usize,
    /// Still sealed with an older key, the damaged among them.
    pub(crate) remaining: i64,
    pub(crate) duration_ms: i64,
}

impl Rotated {
    /// Adds a batch. Gives back where to go on, unless that was the end.
    pub(crate) fn add(&mut self, batch: Rewrapped) -> Option<String> {
        self.rotated += batch.done;
        self.damaged += batch.damaged;
        batch.last
    }
}

//! The JSON of this component. A key goes in and never comes out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vivesphere_crypto::Secret;
use vivesphere_domain::Instant;
use vivesphere_domain::apikeys::Apikey;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApikey {
    pub(crate) provider: String,
    pub(crate) label: String,
    #[serde(deserialize_with = "vivesphere_crypto::secret::deserialize")]
    #[schemars(with = "String")]
    pub(crate) key: Secret<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replacement {
    #[serde(deserialize_with = "vivesphere_crypto::secret::deserialize")]
    #[schemars(with = "String")]
    pub(crate) key: Secret<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    #[serde(default)]
    pub(crate) provider: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ApikeyBody {
    #[schemars(extend("format" = "uuid"))]
    apikey_id: String,
    #[schemars(extend("format" = "uuid"))]
    owner_id: String,
    provider: String,
    label: String,
    last4: String,
    version: i64,
    created_at: Instant,
    rotated_at: Option<Instant>,
    last_used_at: Option<Instant>,
    checked_at: Option<Instant>,
    check_result: Option<String>,
}

impl From<Apikey> for ApikeyBody {
    fn from(apikey: Apikey) -> Self {
        Self {
            apikey_id: apikey.apikey_id,
            owner_id: apikey.owner_id,
            provider: apikey.provider,
            label: apikey.label,
            last4: apikey.last4,
            version: apikey.version,
            created_at: apikey.created_at,
            rotated_at: apikey.rotated_at,
            last_used_at: apikey.last_used_at,
            checked_at: apikey.checked_at,
            check_result: apikey.check_result,
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct CheckBody {
    /// `valid`, `refused`, `unknown` or `not_checkable`.
    pub(crate) result: &'static str,
    pub(crate) http_status: Option<u16>,
    pub(crate) detail: &'static str,
    pub(crate) apikey: ApikeyBody,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ProviderBody {
    pub(crate) provider: &'static str,
    pub(crate) description: &'static str,
    pub(crate) checkable: bool,
}

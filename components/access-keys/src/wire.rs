//! The JSON of this component.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vivesphere_domain::Instant;
use vivesphere_domain::access_keys::AccessKey;
use vivesphere_domain::permissions::Permission;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccessKey {
    pub(crate) name: String,
    /// Names of permissions.
    #[schemars(with = "Vec<Permission>")]
    pub(crate) scopes: Vec<String>,
    #[serde(default)]
    pub(crate) bot_ids: Option<Vec<String>>,
    /// RFC 3339.
    #[serde(default)]
    pub(crate) expires_at: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    #[serde(default)]
    pub(crate) user_id: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct AccessKeyBody {
    #[schemars(extend("format" = "uuid"))]
    access_key_id: String,
    #[schemars(extend("format" = "uuid"))]
    owner_id: String,
    name: String,
    #[schemars(with = "Vec<Permission>")]
    scopes: Vec<&'static str>,
    bot_ids: Option<Vec<String>>,
    expires_at: Option<Instant>,
    last_used_at: Option<Instant>,
    created_at: Instant,
}

impl From<AccessKey> for AccessKeyBody {
    fn from(key: AccessKey) -> Self {
        Self {
            access_key_id: key.access_key_id,
            owner_id: key.owner_id,
            name: key.name,
            scopes: key.scopes.names(),
            bot_ids: key.bot_ids,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            created_at: key.created_at,
        }
    }
}

/// The one answer that shows the secret.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CreatedBody<'a> {
    #[serde(flatten)]
    pub(crate) access_key: AccessKeyBody,
    /// The whole key, for `Authorization: Bearer`. `null` when the answer is repeated for the
    /// same `Idempotency-Key`.
    pub(crate) key: Option<&'a str>,
    /// Its secret part alone, the `client_secret` of OAuth 2.0 beside `access_key_id` as the
    /// `client_id`. `null` as `key` is.
    pub(crate) secret: Option<&'a str>,
}

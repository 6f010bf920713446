//! The JSON of this component.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vivesphere_crypto::Secret;
use vivesphere_domain::permissions::PermissionSet;
use vivesphere_domain::users::User;
use vivesphere_domain::{Instant, Principal};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    pub(crate) username: String,
    #[serde(deserialize_with = "vivesphere_crypto::secret::deserialize")]
    #[schemars(with = "String")]
    pub(crate) password: Secret<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    #[serde(deserialize_with = "vivesphere_crypto::secret::deserialize")]
    #[schemars(with = "String")]
    pub(crate) refresh_token: Secret<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Logout {
    #[serde(default)]
    pub(crate) refresh_token: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Password {
    #[serde(deserialize_with = "vivesphere_crypto::secret::deserialize")]
    #[schemars(with = "String")]
    pub(crate) current_password: Secret<String>,
    #[serde(deserialize_with = "vivesphere_crypto::secret::deserialize")]
    #[schemars(with = "String", length(min = 12, max = 1024))]
    pub(crate) new_password: Secret<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    #[schemars(regex(pattern = "^[A-Za-z0-9._@+-]{3,64}$"))]
    pub(crate) username: String,
    #[serde(deserialize_with = "vivesphere_crypto::secret::deserialize")]
    #[schemars(with = "String", length(min = 12, max = 1024))]
    pub(crate) password: Secret<String>,
    /// Their names.
    pub(crate) roles: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserPatch {
    #[serde(default)]
    #[schemars(length(min = 12, max = 1024))]
    pub(crate) password: Option<String>,
    #[serde(default)]
    pub(crate) roles: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) disabled: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Validate {
    #[serde(default)]
    pub(crate) token: Option<String>,
}

/// RFC 6749, sections 4.4.2 and 6. Unknown parameters are to be ignored (section 3.2), and one
/// without a value counts as left out.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct TokenForm {
    /// `refresh_token` or `client_credentials`.
    #[serde(default)]
    pub(crate) grant_type: String,
    #[serde(default)]
    pub(crate) refresh_token: String,
    #[serde(default)]
    pub(crate) client_id: String,
    #[serde(default)]
    pub(crate) client_secret: String,
    /// Names of permissions, separated by spaces.
    #[serde(default)]
    pub(crate) scope: String,
}

/// RFC 6749, section 5.1.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TokenBody<'a> {
    pub(crate) access_token: &'a str,
    /// `Bearer`.
    pub(crate) token_type: &'static str,
    /// Seconds that the access token lives.
    pub(crate) expires_in: u64,
    /// Not for `client_credentials`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<&'a str>,
    /// What the token may do now: all that was asked for, or less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
}

/// RFC 6749, section 5.2.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TokenError {
    pub(crate) error: &'static str,
    pub(crate) error_description: &'static str,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct UserBody {
    #[schemars(extend("format" = "uuid"))]
    user_id: String,
    username: String,
    roles: Vec<String>,
    disabled: bool,
    version: i64,
    created_at: Instant,
    updated_at: Instant,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            user_id: user.user_id,
            username: user.username,
            roles: user.roles,
            disabled: user.disabled_at.is_some(),
            version: user.version,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// What a sign-in gives.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SignedIn<'a> {
    /// The access token.
    pub(crate) token: &'a str,
    /// `Bearer`.
    pub(crate) token_type: &'static str,
    /// Seconds that the access token lives.
    pub(crate) expires_in: u64,
    /// Good for one exchange.
    pub(crate) refresh_token: &'a str,
    /// Seconds that the refresh token lives.
    pub(crate) refresh_expires_in: i64,
    pub(crate) user: SignedInUser<'a>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct SignedInUser<'a> {
    #[schemars(extend("format" = "uuid"))]
    pub(crate) user_id: &'a str,
    pub(crate) username: &'a str,
    pub(crate) roles: &'a [String],
}

/// Whose a token is, or why it is not good.
#[derive(Default, Serialize, JsonSchema)]
pub(crate) struct Validated {
    valid: bool,
    /// Of a token that is not good.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["expired", "revoked", "malformed", "signature", null]))]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<PermissionSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Instant>,
}

impl Validated {
    pub(crate) fn good(principal: Principal, expires_at: Option<Instant>) -> Self {
        Self {
            valid: true,
            reason: None,
            user_id: Some(principal.id),
            username: Some(principal.username),
            roles: Some(principal.roles),
            permissions: Some(principal.permissions),
            expires_at,
        }
    }

    pub(crate) fn refused(reason: &'static str) -> Self {
        Self {
            reason: Some(reason),
            ..Self::default()
        }
    }
}

/// Who is asking.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Me<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) username: &'a str,
    pub(crate) roles: &'a [String],
    pub(crate) permissions: &'a PermissionSet,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Health {
    /// `ok`.
    pub(crate) status: &'static str,
    /// `auth`.
    pub(crate) service: &'static str,
}

/// What a run has deleted.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Expired {
    /// Rows in all.
    pub(crate) deleted: usize,
    /// Whether time ran out before everything was gone.
    pub(crate) remaining: bool,
    pub(crate) duration_ms: i64,
    /// Rows by table.
    #[serde(flatten)]
    pub(crate) by_table: BTreeMap<&'static str, usize>,
}

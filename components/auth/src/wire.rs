//! The JSON of this component.

use serde::{Deserialize, Serialize};
use vivesphere_crypto::Secret;
use vivesphere_domain::Instant;
use vivesphere_domain::users::User;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    pub(crate) username: String,
    #[serde(deserialize_with = "vivesphere_crypto::secret::deserialize")]
    pub(crate) password: Secret<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    #[serde(deserialize_with = "vivesphere_crypto::secret::deserialize")]
    pub(crate) refresh_token: Secret<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Logout {
    #[serde(default)]
    pub(crate) refresh_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Password {
    #[serde(deserialize_with = "vivesphere_crypto::secret::deserialize")]
    pub(crate) current_password: Secret<String>,
    #[serde(deserialize_with = "vivesphere_crypto::secret::deserialize")]
    pub(crate) new_password: Secret<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    pub(crate) username: String,
    #[serde(deserialize_with = "vivesphere_crypto::secret::deserialize")]
    pub(crate) password: Secret<String>,
    pub(crate) roles: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserPatch {
    #[serde(default)]
    pub(crate) password: Option<String>,
    #[serde(default)]
    pub(crate) roles: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) disabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Validate {
    #[serde(default)]
    pub(crate) token: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    #[serde(default)]
    pub(crate) limit: Option<u32>,
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}

/// RFC 6749, sections 4.4.2 and 6. Unknown parameters are to be ignored (section 3.2), and one
/// without a value counts as left out.
#[derive(Deserialize)]
pub(crate) struct TokenForm {
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
#[derive(Serialize)]
pub(crate) struct TokenBody<'a> {
    pub(crate) access_token: &'a str,
    pub(crate) token_type: &'static str,
    pub(crate) expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<&'a str>,
    /// What the token may do now: all that was asked for, or less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
}

/// RFC 6749, section 5.2.
#[derive(Serialize)]
pub(crate) struct TokenError {
    pub(crate) error: &'static str,
    pub(crate) error_description: &'static str,
}

/// Of a job entry.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobQuery {
    #[serde(default)]
    pub(crate) budget_seconds: Option<u32>,
}

#[derive(Serialize)]
pub(crate) struct UserBody {
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

#[derive(Serialize)]
pub(crate) struct Listed {
    pub(crate) items: Vec<UserBody>,
    pub(crate) next_cursor: Option<String>,
}

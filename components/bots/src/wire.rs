//! The JSON of this component.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vivesphere_domain::Instant;
use vivesphere_domain::bots::Bot;
use vivesphere_http::Object;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBot {
    #[schemars(length(min = 1, max = 100))]
    pub(crate) bot_name: String,
    #[serde(default)]
    pub(crate) credentials: Option<Object<Credentials>>,
    #[serde(default)]
    #[schemars(extend("format" = "uuid"))]
    pub(crate) persona_id: Option<String>,
    /// A zone of the IANA database.
    #[serde(default)]
    #[schemars(example = "Europe/Berlin")]
    pub(crate) timezone: Option<String>,
    #[serde(default)]
    #[schemars(range(min = 1, max = 2400))]
    pub(crate) daily_post_limit: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BotPatch {
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    pub(crate) bot_name: Option<String>,
    #[serde(default)]
    pub(crate) credentials: Option<Object<Credentials>>,
    /// `null` takes the persona away, a missing field leaves it.
    #[serde(default, deserialize_with = "vivesphere_http::given")]
    #[schemars(with = "Option<String>", extend("format" = "uuid"))]
    pub(crate) persona_id: Option<Option<String>>,
    /// A zone of the IANA database.
    #[serde(default)]
    #[schemars(example = "Europe/Berlin")]
    pub(crate) timezone: Option<String>,
    #[serde(default)]
    #[schemars(range(min = 1, max = 2400))]
    pub(crate) daily_post_limit: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) enum CredentialsType {
    #[serde(rename = "oauth2")]
    OAuth2,
}

/// What an account's owner got from X. It never comes back out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    #[serde(rename = "type")]
    pub(crate) _type: CredentialsType,
    #[schemars(regex(pattern = "^[!-~]{1,4096}$"))]
    pub(crate) access_token: String,
    #[serde(default)]
    #[schemars(regex(pattern = "^[!-~]{1,4096}$"))]
    pub(crate) refresh_token: Option<String>,
    #[serde(default)]
    #[schemars(extend("format" = "date-time"))]
    pub(crate) expires_at: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BotQuery {
    /// Whose; others' only with the permission `bots:read_all`.
    #[serde(default)]
    #[schemars(extend("format" = "uuid"))]
    pub(crate) user_id: Option<String>,
}

/// X may add parameters of its own.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Callback {
    #[serde(default)]
    pub(crate) code: Option<String>,
    #[serde(default)]
    pub(crate) state: Option<String>,
    #[serde(default)]
    pub(crate) error: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessTokenRequest {
    /// The version whose token X did not accept.
    #[serde(default)]
    pub(crate) rejected_version: Option<i64>,
}

/// Where the account's owner is asked.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Authorize<'a> {
    #[schemars(extend("format" = "uri"))]
    pub(crate) authorize_url: &'a str,
}

/// What the publisher sends with.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AccessToken<'a> {
    pub(crate) access_token: &'a str,
    /// Of the credentials in the vault.
    pub(crate) version: i64,
    pub(crate) x_user_id: &'a str,
    pub(crate) expires_at: Option<Instant>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct BotBody {
    #[schemars(extend("format" = "uuid"))]
    bot_id: String,
    bot_name: String,
    #[schemars(extend("format" = "uuid"))]
    owner_id: String,
    /// On X, without `@`.
    handle: Option<String>,
    x_user_id: Option<String>,
    #[schemars(extend("enum" = ["active", "paused", "needs_reauth", "unconnected"]))]
    status: String,
    /// Why it is not active.
    status_code: Option<String>,
    status_detail: Option<String>,
    persona_id: Option<String>,
    timezone: String,
    daily_post_limit: i64,
    /// Rises with every change.
    version: i64,
    created_at: Instant,
    updated_at: Instant,
}

impl From<Bot> for BotBody {
    fn from(bot: Bot) -> Self {
        Self {
            bot_id: bot.bot_id,
            bot_name: bot.bot_name,
            owner_id: bot.owner_id,
            handle: bot.handle,
            x_user_id: bot.x_user_id,
            status: bot.status,
            status_code: bot.status_code,
            status_detail: bot.status_detail,
            persona_id: bot.persona_id,
            timezone: bot.timezone,
            daily_post_limit: bot.daily_post_limit,
            version: bot.version,
            created_at: bot.created_at,
            updated_at: bot.updated_at,
        }
    }
}

//! The JSON of this component.

use serde::{Deserialize, Deserializer, Serialize};
use vivesphere_domain::Instant;
use vivesphere_domain::bots::Bot;
use vivesphere_domain::posts::Post;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBot {
    pub(crate) bot_name: String,
    #[serde(default)]
    pub(crate) credentials: Option<Credentials>,
    #[serde(default)]
    pub(crate) persona_id: Option<String>,
    #[serde(default)]
    pub(crate) timezone: Option<String>,
    #[serde(default)]
    pub(crate) daily_post_limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BotPatch {
    #[serde(default)]
    pub(crate) bot_name: Option<String>,
    #[serde(default)]
    pub(crate) credentials: Option<Credentials>,
    /// `null` takes the persona away, a missing field leaves it.
    #[serde(default, deserialize_with = "given")]
    pub(crate) persona_id: Option<Option<String>>,
    #[serde(default)]
    pub(crate) timezone: Option<String>,
    #[serde(default)]
    pub(crate) daily_post_limit: Option<u32>,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
pub(crate) enum CredentialsType {
    #[serde(rename = "oauth2")]
    OAuth2,
}

/// What an account's owner got from X. It never comes back out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    #[serde(rename = "type")]
    pub(crate) _type: CredentialsType,
    pub(crate) access_token: String,
    #[serde(default)]
    pub(crate) refresh_token: Option<String>,
    #[serde(default)]
    pub(crate) expires_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BotQuery {
    #[serde(default)]
    pub(crate) user_id: Option<String>,
    #[serde(default)]
    pub(crate) limit: Option<u32>,
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostQuery {
    #[serde(default)]
    pub(crate) state: Option<String>,
    #[serde(default)]
    pub(crate) limit: Option<u32>,
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}

/// X may add parameters of its own.
#[derive(Deserialize)]
pub(crate) struct Callback {
    #[serde(default)]
    pub(crate) code: Option<String>,
    #[serde(default)]
    pub(crate) state: Option<String>,
    #[serde(default)]
    pub(crate) error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostBody {
    #[serde(default)]
    pub(crate) text: Option<String>,
    #[serde(default)]
    pub(crate) thread: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) scheduled_at: Option<String>,
    #[serde(default)]
    pub(crate) local_time: Option<String>,
    #[serde(default)]
    pub(crate) requires_approval: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessTokenRequest {
    /// The version whose token X did not accept.
    #[serde(default)]
    pub(crate) rejected_version: Option<i64>,
}

#[derive(Serialize)]
pub(crate) struct BotBody {
    bot_id: String,
    bot_name: String,
    owner_id: String,
    handle: Option<String>,
    x_user_id: Option<String>,
    status: String,
    status_code: Option<String>,
    status_detail: Option<String>,
    persona_id: Option<String>,
    timezone: String,
    daily_post_limit: i64,
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

#[derive(Serialize)]
pub(crate) struct Listed<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next_cursor: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct PostOut {
    post_id: String,
    bot_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<Vec<String>>,
    state: String,
    scheduled_at: Instant,
    published_at: Option<Instant>,
    next_attempt_at: Option<Instant>,
    x_post_id: Option<String>,
    x_post_ids: Vec<String>,
    failure_code: Option<String>,
    failure_detail: Option<String>,
    requires_approval: bool,
    version: i64,
    attempts: Vec<AttemptOut>,
    created_at: Instant,
    updated_at: Instant,
}

#[derive(Serialize)]
struct AttemptOut {
    number: i64,
    part: i64,
    started_at: Instant,
    ended_at: Option<Instant>,
    outcome: Option<String>,
    http_status: Option<i64>,
    code: Option<String>,
    detail: Option<String>,
}

impl From<Post> for PostOut {
    fn from(post: Post) -> Self {
        let x_post_ids: Vec<String> = post.parts.iter().filter_map(|(_, id)| id.clone()).collect();
        let mut texts: Vec<String> = post.parts.into_iter().map(|(text, _)| text).collect();
        let (text, thread) = if texts.len() == 1 {
            (texts.pop(), None)
        } else {
            (None, Some(texts))
        };
        Self {
            post_id: post.post_id,
            bot_id: post.bot_id,
            text,
            thread,
            state: post.state,
            scheduled_at: post.scheduled_at,
            published_at: post.published_at,
            next_attempt_at: post.next_attempt_at,
            x_post_id: x_post_ids.first().cloned(),
            x_post_ids,
            failure_code: post.failure_code,
            failure_detail: post.failure_detail,
            requires_approval: false,
            version: post.version,
            attempts: post
                .attempts
                .into_iter()
                .map(|attempt| AttemptOut {
                    number: attempt.number,
                    part: attempt.part,
                    started_at: attempt.started_at,
                    ended_at: attempt.ended_at,
                    outcome: attempt.outcome,
                    http_status: attempt.http_status,
                    code: attempt.code,
                    detail: attempt.detail,
                })
                .collect(),
            created_at: post.created_at,
            updated_at: post.updated_at,
        }
    }
}

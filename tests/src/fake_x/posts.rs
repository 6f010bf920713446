//! Creating and deleting posts, with X's checks in X's order as far as it is known.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::problems;
use super::reply::Reply;
use super::settings::{Names, Settings};
use super::state::{State, StoredPost, User};
use super::text::Text;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How far back the same text counts as a duplicate; X does not say.
const DUPLICATE_POSTS: usize = 50;

/// The request body of `POST /2/tweets`; unknown names are refused, as X does.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Body {
    text: String,
    reply: Option<ReplyTo>,
    quote_tweet_id: Option<String>,
    media: Option<Value>,
    poll: Option<Poll>,
    reply_settings: Option<String>,
    made_with_ai: Option<bool>,
    paid_partnership: Option<bool>,
    nullcast: Option<bool>,
    for_super_followers_only: Option<bool>,
    community_id: Option<String>,
    share_with_followers: Option<bool>,
    geo: Option<Value>,
    card_uri: Option<String>,
    direct_message_deep_link: Option<String>,
    edit_options: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplyTo {
    in_reply_to_tweet_id: String,
    #[serde(default, rename = "exclude_reply_user_ids")]
    _exclude_reply_user_ids: Vec<String>,
    #[serde(default, rename = "auto_populate_reply_metadata")]
    _auto_populate_reply_metadata: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Poll {
    options: Vec<String>,
    duration_minutes: u64,
}

/// The body, read and weighed before anything is locked.
pub(crate) struct Draft {
    body: Body,
    text: Text,
}

impl Draft {
    pub(crate) fn read(call: &Call) -> Result<Self, Reply> {
        let value: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        if !value.is_object() {
            return Err(problems::invalid(
                "body",
                "",
                "Request body must be a JSON object.",
            ));
        }
        let body: Body = serde_json::from_value(value)
            .map_err(|error| problems::invalid("body", "", &error.to_string()))?;
        let text = Text::read(&body.text);
        Ok(Self { body, text })
    }

    /// The schema's rules.
    fn check(&self) -> Result<(), Reply> {
        let body = &self.body;
        if self.text.normalized.is_empty() && body.media.is_none() {
            return Err(problems::invalid(
                "text",
                "",
                "The `text` must not be empty.",
            ));
        }
        if !self.text.valid_characters {
            return Err(problems::invalid(
                "text",
                "",
                "The `text` has invalid characters.",
            ));
        }
        if let Some(reply) = &body.reply
            && !is_id(&reply.in_reply_to_tweet_id)
        {
            let value = &reply.in_reply_to_tweet_id;
            return Err(problems::invalid(
                "reply.in_reply_to_tweet_id",
                value,
                "Not an id.",
            ));
        }
        if let Some(poll) = &body.poll
            && (!(2..=4).contains(&poll.options.len())
                || poll
                    .options
                    .iter()
                    .any(|text| !(1..=25).contains(&text.chars().count()))
                || !(5..=10_080).contains(&poll.duration_minutes))
        {
            return Err(problems::invalid("poll", "", "The poll is not valid."));
        }
        if let Some(who) = &body.reply_settings
            && !matches!(
                who.as_str(),
                "following" | "mentionedUsers" | "subscribers" | "verified"
            )
        {
            return Err(problems::invalid(
                "reply_settings",
                who,
                "Not one of the allowed values.",
            ));
        }
        Ok(())
    }

    /// The rules of the plan and of the account.
    fn allow(&self, state: &State, user: &User, now: i64) -> Result<(), Reply> {
        let settings = &state.settings;
        if user.suspended {
            return Err(problems::account_suspended());
        }
        if user.locked {
            return Err(problems::account_locked());
        }
        if self.text.weight > settings.max_weighted_length {
            return Err(problems::too_long(settings.too_long_status));
        }
        // Nothing can be uploaded here, so no id is known.
        if self.body.media.is_some() {
            return Err(problems::invalid(
                "media.media_ids",
                "",
                "Your media IDs are invalid.",
            ));
        }
        self.allow_by_plan(state, user)?;
        if settings.refuse_duplicates && is_duplicate(state, user, &self.text.normalized, now) {
            return Err(problems::duplicate());
        }
        let today = |id: &&u64| {
            state
                .posts
                .get(id)
                .is_some_and(|post| post.created > now - DAY_MS)
        };
        if let Some(ceiling) = settings.daily_ceiling
            && user.posts.iter().rev().take_while(today).count() >= ceiling
        {
            return Err(problems::daily_ceiling());
        }
        Ok(())
    }

    fn allow_by_plan(&self, state: &State, user: &User) -> Result<(), Reply> {
        let settings = &state.settings;
        if let Some(reply) = &self.body.reply {
            let target = reply
                .in_reply_to_tweet_id
                .parse()
                .ok()
                .and_then(|id: u64| state.posts.get(&id))
                .filter(|post| !post.deleted);
            let Some(target) = target else {
                return Err(problems::reply_target_gone());
            };
            let own = target.user_id == user.id;
            let summoned = Text::read(&target.text)
                .mentions
                .contains(&user.username.to_ascii_lowercase());
            if !own && !summoned && !settings.enterprise {
                return Err(problems::reply_closed());
            }
        }
        if self.body.quote_tweet_id.is_some() && !settings.enterprise {
            return Err(problems::quote_closed());
        }
        let lone_mention =
            settings.refuse_mentions && self.body.reply.is_none() && !self.text.mentions.is_empty();
        if lone_mention || (self.text.cashtags > 1 && !settings.enterprise) {
            return Err(problems::not_permitted());
        }
        Ok(())
    }
}

fn is_duplicate(state: &State, user: &User, text: &str, now: i64) -> bool {
    let Some(post) = user.by_text.get(text).and_then(|id| state.posts.get(id)) else {
        return false;
    };
    let recent = || {
        user.posts
            .iter()
            .rev()
            .take(DUPLICATE_POSTS)
            .any(|id| *id == post.id)
    };
    !post.deleted && (post.created > now - DAY_MS || recent())
}

pub(crate) fn is_id(text: &str) -> bool {
    (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// X's prices in thousandths of a dollar.
fn price(text: &Text) -> u64 {
    if text.has_url() { 200 } else { 15 }
}

/// `POST /2/tweets`
pub(crate) fn create(
    state: &mut State,
    draft: Result<Draft, Reply>,
    user_id: &str,
    now: i64,
) -> Reply {
    if state.settings.credits == Some(0) {
        return problems::credits_depleted(false);
    }
    let checked = draft.and_then(|draft| {
        draft.check()?;
        let user = state.user(user_id).ok_or_else(problems::unauthorized)?;
        draft.allow(state, user, now)?;
        Ok(draft)
    });
    let draft = match checked {
        Ok(draft) => draft,
        Err(reply) => return reply,
    };
    let cost = price(&draft.text);
    if let Some(credits) = &mut state.settings.credits {
        if *credits < cost {
            return problems::credits_depleted(false);
        }
        *credits -= cost;
    }
    state.spent += cost;
    let post = store(state, &draft, user_id, now);
    let mut data = json!({"id": post.id.to_string(), "text": post.shown});
    let history = match state.settings.names {
        Some(Names::Current) => "edit_history_post_ids",
        _ => "edit_history_tweet_ids",
    };
    data[history] = json!([post.id.to_string()]);
    Reply::json(201, &json!({"data": data}))
}

fn store(state: &mut State, draft: &Draft, user_id: &str, now: i64) -> StoredPost {
    let id = state.next_id(now);
    let (shown, urls) = draft.text.publish(id);
    let in_reply_to = draft
        .body
        .reply
        .as_ref()
        .and_then(|reply| reply.in_reply_to_tweet_id.parse().ok());
    let conversation = in_reply_to
        .and_then(|id: u64| state.posts.get(&id))
        .map_or(id, |post| post.conversation);
    let post = StoredPost {
        id,
        user_id: user_id.to_owned(),
        text: draft.body.text.clone(),
        shown,
        urls,
        in_reply_to,
        conversation,
        created: now,
        deleted: false,
    };
    if let Some(user) = state.user_mut(user_id) {
        user.posts.push(id);
        user.by_text.insert(draft.text.normalized.clone(), id);
    }
    state.posts.insert(id, post.clone());
    post
}

/// `DELETE /2/tweets/:id`
pub(crate) fn delete(state: &mut State, id: &str, user_id: &str) -> Reply {
    if !is_id(id) {
        return problems::invalid("id", id, "The `id` query parameter value is not valid.");
    }
    let post = id.parse().ok().and_then(|id: u64| state.posts.get_mut(&id));
    match post {
        Some(post) if post.deleted => gone(id),
        Some(post) if post.user_id != user_id => {
            problems::forbidden("You are not authorized to delete this Tweet.")
        }
        Some(post) => {
            post.deleted = true;
            Reply::json(200, &json!({"data": {"deleted": true}}))
        }
        None => gone(id),
    }
}

fn gone(id: &str) -> Reply {
    Reply::problem(404, &problems::not_found("id", id, "tweet"))
}

impl Settings {
    /// The vocabulary of an answer: forced, or as asked, or legacy.
    pub(crate) fn names_for(&self, call: &Call) -> Names {
        let asked = match call.query("post.fields") {
            Some(_) => Names::Current,
            None => Names::Legacy,
        };
        self.names.unwrap_or(asked)
    }
}

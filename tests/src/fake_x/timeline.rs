//! Reading: the account, its posts, posts by id, trends.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::clock::rfc3339;
use super::posts::is_id;
use super::problems;
use super::reply::Reply;
use super::settings::Names;
use super::state::{State, StoredPost};

const PRIVATE_METRICS_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// `GET /2/users/me`
pub(crate) fn me(state: &State, call: &Call, user_id: &str) -> Reply {
    let Some(user) = state.user(user_id) else {
        return problems::unauthorized();
    };
    let count = match call.query("user.fields") {
        _ if state.settings.names == Some(Names::Current) => "post_count",
        _ => "tweet_count",
    };
    let mut data = json!({"id": user.id, "name": user.username, "username": user.username});
    for field in call.query("user.fields").unwrap_or_default().split(',') {
        data[field] = match field {
            "subscription_type" => json!(user.subscription_type),
            "verified_type" => json!("none"),
            "verified" | "protected" => json!(false),
            "public_metrics" => {
                let mut metrics = json!({"followers_count": 0, "following_count": 0,
                    "listed_count": 0, "like_count": 0, "media_count": 0});
                metrics[count] = json!(user.posts.len());
                metrics
            }
            // Unknown names are dropped without a word.
            _ => continue,
        };
    }
    Reply::json(200, &json!({"data": data}))
}

/// `GET /2/users/:id/tweets`
pub(crate) fn user_posts(state: &mut State, call: &Call, caller: &str, now: i64) -> Reply {
    match page(state, call, caller, now) {
        Ok((body, count)) => {
            // An own post read costs a thousandth of a dollar.
            state.spent += count;
            Reply::json(200, &body)
        }
        Err(reply) => reply,
    }
}

fn page(state: &State, call: &Call, caller: &str, now: i64) -> Result<(Value, u64), Reply> {
    let most = match call.query("max_results") {
        None => 10,
        Some(text) => text
            .parse()
            .ok()
            .filter(|count| (5..=100).contains(count))
            .ok_or_else(|| {
                problems::invalid("max_results", text, "The value is not between 5 and 100.")
            })?,
    };
    let most = state
        .settings
        .page_cap
        .map_or(most, |cap| most.min(cap.max(1)));
    let start = time(call, "start_time")?.unwrap_or(i64::MIN);
    let end = time(call, "end_time")?.unwrap_or(i64::MAX);
    let since = id(call, "since_id")?.unwrap_or(0);
    let until = id(call, "until_id")?.unwrap_or(u64::MAX);
    let before = match call.query("pagination_token") {
        None => u64::MAX,
        Some(token) => BASE64_URL_SAFE_NO_PAD
            .decode(token)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(u64::from_be_bytes)
            .ok_or_else(|| problems::invalid("pagination_token", token, "Not a valid token."))?,
    };
    let no_replies = call
        .query("exclude")
        .is_some_and(|list| list.split(',').any(|kind| kind == "replies"));
    let Some(user) = state.user(&call.id) else {
        return Ok((
            json!({"errors": [problems::not_found("id", &call.id, "user")]}),
            0,
        ));
    };
    let mut found = user
        .posts
        .iter()
        .rev()
        .filter(|id| **id < until.min(before) && **id > since)
        .filter_map(|id| state.posts.get(id))
        .filter(|post| !post.deleted && post.created + state.settings.timeline_lag_ms <= now)
        .filter(|post| post.created >= start && post.created < end)
        .filter(|post| !(no_replies && post.in_reply_to.is_some()));
    let posts: Vec<&StoredPost> = found.by_ref().take(most).collect();
    let more = found.next().is_some();
    let (Some(newest), Some(oldest)) = (posts.first(), posts.last()) else {
        return Ok((json!({"meta": {"result_count": 0}}), 0));
    };
    let mut meta = json!({"result_count": posts.len(), "newest_id": newest.id.to_string(),
        "oldest_id": oldest.id.to_string()});
    if more {
        let token = BASE64_URL_SAFE_NO_PAD.encode(oldest.id.to_be_bytes());
        meta["next_token"] = json!(token);
    }
    let count = posts.len() as u64;
    let data: Vec<Value> = posts
        .into_iter()
        .map(|post| show(state, call, post, caller, now))
        .collect();
    Ok((json!({"data": data, "includes": {}, "meta": meta}), count))
}

fn time(call: &Call, name: &str) -> Result<Option<i64>, Reply> {
    let Some(text) = call.query(name) else {
        return Ok(None);
    };
    DateTime::parse_from_rfc3339(text)
        .map(|time| Some(time.timestamp_millis()))
        .map_err(|_| problems::invalid(name, text, "Not a valid time; use YYYY-MM-DDTHH:mm:ssZ."))
}

fn id(call: &Call, name: &str) -> Result<Option<u64>, Reply> {
    let Some(text) = call.query(name) else {
        return Ok(None);
    };
    let id = is_id(text).then(|| text.parse().ok()).flatten();
    id.map(Some)
        .ok_or_else(|| problems::invalid(name, text, "Not a valid id."))
}

/// `GET /2/tweets?ids=`
pub(crate) fn lookup(state: &mut State, call: &Call, caller: &str, now: i64) -> Reply {
    let ids: Vec<&str> = call.query("ids").unwrap_or_default().split(',').collect();
    if ids.len() > 100 || !ids.iter().all(|id| is_id(id)) {
        let text = call.query("ids").unwrap_or_default();
        return problems::invalid("ids", text, "1 to 100 ids are expected.");
    }
    let mut data = Vec::new();
    let mut errors = Vec::new();
    for id in ids {
        let post = id.parse().ok().and_then(|id: u64| state.posts.get(&id));
        match post.filter(|post| !post.deleted) {
            Some(post) => data.push(show(state, call, post, caller, now)),
            None => errors.push(problems::not_found("ids", id, "tweet")),
        }
    }
    // An own post read costs a thousandth of a dollar.
    state.spent += data.len() as u64;
    let mut body = Map::new();
    if !data.is_empty() {
        body.insert("data".to_owned(), Value::Array(data));
    }
    if !errors.is_empty() {
        body.insert("errors".to_owned(), Value::Array(errors));
    }
    Reply::json(200, &Value::Object(body))
}

/// A post with the fields that were asked for, in the vocabulary that was asked for.
fn show(state: &State, call: &Call, post: &StoredPost, caller: &str, now: i64) -> Value {
    let current = state.settings.names_for(call) == Names::Current;
    let name = |legacy: &'static str, new: &'static str| if current { new } else { legacy };
    let mut shown = json!({"id": post.id.to_string(), "text": post.shown});
    if !current {
        shown["edit_history_tweet_ids"] = json!([post.id.to_string()]);
    }
    let expansions = call.query("expansions").unwrap_or_default().split(',');
    let fields = ["tweet.fields", "post.fields"]
        .into_iter()
        .filter_map(|name| call.query(name))
        .flat_map(|list| list.split(','));
    let target = post.in_reply_to.and_then(|id| state.posts.get(&id));
    for field in fields.chain(expansions) {
        match field {
            "created_at" => shown["created_at"] = json!(rfc3339(post.created)),
            "author_id" => shown["author_id"] = json!(post.user_id),
            "conversation_id" => shown["conversation_id"] = json!(post.conversation.to_string()),
            "lang" => shown["lang"] = json!("en"),
            "entities" if post.urls.as_array().is_some_and(|urls| !urls.is_empty()) => {
                shown["entities"] = json!({"urls": post.urls});
            }
            "edit_history_tweet_ids" | "edit_history_post_ids" => {
                shown[name("edit_history_tweet_ids", "edit_history_post_ids")] =
                    json!([post.id.to_string()]);
            }
            "in_reply_to_user_id" => {
                if let Some(target) = target {
                    shown["in_reply_to_user_id"] = json!(target.user_id);
                }
            }
            "referenced_tweets" | "referenced_posts" => {
                if let Some(id) = post.in_reply_to {
                    shown[name("referenced_tweets", "referenced_posts")] =
                        json!([{"type": "replied_to", "id": id.to_string()}]);
                }
            }
            "public_metrics" => {
                let views = views(state, post, now);
                let mut metrics = json!({"reply_count": views / 200, "like_count": views / 20,
                    "quote_count": views / 400, "bookmark_count": views / 300,
                    "impression_count": views});
                metrics[name("retweet_count", "repost_count")] = json!(views / 100);
                shown["public_metrics"] = metrics;
            }
            "non_public_metrics"
                if post.user_id == caller && post.created > now - PRIVATE_METRICS_MS =>
            {
                let views = views(state, post, now);
                shown["non_public_metrics"] = json!({"impression_count": views,
                    "url_link_clicks": views / 50, "user_profile_clicks": views / 80,
                    "engagements": views / 10});
            }
            _ => {}
        }
    }
    shown
}

/// The same for the same post at the same age: grows to a limit that the id decides.
fn views(state: &State, post: &StoredPost, now: i64) -> u64 {
    if let Some(views) = state.views.get(&post.id) {
        return *views;
    }
    let minutes = u64::try_from((now - post.created) / 60_000).unwrap_or_default();
    let limit = 500 + (post.id >> 3) % 4_000;
    limit * minutes / (minutes + 120)
}

/// `GET /2/trends/by/woeid/:woeid`
pub(crate) fn trends(state: &State, call: &Call) -> Reply {
    let most = call
        .query("max_trends")
        .map_or(Ok(20), str::parse::<usize>)
        .unwrap_or_default();
    if !(1..=50).contains(&most) {
        let text = call.query("max_trends").unwrap_or_default();
        return problems::invalid("max_trends", text, "The value is not between 1 and 50.");
    }
    let Some(trends) = state.trends.get(&call.id) else {
        return Reply::json(
            200,
            &json!({"errors": [problems::not_found("woeid", &call.id, "trend")]}),
        );
    };
    let data: Vec<Value> = trends
        .iter()
        .take(most)
        .map(|(name, count)| match count {
            Some(count) => json!({"trend_name": name, "tweet_count": count}),
            None => json!({"trend_name": name}),
        })
        .collect();
    Reply::json(200, &json!({"data": data}))
}

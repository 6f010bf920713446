//! Posts and users, in both of the vocabularies that X speaks since August 2026
//! (<https://docs.x.com/changelog>): every pair of names is read, whichever was asked for.
//!
//! X adds fields and values at any time and leaves out what it does not have, so only ids and a
//! post's text are required; a field in an unexpected form is as good as missing.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Which names to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Vocabulary {
    /// `tweet.fields`, which X's guides still use.
    #[default]
    Legacy,
    /// `post.fields`, of the API description 2.167 and later.
    Current,
}

/// A post.
#[derive(Debug, Clone, Deserialize)]
pub struct Post {
    /// 1 to 19 digits, increasing with time.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// As X stores it: links shortened to t.co, `&`, `<` and `>` as HTML entities, cut when long.
    pub text: String,
    /// When it was posted, as X writes it (RFC 3339).
    #[serde(default, deserialize_with = "lenient")]
    pub created_at: Option<String>,
    /// Whose it is.
    #[serde(default, deserialize_with = "lenient")]
    pub author_id: Option<String>,
    /// The first post of its thread.
    #[serde(default, deserialize_with = "lenient")]
    pub conversation_id: Option<String>,
    /// Whom it answers.
    #[serde(default, deserialize_with = "lenient")]
    pub in_reply_to_user_id: Option<String>,
    /// What it answers, quotes or repeats.
    #[serde(
        default,
        alias = "referenced_tweets",
        alias = "referenced_posts",
        deserialize_with = "lenient"
    )]
    pub referenced: Option<Vec<Reference>>,
    /// The links in the text.
    #[serde(default, deserialize_with = "lenient")]
    pub entities: Option<Entities>,
    /// The whole of a text over 280 characters.
    #[serde(
        default,
        alias = "note_tweet",
        alias = "note_post",
        deserialize_with = "lenient"
    )]
    pub note: Option<Note>,
    /// Its versions, the oldest first.
    #[serde(
        default,
        alias = "edit_history_tweet_ids",
        alias = "edit_history_post_ids",
        deserialize_with = "lenient"
    )]
    pub edit_history_ids: Option<Vec<String>>,
    /// Counts that everyone sees. They may go down again.
    #[serde(default, deserialize_with = "lenient")]
    pub public_metrics: Option<PublicMetrics>,
    /// Counts for the author, for 30 days.
    #[serde(default, deserialize_with = "lenient")]
    pub non_public_metrics: Option<NonPublicMetrics>,
}

impl Post {
    /// Whether it answers another post.
    #[must_use]
    pub fn is_reply(&self) -> bool {
        self.in_reply_to_user_id.is_some() || self.in_reply_to().is_some()
    }

    /// The id of the post that it answers.
    #[must_use]
    pub fn in_reply_to(&self) -> Option<&str> {
        self.referenced
            .iter()
            .flatten()
            .find(|reference| reference.kind == "replied_to")
            .map(|reference| reference.id.as_str())
    }
}

/// How a post refers to another.
#[derive(Debug, Clone, Deserialize)]
pub struct Reference {
    /// `replied_to`, `quoted`, `retweeted`, or what X adds.
    #[serde(rename = "type")]
    pub kind: String,
    /// The other post.
    #[serde(deserialize_with = "id")]
    pub id: String,
}

/// What X found in a text.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Entities {
    /// The links.
    #[serde(default)]
    pub urls: Vec<UrlEntity>,
}

/// A link in a text.
#[derive(Debug, Clone, Deserialize)]
pub struct UrlEntity {
    /// What the text holds: `https://t.co/…`.
    pub url: String,
    /// Where it leads.
    #[serde(default, deserialize_with = "lenient")]
    pub expanded_url: Option<String>,
    /// What people see.
    #[serde(default, deserialize_with = "lenient")]
    pub display_url: Option<String>,
    /// Set for the link that X appends for an attached picture or video.
    #[serde(default, deserialize_with = "lenient")]
    pub media_key: Option<String>,
}

/// The whole of a long text.
#[derive(Debug, Clone, Deserialize)]
pub struct Note {
    /// The text.
    pub text: String,
    /// Its links.
    #[serde(default, deserialize_with = "lenient")]
    pub entities: Option<Entities>,
}

/// <https://docs.x.com/x-api/fundamentals/metrics>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct PublicMetrics {
    /// Reposts.
    #[serde(default, alias = "retweet_count")]
    pub repost_count: u64,
    /// Replies.
    #[serde(default)]
    pub reply_count: u64,
    /// Likes.
    #[serde(default)]
    pub like_count: u64,
    /// Quotes.
    #[serde(default)]
    pub quote_count: u64,
    /// Bookmarks.
    #[serde(default)]
    pub bookmark_count: u64,
    /// Times shown.
    #[serde(default)]
    pub impression_count: u64,
}

/// <https://docs.x.com/x-api/fundamentals/metrics>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct NonPublicMetrics {
    /// Times shown.
    #[serde(default)]
    pub impression_count: u64,
    /// Clicks on links.
    #[serde(default)]
    pub url_link_clicks: u64,
    /// Clicks on the author.
    #[serde(default)]
    pub user_profile_clicks: u64,
    /// All interactions.
    #[serde(default)]
    pub engagements: u64,
}

/// An account (<https://docs.x.com/x-api/users/get-my-user>).
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// 1 to 19 digits.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The handle, without `@`.
    pub username: String,
    /// The display name.
    #[serde(default)]
    pub name: String,
    /// `None`, `Basic`, `Premium`, `PremiumPlus`, or what X adds.
    #[serde(default, deserialize_with = "lenient")]
    pub subscription_type: Option<String>,
    /// `none`, `blue`, `business`, `government`, or what X adds.
    #[serde(default, deserialize_with = "lenient")]
    pub verified_type: Option<String>,
    /// Whether only followers see the posts.
    #[serde(default, deserialize_with = "lenient")]
    pub protected: Option<bool>,
}

/// Ids are strings; a number is read as well, since nothing is lost.
pub(crate) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    if is_id(&text) {
        Ok(text)
    } else {
        Err(serde::de::Error::custom("not an id"))
    }
}

/// `^[0-9]{1,19}$`, as in the API description.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn lenient<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_vocabularies_are_the_same_post() {
        let legacy: Post = serde_json::from_value(json!({
            "id": "1", "text": "a", "edit_history_tweet_ids": ["1"],
            "referenced_tweets": [{"type": "replied_to", "id": "7"}],
            "note_tweet": {"text": "long"}, "public_metrics": {"retweet_count": 3}
        }))
        .unwrap();
        let current: Post = serde_json::from_value(json!({
            "id": "1", "text": "a", "edit_history_post_ids": ["1"],
            "referenced_posts": [{"type": "replied_to", "id": "7"}],
            "note_post": {"text": "long"}, "public_metrics": {"repost_count": 3}
        }))
        .unwrap();
        for post in [legacy, current] {
            assert_eq!(post.in_reply_to(), Some("7"));
            assert_eq!(post.edit_history_ids.unwrap(), ["1"]);
            assert_eq!(post.note.unwrap().text, "long");
            assert_eq!(post.public_metrics.unwrap().repost_count, 3);
        }
    }

    #[test]
    fn a_field_of_another_form_is_missing() {
        let post: Post = serde_json::from_value(json!({
            "id": 1990000000000000001_u64, "text": "a", "created_at": 5, "entities": [],
            "public_metrics": {"like_count": "many"}, "new": {"thing": true}
        }))
        .unwrap();
        assert_eq!(post.id, "1990000000000000001");
        assert!(post.created_at.is_none());
        assert!(
            post.entities
                .is_none_or(|entities| entities.urls.is_empty())
        );
        assert!(post.public_metrics.is_none());
    }

    #[test]
    fn an_id_is_digits() {
        for id in [
            json!(""),
            json!("12a"),
            json!("12345678901234567890"),
            json!(null),
            json!(-1),
        ] {
            assert!(serde_json::from_value::<Post>(json!({"id": id, "text": "a"})).is_err());
        }
    }
}

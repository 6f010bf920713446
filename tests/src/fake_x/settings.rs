//! How the fake behaves where X differs by plan, by report, or is not known.

use serde::{Deserialize, Serialize};

use super::limits::{self, Limits};

/// Which vocabulary answers use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Names {
    /// `edit_history_tweet_ids`, `retweet_count`, …
    Legacy,
    /// `edit_history_post_ids`, `repost_count`, …
    Current,
}

/// What a refresh answers beside the new access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshAnswer {
    /// Another refresh token; the old one is spent.
    NewPair,
    /// No field for it: the old one stays good (RFC 6749, section 6).
    WithoutRefreshToken,
    /// An empty text in its place.
    EmptyRefreshToken,
    /// `null` in its place.
    NoRefreshToken,
}

/// Everything that can be changed while it runs, in code with `FakeX::configure` or over HTTP
/// with `PATCH /__test/settings` and any of the fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The registered application.
    pub client_id: String,
    /// Its secret; nothing makes it a public client.
    pub client_secret: Option<String>,
    /// Its callbacks, compared byte for byte; with none registered, any is accepted.
    pub redirect_uris: Vec<String>,
    /// An enterprise contract: replies and quotes are open.
    pub enterprise: bool,
    /// Prepaid credits in thousandths of a dollar; nothing means enough.
    pub credits: Option<u64>,
    /// The rate limits.
    pub limits: Limits,
    /// Every X call takes this much longer.
    pub delay_ms: u64,
    /// What a refresh says of the refresh token.
    pub refresh_answer: RefreshAnswer,
    /// Using a refresh token twice kills the whole grant.
    pub kill_family_on_reuse: bool,
    /// Seconds that a new access token is valid.
    pub access_token_seconds: i64,
    /// Who is signed in at the authorize page; nothing means the first account.
    pub authorize_as: Option<String>,
    /// The person says no at the authorize page.
    pub deny_authorization: bool,
    /// The person grants no more than these.
    pub granted_scopes: Option<Vec<String>>,
    /// 403 or 400; reports disagree.
    pub too_long_status: u16,
    /// The most that a text may weigh.
    pub max_weighted_length: i32,
    /// Answers in this vocabulary whatever was asked for.
    pub names: Option<Names>,
    /// Pages are never longer than this, as X's may be.
    pub page_cap: Option<usize>,
    /// Posts appear on the timeline this much later.
    pub timeline_lag_ms: i64,
    /// Whether the same text twice is refused.
    pub refuse_duplicates: bool,
    /// Whether a post that mentions someone is refused unless it replies.
    pub refuse_mentions: bool,
    /// An account's posts in 24 hours over all clients.
    pub daily_ceiling: Option<usize>,
    /// How many requests are kept; older ones are dropped, but stay counted.
    pub keep_requests: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            client_id: "fake-client".to_owned(),
            client_secret: Some("fake-client-secret".to_owned()),
            redirect_uris: Vec::new(),
            enterprise: false,
            credits: None,
            limits: limits::of_x(),
            delay_ms: 0,
            refresh_answer: RefreshAnswer::NewPair,
            kill_family_on_reuse: true,
            access_token_seconds: 7_200,
            authorize_as: None,
            deny_authorization: false,
            granted_scopes: None,
            too_long_status: 403,
            max_weighted_length: 280,
            names: None,
            page_cap: None,
            timeline_lag_ms: 0,
            refuse_duplicates: true,
            refuse_mentions: false,
            daily_ceiling: None,
            keep_requests: 100_000,
        }
    }
}

impl Settings {
    /// No rate limits and duplicates allowed, for measurements.
    #[must_use]
    pub fn unlimited() -> Self {
        Self {
            limits: Limits::new(),
            refuse_duplicates: false,
            keep_requests: 0,
            ..Self::default()
        }
    }
}

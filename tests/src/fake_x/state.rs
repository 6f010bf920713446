//! What the fake remembers.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::clock::{Clock, rfc3339, snowflake};
use super::faults::Faults;
use super::limits::Windows;
use super::record::Record;
use super::settings::Settings;

/// What X really has, in the order of posting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostedPost {
    /// The snowflake id.
    pub id: String,
    /// The text as it was sent.
    pub text: String,
    /// The post that it answers.
    pub in_reply_to: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// Whether it was deleted again.
    pub deleted: bool,
}

/// An account with tokens for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    /// The account's id.
    pub user_id: String,
    /// Its handle.
    pub username: String,
    /// Valid now.
    pub access_token: String,
    /// Unspent.
    pub refresh_token: String,
}

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) locked: bool,
    pub(crate) suspended: bool,
    pub(crate) subscription_type: String,
    /// In order of posting.
    pub(crate) posts: Vec<u64>,
    /// The latest post of each text, for the duplicate check.
    pub(crate) by_text: HashMap<String, u64>,
}

#[derive(Debug, Clone)]
pub(crate) struct StoredPost {
    pub(crate) id: u64,
    pub(crate) user_id: String,
    pub(crate) text: String,
    /// With t.co links and entities.
    pub(crate) shown: String,
    pub(crate) urls: Value,
    pub(crate) in_reply_to: Option<u64>,
    pub(crate) conversation: u64,
    /// Unix milliseconds.
    pub(crate) created: i64,
    pub(crate) deleted: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Grant {
    /// Nothing for an application-only token.
    pub(crate) user_id: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) family: u64,
    /// Unix milliseconds.
    pub(crate) expires: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) user_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) plain: bool,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires: i64,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    /// In order of creation.
    pub(crate) users: Vec<User>,
    pub(crate) posts: HashMap<u64, StoredPost>,
    last_id: u64,
    pub(crate) codes: HashMap<String, Code>,
    pub(crate) access_tokens: HashMap<String, Grant>,
    /// With whether it is spent.
    pub(crate) refresh_tokens: HashMap<String, (Grant, bool)>,
    pub(crate) dead_families: Vec<u64>,
    minted: u64,
    /// Every token and code that was given out, every verifier that was shown.
    pub(crate) secrets: Vec<String>,
    /// Calls that have not been answered yet.
    pub(crate) under_way: usize,
    /// How many calls were ever held, and how many of them were let go: the first come first.
    pub(crate) held: usize,
    pub(crate) let_go: usize,
    pub(crate) windows: Windows,
    pub(crate) faults: Faults,
    pub(crate) record: Record,
    pub(crate) trends: HashMap<String, Vec<(String, Option<u64>)>>,
    /// How often a post was shown, where that is not left to its age.
    pub(crate) views: HashMap<u64, u64>,
    /// Thousandths of a dollar, by X's price list.
    pub(crate) spent: u64,
}

/// The state and the clock, shared by all connections.
#[derive(Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) clock: Clock,
}

impl Shared {
    /// A failed test elsewhere does not make the state unusable.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next id at `now`, greater than every one before.
    pub(crate) fn next_id(&mut self, now: i64) -> u64 {
        self.last_id = snowflake(now).max(self.last_id + 1);
        self.last_id
    }

    /// An opaque token that never comes twice.
    pub(crate) fn mint(&mut self, kind: &str) -> String {
        self.minted += 1;
        let tail: u128 = rand::random();
        let token = format!("fake-{kind}-{}-{tail:032x}", self.minted);
        self.secrets.push(token.clone());
        token
    }

    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    pub(crate) fn user_mut(&mut self, id: &str) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.id == id)
    }

    pub(crate) fn add_user(&mut self, username: Option<String>, now: i64) -> String {
        let id = self.next_id(now).to_string();
        let username = username.unwrap_or_else(|| format!("user_{}", self.users.len() + 1));
        self.users.push(User {
            id: id.clone(),
            username,
            locked: false,
            suspended: false,
            subscription_type: "None".to_owned(),
            posts: Vec::new(),
            by_text: HashMap::new(),
        });
        id
    }

    /// An access and a refresh token of a new or an existing family.
    pub(crate) fn grant(
        &mut self,
        user_id: &str,
        scopes: &[String],
        family: Option<u64>,
        now: i64,
    ) -> (String, String) {
        let access = self.mint("access");
        let refresh = self.mint("refresh");
        let grant = Grant {
            user_id: Some(user_id.to_owned()),
            scopes: scopes.to_vec(),
            family: family.unwrap_or(self.minted),
            expires: now + self.settings.access_token_seconds * 1000,
        };
        self.access_tokens.insert(access.clone(), grant.clone());
        self.refresh_tokens.insert(refresh.clone(), (grant, false));
        (access, refresh)
    }

    pub(crate) fn kill_family(&mut self, family: u64) {
        self.dead_families.push(family);
        self.access_tokens.retain(|_, grant| grant.family != family);
    }

    /// The grant of a token that is valid now.
    pub(crate) fn valid(&self, token: &str, now: i64) -> Option<&Grant> {
        self.access_tokens
            .get(token)
            .filter(|grant| grant.expires > now)
    }

    pub(crate) fn posts_of(&self, user_id: &str) -> Vec<PostedPost> {
        let ids = self.user(user_id).map_or(&[][..], |user| &user.posts);
        ids.iter()
            .filter_map(|id| self.posts.get(id))
            .map(|post| PostedPost {
                id: post.id.to_string(),
                text: post.text.clone(),
                in_reply_to: post.in_reply_to.map(|id| id.to_string()),
                created_at: rfc3339(post.created),
                deleted: post.deleted,
            })
            .collect()
    }
}

//! The fake as a test holds it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::call::Endpoint;
use super::faults::{Fault, FaultRule, When};
use super::record::Recorded;
use super::server;
use super::settings::Settings;
use super::state::{Account, Grant, PostedPost, Shared};

/// What posting for an account needs.
pub(crate) const SCOPES: &[&str] = &["tweet.read", "tweet.write", "users.read", "offline.access"];

/// How a fake starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Its behaviour.
    pub settings: Settings,
    /// For faults that happen by chance.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            settings: Settings::default(),
            seed: 0,
        }
    }
}

/// An account to be made.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewUser {
    /// The handle; nothing counts on.
    pub username: Option<String>,
    /// What its tokens may do; nothing means all that posting needs.
    pub scopes: Option<Vec<String>>,
}

/// What changes about an account; nothing stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserChange {
    /// 403 for every post.
    pub locked: Option<bool>,
    /// 403 for every post.
    pub suspended: Option<bool>,
    /// `None`, `Premium`, …
    pub subscription_type: Option<String>,
}

/// A running fake; dropping it closes every connection.
pub struct FakeX {
    /// `http://127.0.0.1:<port>`: the base of the API, of `/i/oauth2/authorize` and of `/__test/`.
    pub base_url: String,
    control: Control,
    server: JoinHandle<()>,
}

impl FakeX {
    /// Starts one on a free port with X's own limits.
    ///
    /// # Panics
    /// When no port can be bound: a test cannot go on.
    #[allow(
        clippy::expect_used,
        reason = "a test has nothing else to do than to stop here"
    )]
    pub async fn start() -> Self {
        Self::start_with(Options::default())
            .await
            .expect("a free port on 127.0.0.1")
    }

    /// Starts one as described.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start_with(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let control = Control::new(Arc::new(Shared::default()));
        control.configure(|settings| *settings = options.settings);
        control.seed(options.seed);
        let server = tokio::spawn(server::serve(listener, control.shared.clone()));
        Ok(Self {
            base_url,
            control,
            server,
        })
    }

    /// Waits until the server ends, which it does only with its process.
    pub async fn run(mut self) {
        let _ended = (&mut self.server).await;
    }
}

impl Drop for FakeX {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl std::ops::Deref for FakeX {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

/// What steers a fake; `/__test/` offers the same over HTTP.
#[derive(Clone)]
pub struct Control {
    pub(crate) shared: Arc<Shared>,
}

impl Control {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Changes the settings.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.shared.lock().settings);
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.shared.lock().settings.clone()
    }

    /// Makes an account with all that posting needs.
    #[must_use]
    pub fn add_user(&self, username: &str) -> Account {
        self.add(NewUser {
            username: Some(username.to_owned()),
            scopes: None,
        })
    }

    /// Makes an account.
    #[must_use]
    pub fn add(&self, user: NewUser) -> Account {
        let now = self.shared.clock.now();
        let id = self.shared.lock().add_user(user.username, now);
        self.grant_scopes(&id, user.scopes)
    }

    /// A new pair of tokens for an account, as after another authorization. An account that is
    /// not there gets a pair that nobody accepts.
    #[must_use]
    pub fn grant(&self, user_id: &str) -> Account {
        self.grant_scopes(user_id, None)
    }

    pub(crate) fn grant_scopes(&self, user_id: &str, scopes: Option<Vec<String>>) -> Account {
        let scopes =
            scopes.unwrap_or_else(|| SCOPES.iter().map(|scope| (*scope).to_owned()).collect());
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        let (access_token, refresh_token) = state.grant(user_id, &scopes, None, now);
        let user = state.user(user_id);
        Account {
            user_id: user_id.to_owned(),
            username: user.map_or(String::new(), |user| user.username.clone()),
            access_token,
            refresh_token,
        }
    }

    /// A token of the application alone.
    #[must_use]
    pub fn app_token(&self) -> String {
        let mut state = self.shared.lock();
        let token = state.mint("app");
        let grant = Grant {
            user_id: None,
            scopes: Vec::new(),
            family: 0,
            expires: i64::MAX,
        };
        state.access_tokens.insert(token.clone(), grant);
        token
    }

    /// Changes an account; false when there is no such account.
    pub fn change_user(&self, user_id: &str, change: &UserChange) -> bool {
        let mut state = self.shared.lock();
        let Some(user) = state.user_mut(user_id) else {
            return false;
        };
        user.locked = change.locked.unwrap_or(user.locked);
        user.suspended = change.suspended.unwrap_or(user.suspended);
        if let Some(kind) = &change.subscription_type {
            user.subscription_type.clone_from(kind);
        }
        true
    }

    /// The access token stops working now; false when it was not known.
    pub fn expire_access_token(&self, token: &str) -> bool {
        self.shared.lock().access_tokens.remove(token).is_some()
    }

    /// All access tokens of an account stop working now.
    pub fn expire_access_tokens_of(&self, user_id: &str) {
        self.shared
            .lock()
            .access_tokens
            .retain(|_, grant| grant.user_id.as_deref() != Some(user_id));
    }

    /// The person disconnects the application: every token of the account dies.
    pub fn revoke_grants_of(&self, user_id: &str) {
        let mut state = self.shared.lock();
        let families: Vec<u64> = state
            .refresh_tokens
            .values()
            .map(|(grant, _)| grant)
            .chain(state.access_tokens.values())
            .filter(|grant| grant.user_id.as_deref() == Some(user_id))
            .map(|grant| grant.family)
            .collect();
        for family in families {
            state.kill_family(family);
        }
    }

    /// Adds a rule.
    pub fn fault(&self, rule: FaultRule) {
        self.shared.lock().faults.add(rule);
    }

    /// The next `times` calls of an endpoint go wrong.
    pub fn fault_next(&self, endpoint: Endpoint, times: u64, fault: Fault) {
        self.fault(FaultRule {
            endpoint: Some(endpoint),
            user_id: None,
            fault,
            when: When::Next { times, skip: 0 },
        });
    }

    /// Calls of an endpoint go wrong with probability `p`.
    pub fn fault_by_chance(&self, endpoint: Endpoint, p: f64, fault: Fault) {
        self.fault(FaultRule {
            endpoint: Some(endpoint),
            user_id: None,
            fault,
            when: When::Probability { p },
        });
    }

    /// Takes all rules away.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Every token and code that was ever given out, and every verifier that was shown for a code.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.shared.lock().secrets.clone()
    }

    /// Restarts chance.
    pub fn seed(&self, seed: u64) {
        self.shared.lock().faults.seed(seed);
    }

    /// Moves the fake's clock on: tokens expire, windows reset.
    pub fn advance(&self, by: Duration) {
        let milliseconds = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.shared.clock.advance(milliseconds);
    }

    /// Unix milliseconds of the fake's clock.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.shared.clock.now()
    }

    /// What was really posted for an account, in order, deleted posts included.
    #[must_use]
    pub fn posts_of(&self, user_id: &str) -> Vec<PostedPost> {
        self.shared.lock().posts_of(user_id)
    }

    /// How often a post was shown, from now on and whatever its age; its other counts follow. False
    /// when it is not an id.
    pub fn set_views(&self, id: &str, views: u64) -> bool {
        let Ok(id) = id.parse() else { return false };
        self.shared.lock().views.insert(id, views);
        true
    }

    /// How many posts there are of all accounts.
    #[must_use]
    pub fn post_count(&self) -> usize {
        self.shared.lock().posts.len()
    }

    /// The requests that are kept, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().record.kept()
    }

    /// The kept requests of one endpoint.
    #[must_use]
    pub fn requests_to(&self, endpoint: Endpoint) -> Vec<Recorded> {
        let mut requests = self.requests();
        requests.retain(|request| request.endpoint == endpoint);
        requests
    }

    /// How many requests each endpoint had, kept or not.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Endpoint, u64> {
        self.shared.lock().record.counts()
    }

    /// Forgets the requests, not the posts.
    pub fn clear_requests(&self) {
        self.shared.lock().record = super::record::Record::default();
    }

    /// The trends of a place; a count may be missing, as X's are.
    pub fn set_trends(&self, woeid: &str, trends: Vec<(String, Option<u64>)>) {
        self.shared.lock().trends.insert(woeid.to_owned(), trends);
    }

    /// What was spent by X's price list, in thousandths of a dollar.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.shared.lock().spent
    }

    /// Forgets everything but the settings.
    pub fn reset(&self) {
        let mut state = self.shared.lock();
        let settings = state.settings.clone();
        *state = super::state::State::default();
        state.settings = settings;
    }

    /// Changes some settings by name.
    ///
    /// # Errors
    /// A name or a value that does not exist, in words.
    pub fn patch_settings(&self, changes: &Value) -> Result<Settings, String> {
        let mut state = self.shared.lock();
        let mut value = serde_json::to_value(&state.settings).map_err(|error| error.to_string())?;
        let (Some(fields), Some(changes)) = (value.as_object_mut(), changes.as_object()) else {
            return Err("an object is expected".to_owned());
        };
        fields.extend(changes.clone());
        state.settings = serde_json::from_value(value).map_err(|error| error.to_string())?;
        Ok(state.settings.clone())
    }
}

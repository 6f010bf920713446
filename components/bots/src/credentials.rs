//! Access tokens of bots, kept in the vault, and whose they are.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use vivesphere_config as config;
use vivesphere_crypto::Secret;
use vivesphere_domain::bots;
use vivesphere_domain::publishing::credentials_version;
use vivesphere_domain::time_zone::parse_instant;
use vivesphere_domain::x_spending::{self, Purpose, Spent, price};
use vivesphere_domain::{Actor, Error, Instant, Principal};
use vivesphere_http::{Context, Problem, Reply, StatusCode, internal};
use vivesphere_x_api::{App, CallError, Client, Refusal, Tokens, User};

use crate::refresh::refresh;
use crate::wire;

/// A token that ends within this time is refreshed before it is handed out.
const EARLY_MILLISECONDS: i64 = 60_000;
/// X's longest window is a day.
const LONGEST_WAIT: u64 = 86_400;
/// What the vault says of data that it cannot open.
const SEALED_DATA_DAMAGED: &str = "sealed_data_damaged";
/// The longest token that is taken: two fit into the vault's row.
const TOKEN_BYTES: usize = 4096;

/// What the vault holds of a bot.
pub(crate) struct Stored {
    pub(crate) access_token: Secret<String>,
    pub(crate) refresh_token: Option<Secret<String>>,
    expires_at: Option<Instant>,
}

impl Stored {
    /// What X gave; an absent refresh token leaves the old one in place.
    pub(crate) fn new(tokens: Tokens, old: Option<Secret<String>>) -> Self {
        Self {
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token.or(old),
            expires_at: tokens
                .expires_in
                .map(|seconds| Instant::now().plus(Duration::from_secs(seconds))),
        }
    }

    fn data(&self) -> BTreeMap<&'static str, String> {
        let mut data = BTreeMap::from([
            ("type", "oauth2".to_owned()),
            ("access_token", self.access_token.expose().clone()),
        ]);
        if let Some(token) = &self.refresh_token {
            data.insert("refresh_token", token.expose().clone());
        }
        if let Some(instant) = self.expires_at {
            data.insert("expires_at", instant.to_string());
        }
        data
    }
}

/// How long a call of X may take.
pub(crate) async fn timeout() -> Result<Duration, Problem> {
    let seconds = config::integer("x_request_timeout_seconds").await?;
    Ok(Duration::from_secs(seconds))
}

pub(crate) async fn client() -> Result<Client, Problem> {
    let base = config::origin("x_api_base_url").await?;
    Ok(Client::new(base, timeout().await?))
}

pub(crate) async fn app() -> Result<App<'static>, Problem> {
    Ok(App {
        client_id: config::optional_text("x_client_id").await?.unwrap_or(""),
        client_secret: config::optional_secret_text("x_client_secret")
            .await?
            .map(|secret| secret.expose().as_str()),
    })
}

/// Checks credentials that a person gives.
pub(crate) fn check(given: &wire::Credentials) -> Result<(), Problem> {
    let visible = |text: &str| {
        (1..=TOKEN_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !visible(&given.access_token) {
        return Err(Error::invalid("/credentials/access_token", "is not a token").into());
    }
    if given
        .refresh_token
        .as_deref()
        .is_some_and(|token| !visible(token))
    {
        return Err(Error::invalid("/credentials/refresh_token", "is not a token").into());
    }
    if let Some(text) = &given.expires_at {
        parse_instant(text)
            .map_err(|error| Error::invalid("/credentials/expires_at", error.to_string()))?;
    }
    Ok(())
}

/// Stores credentials that a person gave.
pub(crate) async fn store_given(
    context: &Context,
    bot_id: &str,
    given: &wire::Credentials,
) -> Result<(), Problem> {
    let stored = Stored {
        access_token: Secret::new(given.access_token.clone()),
        refresh_token: given.refresh_token.clone().map(Secret::new),
        expires_at: given
            .expires_at
            .as_deref()
            .and_then(|text| parse_instant(text).ok()),
    };
    store(context, bot_id, None, &stored).await.map(drop)
}

#[derive(Deserialize)]
struct Version {
    version: i64,
}

/// Puts credentials into the vault; gives back their version.
pub(crate) async fn store(
    context: &Context,
    bot_id: &str,
    expected_version: Option<i64>,
    stored: &Stored,
) -> Result<i64, Problem> {
    match try_to_store(context, bot_id, expected_version, stored).await {
        Ok(version) => Ok(version),
        // The bot was deleted a moment ago.
        Err(internal::Error::Refused { status, .. }) if status == StatusCode::NOT_FOUND => {
            Err(Problem::not_found())
        }
        Err(error) => Err(error.into()),
    }
}

/// As [`store`], with the vault's own answer.
pub(crate) async fn try_to_store(
    context: &Context,
    bot_id: &str,
    expected_version: Option<i64>,
    stored: &Stored,
) -> Result<i64, internal::Error> {
    let body = json!({
        "bot_id": bot_id,
        "data": stored.data(),
        "expected_version": expected_version,
    });
    let path = "/internal/botdata/store";
    let stored: Version = internal::post("botdata", path, &body, context.request_id()).await?;
    Ok(stored.version)
}

#[derive(Deserialize)]
struct Revealed {
    version: i64,
    data: RevealedData,
}

/// Whatever was stored: people may put other things into the vault than tokens.
#[derive(Deserialize)]
struct RevealedData {
    #[serde(default)]
    access_token: Value,
    #[serde(default)]
    refresh_token: Value,
    #[serde(default)]
    expires_at: Value,
}

/// The credentials and their version. A bot without any that can be read is stopped: it needs a person.
pub(crate) async fn reveal(context: &Context, bot_id: &str) -> Result<(i64, Stored), Problem> {
    let asked = credentials_version(&context.db, bot_id).await?;
    let body = json!({"bot_id": bot_id});
    let answer: Result<Revealed, internal::Error> = internal::post(
        "botdata",
        "/internal/botdata/reveal",
        &body,
        context.request_id(),
    )
    .await;
    let revealed = match answer {
        Ok(revealed) => revealed,
        Err(internal::Error::Refused { status, .. }) if status == StatusCode::NOT_FOUND => {
            return Err(credentials_missing(context, bot_id, 0).await?);
        }
        Err(internal::Error::Refused { status, code, .. })
            if status == StatusCode::CONFLICT && code == SEALED_DATA_DAMAGED =>
        {
            return Err(sealed_data_damaged(context, bot_id, asked).await?);
        }
        Err(error) => return Err(error.into()),
    };
    let RevealedData {
        access_token: Value::String(access_token),
        refresh_token,
        expires_at,
    } = revealed.data
    else {
        return Err(credentials_missing(context, bot_id, revealed.version).await?);
    };
    let stored = Stored {
        access_token: Secret::new(access_token),
        refresh_token: match refresh_token {
            Value::String(token) => Some(Secret::new(token)),
            _ => None,
        },
        expires_at: expires_at
            .as_str()
            .and_then(|text| parse_instant(text).ok()),
    };
    Ok((revealed.version, stored))
}

/// An access token for the publisher: refreshed when it is about to end, or when X rejected the
/// one of this version.
pub(crate) async fn access_token(context: Context) -> Result<Reply, Problem> {
    let request: wire::AccessTokenRequest = context.json()?;
    let bot_id = context.id("bot_id")?;
    bots::get(&context.db, &Principal::service(), &bot_id).await?;
    let (mut version, mut stored) = reveal(&context, &bot_id).await?;
    let ends = stored
        .expires_at
        .is_some_and(|end| end.millis_since(Instant::now()) < EARLY_MILLISECONDS);
    let mut refreshed = false;
    if request.rejected_version == Some(version) || (ends && stored.refresh_token.is_some()) {
        (version, stored) = refresh(&context, &bot_id, version).await?;
        refreshed = true;
    }
    let mut x_user_id = account(&context, &bot_id, version, &stored).await?;
    if x_user_id.is_none() && !refreshed {
        (version, stored) = refresh(&context, &bot_id, version).await?;
        x_user_id = account(&context, &bot_id, version, &stored).await?;
    }
    let x_user_id = x_user_id.ok_or_else(|| {
        Problem::new(
            StatusCode::CONFLICT,
            "token_rejected",
            "X does not accept a token that it has just given: is the account locked?",
        )
    })?;
    Reply::ok(&wire::AccessToken {
        access_token: stored.access_token.expose(),
        version,
        x_user_id: &x_user_id,
        expires_at: stored.expires_at,
    })
}

/// Whose account it is; asked of X once, and needed before anything can be reconciled. `None`
/// when X does not accept the token.
async fn account(
    context: &Context,
    bot_id: &str,
    version: i64,
    stored: &Stored,
) -> Result<Option<String>, Problem> {
    if let Some(id) = bots::account(&context.db, bot_id, version).await? {
        return Ok(Some(id));
    }
    let user = match ask_whose(context, &stored.access_token, 30).await? {
        Whose::Of(user) => user,
        Whose::Rejected => return Ok(None),
        Whose::Blocked(refusal) => {
            let reason = ("paused", (refusal.code, refusal.detail.as_str()));
            stop(context, bot_id, version, reason).await?;
            return Err(blocked(&refusal));
        }
    };
    let account = (user.id.as_str(), user.username.as_str(), version);
    match bots::set_account(&context.db, bot_id, account).await {
        Ok(true) => Ok(Some(user.id)),
        Ok(false) => Err(credentials_changed()),
        Err(error @ Error::Conflict { .. }) => {
            const DETAIL: &str = "Another bot acts as this X account already: give this one \
                another account, or delete the other and resume this one.";
            let reason = ("paused", ("x_account_in_use", DETAIL));
            stop(context, bot_id, version, reason).await?;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// What X says when it is asked whose account a token is of.
pub(crate) enum Whose {
    /// This account's.
    Of(User),
    /// X does not accept the token.
    Rejected,
    /// X lets this account, or this deployment's app, do nothing until a person has settled it.
    Blocked(Refusal),
}

/// Passes on why X lets an account or the app do nothing.
pub(crate) fn blocked(refusal: &Refusal) -> Problem {
    let detail = format!("X refuses: {}", refusal.detail);
    Problem::new(StatusCode::CONFLICT, refusal.code, detail)
}

/// Asks X whose account a token is of. `retry_after` is said where X does not say it itself.
pub(crate) async fn ask_whose(
    context: &Context,
    access_token: &Secret<String>,
    retry_after: u64,
) -> Result<Whose, Problem> {
    let user = match client().await?.users_me(access_token.expose()).await {
        Ok(user) => user,
        Err(CallError::Unauthorized(_)) => return Ok(Whose::Rejected),
        Err(CallError::AppBlocked(refusal) | CallError::AccountBlocked(refusal)) => {
            return Ok(Whose::Blocked(refusal));
        }
        Err(error) => {
            let detail = "X did not say whose account it is.";
            let wait = error.retry_after(Instant::now().unix_millis() / 1000);
            let wait = wait.unwrap_or(0).clamp(retry_after, LONGEST_WAIT);
            let problem = Problem::unavailable("x_unavailable", detail, wait);
            return Err(problem.caused_by(error));
        }
    };
    let spent = Spent {
        purpose: Purpose::Account,
        requests: 1,
        resources: 1,
        micro_dollars: price::USER_READ,
    };
    x_spending::add(&context.db, spent).await?;
    Ok(Whose::Of(user))
}

/// A person has stored others while these were being tried: what came of these says nothing of them.
pub(crate) fn credentials_changed() -> Problem {
    Problem::unavailable(
        "credentials_changed",
        "The bot's credentials have just been replaced.",
        1,
    )
}

/// Stops a bot whose credentials of this version do not work.
async fn stop(
    context: &Context,
    bot_id: &str,
    version: i64,
    reason: (&str, (&str, &str)),
) -> Result<(), Problem> {
    let actor = Actor::new(context.principal()?, context.request_id());
    if bots::stop_unless_replaced(&context.db, &actor, bot_id, version, reason).await? {
        return Ok(());
    }
    Err(credentials_changed())
}

pub(crate) async fn needs_reauth(
    context: &Context,
    bot_id: &str,
    version: i64,
    code: &str,
) -> Result<Problem, Problem> {
    const DETAIL: &str = "X does not accept this bot's authorization any more: connect it again.";
    stop(context, bot_id, version, ("needs_reauth", (code, DETAIL))).await?;
    Ok(Problem::new(StatusCode::CONFLICT, "needs_reauth", DETAIL))
}

async fn credentials_missing(
    context: &Context,
    bot_id: &str,
    version: i64,
) -> Result<Problem, Problem> {
    const CODE: &str = "credentials_missing";
    const DETAIL: &str = "The vault holds no access token of this bot: connect it.";
    stop(context, bot_id, version, ("needs_reauth", (CODE, DETAIL))).await?;
    Ok(Problem::new(StatusCode::CONFLICT, CODE, DETAIL))
}

async fn sealed_data_damaged(
    context: &Context,
    bot_id: &str,
    version: i64,
) -> Result<Problem, Problem> {
    const DETAIL: &str = "The vault cannot open this bot's credentials: give back the key under which \
        they were sealed, then resume the bot, or connect it again.";
    let reason = ("paused", (SEALED_DATA_DAMAGED, DETAIL));
    stop(context, bot_id, version, reason).await?;
    Ok(Problem::new(
        StatusCode::CONFLICT,
        SEALED_DATA_DAMAGED,
        DETAIL,
    ))
}

//! Access tokens of bots: kept in the vault, refreshed one at a time, the new pair stored before
//! it is used.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use vivesphere_config as config;
use vivesphere_crypto::Secret;
use vivesphere_domain::bots::{self, Bot};
use vivesphere_domain::time_zone::parse_instant;
use vivesphere_domain::token_refreshes::{self, Ended, Lease};
use vivesphere_domain::x_spending::{self, Purpose, Spent, price};
use vivesphere_domain::{Actor, Error, Instant, Principal};
use vivesphere_http::{Context, Problem, Reply, StatusCode, internal};
use vivesphere_x_api::{App, CallError, Client, TokenError, Tokens};

use crate::wire;

/// A token that ends within this time is refreshed before it is handed out.
const EARLY_MILLISECONDS: i64 = 60_000;
/// The longest token that is taken: two fit into the vault's row.
const TOKEN_BYTES: usize = 4096;

/// What the vault holds of a bot.
pub(crate) struct Stored {
    access_token: Secret<String>,
    refresh_token: Option<Secret<String>>,
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

pub(crate) async fn client() -> Result<Client, Problem> {
    let base = config::origin("x_api_base_url").await?;
    let seconds = config::integer("x_request_timeout_seconds").await?;
    Ok(Client::new(base, Duration::from_secs(seconds)))
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
    let body = json!({
        "bot_id": bot_id,
        "data": stored.data(),
        "expected_version": expected_version,
    });
    let answer: Version = internal::post(
        "botdata",
        "/internal/botdata/store",
        &body,
        context.request_id(),
    )
    .await?;
    Ok(answer.version)
}

#[derive(Deserialize)]
struct Revealed {
    version: i64,
    data: RevealedData,
}

#[derive(Deserialize)]
struct RevealedData {
    access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    expires_at: Option<String>,
}

async fn reveal(context: &Context, bot_id: &str) -> Result<(i64, Stored), Problem> {
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
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "credentials_missing",
                "The vault holds no credentials of this bot.",
            ));
        }
        Err(error) => return Err(error.into()),
    };
    let stored = Stored {
        access_token: Secret::new(revealed.data.access_token),
        refresh_token: revealed.data.refresh_token.map(Secret::new),
        expires_at: revealed
            .data
            .expires_at
            .and_then(|text| parse_instant(&text).ok()),
    };
    Ok((revealed.version, stored))
}

/// An access token for the publisher: refreshed when it is about to end, or when X rejected the
/// one of this version.
pub(crate) async fn access_token(context: Context) -> Result<Reply, Problem> {
    let request: wire::AccessTokenRequest = context.json()?;
    let bot_id = context.id("bot_id")?;
    let bot = bots::get(&context.db, &Principal::service(), &bot_id).await?;
    let (mut version, mut stored) = reveal(&context, &bot_id).await?;
    let ends = stored
        .expires_at
        .is_some_and(|end| end.millis_since(Instant::now()) < EARLY_MILLISECONDS);
    let mut refreshed = false;
    if request.rejected_version == Some(version) || (ends && stored.refresh_token.is_some()) {
        (version, stored) = refresh(&context, &bot_id, version).await?;
        refreshed = true;
    }
    let mut x_user_id = account(&context, &bot, &stored).await?;
    if x_user_id.is_none() && !refreshed {
        (version, stored) = refresh(&context, &bot_id, version).await?;
        x_user_id = account(&context, &bot, &stored).await?;
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
async fn account(context: &Context, bot: &Bot, stored: &Stored) -> Result<Option<String>, Problem> {
    if let Some(id) = &bot.x_user_id {
        return Ok(Some(id.clone()));
    }
    let asked = client().await?.users_me(stored.access_token.expose()).await;
    let user = match asked {
        Ok(user) => user,
        Err(CallError::Unauthorized(_)) => return Ok(None),
        Err(error) => {
            return Err(Problem::unavailable(
                "x_unavailable",
                "X did not say whose account it is.",
                30,
            )
            .caused_by(error));
        }
    };
    let spent = Spent {
        purpose: Purpose::Account,
        requests: 1,
        resources: 1,
        micro_dollars: price::USER_READ,
    };
    x_spending::add(&context.db, spent).await?;
    bots::set_account(&context.db, &bot.bot_id, &user.id, &user.username).await?;
    Ok(Some(user.id))
}

async fn refresh(context: &Context, bot_id: &str, rejected: i64) -> Result<(i64, Stored), Problem> {
    let lease = match token_refreshes::take(&context.db, bot_id).await? {
        Lease::Taken(lease) => lease,
        Lease::Wait(seconds) => {
            return Err(Problem::unavailable(
                "refresh_waits",
                "The token is being refreshed, or the last try failed a moment ago.",
                seconds,
            ));
        }
    };
    // Read again under the lease: another may have refreshed since.
    let (version, old) = reveal(context, bot_id).await?;
    if version != rejected {
        token_refreshes::done(&context.db, bot_id, lease, Ended::Unneeded).await?;
        return Ok((version, old));
    }
    let Some(refresh_token) = old.refresh_token else {
        token_refreshes::done(&context.db, bot_id, lease, Ended::Refused).await?;
        return Err(needs_reauth(context, bot_id, "no_refresh_token").await?);
    };
    match client()
        .await?
        .refresh(app().await?, refresh_token.expose())
        .await
    {
        Ok(tokens) => {
            let stored = Stored::new(tokens, Some(refresh_token));
            // Stored before it is used: the old refresh token is spent.
            let version = store(context, bot_id, Some(version), &stored).await?;
            token_refreshes::done(&context.db, bot_id, lease, Ended::Refreshed).await?;
            Ok((version, stored))
        }
        Err(TokenError::GrantDead(refusal)) => {
            token_refreshes::done(&context.db, bot_id, lease, Ended::Refused).await?;
            Err(needs_reauth(context, bot_id, refusal.code).await?)
        }
        Err(error) => {
            token_refreshes::failed(&context.db, bot_id, lease).await?;
            Err(
                Problem::unavailable("refresh_failed", "X did not refresh the token now.", 5)
                    .caused_by(error),
            )
        }
    }
}

async fn needs_reauth(context: &Context, bot_id: &str, code: &str) -> Result<Problem, Problem> {
    const DETAIL: &str = "X does not accept this bot's authorization any more: connect it again.";
    let actor = Actor::new(context.principal()?, context.request_id());
    let transaction = context.db.transaction().await?;
    let reason = Some((code, DETAIL));
    bots::set_status(&transaction, &actor, bot_id, "needs_reauth", reason).await?;
    transaction.commit().await?;
    Ok(Problem::new(StatusCode::CONFLICT, "needs_reauth", DETAIL))
}

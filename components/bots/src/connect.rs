//! Connecting a bot to its account: OAuth 2.0 with PKCE (RFC 7636).

use vivesphere_config as config;
use vivesphere_crypto::{pkce, random};
use vivesphere_domain::{Actor, Principal, bots, oauth_states};
use vivesphere_http::{Context, Problem, Reply, StatusCode};
use vivesphere_x_api::{AuthorizeRequest, TokenError, authorize_url};

use crate::credentials::{self, Stored, Whose};
use crate::wire;

const SCOPES: &[&str] = &[
    "tweet.read",
    "tweet.write",
    "users.read",
    "media.write",
    "offline.access",
];

/// Without any of these a bot cannot act, or not for long; people may grant less than was asked for.
const NEEDED: &[&str] = &["tweet.read", "tweet.write", "users.read", "offline.access"];

/// Refuses a grant that is not enough. X need not say what it granted when it is all that was asked
/// for (RFC 6749, section 5.1).
fn check_scopes(granted: &[String]) -> Result<(), Problem> {
    let missing: Vec<&str> = NEEDED
        .iter()
        .copied()
        .filter(|needed| !granted.iter().any(|scope| scope == needed))
        .collect();
    if granted.is_empty() || missing.is_empty() {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::CONFLICT,
        "scopes_missing",
        format!(
            "The account's owner did not grant all that is needed: {} missing. Begin again.",
            missing.join(", ")
        ),
    ))
}

async fn redirect_uri() -> Result<String, Problem> {
    let base = config::url("public_base_url").await?;
    let base = base.as_str().trim_end_matches('/');
    Ok(format!("{base}/api/v1/bots/callback"))
}

pub(crate) async fn begin(context: Context) -> Result<Reply, Problem> {
    let bot_id = context.id("bot_id")?;
    let principal = context.principal()?;
    bots::get_writable(&context.db, principal, &bot_id).await?;
    let client_id = config::optional_text("x_client_id").await?.ok_or_else(|| {
        Problem::new(
            StatusCode::CONFLICT,
            "x_app_not_configured",
            "This deployment has no X app: its variable `x_client_id` is empty.",
        )
    })?;
    let state = random::token("", 32).map_err(Problem::internal)?;
    // Derived from the state, so that it need not be stored.
    let key = config::secret_text("service_key").await?;
    let verifier = pkce::verifier(key.expose().as_bytes(), state.expose());
    oauth_states::begin(&context.db, state.expose(), &bot_id, &principal.id).await?;
    let url = authorize_url(
        config::url("x_authorize_url").await?,
        &AuthorizeRequest {
            client_id,
            redirect_uri: &redirect_uri().await?,
            scopes: SCOPES,
            state: state.expose(),
            code_challenge: &pkce::challenge(&verifier),
        },
    );
    context.actor()?;
    Reply::ok(&wire::Authorize {
        authorize_url: url.as_str(),
    })
}

pub(crate) async fn callback(context: Context) -> Result<Reply, Problem> {
    let query: wire::Callback = context.query()?;
    let state = query
        .state
        .ok_or_else(|| Problem::malformed("The query has no state."))?;
    let Some((bot_id, user_id)) = oauth_states::finish(&context.db, &state).await? else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "state_unknown",
            "This authorization is unknown, used or too old: begin again.",
        ));
    };
    let Some(code) = query.code.filter(|_| query.error.is_none()) else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "authorization_denied",
            "The account's owner did not agree.",
        ));
    };
    // The code is good once: it is not spent for a bot that is gone.
    bots::get(&context.db, &Principal::service(), &bot_id).await?;
    let key = config::secret_text("service_key").await?;
    let verifier = pkce::verifier(key.expose().as_bytes(), &state);
    let client = credentials::client().await?;
    let app = credentials::app().await?;
    let tokens = client
        .exchange_code(app, &code, &redirect_uri().await?, &verifier)
        .await
        .map_err(refused)?;
    check_scopes(&tokens.scopes)?;
    let account = match credentials::ask_whose(&context, &tokens.access_token, 5).await? {
        Whose::Of(account) => account,
        Whose::Blocked(refusal) => return Err(credentials::blocked(&refusal)),
        Whose::Rejected => {
            let detail = "X did not say whose account it is.";
            return Err(Problem::unavailable("x_unavailable", detail, 5));
        }
    };
    let actor = Actor {
        kind: "user",
        id: user_id,
        request_id: context.request_id().to_owned(),
    };
    // Another bot's account is refused before anything of this one is replaced.
    bots::reserve_account(&context.db, &bot_id, &account.id, &account.username).await?;
    let stored = Stored::new(tokens, None);
    let version = credentials::store(&context, &bot_id, None, &stored).await?;
    bots::connected(
        &context.db,
        &actor,
        &bot_id,
        Some((&account.id, &account.username, version)),
    )
    .await?;
    let bot = bots::get(&context.db, &Principal::service(), &bot_id).await?;
    Reply::ok(&wire::BotBody::from(bot))
}

fn refused(error: TokenError) -> Problem {
    match error {
        TokenError::GrantDead(_) => Problem::new(
            StatusCode::CONFLICT,
            "code_refused",
            "X did not accept the code: begin again.",
        ),
        TokenError::AppProblem(_) => Problem::new(
            StatusCode::CONFLICT,
            "x_app_refused",
            "X did not accept this deployment's app: check its client id and secret.",
        ),
        other => Problem::unavailable("x_unavailable", "X did not answer; begin again.", 5)
            .caused_by(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_needs_every_scope_that_the_bot_uses() {
        let granted = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert!(check_scopes(&granted("")).is_ok());
        let all = "users.read tweet.read tweet.write offline.access";
        assert!(check_scopes(&granted(all)).is_ok());
        for needed in NEEDED {
            let others = all.replace(needed, "");
            assert!(check_scopes(&granted(&others)).is_err(), "{needed}");
        }
    }
}

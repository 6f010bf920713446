//! Extract → parse → domain → wire.

use serde_json::{Value, json};
use vivesphere_config as config;
use vivesphere_crypto::{JwkSet, Secret, Verdict};
use vivesphere_domain::sessions::{self, Refreshed, Started};
use vivesphere_domain::users::{self, UserChange};
use vivesphere_domain::{Actor, Instant, login_failures, parse_id, signing_keys};
use vivesphere_http::{Context, Problem, Reply, StatusCode, verify};

use crate::{tokens, wire};

fn actor(context: &Context) -> Result<Actor, Problem> {
    Ok(Actor::new(context.principal()?, context.request_id()))
}

fn user_id(context: &Context) -> Result<String, Problem> {
    parse_id(context.parameter("user_id")).ok_or_else(Problem::not_found)
}

pub(crate) async fn login(context: Context) -> Result<Reply, Problem> {
    let login: wire::Login = context.json()?;
    let anonymous = Actor::anonymous(context.request_id());
    let address = context.client_address();
    login_failures::check(&context.db, &login.username, address).await?;
    let admin = config::text("bootstrap_admin_username").await?;
    let password = config::secret_text("bootstrap_admin_password").await?;
    users::bootstrap(&context.db, &anonymous, admin, password).await?;
    let user = users::authenticate(&context.db, &login.username, &login.password).await?;
    let Some(user) = user else {
        login_failures::note(&context.db, &login.username, address).await?;
        return Err(Problem::unauthorized(
            "invalid_credentials",
            "The username or the password is not right.",
        ));
    };
    login_failures::forget(&context.db, &login.username).await?;
    let days = config::integer("refresh_token_days").await?;
    let started = sessions::start(&context.db, &anonymous, &user.user_id, days).await?;
    signed_in(&context, &user.user_id, &started).await
}

/// The body of login and refresh.
async fn signed_in(context: &Context, user_id: &str, started: &Started) -> Result<Reply, Problem> {
    let user = users::get(&context.db, user_id).await?;
    let (token, expires_in) = tokens::issue(&context.db, user_id, &started.session_id).await?;
    Reply::ok(&json!({
        "token": token.expose(),
        "token_type": "Bearer",
        "expires_in": expires_in,
        "refresh_token": started.refresh_token.expose(),
        "refresh_expires_at": started.refresh_expires_at,
        "refresh_expires_in": started.refresh_expires_at.millis_since(Instant::now()) / 1000,
        "user": {"user_id": user.user_id, "username": user.username, "roles": user.roles},
    }))
}

pub(crate) async fn validate(context: Context) -> Result<Reply, Problem> {
    let query: wire::Validate = context.query()?;
    let token = match (&query.token, context.bearer_token()) {
        (Some(token), _) => token.as_str(),
        (None, Some(token)) => token,
        (None, None) => {
            return Err(Problem::unauthorized(
                "missing_credentials",
                "Send the token as ?token= or as the bearer.",
            ));
        }
    };
    let now = Instant::now();
    let claims = match verify(&context.db, token, now).await? {
        Verdict::Valid(claims) => claims,
        verdict => {
            let reason = verdict.reason().unwrap_or("malformed");
            return Reply::ok(&json!({"valid": false, "reason": reason}));
        }
    };
    let principal =
        sessions::principal(&context.db, &claims.session_id, &claims.subject, now).await?;
    let body: Value = match principal {
        Some(principal) => json!({
            "valid": true,
            "user_id": principal.id,
            "username": principal.username,
            "roles": principal.roles,
            "permissions": principal.permissions,
            "expires_at": Instant::from_unix_seconds(claims.expires_at),
        }),
        None => json!({"valid": false, "reason": "revoked"}),
    };
    Reply::ok(&body)
}

pub(crate) async fn refresh(context: Context) -> Result<Reply, Problem> {
    let body: wire::Refresh = context.json()?;
    match exchange(&context, &body.refresh_token).await? {
        Refreshed::Next(started, user_id) => signed_in(&context, &user_id, &started).await,
        Refreshed::Reused => Err(Problem::unauthorized(
            "refresh_reused",
            "This refresh token was used before; its whole session has been ended.",
        )),
        Refreshed::Invalid => Err(Problem::unauthorized(
            "invalid_refresh_token",
            "The refresh token is unknown, expired or of an ended session.",
        )),
    }
}

async fn exchange(context: &Context, token: &Secret<String>) -> Result<Refreshed, Problem> {
    let days = config::integer("refresh_token_days").await?;
    let actor = Actor::anonymous(context.request_id());
    Ok(sessions::refresh(&context.db, &actor, token, days).await?)
}

/// OAuth 2.0 (RFC 6749): the bodies and errors are the RFC's, not this API's.
pub(crate) async fn token(context: Context) -> Result<Reply, Problem> {
    let form: wire::TokenForm = context.form()?;
    let refused = |status: StatusCode, error: &str| Reply::json(status, &json!({"error": error}));
    match form.grant_type.as_str() {
        "refresh_token" => match exchange(&context, &Secret::new(form.refresh_token)).await? {
            Refreshed::Next(started, user_id) => {
                let (token, expires_in) =
                    tokens::issue(&context.db, &user_id, &started.session_id).await?;
                Reply::ok(&json!({
                    "access_token": token.expose(),
                    "token_type": "Bearer",
                    "expires_in": expires_in,
                    "refresh_token": started.refresh_token.expose(),
                }))
            }
            Refreshed::Reused | Refreshed::Invalid => {
                refused(StatusCode::BAD_REQUEST, "invalid_grant")
            }
        },
        // No access keys are handed out, so no client is known.
        "client_credentials" => refused(StatusCode::UNAUTHORIZED, "invalid_client"),
        "" => refused(StatusCode::BAD_REQUEST, "invalid_request"),
        _ => refused(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
    }
}

pub(crate) async fn logout(context: Context) -> Result<Reply, Problem> {
    let _: wire::Logout = context.json_or_default()?;
    let session_id = context.principal()?.session_id.clone();
    sessions::revoke(&context.db, &actor(&context)?, &session_id, "logout").await?;
    Ok(Reply::no_content())
}

pub(crate) async fn me(context: Context) -> Result<Reply, Problem> {
    let principal = context.principal()?;
    Reply::ok(&json!({
        "user_id": principal.id,
        "username": principal.username,
        "roles": principal.roles,
        "permissions": principal.permissions,
    }))
}

pub(crate) async fn change_password(context: Context) -> Result<Reply, Problem> {
    let body: wire::Password = context.json()?;
    let session_id = &context.principal()?.session_id;
    users::change_password(
        &context.db,
        &actor(&context)?,
        session_id,
        &body.current_password,
        &body.new_password,
    )
    .await?;
    Ok(Reply::no_content())
}

pub(crate) async fn health(context: Context) -> Result<Reply, Problem> {
    tokens::prepare(&context.db).await?;
    Reply::ok(&json!({"status": "ok", "service": "auth"}))
}

pub(crate) async fn jwks(context: Context) -> Result<Reply, Problem> {
    tokens::prepare(&context.db).await?;
    let keys = signing_keys::current(&context.db, Instant::now()).await?;
    Reply::ok(&JwkSet::new(&keys))
}

pub(crate) async fn create_user(context: Context) -> Result<Reply, Problem> {
    let new: wire::NewUser = context.json()?;
    let user = users::create(
        &context.db,
        &actor(&context)?,
        &new.username,
        &new.password,
        &new.roles,
    )
    .await?;
    Reply::created(&wire::UserBody::from(user))
}

pub(crate) async fn list_users(context: Context) -> Result<Reply, Problem> {
    let query: wire::ListQuery = context.query()?;
    let page = context.page(query.limit, query.cursor.as_deref())?;
    let listed = users::list(&context.db, &page).await?;
    Reply::ok(&wire::Listed {
        items: listed.items.into_iter().map(wire::UserBody::from).collect(),
        next_cursor: listed.next_cursor,
    })
}

pub(crate) async fn get_user(context: Context) -> Result<Reply, Problem> {
    let user = users::get(&context.db, &user_id(&context)?).await?;
    Reply::ok(&wire::UserBody::from(user))
}

pub(crate) async fn update_user(context: Context) -> Result<Reply, Problem> {
    let patch: wire::UserPatch = context.json()?;
    let change = UserChange {
        password: patch.password.map(Secret::new),
        roles: patch.roles,
        disabled: patch.disabled,
    };
    let user = users::update(
        &context.db,
        &actor(&context)?,
        &user_id(&context)?,
        context.if_match()?,
        &change,
    )
    .await?;
    Reply::ok(&wire::UserBody::from(user))
}

pub(crate) async fn delete_user(context: Context) -> Result<Reply, Problem> {
    users::delete(&context.db, &actor(&context)?, &user_id(&context)?).await?;
    Ok(Reply::no_content())
}

pub(crate) async fn expire(context: Context) -> Result<Reply, Problem> {
    let started = Instant::now();
    let deleted = sessions::expire(&context.db).await?;
    Reply::ok(&json!({
        "deleted": deleted,
        "duration_ms": Instant::now().millis_since(started),
    }))
}

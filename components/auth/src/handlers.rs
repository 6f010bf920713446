//! Extract → parse → domain → wire.

use vivesphere_config as config;
use vivesphere_crypto::Secret;
use vivesphere_domain::access_keys::{self, KeyText, Presented};
use vivesphere_domain::sessions::{self, Refreshed, Started};
use vivesphere_domain::users::{self, PasswordChange, SignIn, User, UserChange};
use vivesphere_domain::{Actor, Instant, expiry, signing_keys};
use vivesphere_http::{
    Context, HeaderValue, List, NoFilter, Problem, Reply, RunQuery, header, verify,
};
use vivesphere_tokens::{JwkSet, Verdict};

use crate::{tokens, wire};

pub(crate) async fn login(context: Context) -> Result<Reply, Problem> {
    let login: wire::Login = context.json()?;
    let anonymous = Actor::anonymous(context.request_id());
    let admin = config::text("bootstrap_admin_username").await?;
    let password = config::secret_text("bootstrap_admin_password").await?;
    users::bootstrap(&context.db, &anonymous, admin, password).await?;
    let attempt = SignIn {
        username: &login.username,
        password: &login.password,
        address: &context.client_network(),
        lifetime_days: config::integer("refresh_token_days").await?,
    };
    match users::sign_in(&context.db, &anonymous, &attempt).await? {
        Some((user, started)) => signed_in(&context, &user, &started).await,
        None => Err(Problem::unauthorized(
            "invalid_credentials",
            "The username or the password is not right.",
        )),
    }
}

/// The body of login and refresh.
async fn signed_in(context: &Context, user: &User, started: &Started) -> Result<Reply, Problem> {
    let (token, expires_in) =
        tokens::issue(&context.db, &user.user_id, &started.session_id, None).await?;
    Reply::ok(&wire::SignedIn {
        token: token.expose(),
        token_type: "Bearer",
        expires_in,
        refresh_token: started.refresh_token.expose(),
        refresh_expires_in: started.refresh_expires_at.millis_since(Instant::now()) / 1000,
        user: wire::SignedInUser {
            user_id: &user.user_id,
            username: &user.username,
            roles: &user.roles,
        },
    })
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
    if token.starts_with(access_keys::PREFIX) {
        return validate_access_key(&context, token, now).await;
    }
    let claims = match verify(&context.db, token, now).await? {
        Verdict::Valid(claims) => claims,
        verdict => {
            let reason = verdict.reason().unwrap_or("malformed");
            return Reply::ok(&wire::Validated::refused(reason));
        }
    };
    let principal =
        sessions::principal(&context.db, &claims.session_id, &claims.subject, now).await?;
    Reply::ok(&match principal {
        Some(principal) => {
            let expires_at = Instant::from_unix_seconds(claims.expires_at);
            wire::Validated::good(principal, Some(expires_at))
        }
        None => wire::Validated::refused("revoked"),
    })
}

async fn validate_access_key(
    context: &Context,
    token: &str,
    now: Instant,
) -> Result<Reply, Problem> {
    let refused = |reason| Reply::ok(&wire::Validated::refused(reason));
    let Some(key) = KeyText::parse(token) else {
        return refused("malformed");
    };
    match access_keys::present(&context.db, &key, now).await? {
        Presented::Good(principal) => {
            let key = access_keys::get(&context.db, &principal, key.access_key_id()).await?;
            Reply::ok(&wire::Validated::good(principal, key.expires_at))
        }
        Presented::Expired => refused("expired"),
        Presented::Unknown => refused("revoked"),
    }
}

pub(crate) async fn refresh(context: Context) -> Result<Reply, Problem> {
    let body: wire::Refresh = context.json()?;
    match exchange(&context, &body.refresh_token).await? {
        Refreshed::Next(started, user_id) => {
            let user = users::get(&context.db, &user_id).await?;
            signed_in(&context, &user, &started).await
        }
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

pub(crate) async fn exchange(
    context: &Context,
    token: &Secret<String>,
) -> Result<Refreshed, Problem> {
    let days = config::integer("refresh_token_days").await?;
    let actor = Actor::anonymous(context.request_id());
    Ok(sessions::refresh(&context.db, &actor, token, days).await?)
}

pub(crate) async fn logout(context: Context) -> Result<Reply, Problem> {
    let body: wire::Logout = context.json_or_default()?;
    let token = body.refresh_token.map(Secret::new);
    let principal = context.principal()?;
    if principal.session_id.is_empty() {
        return Err(Problem::forbidden(
            "An access key has no session to end: delete the key instead.",
        ));
    }
    let session_id = &principal.session_id;
    sessions::log_out(&context.db, &context.actor()?, session_id, token.as_ref()).await?;
    Ok(Reply::no_content())
}

pub(crate) async fn me(context: Context) -> Result<Reply, Problem> {
    let principal = context.principal()?;
    Reply::ok(&wire::Me {
        user_id: &principal.id,
        username: &principal.username,
        roles: &principal.roles,
        permissions: &principal.permissions,
    })
}

pub(crate) async fn change_password(context: Context) -> Result<Reply, Problem> {
    let body: wire::Password = context.json()?;
    let principal = context.principal()?;
    users::may_set_password(principal, &principal.id)?;
    let change = PasswordChange {
        username: &principal.username,
        address: &context.client_network(),
        session_id: &principal.session_id,
        current: &body.current_password,
        new: &body.new_password,
    };
    users::change_password(&context.db, &context.actor()?, &change).await?;
    Ok(Reply::no_content())
}

pub(crate) async fn health(context: Context) -> Result<Reply, Problem> {
    tokens::prepare(&context.db).await?;
    Reply::ok(&wire::Health {
        status: "ok",
        service: "auth",
    })
}

pub(crate) async fn jwks(context: Context) -> Result<Reply, Problem> {
    tokens::prepare(&context.db).await?;
    let keys = signing_keys::current(&context.db, Instant::now()).await?;
    // Who verifies elsewhere may keep the keys for a while: an old one stays for a day.
    let kept = HeaderValue::from_static("public, max-age=300");
    Ok(Reply::ok(&JwkSet::new(&keys))?.header(header::CACHE_CONTROL, kept))
}

pub(crate) async fn create_user(context: Context) -> Result<Reply, Problem> {
    let new: wire::NewUser = context.json()?;
    let user = users::create(
        &context.db,
        &context.actor()?,
        context.principal()?,
        &new.username,
        &new.password,
        &new.roles,
    )
    .await?;
    Reply::created(&wire::UserBody::from(user))
}

pub(crate) async fn list_users(context: Context) -> Result<Reply, Problem> {
    let (NoFilter {}, page) = context.paged()?;
    let page = page.by_id()?;
    let listed = users::list(&context.db, &page).await?;
    Reply::ok(&List::<wire::UserBody>::of(listed))
}

pub(crate) async fn get_user(context: Context) -> Result<Reply, Problem> {
    let user = users::get(&context.db, &context.id("user_id")?).await?;
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
        &context.actor()?,
        context.principal()?,
        &context.id("user_id")?,
        context.if_match()?,
        &change,
    )
    .await?;
    Reply::ok(&wire::UserBody::from(user))
}

pub(crate) async fn delete_user(context: Context) -> Result<Reply, Problem> {
    let (actor, principal) = (context.actor()?, context.principal()?);
    users::delete(&context.db, &actor, principal, &context.id("user_id")?).await?;
    Ok(Reply::no_content())
}

pub(crate) async fn expire(context: Context) -> Result<Reply, Problem> {
    let time = context.query::<RunQuery>()?.begin();
    let expired = expiry::run(&context.db, time.end()).await?;
    Reply::ok(&wire::Expired {
        deleted: expired.deleted.iter().map(|(_, rows)| rows).sum(),
        remaining: expired.remaining,
        duration_ms: time.spent_ms(),
        by_table: expired.deleted.into_iter().collect(),
    })
}

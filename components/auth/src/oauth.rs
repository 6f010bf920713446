//! OAuth 2.0 (RFC 6749): the bodies and errors are the RFC's, not this API's.

use serde::Deserialize;
use vivesphere_config as config;
use vivesphere_crypto::{Secret, from_base64};
use vivesphere_domain::access_keys::{self, Grant, KeyText};
use vivesphere_domain::permissions::{Permission, PermissionSet};
use vivesphere_domain::sessions::Refreshed;
use vivesphere_http::{Context, HeaderValue, Problem, Reply, StatusCode, header};

use crate::handlers::exchange;
use crate::{tokens, wire};

pub(crate) async fn token(context: Context) -> Result<Reply, Problem> {
    // A parameter that is sent twice, or a body that is no form (section 5.2).
    let Ok(form) = context.form::<wire::TokenForm>() else {
        return refuse("invalid_request", "Send a form, each parameter once.");
    };
    match form.grant_type.as_str() {
        "refresh_token" => refresh_token(&context, form).await,
        "client_credentials" => client_credentials(&context, &form).await,
        "" => refuse("invalid_request", "grant_type is missing."),
        _ => refuse(
            "unsupported_grant_type",
            "grant_type must be refresh_token or client_credentials.",
        ),
    }
}

/// Section 6.
async fn refresh_token(context: &Context, form: wire::TokenForm) -> Result<Reply, Problem> {
    if form.refresh_token.is_empty() {
        return refuse("invalid_request", "refresh_token is missing.");
    }
    // Before the token is used up: none of less power could be given for it.
    if !form.scope.trim().is_empty() {
        return refuse(
            "invalid_scope",
            "A session has all permissions of its user: leave scope out. An access key may have fewer.",
        );
    }
    match exchange(context, &Secret::new(form.refresh_token)).await? {
        Refreshed::Next(started, user_id) => {
            let (token, expires_in) =
                tokens::issue(&context.db, &user_id, &started.session_id, None).await?;
            granted(&wire::TokenBody {
                access_token: token.expose(),
                token_type: "Bearer",
                expires_in,
                refresh_token: Some(started.refresh_token.expose()),
                scope: None,
            })
        }
        Refreshed::Reused | Refreshed::Invalid => refuse(
            "invalid_grant",
            "The refresh token is unknown, used, expired or revoked.",
        ),
    }
}

/// Section 4.4: the client is an access key. No refresh token (section 4.4.3): the key is one.
async fn client_credentials(context: &Context, form: &wire::TokenForm) -> Result<Reply, Problem> {
    let basic = basic_credentials(context);
    let sent = (!form.client_id.is_empty() || !form.client_secret.is_empty())
        .then(|| (form.client_id.clone(), form.client_secret.clone()));
    let (client_id, client_secret) = match (basic, sent) {
        // Section 2.3: one method in a request.
        (Basic::Given(..) | Basic::Malformed, Some(_)) => {
            return refuse(
                "invalid_request",
                "Send the client's credentials in the header or in the body, not in both.",
            );
        }
        (Basic::Given(id, secret), None) => (id, secret),
        (Basic::Malformed, None) | (Basic::Absent, None) => return unknown_client(),
        (Basic::Absent, Some(sent)) => sent,
    };
    let Some(key) = KeyText::of_parts(&client_id, &client_secret) else {
        return unknown_client();
    };
    let names: Vec<&str> = form.scope.split_whitespace().collect();
    let wanted: Result<PermissionSet, _> =
        names.iter().map(|name| Permission::parse(name)).collect();
    let Ok(wanted) = wanted else {
        return invalid_scope();
    };
    let wanted = (!names.is_empty()).then_some(wanted);
    // The session is never over before the token is.
    let lifetime = config::integer("access_token_seconds").await? + 1;
    let request_id = context.request_id();
    match access_keys::begin_session(&context.db, request_id, &key, wanted, lifetime).await? {
        Grant::Begun(begun) => {
            let (token, expires_in) = tokens::issue(
                &context.db,
                &begun.user_id,
                &begun.session_id,
                begun.ends_at,
            )
            .await?;
            granted(&wire::TokenBody {
                access_token: token.expose(),
                token_type: "Bearer",
                expires_in,
                refresh_token: None,
                scope: Some(begun.scopes.names().join(" ")),
            })
        }
        Grant::UnknownKey => unknown_client(),
        Grant::InvalidScope => invalid_scope(),
    }
}

/// What the `Authorization` header says of the client.
enum Basic {
    Absent,
    /// Another scheme, or not what section 2.3.1 describes.
    Malformed,
    Given(String, String),
}

/// Section 2.3.1: the id and the secret are form-encoded before they are joined.
fn basic_credentials(context: &Context) -> Basic {
    let Some(value) = context.headers().get(header::AUTHORIZATION) else {
        return Basic::Absent;
    };
    let read = || {
        let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
        let bytes = from_base64(encoded.trim())?;
        let joined = String::from_utf8(bytes).ok()?;
        let (id, secret) = joined.split_once(':')?;
        scheme
            .eq_ignore_ascii_case("basic")
            .then(|| Some((form_decoded(id)?, form_decoded(secret)?)))?
    };
    read().map_or(Basic::Malformed, |(id, secret)| Basic::Given(id, secret))
}

/// One value of a form.
fn form_decoded(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct One {
        value: String,
    }
    if text.contains(['&', '=']) {
        return None;
    }
    let one: One = serde_urlencoded::from_str(&format!("value={text}")).ok()?;
    Some(one.value)
}

/// Section 5.1; the pipeline adds `Cache-Control: no-store`.
fn granted(body: &wire::TokenBody<'_>) -> Result<Reply, Problem> {
    Ok(Reply::ok(body)?.header(header::PRAGMA, HeaderValue::from_static("no-cache")))
}

fn unknown_client() -> Result<Reply, Problem> {
    refuse(
        "invalid_client",
        "The client is no access key, or the key is expired or revoked.",
    )
}

fn invalid_scope() -> Result<Reply, Problem> {
    refuse(
        "invalid_scope",
        "The scope must name permissions that the access key has, and one of them must be its \
         owner's now.",
    )
}

/// Section 5.2: 400, but 401 with a challenge for an unknown client.
fn refuse(error: &'static str, error_description: &'static str) -> Result<Reply, Problem> {
    let body = wire::TokenError {
        error,
        error_description,
    };
    if error != "invalid_client" {
        return Reply::json(StatusCode::BAD_REQUEST, &body);
    }
    let challenge = HeaderValue::from_static("Basic realm=\"vivesphere\"");
    let reply = Reply::json(StatusCode::UNAUTHORIZED, &body)?;
    Ok(reply.header(header::WWW_AUTHENTICATE, challenge))
}

//! OAuth 2.0 with PKCE: single-use codes and refresh tokens, and grants that die as a whole.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::call::{Call, find};
use super::problems::oauth as error;
use super::reply::Reply;
use super::settings::RefreshAnswer;
use super::state::{Code, State};

/// A code lives this long.
const CODE_MS: i64 = 30_000;

/// The page where a person says yes; the settings say who it is and whether they do.
pub(crate) fn authorize(state: &mut State, call: &Call, now: i64) -> Reply {
    let get = |name| call.query(name).unwrap_or_default();
    let settings = &state.settings;
    let redirect_uri = get("redirect_uri").to_owned();
    let registered = &settings.redirect_uris;
    // Without a callback that is known to be ours, nobody is sent anywhere (RFC 6749, 4.1.2.1).
    if get("client_id") != settings.client_id
        || !(registered.is_empty() || registered.contains(&redirect_uri))
    {
        return error(
            400,
            "invalid_request",
            "Something went wrong with the client or the callback.",
        );
    }
    let Ok(mut back) = url::Url::parse(&redirect_uri) else {
        return error(
            400,
            "invalid_request",
            "Value passed for the redirect uri was invalid.",
        );
    };
    let state_text = get("state").to_owned();
    let user = settings
        .authorize_as
        .clone()
        .or_else(|| state.users.first().map(|user| user.id.clone()));
    let malformed = get("response_type") != "code"
        || state_text.is_empty()
        || state_text.len() > 500
        || get("code_challenge").is_empty()
        || !matches!(get("code_challenge_method"), "S256" | "plain");
    let refusal = if malformed {
        Some("invalid_request")
    } else if get("scope").is_empty() {
        Some("invalid_scope")
    } else if settings.deny_authorization || user.is_none() {
        Some("access_denied")
    } else {
        None
    };
    if let Some(refusal) = refusal {
        back.query_pairs_mut()
            .append_pair("error", refusal)
            .append_pair("state", &state_text);
        return Reply::redirect(back.as_str());
    }
    let granted = &settings.granted_scopes;
    let code = Code {
        user_id: user.unwrap_or_default(),
        redirect_uri,
        challenge: get("code_challenge").to_owned(),
        plain: get("code_challenge_method") == "plain",
        scopes: get("scope")
            .split(' ')
            .filter(|scope| {
                granted
                    .as_ref()
                    .is_none_or(|granted| granted.iter().any(|held| held == scope))
            })
            .map(str::to_owned)
            .collect(),
        expires: now + CODE_MS,
    };
    let name = state.mint("code");
    state.codes.insert(name.clone(), code);
    back.query_pairs_mut()
        .append_pair("state", &state_text)
        .append_pair("code", &name);
    Reply::redirect(back.as_str())
}

/// The Basic header of a confidential client, the name of a public one.
fn client(state: &State, call: &Call, form: &[(String, String)]) -> Result<(), Reply> {
    let settings = &state.settings;
    let header = call
        .headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    match &settings.client_secret {
        Some(secret) => {
            let pair = BASE64_STANDARD.encode(format!("{}:{secret}", settings.client_id));
            if header == Some(format!("Basic {pair}").as_str()) {
                Ok(())
            } else {
                Err(error(
                    401,
                    "unauthorized_client",
                    "Missing valid authorization header",
                ))
            }
        }
        None => match find(form, "client_id") {
            Some(id) if id == settings.client_id => Ok(()),
            Some(_) => Err(error(400, "invalid_client", "The client is not known.")),
            None => Err(missing("client_id")),
        },
    }
}

fn missing(name: &str) -> Reply {
    error(
        400,
        "invalid_request",
        &format!("Missing required parameter [{name}]."),
    )
}

fn dead_token() -> Reply {
    error(
        400,
        "invalid_request",
        "Value passed for the token was invalid.",
    )
}

fn dead_code() -> Reply {
    error(
        400,
        "invalid_request",
        "Value passed for the authorization code was invalid.",
    )
}

/// `POST /2/oauth2/token`
pub(crate) fn token(state: &mut State, call: &Call, now: i64) -> Reply {
    let form = call.form();
    if let Err(reply) = client(state, call, &form) {
        return reply;
    }
    match find(&form, "grant_type") {
        Some("authorization_code") => exchange(state, &form, now),
        Some("refresh_token") => refresh(state, &form, now),
        Some(_) => error(
            400,
            "unsupported_grant_type",
            "The grant type is not supported.",
        ),
        None => missing("grant_type"),
    }
}

fn exchange(state: &mut State, form: &[(String, String)], now: i64) -> Reply {
    for name in ["code", "redirect_uri", "code_verifier"] {
        if find(form, name).is_none_or(str::is_empty) {
            return missing(name);
        }
    }
    let verifier = find(form, "code_verifier").unwrap_or_default();
    state.secrets.push(verifier.to_owned());
    // One try: a code that is shown is spent, right or wrong.
    let Some(code) = state.codes.remove(find(form, "code").unwrap_or_default()) else {
        return dead_code();
    };
    let challenge = if code.plain {
        verifier.to_owned()
    } else {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
    };
    if code.expires <= now
        || code.challenge != challenge
        || find(form, "redirect_uri") != Some(&code.redirect_uri)
    {
        return dead_code();
    }
    answer(state, &code.user_id, &code.scopes, None, now)
}

fn refresh(state: &mut State, form: &[(String, String)], now: i64) -> Reply {
    let Some(token) = find(form, "refresh_token").filter(|token| !token.is_empty()) else {
        return missing("refresh_token");
    };
    let gives_another = state.settings.refresh_answer == RefreshAnswer::NewPair;
    let Some((grant, spent)) = state.refresh_tokens.get_mut(token) else {
        return dead_token();
    };
    let (grant, was_spent) = (grant.clone(), *spent);
    *spent |= gives_another;
    if state.dead_families.contains(&grant.family) {
        return dead_token();
    }
    if was_spent {
        if state.settings.kill_family_on_reuse {
            state.kill_family(grant.family);
        }
        return dead_token();
    }
    let user_id = grant.user_id.unwrap_or_default();
    answer(state, &user_id, &grant.scopes, Some(grant.family), now)
}

/// What a refresh says of the refresh token, which is spent only when there is another.
fn renewed(answer: RefreshAnswer, refresh: &str) -> Option<Value> {
    match answer {
        RefreshAnswer::NewPair => Some(json!(refresh)),
        RefreshAnswer::WithoutRefreshToken => None,
        RefreshAnswer::EmptyRefreshToken => Some(json!("")),
        RefreshAnswer::NoRefreshToken => Some(Value::Null),
    }
}

fn answer(
    state: &mut State,
    user_id: &str,
    scopes: &[String],
    family: Option<u64>,
    now: i64,
) -> Reply {
    let (access, refresh) = state.grant(user_id, scopes, family, now);
    // The first pair of a grant is always whole.
    let refreshes = match family {
        Some(_) => state.settings.refresh_answer,
        None => RefreshAnswer::NewPair,
    };
    let refresh_token = renewed(refreshes, &refresh);
    let mut body = json!({
        "token_type": "bearer",
        "expires_in": state.settings.access_token_seconds,
        "access_token": access,
        "scope": scopes.join(" "),
    });
    let offline = scopes.iter().any(|scope| scope == "offline.access");
    if let Some(token) = refresh_token.filter(|_| offline) {
        body["refresh_token"] = token;
    }
    if !offline || refreshes != RefreshAnswer::NewPair {
        state.refresh_tokens.remove(&refresh);
    }
    Reply::json(200, &body)
}

/// `POST /2/oauth2/revoke`: the whole grant goes, whichever of its tokens is shown.
pub(crate) fn revoke(state: &mut State, call: &Call) -> Reply {
    let form = call.form();
    if let Err(reply) = client(state, call, &form) {
        return reply;
    }
    let Some(token) = find(&form, "token") else {
        return missing("token");
    };
    let family = state
        .access_tokens
        .get(token)
        .or_else(|| state.refresh_tokens.get(token).map(|(grant, _)| grant))
        .map(|grant| grant.family);
    match family {
        Some(family) => {
            state.kill_family(family);
            Reply::json(200, &json!({"revoked": true}))
        }
        None => dead_token(),
    }
}

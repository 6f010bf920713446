//! The token endpoint: exchanging a code, refreshing, revoking (RFC 6749, RFC 7009).

use base64::prelude::{BASE64_STANDARD, Engine};
use http::Method;
use serde::Deserialize;
use serde_json::Value;
use vivesphere_crypto::SecretString;

use crate::client::{Client, now, secret_header};
use crate::code;
use crate::outcome::{NotSent, RateLimited, Refusal, Unknown};
use crate::problem::{Problem, Shape};
use crate::rate_limit::RateLimits;
use crate::transport::{Answer, Transport, TransportError};
use crate::{LimitScope, answer};

/// The application that this deployment is registered as.
#[derive(Clone, Copy)]
pub struct App<'a> {
    /// Public.
    pub client_id: &'a str,
    /// With one the application is confidential and proves itself with HTTP Basic; without (or
    /// with an empty one) it is public.
    pub client_secret: Option<&'a str>,
}

/// What the token endpoint gave. No part of it prints.
pub struct Tokens {
    /// Opaque.
    pub access_token: SecretString,
    /// Replaces the one that was used: that one is dead. Missing without `offline.access`.
    pub refresh_token: Option<SecretString>,
    /// Seconds from now; X's are 7,200.
    pub expires_in: Option<u64>,
    /// What was granted, which may be less than what was asked for; empty when X did not say.
    pub scopes: Vec<String>,
}

/// Why there are no tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The code or the refresh token is spent, expired, revoked or unknown: the person has to
    /// authorize again. Trying again does not help, and may kill what is left.
    #[error("X does not accept the grant: {}", .0.detail)]
    GrantDead(Refusal),
    /// The application is refused, not the account: keep every token, stop refreshing, and tell
    /// the operator.
    #[error("X does not accept the application: {} {}", .0.code, .0.detail)]
    AppProblem(Refusal),
    /// Nothing was done; the same request may be sent later.
    #[error("X is not available for tokens now: {code} {detail}")]
    Transient {
        /// The HTTP status, when there was one.
        status: Option<u16>,
        /// Stable, `snake_case`.
        code: &'static str,
        /// What was seen.
        detail: String,
        /// Seconds to wait, when X said so.
        retry_after: Option<u64>,
    },
    /// No usable answer, and a refresh token may have been spent without its successor arriving.
    /// Try once more with the same token; if that is [`TokenError::GrantDead`], the person has to
    /// authorize again.
    #[error("X's answer was lost: {} {}", .0.code, .0.detail)]
    Lost(Unknown),
}

impl TokenError {
    /// The stable name of what happened.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::GrantDead(refusal) | Self::AppProblem(refusal) => refusal.code,
            Self::Transient { code, .. } => code,
            Self::Lost(unknown) => unknown.code,
        }
    }

    /// The HTTP status, when there was an answer.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::GrantDead(refusal) | Self::AppProblem(refusal) => Some(refusal.status),
            Self::Transient { status, .. } => *status,
            Self::Lost(unknown) => unknown.status,
        }
    }
}

impl<T: Transport + Sync> Client<T> {
    /// Exchanges the code of a callback, which X keeps for 30 seconds.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn exchange_code(
        &self,
        app: App<'_>,
        code: &str,
        redirect_uri: &str,
        verifier: &SecretString,
    ) -> Result<Tokens, TokenError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier.expose()),
        ];
        let secrets = [code, verifier.expose().as_str()];
        let answer = self.token_call(app, "token", &form, &secrets).await?;
        tokens(&answer)
    }

    /// Spends a refresh token for a new pair. Never send the same one twice at a time: X kills the
    /// whole grant.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn refresh(&self, app: App<'_>, refresh_token: &str) -> Result<Tokens, TokenError> {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
        ];
        let answer = self
            .token_call(app, "token", &form, &[refresh_token])
            .await?;
        tokens(&answer)
    }

    /// Revokes an access or a refresh token; one that X no longer knows is a success (RFC 7009,
    /// section 2.2).
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn revoke(&self, app: App<'_>, token: &str) -> Result<(), TokenError> {
        match self
            .token_call(app, "revoke", &[("token", token)], &[token])
            .await
        {
            Ok(_) | Err(TokenError::GrantDead(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn token_call(
        &self,
        app: App<'_>,
        endpoint: &str,
        form: &[(&str, &str)],
        secrets: &[&str],
    ) -> Result<Answer, TokenError> {
        let sent = self.token_request(app, endpoint, form).await;
        let answer = sent.map_err(|error| match answer::interrupted(error) {
            Ok(unknown) => TokenError::Lost(unknown),
            Err(NotSent { code, detail }) => TokenError::Transient {
                status: None,
                code,
                detail,
                retry_after: None,
            },
        })?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        let mut secrets = secrets.to_vec();
        secrets.extend(app.client_secret);
        Err(refused(&answer, &secrets))
    }

    async fn token_request(
        &self,
        app: App<'_>,
        endpoint: &str,
        form: &[(&str, &str)],
    ) -> Result<Answer, TransportError> {
        let mut form = form.to_vec();
        let secret = app.client_secret.filter(|secret| !secret.is_empty());
        let authorization = match secret {
            Some(secret) => {
                let pair = BASE64_STANDARD.encode(format!("{}:{secret}", app.client_id));
                Some(secret_header(&format!("Basic {pair}"))?)
            }
            None => {
                form.push(("client_id", app.client_id));
                None
            }
        };
        let body = serde_urlencoded::to_string(&form).map_err(|error| TransportError::NotSent {
            code: code::INVALID_REQUEST,
            detail: error.to_string(),
        })?;
        self.send(
            Method::POST,
            self.endpoint(&["2", "oauth2", endpoint]),
            authorization,
            Some("application/x-www-form-urlencoded"),
            body.into_bytes(),
        )
        .await
    }
}

#[derive(Deserialize)]
struct TokenBody {
    access_token: Option<String>,
    refresh_token: Option<String>,
    // X sends a number; others a text.
    expires_in: Option<Value>,
    scope: Option<String>,
}

fn tokens(answer: &Answer) -> Result<Tokens, TokenError> {
    let lost = |detail| TokenError::Lost(answer::unusable(answer, detail));
    // No error of the parser is repeated: it could quote a token.
    let body: TokenBody = serde_json::from_slice(&answer.body)
        .map_err(|_| lost("the token answer is not the expected JSON"))?;
    let present = |token: Option<String>| {
        token
            .filter(|token| !token.trim().is_empty())
            .map(SecretString::new)
    };
    let access_token =
        present(body.access_token).ok_or_else(|| lost("the token answer has no access token"))?;
    let expires_in = body.expires_in.and_then(|value| match value {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_u64(),
    });
    Ok(Tokens {
        access_token,
        refresh_token: present(body.refresh_token),
        expires_in,
        scopes: body
            .scope
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
    })
}

fn refused(answer: &Answer, secrets: &[&str]) -> TokenError {
    let problem = Problem::read(&answer.body, secrets);
    let limits = RateLimits::from_headers(&answer.headers);
    let status = answer.status.as_u16();
    let refusal = |code| Refusal {
        status,
        code,
        detail: problem.sentence(),
    };
    let transient = |code| TokenError::Transient {
        status: Some(status),
        code,
        detail: problem.sentence(),
        retry_after: limits.retry_after.or_else(|| {
            let reset = limits.exhausted_until()?;
            u64::try_from(reset.saturating_sub(now())).ok()
        }),
    };
    // A server error may come after the token was rotated, whatever it says.
    if answer.status.is_server_error() || status == 408 {
        return TokenError::Lost(Unknown {
            status: Some(status),
            code: code::SERVER_ERROR,
            detail: problem.sentence(),
            retry_after: limits.retry_after,
        });
    }
    match problem.error.as_str() {
        "invalid_grant" => return TokenError::GrantDead(refusal(code::GRANT_INVALID)),
        "unauthorized_client" | "invalid_client" => {
            return TokenError::AppProblem(refusal(code::CLIENT_INVALID));
        }
        "invalid_scope" => return TokenError::AppProblem(refusal(code::SCOPE_INVALID)),
        "rate_limited" | "temporarily_unavailable" | "slow_down" => {
            return transient(code::RATE_LIMITED);
        }
        // X's name for a dead grant; told apart from a malformed request by its words.
        "invalid_request" if problem.says("was invalid") => {
            return TokenError::GrantDead(refusal(code::GRANT_INVALID));
        }
        _ => {}
    }
    match status {
        429 => transient(code::RATE_LIMITED),
        401 => TokenError::AppProblem(refusal(code::CLIENT_INVALID)),
        // A proxy's page, not the token endpoint: nothing is known about the grant.
        400..=499 if problem.shape != Shape::Json => transient(code::EDGE_BLOCKED),
        400..=499 => match answer::classify(answer, secrets, now()) {
            answer::Failure::AppBlocked(refusal) => TokenError::AppProblem(refusal),
            answer::Failure::RateLimited(RateLimited {
                scope: LimitScope::AccountDay,
                ..
            }) => transient(code::DAILY_LIMIT),
            _ => TokenError::AppProblem(refusal(code::INVALID_REQUEST)),
        },
        _ => TokenError::Lost(Unknown {
            status: Some(status),
            code: code::UNEXPECTED_STATUS,
            detail: problem.sentence(),
            retry_after: limits.retry_after,
        }),
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;

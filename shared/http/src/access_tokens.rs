//! Access tokens of bots, asked from `bots` once per bot and run. Whoever asks needs the service key
//! and `http://bots.spin.internal` among its grants.

use std::cell::RefCell;
use std::collections::HashMap;

use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use vivesphere_crypto::Secret;

use crate::internal;

/// A bot's token and account.
#[derive(Clone)]
pub struct Token {
    /// For X.
    pub access_token: Secret<String>,
    /// Of the stored credentials: says which token X rejected.
    pub version: i64,
    /// Whose it is.
    pub x_user_id: String,
}

/// Why there is none: nothing was sent.
#[derive(Debug)]
pub struct NoToken {
    /// Stable, snake_case.
    pub code: String,
    /// For people.
    pub detail: String,
    /// Seconds before it is worth asking again.
    pub retry_after: Option<u64>,
    /// Whether only a person can mend it: asking again does not help.
    pub needs_a_person: bool,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    version: i64,
    x_user_id: String,
}

/// The tokens of one run. It ends with the run, so no token outlives it.
pub struct Tokens {
    request_id: String,
    known: RefCell<HashMap<String, Token>>,
}

impl Tokens {
    /// None yet; `request_id` is the run's.
    #[must_use]
    pub fn new(request_id: &str) -> Self {
        Self {
            request_id: request_id.to_owned(),
            known: RefCell::default(),
        }
    }

    /// A token that works as far as anybody knows, of the credentials of this version or later ones:
    /// a person may have given the bot another account while a run lasts.
    ///
    /// # Errors
    /// [`NoToken`].
    pub async fn of(&self, bot_id: &str, credentials_version: i64) -> Result<Token, NoToken> {
        if let Some(token) = self.known.borrow().get(bot_id)
            && token.version >= credentials_version
        {
            return Ok(token.clone());
        }
        self.ask(bot_id, None).await
    }

    /// Another token, after X has rejected this one.
    ///
    /// # Errors
    /// [`NoToken`].
    pub async fn instead_of(&self, bot_id: &str, token: &Token) -> Result<Token, NoToken> {
        self.known.borrow_mut().remove(bot_id);
        self.ask(bot_id, Some(token.version)).await
    }

    async fn ask(&self, bot_id: &str, rejected_version: Option<i64>) -> Result<Token, NoToken> {
        let path = format!("/internal/bots/{bot_id}/access-token");
        let body = json!({"rejected_version": rejected_version});
        let answer: Result<Answer, internal::Error> =
            internal::post("bots", &path, &body, &self.request_id).await;
        match answer {
            Ok(answer) => {
                let token = Token {
                    access_token: Secret::new(answer.access_token),
                    version: answer.version,
                    x_user_id: answer.x_user_id,
                };
                self.known
                    .borrow_mut()
                    .insert(bot_id.to_owned(), token.clone());
                Ok(token)
            }
            Err(error) => Err(NoToken {
                detail: error.to_string(),
                needs_a_person: matches!(error, internal::Error::Refused { status, .. }
                    if status == StatusCode::CONFLICT),
                retry_after: match error {
                    internal::Error::Refused { retry_after, .. } => retry_after,
                    internal::Error::Unreachable { .. } => None,
                },
                code: match error {
                    internal::Error::Refused { code, .. } if !code.is_empty() => code,
                    _ => "component_unavailable".to_owned(),
                },
            }),
        }
    }
}

//! Ways to break, and when.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use super::call::Endpoint;
use super::problems;
use super::reply::Reply;

/// What goes wrong. "After" means that the call took effect: the post is stored, the token rotated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// The call takes this much longer and then goes on.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
    /// The call waits until it is let go, and happens then.
    HeldBefore,
    /// The call happens, and its answer waits until it is let go.
    HeldAfter,
    /// The connection closes without an answer, before anything happened.
    CutBefore,
    /// The connection closes without an answer, after it happened.
    CutAfter,
    /// The connection closes in the middle of the answer's body, after it happened.
    CutInside,
    /// A server error before anything happened.
    ErrorBefore {
        /// 500, 502, 503, …
        status: u16,
        /// The page of a proxy instead of JSON.
        #[serde(default)]
        html: bool,
    },
    /// A server error after it happened.
    ErrorAfter {
        /// 500, 502, 503, …
        status: u16,
        /// The page of a proxy instead of JSON.
        #[serde(default)]
        html: bool,
    },
    /// It happened, the status is right, the body is not JSON.
    MalformedAfter,
    /// It happened, the status is right, half of the JSON is missing.
    TruncatedAfter,
    /// It happened, the status is right, the body is empty.
    EmptyAfter,
    /// It happened; the answer has fields that nobody knows, and `errors[]` beside the data.
    StrangeAfter,
    /// 401, whatever the token.
    Unauthorized,
    /// 402.
    CreditsDepleted {
        /// The shape of early 2026.
        #[serde(default)]
        older: bool,
    },
    /// 403 duplicate content.
    Duplicate,
    /// 403 without a reason.
    Forbidden,
    /// 403 from a proxy, as HTML.
    ForbiddenHtml,
    /// 403 for a locked account.
    AccountLocked,
    /// 403 for a suspended account.
    AccountSuspended,
    /// 403 reply not allowed.
    ReplyClosed,
    /// 403 client not enrolled.
    ClientForbidden,
    /// 403 the account's daily ceiling.
    DailyCeiling,
    /// 400 invalid request.
    InvalidRequest,
    /// 429.
    RateLimited {
        /// Seconds until the reset that the headers name; nothing leaves the headers out.
        reset_after: Option<i64>,
        /// The legacy envelope.
        #[serde(default)]
        legacy: bool,
    },
    /// 429 monthly cap.
    UsageCapped,
    /// An error as only the token endpoint has it (RFC 6749, section 5.2).
    OauthError {
        /// 400, 401, …
        status: u16,
        /// `invalid_client`, …
        error: String,
    },
}

/// When a fault happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum When {
    /// For the next calls.
    Next {
        /// How many.
        times: u64,
        /// After this many without it.
        #[serde(default)]
        skip: u64,
    },
    /// By chance, from the seed.
    Probability {
        /// 0 to 1.
        p: f64,
    },
    /// Until the faults are cleared.
    Always,
}

/// A fault, when it happens and to whom. The first rule that applies decides; those that are only
/// slow add up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Nothing: every endpoint.
    #[serde(default)]
    pub endpoint: Option<Endpoint>,
    /// Nothing: every account.
    #[serde(default)]
    pub user_id: Option<String>,
    /// What goes wrong.
    pub fault: Fault,
    /// When.
    pub when: When,
}

pub(crate) struct Faults {
    rules: Vec<FaultRule>,
    random: StdRng,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            random: StdRng::seed_from_u64(0),
        }
    }
}

impl Faults {
    pub(crate) fn seed(&mut self, seed: u64) {
        self.random = StdRng::seed_from_u64(seed);
    }

    pub(crate) fn add(&mut self, rule: FaultRule) {
        self.rules.push(rule);
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// How long this call waits, and what else happens to it.
    pub(crate) fn draw(&mut self, endpoint: Endpoint, user: Option<&str>) -> (u64, Option<Fault>) {
        let mut wait = 0;
        let mut drawn = None;
        for rule in &mut self.rules {
            let slow = matches!(rule.fault, Fault::Slow { .. });
            if (drawn.is_some() && !slow)
                || rule.endpoint.is_some_and(|of| of != endpoint)
                || rule.user_id.as_deref().is_some_and(|of| user != Some(of))
            {
                continue;
            }
            let happens = match &mut rule.when {
                When::Next { skip, .. } if *skip > 0 => {
                    *skip -= 1;
                    false
                }
                When::Next { times, .. } if *times > 0 => {
                    *times -= 1;
                    true
                }
                When::Next { .. } => false,
                When::Probability { p } => self.random.random_bool(p.clamp(0.0, 1.0)),
                When::Always => true,
            };
            match &rule.fault {
                _ if !happens => {}
                Fault::Slow { ms } => wait += ms,
                fault => drawn = Some(fault.clone()),
            }
        }
        self.rules
            .retain(|rule| !matches!(rule.when, When::Next { times: 0, .. }));
        (wait, drawn)
    }
}

impl Fault {
    /// The answer of a fault that keeps the call from happening. `now` in unix seconds.
    pub(crate) fn instead(&self, now: i64) -> Option<Reply> {
        let reply = match self {
            Self::ErrorBefore { status, html: true } => Reply::html(*status),
            Self::ErrorBefore {
                status,
                html: false,
            } => problems::server_error(*status),
            Self::Unauthorized => problems::unauthorized(),
            Self::CreditsDepleted { older } => problems::credits_depleted(*older),
            Self::Duplicate => problems::duplicate(),
            Self::Forbidden => problems::not_permitted(),
            Self::ForbiddenHtml => Reply::html(403),
            Self::AccountLocked => problems::account_locked(),
            Self::AccountSuspended => problems::account_suspended(),
            Self::ReplyClosed => problems::reply_closed(),
            Self::ClientForbidden => problems::client_forbidden(),
            Self::DailyCeiling => problems::daily_ceiling(),
            Self::InvalidRequest => problems::invalid("text", "", "The request is not valid."),
            Self::UsageCapped => problems::usage_capped(),
            Self::OauthError { status, error } => {
                problems::oauth(*status, error, "The token endpoint refuses.")
            }
            Self::RateLimited {
                reset_after,
                legacy,
            } => {
                let mut reply = problems::too_many_requests(*legacy);
                if let Some(seconds) = reset_after {
                    reply.headers.extend([
                        ("x-rate-limit-limit", "100".to_owned()),
                        ("x-rate-limit-remaining", "0".to_owned()),
                        ("x-rate-limit-reset", (now + seconds).to_string()),
                    ]);
                }
                reply
            }
            _ => return None,
        };
        Some(reply)
    }

    /// What the answer of a call that happened turns into.
    pub(crate) fn spoil(&self, mut reply: Reply) -> Reply {
        match self {
            Self::ErrorAfter { status, html: true } => Reply::html(*status),
            Self::ErrorAfter {
                status,
                html: false,
            } => problems::server_error(*status),
            Self::MalformedAfter => {
                reply.body = b"<!DOCTYPE html><title>X</title>".to_vec();
                reply
            }
            Self::TruncatedAfter => {
                reply.body.truncate(reply.body.len() / 2);
                reply
            }
            Self::EmptyAfter => {
                reply.body.clear();
                reply
            }
            Self::StrangeAfter => {
                if let Ok(mut body) = serde_json::from_slice::<serde_json::Value>(&reply.body)
                    && let Some(fields) = body.as_object_mut()
                {
                    fields.insert("brand_new".to_owned(), serde_json::json!([{"a": null}]));
                    fields
                        .entry("errors")
                        .or_insert_with(|| serde_json::json!([{"title": "Partial"}]));
                    reply.body = body.to_string().into_bytes();
                }
                reply
            }
            _ => reply,
        }
    }
}

//! What was asked of the fake.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::call::{Call, Endpoint};

/// A request as it arrived. Credentials are left out: the header's scheme stays, and of a form
/// everything that could be a token, a code or a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Which call.
    pub endpoint: Endpoint,
    /// The id in the path, or nothing.
    pub id: String,
    /// The query as pairs.
    pub query: Vec<(String, String)>,
    /// `Bearer [redacted]`, `Basic [redacted]`, or nothing.
    pub authorization: Option<String>,
    /// Whose token it was.
    pub user_id: Option<String>,
    /// The other headers.
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    pub body: String,
    /// When, RFC 3339.
    pub at: String,
}

const CREDENTIALS: &[&str] = &[
    "code",
    "code_verifier",
    "refresh_token",
    "token",
    "client_secret",
];

impl Recorded {
    pub(crate) fn new(call: &Call, user_id: Option<String>, at: String) -> Self {
        let authorization = call.headers.get("authorization").map(|value| {
            let scheme = value.to_str().unwrap_or_default().split(' ').next();
            format!("{} [redacted]", scheme.unwrap_or_default())
        });
        let body = match call.endpoint {
            Endpoint::Token | Endpoint::Revoke => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                for (name, value) in call.form() {
                    let secret = CREDENTIALS.contains(&name.as_str());
                    form.append_pair(&name, if secret { "redacted" } else { &value });
                }
                form.finish()
            }
            _ => String::from_utf8_lossy(&call.body).into_owned(),
        };
        Self {
            endpoint: call.endpoint,
            id: call.id.clone(),
            query: call.query.clone(),
            authorization,
            user_id,
            headers: call
                .headers
                .iter()
                .filter(|(name, _)| *name != "authorization")
                .map(|(name, value)| {
                    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                    (name.to_string(), value)
                })
                .collect(),
            body,
            at,
        }
    }
}

/// The requests that are kept, and how many there were.
#[derive(Debug, Default)]
pub(crate) struct Record {
    kept: VecDeque<Recorded>,
    counts: BTreeMap<Endpoint, u64>,
}

impl Record {
    pub(crate) fn count(&mut self, endpoint: Endpoint) {
        *self.counts.entry(endpoint).or_default() += 1;
    }

    pub(crate) fn keep(&mut self, request: Recorded, most: usize) {
        self.kept.push_back(request);
        while self.kept.len() > most {
            self.kept.pop_front();
        }
    }

    pub(crate) fn kept(&self) -> Vec<Recorded> {
        self.kept.iter().cloned().collect()
    }

    pub(crate) fn counts(&self) -> BTreeMap<Endpoint, u64> {
        self.counts.clone()
    }
}

//! The audit trail: a row in the same transaction as the change it tells of.

use vivesphere_db::{Error, Transaction, params};

use crate::{Instant, Principal};

/// Who does something, and in which request.
#[derive(Debug, Clone)]
pub struct Actor {
    /// `user`, `access_key`, `service` or `anonymous`.
    pub kind: &'static str,
    /// The user's or the access key's id.
    pub id: String,
    /// The request's id.
    pub request_id: String,
}

impl Actor {
    /// A principal in a request.
    #[must_use]
    pub fn new(principal: &Principal, request_id: &str) -> Self {
        Self {
            kind: principal.kind_name(),
            id: principal.actor_id().to_owned(),
            request_id: request_id.to_owned(),
        }
    }

    /// Somebody who is not signed in (yet).
    #[must_use]
    pub fn anonymous(request_id: &str) -> Self {
        Self {
            kind: "anonymous",
            id: String::new(),
            request_id: request_id.to_owned(),
        }
    }
}

/// Writes one row. `action` is `<noun>.<past participle>`; `detail` never holds a secret.
///
/// # Errors
/// Any storage error; the transaction is then not to be committed.
pub async fn record(
    transaction: &Transaction,
    actor: &Actor,
    action: &str,
    subject_id: &str,
    detail: &serde_json::Value,
) -> Result<(), Error> {
    transaction
        .execute(
            "INSERT INTO audit_log
                (occurred_at, actor_kind, actor_id, action, subject_id, detail, request_id)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![
                Instant::now().unix_millis(),
                actor.kind,
                actor.id.as_str(),
                action,
                subject_id,
                detail.to_string(),
                actor.request_id.as_str(),
            ],
        )
        .await
}

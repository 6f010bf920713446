//! The audit trail: a row in the same transaction as the change it tells of, sealed into a chain
//! of hashes afterwards.
//!
//! **Why sealed afterwards.** A row's hash needs the hash before it. Taking that inside each
//! change would cost two more statements under the write lock, and a row that is ever written by a
//! single statement would break the chain for good. So [`record`] writes a row as it is, and
//! [`seal`] chains what is new, in the order of `audit_id`, in a transaction of its own; the log
//! writer calls it every second. SQLite has one writer at a time, so ids are given in the order of
//! the commits and a row below the chain's end never appears later. Ids have no holes either: the
//! counter of `AUTOINCREMENT` is rolled back together with a row.
//!
//! **What is promised.** Of a sealed row every change, of its fields, its place or its existence,
//! is found by [`verify`], which names the first row that is not as it was sealed. The end of the
//! chain is kept apart in `audit_head`, so that missing last rows are missed. Before a row is
//! sealed, about a second, whoever can write to the database file can change its fields unnoticed;
//! taking it away leaves a hole in the ids, which is found for ever after.
//!
//! **What is not.** Whoever can write to the file can also compute a whole new chain and its head:
//! there is no key in it. Against that, note the head somewhere else from time to time (the log
//! writer's answer and `GET /api/v1/audit/verify` show it) and verify from the noted place: a chain
//! made anew does not run through it.

mod chain;
mod read;
mod seal;
mod verify;

pub use chain::{Broken, Place, Reason, Row};
pub use read::{Filter, Position, list};
pub use seal::{Sealed, seal};
pub use verify::{Head, Verification, head, verify};

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

//! Who has which role.

use std::collections::BTreeSet;

use serde_json::json;
use vivesphere_db::{Database, Transaction, params};

use super::authority::{keep_an_admin, permissions_of_role, permissions_of_user, require_within};
use crate::permissions::PermissionSet;
use crate::{Actor, Error, Instant, Principal, audit};

/// A user's roles after a change.
#[derive(Debug, Clone)]
pub struct Assigned {
    /// Whose.
    pub user_id: String,
    /// All of them, by name.
    pub roles: Vec<String>,
    /// What they allow together.
    pub permissions: PermissionSet,
    /// The user's version.
    pub version: i64,
}

/// Gives a role to a user. One that it has already is no change.
///
/// # Errors
/// [`Error::Invalid`] for a role that is none; [`Error::NotFound`] for a user that is none;
/// [`Error::Forbidden`] when the role allows what the principal may not do; storage.
pub async fn assign(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    user_id: &str,
    role: &str,
) -> Result<Assigned, Error> {
    let transaction = db.transaction().await?;
    let given = allowed_by(&transaction, user_id, role).await?;
    require_within(&transaction, principal, given).await?;
    let changed: Option<i64> = transaction
        .query_optional(
            "INSERT OR IGNORE INTO user_roles (user_id, role, assigned_at) VALUES (?, ?, ?)
             RETURNING 1",
            params![user_id, role, Instant::now().unix_millis()],
        )
        .await?;
    finish(transaction, actor, user_id, role, changed, "role.assigned").await
}

/// Takes a role from a user, with effect from the next request on, whatever token it is made
/// with. One that it has not is no change.
///
/// # Errors
/// As [`assign`]; [`Error::Conflict`] `last_admin`.
pub async fn unassign(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    user_id: &str,
    role: &str,
) -> Result<Assigned, Error> {
    let transaction = db.transaction().await?;
    let taken = allowed_by(&transaction, user_id, role).await?;
    require_within(&transaction, principal, taken).await?;
    let changed: Option<i64> = transaction
        .query_optional(
            "DELETE FROM user_roles WHERE user_id = ? AND role = ? RETURNING 1",
            params![user_id, role],
        )
        .await?;
    keep_an_admin(&transaction).await?;
    finish(
        transaction,
        actor,
        user_id,
        role,
        changed,
        "role.unassigned",
    )
    .await
}

/// What the role allows, when both it and the user are there.
async fn allowed_by(
    transaction: &Transaction,
    user_id: &str,
    role: &str,
) -> Result<PermissionSet, Error> {
    let Some(permissions) = permissions_of_role(transaction, role).await? else {
        return Err(Error::invalid("/role", "is not a role"));
    };
    let user: Option<i64> = transaction
        .query_optional("SELECT 1 FROM users WHERE user_id = ?", params![user_id])
        .await?;
    match user {
        Some(_) => Ok(permissions),
        None => Err(Error::NotFound),
    }
}

async fn finish(
    transaction: Transaction,
    actor: &Actor,
    user_id: &str,
    role: &str,
    changed: Option<i64>,
    action: &str,
) -> Result<Assigned, Error> {
    if changed.is_some() {
        transaction
            .execute(
                "UPDATE users SET version = version + 1, updated_at = ? WHERE user_id = ?",
                params![Instant::now().unix_millis(), user_id],
            )
            .await?;
        audit::record(&transaction, actor, action, user_id, &json!({"role": role})).await?;
    }
    let version: Option<i64> = transaction
        .query_optional(
            "SELECT version FROM users WHERE user_id = ?",
            params![user_id],
        )
        .await?;
    let roles: Vec<String> = transaction
        .query(
            "SELECT role FROM user_roles WHERE user_id = ? ORDER BY role",
            params![user_id],
        )
        .await?;
    let permissions = permissions_of_user(&transaction, user_id).await?;
    if changed.is_some() {
        transaction.commit().await?;
    }
    Ok(Assigned {
        user_id: user_id.to_owned(),
        roles,
        permissions,
        version: version.ok_or(Error::NotFound)?,
    })
}

/// Refuses a list that names a role twice: the longest that is left names each once, and the audit
/// trail tells of lists as they were sent.
///
/// # Errors
/// [`Error::Invalid`] with the position of the second.
pub(crate) fn check_named_once(roles: &[String]) -> Result<(), Error> {
    let mut named = BTreeSet::new();
    match roles.iter().position(|role| !named.insert(role)) {
        Some(position) => Err(Error::invalid(
            format!("/roles/{position}"),
            "is named before",
        )),
        None => Ok(()),
    }
}

/// Writes all roles of a user in place of what it had, as far as the principal may give and take
/// them; without a principal, the deployment itself makes its first administrator.
///
/// # Errors
/// [`Error::Invalid`] with the position of a role that is none; [`Error::Forbidden`]; storage.
pub(crate) async fn replace(
    transaction: &Transaction,
    principal: Option<&Principal>,
    user_id: &str,
    roles: &[String],
    now: i64,
) -> Result<(), Error> {
    let mut reached = permissions_of_user(transaction, user_id).await?;
    for (position, role) in roles.iter().enumerate() {
        match permissions_of_role(transaction, role).await? {
            Some(permissions) => reached = reached.union(permissions),
            None => {
                return Err(Error::invalid(
                    format!("/roles/{position}"),
                    "is not a role: admin, operator, reviewer, viewer or one made here",
                ));
            }
        }
    }
    if let Some(principal) = principal {
        require_within(transaction, principal, reached).await?;
    }
    transaction
        .execute("DELETE FROM user_roles WHERE user_id = ?", params![user_id])
        .await?;
    for role in roles {
        transaction
            .execute(
                "INSERT OR IGNORE INTO user_roles (user_id, role, assigned_at) VALUES (?, ?, ?)",
                params![user_id, role.as_str(), now],
            )
            .await?;
    }
    Ok(())
}

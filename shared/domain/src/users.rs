//! Users: people who sign in. Passwords are kept as argon2id hashes.

mod sign_in;

use std::collections::BTreeSet;

use serde_json::json;
use vivesphere_crypto::{Secret, password};
use vivesphere_db::{Database, FromRow, Row, Transaction, params};

use crate::{
    Actor, Error, Instant, Listed, Page, Principal, audit, new_id, password_checks, roles, sessions,
};

pub use sign_in::{PasswordChange, SignIn, bootstrap, change_password, sign_in};

/// Fewest characters of a password (NIST SP 800-63B asks for 8 at least; here it guards bots).
const PASSWORD_CHARACTERS: usize = 12;

/// A user as others see it.
#[derive(Debug, Clone)]
pub struct User {
    /// UUIDv7.
    pub user_id: String,
    /// Unique whatever the case.
    pub username: String,
    /// By name.
    pub roles: Vec<String>,
    /// When it was disabled, if it is.
    pub disabled_at: Option<Instant>,
    /// Rises with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
}

/// What can be changed about a user.
#[derive(Default)]
pub struct UserChange {
    /// A new password.
    pub password: Option<Secret<String>>,
    /// All its roles from now on.
    pub roles: Option<Vec<String>>,
    /// Whether it may sign in.
    pub disabled: Option<bool>,
}

const COLUMNS: &str = "u.user_id, u.username,
    (SELECT group_concat(role, ' ') FROM user_roles r WHERE r.user_id = u.user_id),
    u.disabled_at, u.version, u.created_at, u.updated_at";

impl FromRow for User {
    fn from_row(row: &mut Row) -> Result<Self, vivesphere_db::Error> {
        let roles = row.text_optional(2)?.unwrap_or_default();
        Ok(Self {
            user_id: row.text(0)?,
            username: row.text(1)?,
            roles: roles.split_whitespace().map(str::to_owned).collect(),
            disabled_at: row.get_optional(3)?.map(Instant::from_unix_millis),
            version: row.get(4)?,
            created_at: Instant::from_unix_millis(row.get(5)?),
            updated_at: Instant::from_unix_millis(row.get(6)?),
        })
    }
}

/// Checks a new username. No letters beyond ASCII: two names that look alike would be two users.
fn check_username(username: &str) -> Result<(), Error> {
    let fits = (3..=64).contains(&username.len())
        && username
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-@+".contains(&byte));
    if fits {
        Ok(())
    } else {
        Err(Error::invalid(
            "/username",
            "must be 3 to 64 letters from a to z, digits, or . _ - @ +",
        ))
    }
}

fn check_password(pointer: &str, password: &Secret<String>) -> Result<(), Error> {
    let characters = password.expose().chars().count();
    if characters < PASSWORD_CHARACTERS || password.expose().len() > password::MAX_BYTES {
        return Err(Error::invalid(
            pointer,
            format!(
                "must have {PASSWORD_CHARACTERS} characters or more, and at most {} bytes",
                password::MAX_BYTES
            ),
        ));
    }
    Ok(())
}

fn hash(password: &Secret<String>) -> Result<String, Error> {
    password::hash(password).map_err(|error| Error::Internal(error.to_string()))
}

/// A user by id.
///
/// # Errors
/// [`Error::NotFound`], or storage.
pub async fn get(db: &Database, user_id: &str) -> Result<User, Error> {
    db.query_optional(
        &format!("SELECT {COLUMNS} FROM users u WHERE u.user_id = ?"),
        params![user_id],
    )
    .await?
    .ok_or(Error::NotFound)
}

/// Users by age.
///
/// # Errors
/// Storage.
pub async fn list(db: &Database, page: &Page) -> Result<Listed<User>, Error> {
    let rows = db
        .query(
            &format!(
                "SELECT {COLUMNS} FROM users u WHERE ?1 IS NULL OR u.user_id > ?1
                 ORDER BY u.user_id LIMIT ?2"
            ),
            params![page.after.clone(), page.rows()],
        )
        .await?;
    Ok(page.cut(rows, |user: &User| &user.user_id))
}

/// Makes a user.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Forbidden`] for a role that allows what the principal may not do;
/// [`Error::Conflict`] `username_taken`; [`Error::TooMany`] `too_many_sign_ins`; storage.
pub async fn create(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    username: &str,
    password: &Secret<String>,
    roles: &[String],
) -> Result<User, Error> {
    check_username(username)?;
    check_password("/password", password)?;
    roles::check_named_once(roles)?;
    let hash = password_checks::within(db, || hash(password)).await?;
    let transaction = db.transaction().await?;
    let user_id = insert(&transaction, actor, Some(principal), username, &hash, roles).await?;
    transaction.commit().await?;
    get(db, &user_id).await
}

async fn insert(
    transaction: &Transaction,
    actor: &Actor,
    principal: Option<&Principal>,
    username: &str,
    hash: &str,
    roles: &[String],
) -> Result<String, Error> {
    let user_id = new_id();
    let now = Instant::now().unix_millis();
    transaction
        .execute(
            "INSERT INTO users (user_id, username, password_hash, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?4)",
            params![user_id.as_str(), username, hash, now],
        )
        .await
        .map_err(|error| {
            if error.is_unique_violation("users.username") {
                Error::conflict("username_taken", "Another user has this name.")
            } else {
                error.into()
            }
        })?;
    roles::replace(transaction, principal, &user_id, roles, now).await?;
    let detail = json!({"username": username, "roles": roles});
    audit::record(transaction, actor, "user.created", &user_id, &detail).await?;
    Ok(user_id)
}

/// Refuses an access key that would change its owner's password, whatever its scopes: who got hold of
/// the key could sign in after it was revoked.
///
/// # Errors
/// [`Error::Forbidden`].
pub fn may_set_password(principal: &Principal, user_id: &str) -> Result<(), Error> {
    if principal.is_access_key() && principal.id == user_id {
        return Err(Error::Forbidden(
            "An access key does not change its owner's password, whatever its scopes.".to_owned(),
        ));
    }
    Ok(())
}

/// Changes a user. Its sessions end when it is disabled or its password is set. Other roles count
/// from the next request on: they are looked up each time. What is as it was is no change.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`], [`Error::StaleVersion`]; [`Error::Forbidden`] when the
/// user may do, or would, what the principal may not; [`Error::Conflict`] `last_admin` when nobody
/// could administrate any more; [`Error::TooMany`] `too_many_sign_ins`; storage.
pub async fn update(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    user_id: &str,
    expected_version: Option<i64>,
    change: &UserChange,
) -> Result<User, Error> {
    if let Some(password) = &change.password {
        check_password("/password", password)?;
        may_set_password(principal, user_id)?;
    }
    roles::check_named_once(change.roles.as_deref().unwrap_or_default())?;
    let hash = match &change.password {
        Some(password) => Some(password_checks::within(db, || hash(password)).await?),
        None => None,
    };
    let transaction = db.transaction().await?;
    let current = get_in(&transaction, user_id).await?;
    if let Some(expected) = expected_version
        && expected != current.version
    {
        return Err(Error::StaleVersion {
            current: current.version,
        });
    }
    roles::require_over(&transaction, principal, user_id).await?;
    let set = |roles: &[String]| roles.iter().cloned().collect::<BTreeSet<_>>();
    let new_roles = change
        .roles
        .as_ref()
        .filter(|roles| set(roles) != set(&current.roles));
    let disabled = change
        .disabled
        .filter(|disabled| *disabled != current.disabled_at.is_some());
    if hash.is_none() && new_roles.is_none() && disabled.is_none() {
        return Ok(current);
    }
    let now = Instant::now();
    let millis = now.unix_millis();
    transaction
        .execute(
            "UPDATE users SET password_hash = coalesce(?2, password_hash),
                disabled_at = CASE ?3 WHEN 1 THEN ?4 WHEN 0 THEN NULL ELSE disabled_at END,
                version = version + 1, updated_at = ?4
             WHERE user_id = ?1",
            params![user_id, hash.clone(), disabled.map(i64::from), millis],
        )
        .await?;
    if let Some(new) = new_roles {
        roles::replace(&transaction, Some(principal), user_id, new, millis).await?;
    }
    roles::keep_an_admin(&transaction).await?;
    let reason = match (disabled, &hash) {
        (Some(true), _) => Some("user_disabled"),
        (_, Some(_)) => Some("password_set"),
        _ => None,
    };
    if let Some(reason) = reason {
        sessions::revoke_all(&transaction, actor, user_id, None, reason, now).await?;
    }
    let detail = json!({"password": hash.is_some(), "roles": new_roles, "disabled": disabled});
    audit::record(&transaction, actor, "user.changed", user_id, &detail).await?;
    transaction.commit().await?;
    get(db, user_id).await
}

/// Deletes a user, its sessions, its access keys and the providers' keys that it stored.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`] when the user may do what the principal may not;
/// [`Error::Conflict`] `last_admin` or `user_owns_bots`; storage.
pub async fn delete(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    user_id: &str,
) -> Result<(), Error> {
    let transaction = db.transaction().await?;
    let username = get_in(&transaction, user_id).await?.username;
    let reason = json!({"reason": "user_deleted"});
    roles::require_over(&transaction, principal, user_id).await?;
    let bots: Option<i64> = transaction
        .query_optional(
            "SELECT count(*) FROM bots WHERE owner_id = ? AND deleted_at IS NULL",
            params![user_id],
        )
        .await?;
    if bots != Some(0) {
        return Err(Error::conflict(
            "user_owns_bots",
            "Delete this user's bots first.",
        ));
    }
    for (statement, action) in [
        (
            "DELETE FROM access_keys WHERE owner_id = ? RETURNING access_key_id",
            "access_key.revoked",
        ),
        (
            "DELETE FROM apikeys WHERE owner_id = ? RETURNING apikey_id",
            "apikey.deleted",
        ),
    ] {
        let keys: Vec<String> = transaction.query(statement, params![user_id]).await?;
        for key in keys {
            audit::record(&transaction, actor, action, &key, &reason).await?;
        }
    }
    for statement in [
        "DELETE FROM refresh_tokens WHERE session_id IN
            (SELECT session_id FROM sessions WHERE user_id = ?)",
        "DELETE FROM sessions WHERE user_id = ?",
        "DELETE FROM user_roles WHERE user_id = ?",
        "DELETE FROM users WHERE user_id = ?",
    ] {
        transaction.execute(statement, params![user_id]).await?;
    }
    roles::keep_an_admin(&transaction).await?;
    let detail = json!({"username": username});
    audit::record(&transaction, actor, "user.deleted", user_id, &detail).await?;
    transaction.commit().await?;
    Ok(())
}

/// Refuses what a user who was deleted a moment ago would come to own.
pub(crate) async fn check_owner(
    transaction: &Transaction,
    principal: &Principal,
) -> Result<(), Error> {
    let there: Option<i64> = transaction
        .query_optional(
            "SELECT 1 FROM users WHERE user_id = ?",
            params![principal.id.as_str()],
        )
        .await?;
    there
        .map(drop)
        .ok_or_else(|| Error::Forbidden("You have been deleted a moment ago.".to_owned()))
}

async fn get_in(transaction: &Transaction, user_id: &str) -> Result<User, Error> {
    transaction
        .query_optional(
            &format!("SELECT {COLUMNS} FROM users u WHERE u.user_id = ?"),
            params![user_id],
        )
        .await?
        .ok_or(Error::NotFound)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pointer(result: Result<(), Error>) -> Option<String> {
        match result {
            Ok(()) => None,
            Err(Error::Invalid(errors)) => Some(errors[0].pointer.clone()),
            Err(error) => panic!("{error}"),
        }
    }

    proptest! {
        #[test]
        fn plain_names_are_taken(name in "[a-zA-Z0-9._@+-]{3,64}") {
            prop_assert_eq!(pointer(check_username(&name)), None);
        }

        #[test]
        fn a_letter_that_looks_like_another_is_not(before in "[a-z]{1,9}", other in "[а-яё\\s\"'<>/\u{0}ıﬀ]", after in "[a-z]{1,9}") {
            let name = format!("{before}{other}{after}");
            prop_assert_eq!(pointer(check_username(&name)), Some("/username".to_owned()));
        }

        #[test]
        fn a_password_counts_in_characters_and_is_bounded_in_bytes(password in any::<String>()) {
            let fits = password.chars().count() >= 12 && password.len() <= 1024;
            let result = check_password("/password", &Secret::new(password));
            prop_assert_eq!(pointer(result).is_none(), fits);
        }
    }
}

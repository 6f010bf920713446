//! Showing a password: the first administrator, signing in, changing one's own.

use serde_json::json;
use vivesphere_crypto::{Secret, password};
use vivesphere_db::{Database, Row, Transaction, params};

use super::{User, check_password, get, hash, insert};
use crate::sessions::{self, Started};
use crate::{Actor, Error, Instant, audit, login_failures, password_checks};

/// Makes the first user, an admin, when there is none. Any number of callers may try at once.
/// Name and password have the forms that the deployment's settings ask for.
///
/// # Errors
/// [`Error::TooMany`] `too_many_sign_ins`; storage; a password too long to be hashed.
pub async fn bootstrap(
    db: &Database,
    actor: &Actor,
    username: &str,
    password: &Secret<String>,
) -> Result<(), Error> {
    const NONE: &str = "SELECT NOT EXISTS (SELECT 1 FROM users)";
    if db.query_optional(NONE, []).await? != Some(true) {
        return Ok(());
    }
    let hash = password_checks::within(db, || hash(password)).await?;
    let transaction = db.transaction().await?;
    // Again under the write lock: another instance may have been first.
    if transaction.query_optional(NONE, []).await? == Some(true) {
        let admin = ["admin".to_owned()];
        insert(&transaction, actor, None, username, &hash, &admin).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// A try at signing in.
pub struct SignIn<'a> {
    /// As typed.
    pub username: &'a str,
    /// As typed.
    pub password: &'a Secret<String>,
    /// Where it comes from; empty when that is not known.
    pub address: &'a str,
    /// How long the session lives without a refresh.
    pub lifetime_days: u64,
}

/// Starts a session if name and password fit and the user may sign in. An unknown name costs as
/// much as a wrong password (OWASP Authentication Cheat Sheet).
///
/// # Errors
/// [`Error::TooMany`] `too_many_attempts` or `too_many_sign_ins`; storage.
pub async fn sign_in(
    db: &Database,
    actor: &Actor,
    attempt: &SignIn<'_>,
) -> Result<Option<(User, Started)>, Error> {
    let SignIn {
        username, address, ..
    } = *attempt;
    loop {
        login_failures::check(db, username, address).await?;
        let known = known(db, username).await?;
        let stored = known.as_ref().map(|(_, hash)| hash.as_str());
        let (fits, rehashed) = password_checks::within(db, || {
            let fits = verify(attempt.password, stored)?;
            // Hashes of earlier costs are made anew while the password is at hand.
            let rehashed = match stored {
                Some(stored) if fits && password::needs_rehash(stored) => {
                    Some(hash(attempt.password)?)
                }
                _ => None,
            };
            Ok((fits, rehashed))
        })
        .await?;
        let transaction = db.transaction().await?;
        login_failures::check_in(&transaction, username, address).await?;
        let user_id = match &known {
            Some((user_id, hash)) if fits => match still(&transaction, user_id, hash).await? {
                Still::MayEnter => user_id,
                // Another sign-in may have made the hash anew: that makes no password wrong.
                Still::OtherHash => continue,
                Still::MayNotEnter => {
                    refuse(transaction, actor, user_id, username, address).await?;
                    return Ok(None);
                }
            },
            _ => {
                let user_id = known.as_ref().map_or("", |(user_id, _)| user_id);
                refuse(transaction, actor, user_id, username, address).await?;
                return Ok(None);
            }
        };
        if let Some(hash) = rehashed {
            transaction
                .execute(
                    "UPDATE users SET password_hash = ? WHERE user_id = ?",
                    params![hash, user_id.as_str()],
                )
                .await?;
        }
        login_failures::forget(&transaction, username).await?;
        let started = sessions::start(&transaction, actor, user_id, attempt.lifetime_days).await?;
        transaction.commit().await?;
        return Ok(Some((get(db, user_id).await?, started)));
    }
}

/// The user of a name, and the hash of the password.
async fn known(db: &Database, username: &str) -> Result<Option<(String, String)>, Error> {
    let row: Option<Row> = db
        .query_optional(
            "SELECT user_id, password_hash FROM users WHERE username = ?",
            params![username],
        )
        .await?;
    row.map(|row| Ok((row.text(0)?, row.text(1)?))).transpose()
}

/// A change of one's own password.
pub struct PasswordChange<'a> {
    /// Whose failures a wrong current password counts among.
    pub username: &'a str,
    /// Where it comes from; empty when that is not known.
    pub address: &'a str,
    /// The session that stays.
    pub session_id: &'a str,
    /// The password so far.
    pub current: &'a Secret<String>,
    /// The password from now on.
    pub new: &'a Secret<String>,
}

/// Changes the actor's own password; its other sessions end. A wrong current password counts as
/// a failed sign-in, so a stolen token is no way around the throttle.
///
/// # Errors
/// [`Error::Invalid`] when the current one does not fit or the new one is too short;
/// [`Error::TooMany`] `too_many_attempts` or `too_many_sign_ins`; [`Error::Conflict`] `user_changed` when it was changed
/// meanwhile; storage.
pub async fn change_password(
    db: &Database,
    actor: &Actor,
    change: &PasswordChange<'_>,
) -> Result<(), Error> {
    let PasswordChange {
        username, address, ..
    } = *change;
    check_password("/new_password", change.new)?;
    login_failures::check(db, username, address).await?;
    let stored: Option<String> = db
        .query_optional(
            "SELECT password_hash FROM users WHERE user_id = ?",
            params![actor.id.as_str()],
        )
        .await?;
    let stored = stored.ok_or(Error::NotFound)?;
    let new = password_checks::within(db, || {
        let fits = verify(change.current, Some(&stored))?;
        fits.then(|| hash(change.new)).transpose()
    })
    .await?;
    let transaction = db.transaction().await?;
    login_failures::check_in(&transaction, username, address).await?;
    let Some(new) = new else {
        refuse(transaction, actor, &actor.id, username, address).await?;
        return Err(Error::invalid(
            "/current_password",
            "is not the current password",
        ));
    };
    if !matches!(
        still(&transaction, &actor.id, &stored).await?,
        Still::MayEnter
    ) {
        return Err(Error::conflict(
            "user_changed",
            "This user was changed by somebody else meanwhile.",
        ));
    }
    let now = Instant::now();
    transaction
        .execute(
            "UPDATE users SET password_hash = ?, version = version + 1, updated_at = ?
             WHERE user_id = ?",
            params![new, now.unix_millis(), actor.id.as_str()],
        )
        .await?;
    login_failures::forget(&transaction, username).await?;
    let but = Some(change.session_id);
    sessions::revoke_all(&transaction, actor, &actor.id, but, "password_changed", now).await?;
    let action = "user.password_changed";
    audit::record(&transaction, actor, action, &actor.id, &json!({})).await?;
    transaction.commit().await?;
    Ok(())
}

/// An error is no wrong password: it must not count as one.
fn verify(password: &Secret<String>, stored: Option<&str>) -> Result<bool, Error> {
    password::verify_or_dummy(password, stored).map_err(|error| Error::Internal(error.to_string()))
}

/// Whether what was read before the password was checked, which takes its time, still holds.
enum Still {
    MayEnter,
    OtherHash,
    MayNotEnter,
}

async fn still(transaction: &Transaction, user_id: &str, hash: &str) -> Result<Still, Error> {
    let same: Option<bool> = transaction
        .query_optional(
            "SELECT password_hash = ? FROM users WHERE user_id = ? AND disabled_at IS NULL",
            params![hash, user_id],
        )
        .await?;
    Ok(match same {
        Some(true) => Still::MayEnter,
        Some(false) => Still::OtherHash,
        None => Still::MayNotEnter,
    })
}

/// Notes a failure, and ends the transaction. The audit row names the user, if there is one, and not
/// what was typed: people type passwords where the name belongs.
async fn refuse(
    transaction: Transaction,
    actor: &Actor,
    user_id: &str,
    username: &str,
    address: &str,
) -> Result<(), Error> {
    login_failures::note(&transaction, username, address).await?;
    let detail = json!({"address": address});
    audit::record(&transaction, actor, "login.failed", user_id, &detail).await?;
    transaction.commit().await?;
    Ok(())
}

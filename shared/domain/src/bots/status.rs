//! Whether a bot may act, and as which account.

use serde_json::json;
use vivesphere_db::{Database, Row, Transaction, params};

use super::{Bot, get, get_writable};
use crate::{Actor, Error, Instant, Principal, audit};

/// Why a person's pause is one.
const BY_PERSON: (&str, &str) = ("paused_by_person", "Paused by a person.");

/// Sets the status, with the reason that people are shown. Does nothing to a deleted bot.
async fn set_status(
    transaction: &Transaction,
    actor: &Actor,
    bot_id: &str,
    status: &str,
    reason: Option<(&str, &str)>,
) -> Result<(), Error> {
    let (code, detail) = reason.unzip();
    let changed: Option<i64> = transaction
        .query_optional(
            "UPDATE bots SET status = ?2, status_code = ?3, status_detail = ?4,
                version = version + 1, updated_at = ?5
             WHERE bot_id = ?1 AND deleted_at IS NULL RETURNING 1",
            params![bot_id, status, code, detail, Instant::now().unix_millis()],
        )
        .await?;
    if changed.is_none() {
        return Ok(());
    }
    let detail = json!({"status": status, "code": code});
    audit::record(transaction, actor, "bot.status_changed", bot_id, &detail).await?;
    Ok(())
}

/// Pauses a bot, or lets a paused one go on. One that is as it is to be stays so.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; [`Error::Conflict`] `not_connected` when it has
/// no working credentials; storage.
pub async fn pause_or_resume(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    bot_id: &str,
    pause: bool,
) -> Result<Bot, Error> {
    get_writable(db, principal, bot_id).await?;
    let transaction = db.transaction().await?;
    // Under the write lock: its credentials may have been found dead since.
    let row: Option<Row> = transaction
        .query_optional(
            "SELECT status, status_code FROM bots WHERE bot_id = ? AND deleted_at IS NULL",
            params![bot_id],
        )
        .await?;
    let row = row.ok_or(Error::NotFound)?;
    let (current, code) = (row.text(0)?, row.text_optional(1)?);
    if !matches!(current.as_str(), "active" | "paused") {
        return Err(Error::conflict(
            "not_connected",
            "Connect this bot first: it has no working credentials.",
        ));
    }
    let (status, reason) = if pause {
        ("paused", Some(BY_PERSON))
    } else {
        ("active", None)
    };
    if (current.as_str(), code.as_deref()) != (status, reason.map(|(code, _)| code)) {
        set_status(&transaction, actor, bot_id, status, reason).await?;
        transaction.commit().await?;
    }
    get(db, principal, bot_id).await
}

/// Makes a bot active once its credentials are stored, unless a person has paused it, with the
/// account they belong to if that is known: its id and handle, and the credentials' version.
///
/// # Errors
/// [`Error::Conflict`] `x_account_in_use` when another bot acts as this account; storage.
pub async fn connected(
    db: &Database,
    actor: &Actor,
    bot_id: &str,
    account: Option<(&str, &str, i64)>,
) -> Result<(), Error> {
    let transaction = db.transaction().await?;
    // Without a word of whose they are, they may be another account's than before.
    write_account(&transaction, bot_id, account.map(known)).await?;
    // Whoever refreshes the old ones still holds a fencing token: it must not be given out again.
    transaction
        .execute(
            "UPDATE token_refreshes SET fencing_token = fencing_token + 1, leased_until = 0,
                failures = 0, not_before = 0 WHERE bot_id = ?",
            params![bot_id],
        )
        .await?;
    if !is_paused_by_person(&transaction, bot_id).await? {
        set_status(&transaction, actor, bot_id, "active", None).await?;
    }
    transaction.commit().await?;
    Ok(())
}

async fn is_paused_by_person(transaction: &Transaction, bot_id: &str) -> Result<bool, Error> {
    let paused: Option<i64> = transaction
        .query_optional(
            "SELECT 1 FROM bots WHERE bot_id = ? AND status_code = ?",
            params![bot_id, BY_PERSON.0],
        )
        .await?;
    Ok(paused.is_some())
}

/// Stops a bot that X or its credentials do not let act. One that a person has paused stays as it
/// is: new credentials would set going what nobody has resumed, and what stops it is found again then.
///
/// # Errors
/// Storage.
pub async fn stop(
    transaction: &Transaction,
    actor: &Actor,
    bot_id: &str,
    status: &str,
    reason: (&str, &str),
) -> Result<(), Error> {
    if is_paused_by_person(transaction, bot_id).await? {
        return Ok(());
    }
    set_status(transaction, actor, bot_id, status, Some(reason)).await
}

/// As [`stop`], for a bot whose credentials of this version do not work (0: there are none), unless
/// others have been stored since. Gives back whether none have.
///
/// # Errors
/// Storage.
pub async fn stop_unless_replaced(
    db: &Database,
    actor: &Actor,
    bot_id: &str,
    credentials_version: i64,
    (status, reason): (&str, (&str, &str)),
) -> Result<bool, Error> {
    let transaction = db.transaction().await?;
    let current = stored_version(&transaction, bot_id).await? == credentials_version;
    if current {
        stop(&transaction, actor, bot_id, status, reason).await?;
    }
    transaction.commit().await?;
    Ok(current)
}

/// The version of the stored credentials; 0 without any.
async fn stored_version(transaction: &Transaction, bot_id: &str) -> Result<i64, Error> {
    let version: Option<i64> = transaction
        .query_optional(
            "SELECT version FROM botdata WHERE bot_id = ?",
            params![bot_id],
        )
        .await?;
    Ok(version.unwrap_or(0))
}

/// Whose the credentials of this version are, if X has said so.
///
/// # Errors
/// Storage.
pub async fn account(
    db: &Database,
    bot_id: &str,
    credentials_version: i64,
) -> Result<Option<String>, Error> {
    let row: Option<Row> = db
        .query_optional(
            "SELECT x_user_id FROM bots WHERE bot_id = ? AND account_version = ?
                AND x_user_id IS NOT NULL",
            params![bot_id, credentials_version],
        )
        .await?;
    row.map(|row| row.text(0)).transpose().map_err(Error::from)
}

/// Notes which account the credentials of a version belong to, unless others have been stored
/// since. Gives back whether it did.
///
/// # Errors
/// [`Error::Conflict`] `x_account_in_use`; storage.
pub async fn set_account(
    db: &Database,
    bot_id: &str,
    (x_user_id, handle, credentials_version): (&str, &str, i64),
) -> Result<bool, Error> {
    let transaction = db.transaction().await?;
    let current = stored_version(&transaction, bot_id).await? == credentials_version;
    if current {
        let account = known((x_user_id, handle, credentials_version));
        write_account(&transaction, bot_id, Some(account)).await?;
    }
    transaction.commit().await?;
    Ok(current)
}

/// Reserves an account for a bot whose credentials are about to be stored: another bot's is refused
/// before anything is replaced. Those that are stored now may be another account's.
///
/// # Errors
/// [`Error::Conflict`] `x_account_in_use`; storage.
pub async fn reserve_account(
    db: &Database,
    bot_id: &str,
    x_user_id: &str,
    handle: &str,
) -> Result<(), Error> {
    let transaction = db.transaction().await?;
    write_account(&transaction, bot_id, Some((x_user_id, handle, None))).await?;
    transaction.commit().await?;
    Ok(())
}

/// The credentials were renewed: what is known of one version's account holds for the next.
///
/// # Errors
/// Storage.
pub async fn renewed(db: &Database, bot_id: &str, from: i64, to: i64) -> Result<(), Error> {
    db.execute(
        "UPDATE bots SET account_version = ?3 WHERE bot_id = ?1 AND account_version = ?2",
        params![bot_id, from, to],
    )
    .await?;
    Ok(())
}

fn known<'a>((id, handle, version): (&'a str, &'a str, i64)) -> (&'a str, &'a str, Option<i64>) {
    (id, handle, Some(version))
}

/// Id, handle, and the credentials' version of which X said it. A limit of X holds for one account.
async fn write_account(
    transaction: &Transaction,
    bot_id: &str,
    account: Option<(&str, &str, Option<i64>)>,
) -> Result<(), Error> {
    let (x_user_id, handle, version) = match account {
        Some((x_user_id, handle, version)) => (Some(x_user_id), Some(handle), version),
        None => (None, None, None),
    };
    transaction
        .execute(
            "UPDATE bots SET x_user_id = ?2, handle = ?3, account_version = ?5,
                version = version + (x_user_id IS NOT ?2 OR handle IS NOT ?3),
                updated_at = iif(x_user_id IS NOT ?2 OR handle IS NOT ?3, ?4, updated_at),
                rate_limited_until = iif(x_user_id IS NOT ?2, 0, rate_limited_until)
             WHERE bot_id = ?1 AND deleted_at IS NULL",
            params![
                bot_id,
                x_user_id,
                handle,
                Instant::now().unix_millis(),
                version
            ],
        )
        .await
        .map_err(|error| {
            if error.is_unique_violation("bots.x_user_id") {
                Error::conflict(
                    "x_account_in_use",
                    "Another bot acts as this X account already.",
                )
            } else {
                error.into()
            }
        })
}

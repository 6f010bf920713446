//! Whether a bot may act, and as which account.

use serde_json::json;
use vivesphere_db::{Database, Transaction, params};

use super::{Bot, get, get_writable};
use crate::{Actor, Error, Instant, Principal, audit};

/// Sets the status, with the reason that people are shown. Does nothing to a deleted bot.
///
/// # Errors
/// Storage.
pub async fn set_status(
    transaction: &Transaction,
    actor: &Actor,
    bot_id: &str,
    status: &str,
    reason: Option<(&str, &str)>,
) -> Result<(), Error> {
    let (code, detail) = reason.unzip();
    transaction
        .execute(
            "UPDATE bots SET status = ?2, status_code = ?3, status_detail = ?4,
                version = version + 1, updated_at = ?5
             WHERE bot_id = ?1 AND deleted_at IS NULL",
            params![bot_id, status, code, detail, Instant::now().unix_millis()],
        )
        .await?;
    let detail = json!({"status": status, "code": code});
    audit::record(transaction, actor, "bot.status_changed", bot_id, &detail).await?;
    Ok(())
}

/// Pauses a bot, or lets a paused one go on.
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
    let bot = get_writable(db, principal, bot_id).await?;
    if !matches!(bot.status.as_str(), "active" | "paused") {
        return Err(Error::conflict(
            "not_connected",
            "Connect this bot first: it has no working credentials.",
        ));
    }
    let transaction = db.transaction().await?;
    let (status, reason) = if pause {
        ("paused", Some(("paused_by_person", "Paused by a person.")))
    } else {
        ("active", None)
    };
    set_status(&transaction, actor, bot_id, status, reason).await?;
    transaction.commit().await?;
    get(db, principal, bot_id).await
}

/// Makes a bot active once its credentials are stored, with the account they belong to if that
/// is known.
///
/// # Errors
/// [`Error::Conflict`] `x_account_in_use` when another bot acts as this account; storage.
pub async fn connected(
    db: &Database,
    actor: &Actor,
    bot_id: &str,
    account: Option<(&str, &str)>,
) -> Result<(), Error> {
    let transaction = db.transaction().await?;
    // Without a word of whose they are, they may be another account's than before.
    let (x_user_id, handle) = account.unzip();
    write_account(&transaction, bot_id, x_user_id, handle).await?;
    transaction
        .execute(
            "DELETE FROM token_refreshes WHERE bot_id = ?",
            params![bot_id],
        )
        .await?;
    set_status(&transaction, actor, bot_id, "active", None).await?;
    transaction.commit().await?;
    Ok(())
}

/// Notes which account the credentials belong to.
///
/// # Errors
/// [`Error::Conflict`] `x_account_in_use`; storage.
pub async fn set_account(
    db: &Database,
    bot_id: &str,
    x_user_id: &str,
    handle: &str,
) -> Result<(), Error> {
    let transaction = db.transaction().await?;
    write_account(&transaction, bot_id, Some(x_user_id), Some(handle)).await?;
    transaction.commit().await?;
    Ok(())
}

async fn write_account(
    transaction: &Transaction,
    bot_id: &str,
    x_user_id: Option<&str>,
    handle: Option<&str>,
) -> Result<(), Error> {
    transaction
        .execute(
            "UPDATE bots SET x_user_id = ?2, handle = ?3, updated_at = ?4
             WHERE bot_id = ?1 AND deleted_at IS NULL",
            params![bot_id, x_user_id, handle, Instant::now().unix_millis()],
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

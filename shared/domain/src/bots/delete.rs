//! The end of a bot, and of what waited for it.

use serde_json::json;
use vivesphere_db::{Database, Transaction, params};

use super::{DELETED_IN_DOUBT, get_writable, is_gone};
use crate::{Actor, Error, Instant, Principal, audit};

/// Ends the posts of a deleted bot of which nobody knows whether X has them: with its credentials goes
/// the only way to look for them.
async fn end_doubts(transaction: &Transaction, actor: &Actor, bot_id: &str) -> Result<(), Error> {
    let ended: Vec<String> = transaction
        .query(
            "UPDATE posts SET state = 'failed', next_attempt_at = NULL, leased_until = 0,
                failure_code = 'bot_deleted', failure_detail = ?2,
                version = version + 1, updated_at = ?3
             WHERE bot_id = ?1 AND state = 'outcome_unknown' RETURNING post_id",
            params![bot_id, DELETED_IN_DOUBT.1, Instant::now().unix_millis()],
        )
        .await?;
    for post_id in ended {
        let detail = json!({"code": "bot_deleted"});
        audit::record(transaction, actor, "post.failed", &post_id, &detail).await?;
    }
    Ok(())
}

/// Deletes a bot: its credentials are destroyed, its waiting posts cancelled.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; storage.
pub async fn delete(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    bot_id: &str,
) -> Result<(), Error> {
    get_writable(db, principal, bot_id).await?;
    let now = Instant::now().unix_millis();
    let transaction = db.transaction().await?;
    if is_gone(&transaction, bot_id).await? {
        return Err(Error::NotFound);
    }
    transaction
        .execute("DELETE FROM botdata WHERE bot_id = ?", params![bot_id])
        .await?;
    let cancelled: Vec<String> = transaction
        .query(
            "UPDATE posts SET state = 'cancelled', next_attempt_at = NULL,
                version = version + 1, updated_at = ?2
             WHERE bot_id = ?1 AND state IN ('draft', 'awaiting_approval', 'scheduled')
             RETURNING post_id",
            params![bot_id, now],
        )
        .await?;
    for post_id in cancelled {
        let detail = json!({"reason": "bot_deleted"});
        audit::record(&transaction, actor, "post.cancelled", &post_id, &detail).await?;
    }
    end_doubts(&transaction, actor, bot_id).await?;
    transaction
        .execute(
            "UPDATE bots SET deleted_at = ?2, status = 'unconnected', version = version + 1,
                updated_at = ?2 WHERE bot_id = ?1",
            params![bot_id, now],
        )
        .await?;
    audit::record(&transaction, actor, "bot.deleted", bot_id, &json!({})).await?;
    transaction.commit().await?;
    Ok(())
}

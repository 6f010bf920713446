//! Sessions: families of refresh tokens, and the principals behind access tokens.

use serde_json::json;
use vivesphere_crypto::{Secret, TokenHash};
use vivesphere_db::{Database, Error, Row, Transaction, params};

use crate::roles::{permissions_of, read};
use crate::{Actor, Instant, Principal, PrincipalKind, access_keys, audit, new_id};

/// The principal of a session, with the roles it has now; of one that an access key began, with
/// what that leaves. `None` when the session or the key has ended, or its user is disabled or gone.
///
/// # Errors
/// Any storage error.
pub async fn principal(
    db: &Database,
    session_id: &str,
    user_id: &str,
    now: Instant,
) -> Result<Option<Principal>, Error> {
    let row: Option<Row> = db
        .query_optional(
            "SELECT u.username,
                (SELECT group_concat(role, ' ') FROM user_roles r WHERE r.user_id = u.user_id),
                (SELECT group_concat(d.permissions, ' ') FROM user_roles r
                    JOIN roles d ON d.role = r.role WHERE r.user_id = u.user_id),
                s.access_key_id, s.scopes, k.scopes, k.bot_ids, k.last_used_at,
                (SELECT number FROM changes WHERE noun = 'bots')
             FROM sessions s JOIN users u ON u.user_id = s.user_id
                LEFT JOIN access_keys k ON k.access_key_id = s.access_key_id
             WHERE s.session_id = ?1 AND s.user_id = ?2 AND s.revoked_at IS NULL
                AND s.expires_at > ?3 AND u.disabled_at IS NULL
                AND (s.access_key_id IS NULL OR (k.access_key_id IS NOT NULL
                    AND (k.expires_at IS NULL OR k.expires_at > ?3)))",
            params![session_id, user_id, now.unix_millis()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let roles = access_keys::names(row.text_optional(1)?);
    let mut principal = Principal {
        kind: PrincipalKind::User,
        id: user_id.to_owned(),
        username: row.text(0)?,
        permissions: permissions_of(&roles, &row.text_optional(2)?.unwrap_or_default()),
        roles,
        session_id: session_id.to_owned(),
        access_key_id: row.text_optional(3)?,
        bot_ids: None,
        bots_change: row.get(8)?,
    };
    if let Some(access_key_id) = &principal.access_key_id {
        let narrowed = read(&row.text_optional(4)?.unwrap_or_default());
        let scopes = read(&row.text_optional(5)?.unwrap_or_default());
        principal.kind = PrincipalKind::AccessKey;
        principal.permissions =
            access_keys::effective(principal.permissions, scopes, Some(narrowed));
        principal.bot_ids = access_keys::listed_bots(row.text_optional(6)?);
        if principal.bot_ids.is_some() {
            principal.permissions = access_keys::of_some_bots(principal.permissions);
        }
        access_keys::note_use(db, access_key_id, row.get_optional(7)?, now).await?;
    }
    Ok(Some(principal))
}

/// A refresh token that was just made; the only moment at which it can be read.
pub struct Started {
    /// The session.
    pub session_id: String,
    /// Works once.
    pub refresh_token: Secret<String>,
    /// When it stops working.
    pub refresh_expires_at: Instant,
}

/// What a refresh token led to.
pub enum Refreshed {
    /// It was good; here is the next one, and whose session it is.
    Next(Started, String),
    /// It was used before: its whole family has been revoked.
    Reused,
    /// Unknown, expired or of an ended session.
    Invalid,
}

/// Starts a session for a user who has just shown the password.
///
/// # Errors
/// Storage, or no randomness.
pub(crate) async fn start(
    transaction: &Transaction,
    actor: &Actor,
    user_id: &str,
    lifetime_days: u64,
) -> Result<Started, crate::Error> {
    let now = Instant::now();
    let session_id = new_id();
    let expires_at = now.plus_millis(days(lifetime_days));
    transaction
        .execute(
            "INSERT INTO sessions (session_id, user_id, created_at, expires_at)
             VALUES (?, ?, ?, ?)",
            params![
                session_id.as_str(),
                user_id,
                now.unix_millis(),
                expires_at.unix_millis()
            ],
        )
        .await?;
    let refresh_token = insert_refresh_token(transaction, &session_id, now, expires_at).await?;
    let actor = actor_of(actor, user_id);
    let action = "session.started";
    audit::record(transaction, &actor, action, &session_id, &json!({})).await?;
    Ok(Started {
        session_id,
        refresh_token,
        refresh_expires_at: expires_at,
    })
}

/// Who shows a user's password or refresh token acts as that user.
fn actor_of(actor: &Actor, user_id: &str) -> Actor {
    Actor {
        kind: "user",
        id: user_id.to_owned(),
        ..actor.clone()
    }
}

fn days(number: u64) -> i64 {
    i64::try_from(number)
        .unwrap_or(30)
        .saturating_mul(86_400_000)
}

async fn insert_refresh_token(
    transaction: &Transaction,
    session_id: &str,
    now: Instant,
    expires_at: Instant,
) -> Result<Secret<String>, crate::Error> {
    let token = vivesphere_crypto::random::token("vsr_", 32)
        .map_err(|error| crate::Error::Internal(error.to_string()))?;
    transaction
        .execute(
            "INSERT INTO refresh_tokens (token_hash, session_id, issued_at, expires_at)
             VALUES (?, ?, ?, ?)",
            params![
                TokenHash::of(token.expose()).hex(),
                session_id,
                now.unix_millis(),
                expires_at.unix_millis()
            ],
        )
        .await?;
    Ok(token)
}

/// Exchanges a refresh token for the next one of its family. A token that comes a second time
/// was stolen or lost, nobody can tell: its family ends.
///
/// # Errors
/// Storage, or no randomness.
pub async fn refresh(
    db: &Database,
    actor: &Actor,
    token: &Secret<String>,
    lifetime_days: u64,
) -> Result<Refreshed, crate::Error> {
    let now = Instant::now();
    let hash = TokenHash::of(token.expose()).hex();
    let transaction = db.transaction().await?;
    let row: Option<Row> = transaction
        .query_optional(
            "SELECT r.session_id, s.user_id, r.used_at IS NOT NULL,
                s.revoked_at IS NULL AND s.expires_at > ?2 AND r.expires_at > ?2
                    AND u.disabled_at IS NULL
             FROM refresh_tokens r JOIN sessions s ON s.session_id = r.session_id
                JOIN users u ON u.user_id = s.user_id
             WHERE r.token_hash = ?1",
            params![hash.as_str(), now.unix_millis()],
        )
        .await?;
    let Some(row) = row else {
        return Ok(Refreshed::Invalid);
    };
    let (session_id, user_id) = (row.text(0)?, row.text(1)?);
    if row.get(2)? {
        revoke_in(&transaction, actor, &session_id, "refresh_reused", now).await?;
        transaction.commit().await?;
        return Ok(Refreshed::Reused);
    }
    if !row.get::<bool>(3)? {
        return Ok(Refreshed::Invalid);
    }
    let expires_at = now.plus_millis(days(lifetime_days));
    transaction
        .execute(
            "UPDATE refresh_tokens SET used_at = ? WHERE token_hash = ?",
            params![now.unix_millis(), hash],
        )
        .await?;
    transaction
        .execute(
            "UPDATE sessions SET expires_at = ? WHERE session_id = ?",
            params![expires_at.unix_millis(), session_id.as_str()],
        )
        .await?;
    let refresh_token = insert_refresh_token(&transaction, &session_id, now, expires_at).await?;
    let actor = actor_of(actor, &user_id);
    let action = "session.refreshed";
    audit::record(&transaction, &actor, action, &session_id, &json!({})).await?;
    transaction.commit().await?;
    let started = Started {
        session_id,
        refresh_token,
        refresh_expires_at: expires_at,
    };
    Ok(Refreshed::Next(started, user_id))
}

/// Ends the session of who logs out, and that of the refresh token it gives, if that is another
/// one of the same user: their access and refresh tokens are dead at once, everywhere.
///
/// # Errors
/// Storage.
pub async fn log_out(
    db: &Database,
    actor: &Actor,
    session_id: &str,
    refresh_token: Option<&Secret<String>>,
) -> Result<(), crate::Error> {
    let now = Instant::now();
    let transaction = db.transaction().await?;
    revoke_in(&transaction, actor, session_id, "logout", now).await?;
    if let Some(token) = refresh_token {
        let other: Option<String> = transaction
            .query_optional(
                "SELECT s.session_id FROM refresh_tokens r
                    JOIN sessions s ON s.session_id = r.session_id
                 WHERE r.token_hash = ? AND s.user_id = ?",
                params![TokenHash::of(token.expose()).hex(), actor.id.as_str()],
            )
            .await?;
        if let Some(other) = other {
            revoke_in(&transaction, actor, &other, "logout", now).await?;
        }
    }
    transaction.commit().await?;
    Ok(())
}

/// Ends a user's sessions, all of them or all `but` one.
///
/// # Errors
/// Storage.
pub(crate) async fn revoke_all(
    transaction: &Transaction,
    actor: &Actor,
    user_id: &str,
    but: Option<&str>,
    reason: &str,
    now: Instant,
) -> Result<(), crate::Error> {
    let sessions: Vec<String> = transaction
        .query(
            "SELECT session_id FROM sessions
             WHERE user_id = ?1 AND session_id <> ?2 AND revoked_at IS NULL AND expires_at > ?3",
            params![user_id, but.unwrap_or_default(), now.unix_millis()],
        )
        .await?;
    for session_id in sessions {
        revoke_in(transaction, actor, &session_id, reason, now).await?;
    }
    Ok(())
}

/// A session that has ended already is left as it is, and the audit trail with it.
async fn revoke_in(
    transaction: &Transaction,
    actor: &Actor,
    session_id: &str,
    reason: &str,
    now: Instant,
) -> Result<(), crate::Error> {
    let ended: Option<i64> = transaction
        .query_optional(
            "UPDATE sessions SET revoked_at = ?, revoke_reason = ?
             WHERE session_id = ? AND revoked_at IS NULL RETURNING 1",
            params![now.unix_millis(), reason, session_id],
        )
        .await?;
    if ended.is_some() {
        let detail = json!({"reason": reason});
        audit::record(transaction, actor, "session.revoked", session_id, &detail).await?;
    }
    Ok(())
}

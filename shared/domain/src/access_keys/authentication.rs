//! The principal behind an access key, and behind the tokens that were got with one.

use serde_json::json;
use vivesphere_db::{Database, Row, params};

use super::{KeyText, NEVER_RESTRICTED};
use crate::permissions::PermissionSet;
use crate::roles::{permissions_of, read, written};
use crate::{Actor, Error, Instant, Principal, PrincipalKind, audit, new_id};

/// The last use is noted to the minute, so a busy key costs a write a minute and no more.
const NOTED_EVERY_MILLISECONDS: i64 = 60_000;

/// What a key is worth.
#[derive(Debug)]
pub enum Presented {
    /// Its principal.
    Good(Principal),
    /// It was good until a moment that has passed.
    Expired,
    /// No such key, another secret, revoked, or its owner is locked or gone: all the same.
    Unknown,
}

/// What a key lets its principal do: what its owner may, as far as the key's scopes go, and those
/// to which a token was narrowed. Decided anew at every use, so it never outlives the owner's
/// roles.
#[must_use]
pub fn effective(
    owner: PermissionSet,
    scopes: PermissionSet,
    narrowed: Option<PermissionSet>,
) -> PermissionSet {
    let held = owner.intersection(scopes);
    narrowed.map_or(held, |narrowed| held.intersection(narrowed))
}

/// What is left of that for a key that is restricted to some bots, also for one that was made when
/// more could be.
#[must_use]
pub(crate) fn of_some_bots(permissions: PermissionSet) -> PermissionSet {
    NEVER_RESTRICTED
        .iter()
        .fold(permissions, |left, never| left.without(*never))
}

/// The bots that a row lists. What cannot be read lists none, which is less than any key has.
pub(crate) fn listed_bots(column: Option<String>) -> Option<Vec<String>> {
    column.map(|text| serde_json::from_str(&text).unwrap_or_default())
}

/// Looks the key up and judges its secret.
///
/// # Errors
/// Storage.
pub async fn present(
    db: &Database,
    key: &KeyText,
    now: Instant,
) -> Result<Presented, vivesphere_db::Error> {
    let row: Option<Row> = db
        .query_optional(
            "SELECT k.secret_hash, k.expires_at, u.user_id, u.username,
                (SELECT group_concat(role, ' ') FROM user_roles r WHERE r.user_id = u.user_id),
                (SELECT group_concat(d.permissions, ' ') FROM user_roles r
                    JOIN roles d ON d.role = r.role WHERE r.user_id = u.user_id),
                k.scopes, k.bot_ids, k.last_used_at,
                (SELECT number FROM changes WHERE noun = 'bots')
             FROM access_keys k JOIN users u ON u.user_id = k.owner_id
             WHERE k.access_key_id = ? AND u.disabled_at IS NULL",
            params![key.access_key_id()],
        )
        .await?;
    let Some(row) = row else {
        return Ok(Presented::Unknown);
    };
    // In constant time, and before anything else is told of the key.
    if vivesphere_crypto::TokenHash::from_hex(row.get(0)?) != Some(key.secret_hash()) {
        return Ok(Presented::Unknown);
    }
    let expires_at: Option<i64> = row.get_optional(1)?;
    if expires_at.is_some_and(|end| end <= now.unix_millis()) {
        return Ok(Presented::Expired);
    }
    note_use(db, key.access_key_id(), row.get_optional(8)?, now).await?;
    let roles = names(row.text_optional(4)?);
    let owner = permissions_of(&roles, &row.text_optional(5)?.unwrap_or_default());
    let bot_ids = listed_bots(row.text_optional(7)?);
    let mut permissions = effective(owner, read(row.get(6)?), None);
    if bot_ids.is_some() {
        permissions = of_some_bots(permissions);
    }
    Ok(Presented::Good(Principal {
        kind: PrincipalKind::AccessKey,
        id: row.text(2)?,
        username: row.text(3)?,
        permissions,
        roles,
        session_id: String::new(),
        access_key_id: Some(key.access_key_id().to_owned()),
        bot_ids,
        bots_change: row.get(9)?,
    }))
}

/// Role names as one column has them.
pub(crate) fn names(column: Option<String>) -> Vec<String> {
    let column = column.unwrap_or_default();
    column.split_whitespace().map(str::to_owned).collect()
}

/// Notes that a key is used, when that was not noted within the last minute.
pub(crate) async fn note_use(
    db: &Database,
    access_key_id: &str,
    noted: Option<i64>,
    now: Instant,
) -> Result<(), vivesphere_db::Error> {
    let due = now.unix_millis() - NOTED_EVERY_MILLISECONDS;
    if noted.is_some_and(|noted| noted > due) {
        return Ok(());
    }
    // Of many requests that find it due at once, one writes.
    db.execute(
        "UPDATE access_keys SET last_used_at = ?2
         WHERE access_key_id = ?1 AND (last_used_at IS NULL OR last_used_at <= ?3)",
        params![access_key_id, now.unix_millis(), due],
    )
    .await
}

/// A session that a key began.
pub struct Begun {
    /// Whose: the key's owner.
    pub user_id: String,
    /// The session.
    pub session_id: String,
    /// What it may do now.
    pub scopes: PermissionSet,
    /// When the key ends, if it does.
    pub ends_at: Option<Instant>,
}

/// What came of a try to begin a session with a key.
pub enum Grant {
    /// It began.
    Begun(Begun),
    /// The key is not good.
    UnknownKey,
    /// It asks for what the key does not have, or nothing would be left.
    InvalidScope,
}

/// Begins a session without refresh token for whoever shows a key (RFC 6749, section 4.4), with
/// all of its scopes or some of them.
///
/// # Errors
/// Storage.
pub async fn begin_session(
    db: &Database,
    request_id: &str,
    key: &KeyText,
    wanted: Option<PermissionSet>,
    lifetime_seconds: u64,
) -> Result<Grant, Error> {
    let now = Instant::now();
    let Presented::Good(principal) = present(db, key, now).await? else {
        return Ok(Grant::UnknownKey);
    };
    let transaction = db.transaction().await?;
    // Again under the write lock: it may have been revoked since.
    let row: Option<Row> = transaction
        .query_optional(
            "SELECT scopes, expires_at FROM access_keys WHERE access_key_id = ?",
            params![key.access_key_id()],
        )
        .await?;
    let Some(row) = row else {
        return Ok(Grant::UnknownKey);
    };
    let held = read(row.get(0)?);
    let ends_at = row.get_optional(1)?.map(Instant::from_unix_millis);
    let wanted = wanted.unwrap_or(held);
    let scopes = wanted.intersection(principal.permissions);
    if !wanted.is_subset_of(held) || scopes.is_empty() {
        return Ok(Grant::InvalidScope);
    }
    let session_id = new_id();
    let lifetime = i64::try_from(lifetime_seconds).unwrap_or(900);
    transaction
        .execute(
            "INSERT INTO sessions (session_id, user_id, created_at, expires_at, access_key_id,
                scopes) VALUES (?, ?, ?, ?, ?, ?)",
            params![
                session_id.as_str(),
                principal.id.as_str(),
                now.unix_millis(),
                now.plus_millis(lifetime.saturating_mul(1000)).unix_millis(),
                key.access_key_id(),
                written(wanted)
            ],
        )
        .await?;
    let actor = Actor::new(&principal, request_id);
    let detail = json!({"scopes": wanted});
    audit::record(
        &transaction,
        &actor,
        "session.started",
        &session_id,
        &detail,
    )
    .await?;
    transaction.commit().await?;
    Ok(Grant::Begun(Begun {
        user_id: principal.id,
        session_id,
        scopes,
        ends_at,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::permissions::Permission;

    fn any_set() -> impl Strategy<Value = PermissionSet> {
        prop::collection::vec(prop::sample::select(Permission::ALL), 0..26)
            .prop_map(|permissions| permissions.into_iter().collect())
    }

    proptest! {
        #[test]
        fn a_permission_needs_the_owner_the_key_and_the_token(
            owner in any_set(),
            scopes in any_set(),
            narrowed in prop::option::of(any_set()),
            one in prop::sample::select(Permission::ALL),
        ) {
            let held = effective(owner, scopes, narrowed);
            let wanted = owner.contains(one)
                && scopes.contains(one)
                && narrowed.is_none_or(|narrowed| narrowed.contains(one));
            prop_assert_eq!(held.contains(one), wanted);
        }

        #[test]
        fn what_the_owner_loses_the_key_loses(
            owner in any_set(),
            scopes in any_set(),
            lost in prop::sample::select(Permission::ALL),
        ) {
            prop_assert!(!effective(owner.without(lost), scopes, None).contains(lost));
            prop_assert!(effective(owner.without(lost), scopes, None)
                .is_subset_of(effective(owner, scopes, None)));
        }
    }

    #[test]
    fn a_restriction_that_cannot_be_read_restricts_to_nothing() {
        assert_eq!(listed_bots(None), None);
        assert_eq!(listed_bots(Some("damaged".to_owned())), Some(Vec::new()));
        assert_eq!(
            listed_bots(Some(r#"["a"]"#.to_owned())),
            Some(vec!["a".to_owned()])
        );
    }
}

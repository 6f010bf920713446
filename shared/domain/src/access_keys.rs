//! Access keys to this API: what a program signs in with, in the place of the user who made it.

mod authentication;
mod key_text;

use serde_json::json;
use vivesphere_db::{Database, FromRow, Row, params};

use crate::permissions::{Permission, PermissionSet};
use crate::time_zone::parse_instant;
use crate::{Actor, Error, Instant, Listed, Page, Principal, audit, bots, new_id, roles, users};

pub use authentication::{Begun, Grant, Presented, begin_session, effective, present};
pub(crate) use authentication::{listed_bots, names, note_use, of_some_bots};
pub use key_text::{KeyText, PREFIX};

/// Most keys of a user.
pub const KEPT: i64 = 100;
/// Most bots that a key can be restricted to.
const BOTS: usize = 100;

/// With these a key could get around its restriction to some bots: by way of another user or key, or
/// by reading what happened to all of them.
const NEVER_RESTRICTED: [Permission; 5] = [
    Permission::UsersManage,
    Permission::RolesManage,
    Permission::AccessKeysManage,
    Permission::AuditRead,
    Permission::LogsRead,
];

/// A key as its owner sees it.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// UUIDv7.
    pub access_key_id: String,
    /// Who made it.
    pub owner_id: String,
    /// For people.
    pub name: String,
    /// The most that it can do; at each use no more than its owner.
    pub scopes: PermissionSet,
    /// The only bots that it can see, if it is restricted.
    pub bot_ids: Option<Vec<String>>,
    /// When it ends by itself.
    pub expires_at: Option<Instant>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Instant>,
    /// When it was made.
    pub created_at: Instant,
}

const COLUMNS: &str =
    "access_key_id, owner_id, name, scopes, bot_ids, expires_at, last_used_at, created_at";

impl FromRow for AccessKey {
    fn from_row(row: &mut Row) -> Result<Self, vivesphere_db::Error> {
        let instant = |column| {
            let millis: Option<i64> = row.get_optional(column)?;
            Ok::<_, vivesphere_db::Error>(millis.map(Instant::from_unix_millis))
        };
        Ok(Self {
            access_key_id: row.text(0)?,
            owner_id: row.text(1)?,
            name: row.text(2)?,
            scopes: roles::read(row.get(3)?),
            bot_ids: listed_bots(row.text_optional(4)?),
            expires_at: instant(5)?,
            last_used_at: instant(6)?,
            created_at: Instant::from_unix_millis(row.get(7)?),
        })
    }
}

/// What a key is to be.
#[derive(Debug, Clone)]
pub struct NewAccessKey {
    /// 1 to 100 characters.
    pub name: String,
    /// Names of permissions that its maker has.
    pub scopes: Vec<String>,
    /// The only bots that it can see; all of its owner's without.
    pub bot_ids: Option<Vec<String>>,
    /// RFC 3339; without, it ends when it is revoked.
    pub expires_at: Option<String>,
}

/// `new`, checked as far as no database is needed.
#[derive(Debug)]
struct Wanted {
    scopes: PermissionSet,
    bot_ids: Option<Vec<String>>,
    expires_at: Option<Instant>,
}

fn check(new: &NewAccessKey, own: PermissionSet, now: Instant) -> Result<Wanted, Error> {
    let name = &new.name;
    if name.trim().is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Error::invalid(
            "/name",
            "must be 1 to 100 printable characters",
        ));
    }
    let scopes = roles::parse_permissions("/scopes", &new.scopes)?;
    if scopes.is_empty() {
        return Err(Error::invalid("/scopes", "must name a permission"));
    }
    for (position, name) in new.scopes.iter().enumerate() {
        let refused = match Permission::parse(name) {
            Ok(permission) if !own.contains(permission) => "is a permission that you do not have",
            Ok(permission) if new.bot_ids.is_some() && NEVER_RESTRICTED.contains(&permission) => {
                "cannot be held to some bots: leave it or bot_ids out"
            }
            _ => continue,
        };
        return Err(Error::invalid(format!("/scopes/{position}"), refused));
    }
    let expires_at = new
        .expires_at
        .as_deref()
        .map(|text| parse_instant(text).map_err(|error| error.to_string()))
        .transpose()
        .and_then(|end| match end {
            Some(end) if end <= now => Err("must lie ahead".to_owned()),
            end => Ok(end),
        })
        .map_err(|detail| Error::invalid("/expires_at", detail))?;
    Ok(Wanted {
        scopes,
        bot_ids: new.bot_ids.as_deref().map(check_bots).transpose()?,
        expires_at,
    })
}

fn check_bots(ids: &[String]) -> Result<Vec<String>, Error> {
    if ids.is_empty() || ids.len() > BOTS {
        return Err(Error::invalid(
            "/bot_ids",
            format!("must name 1 to {BOTS} bots, or be left out"),
        ));
    }
    ids.iter()
        .enumerate()
        .map(|(position, id)| crate::parse_id(id).ok_or_else(|| not_your_bot(position)))
        .collect()
}

fn not_your_bot(position: usize) -> Error {
    Error::invalid(format!("/bot_ids/{position}"), "is not a bot of yours")
}

/// Makes a key. Its text can be read from what comes back and never again.
///
/// Only a person makes keys: a key that could make others would outlive its own revocation.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Forbidden`] when a key asks; [`Error::Conflict`]
/// `too_many_access_keys`; storage.
pub async fn create(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    new: &NewAccessKey,
) -> Result<(AccessKey, KeyText), Error> {
    if principal.is_access_key() {
        return Err(Error::Forbidden(
            "An access key makes no other keys: sign in with a password.".to_owned(),
        ));
    }
    let now = Instant::now();
    let wanted = check(new, principal.permissions, now)?;
    for (position, bot_id) in wanted.bot_ids.iter().flatten().enumerate() {
        match bots::get(db, principal, bot_id).await {
            Err(Error::NotFound) => return Err(not_your_bot(position)),
            other => other.map(drop)?,
        }
    }
    let key = KeyText::generate(&new_id())?;
    let access_key_id = key.access_key_id();
    let transaction = db.transaction().await?;
    users::check_owner(&transaction, principal).await?;
    let count: Option<i64> = transaction
        .query_optional(
            "SELECT count(*) FROM access_keys WHERE owner_id = ?",
            params![principal.id.as_str()],
        )
        .await?;
    if count.unwrap_or(KEPT) >= KEPT {
        return Err(Error::conflict(
            "too_many_access_keys",
            format!("You have {KEPT} access keys: delete one first."),
        ));
    }
    let bot_ids = wanted
        .bot_ids
        .as_ref()
        .map(|ids| serde_json::Value::from(ids.as_slice()).to_string());
    transaction
        .execute(
            "INSERT INTO access_keys (access_key_id, owner_id, name, secret_hash, scopes, bot_ids,
                expires_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                access_key_id,
                principal.id.as_str(),
                new.name.as_str(),
                key.secret_hash().hex(),
                roles::written(wanted.scopes),
                bot_ids,
                wanted.expires_at.map(Instant::unix_millis),
                now.unix_millis()
            ],
        )
        .await?;
    let detail = json!({
        "name": new.name,
        "scopes": wanted.scopes,
        "bot_ids": wanted.bot_ids,
        "expires_at": wanted.expires_at,
    });
    audit::record(
        &transaction,
        actor,
        "access_key.created",
        access_key_id,
        &detail,
    )
    .await?;
    transaction.commit().await?;
    Ok((get(db, principal, access_key_id).await?, key))
}

/// A key of one's own, or with `users:manage` anyone's.
///
/// # Errors
/// [`Error::NotFound`]; storage.
pub async fn get(
    db: &Database,
    principal: &Principal,
    access_key_id: &str,
) -> Result<AccessKey, Error> {
    let owner = principal.scope(Permission::UsersManage).owner();
    db.query_optional(
        &format!(
            "SELECT {COLUMNS} FROM access_keys
             WHERE access_key_id = ?2 AND (?1 IS NULL OR owner_id = ?1)"
        ),
        params![owner, access_key_id],
    )
    .await?
    .ok_or(Error::NotFound)
}

/// Keys by age: one's own, or another's with `users:manage`.
///
/// # Errors
/// [`Error::Forbidden`]; storage.
pub async fn list(
    db: &Database,
    principal: &Principal,
    owner_id: Option<&str>,
    page: &Page,
) -> Result<Listed<AccessKey>, Error> {
    let owner = match owner_id {
        None => principal.id.as_str(),
        Some(owner) if owner == principal.id || principal.may(Permission::UsersManage) => owner,
        Some(_) => {
            return Err(Error::Forbidden(
                "Another's access keys need the permission `users:manage`.".to_owned(),
            ));
        }
    };
    let rows = db
        .query(
            &format!(
                "SELECT {COLUMNS} FROM access_keys
                 WHERE owner_id = ?1 AND (?2 IS NULL OR access_key_id > ?2)
                 ORDER BY access_key_id LIMIT ?3"
            ),
            params![owner, page.after.clone(), page.rows()],
        )
        .await?;
    Ok(page.cut(rows, |key: &AccessKey| &key.access_key_id))
}

/// Revokes a key: it and the tokens that were got with it are dead from the next request on.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`] for the key of a user who may do more; storage.
pub async fn revoke(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    access_key_id: &str,
) -> Result<(), Error> {
    let key = get(db, principal, access_key_id).await?;
    let transaction = db.transaction().await?;
    if key.owner_id != principal.id {
        roles::require_over(&transaction, principal, &key.owner_id).await?;
    }
    let gone: Option<i64> = transaction
        .query_optional(
            "DELETE FROM access_keys WHERE access_key_id = ? RETURNING 1",
            params![access_key_id],
        )
        .await?;
    gone.ok_or(Error::NotFound)?;
    let detail = json!({"name": key.name, "owner_id": key.owner_id});
    audit::record(
        &transaction,
        actor,
        "access_key.revoked",
        access_key_id,
        &detail,
    )
    .await?;
    transaction.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn new(scopes: &[&str]) -> NewAccessKey {
        NewAccessKey {
            name: "a key".to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            bot_ids: None,
            expires_at: None,
        }
    }

    fn pointer(new: &NewAccessKey, own: PermissionSet) -> Option<String> {
        match check(new, own, Instant::from_unix_millis(1_800_000_000_000)) {
            Ok(_) => None,
            Err(Error::Invalid(errors)) => Some(errors[0].pointer.clone()),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_is_wrong_with_a_new_key_is_pointed_at() {
        let own = PermissionSet::of(&[Permission::BotsRead, Permission::UsersManage]);
        let good = new(&["bots:read"]);
        assert_eq!(pointer(&good, own), None);
        let changed = |change: &dyn Fn(&mut NewAccessKey)| {
            let mut key = good.clone();
            change(&mut key);
            pointer(&key, own)
        };
        let id = crate::new_id();
        let is = |wanted: &str, found: Option<String>| assert_eq!(found.as_deref(), Some(wanted));
        is("/name", changed(&|key| key.name = " ".to_owned()));
        is("/name", changed(&|key| key.name = "n".repeat(101)));
        is("/name", changed(&|key| key.name = "line\nbreak".to_owned()));
        is("/scopes", changed(&|key| key.scopes.clear()));
        is(
            "/scopes/1",
            changed(&|key| key.scopes.push("bots:fly".to_owned())),
        );
        is(
            "/scopes/1",
            changed(&|key| key.scopes.push("posts:read".to_owned())),
        );
        is("/bot_ids", changed(&|key| key.bot_ids = Some(Vec::new())));
        is(
            "/bot_ids/0",
            changed(&|key| key.bot_ids = Some(vec!["x".to_owned()])),
        );
        is(
            "/scopes/1",
            changed(&|key| {
                key.bot_ids = Some(vec![id.clone()]);
                key.scopes.push("users:manage".to_owned());
            }),
        );
        is(
            "/expires_at",
            changed(&|key| key.expires_at = Some("soon".to_owned())),
        );
        is(
            "/expires_at",
            changed(&|key| key.expires_at = Some("2020-01-01T00:00:00Z".to_owned())),
        );
    }

    proptest! {
        #[test]
        fn a_key_gets_its_makers_permissions_and_no_others(
            own in prop::collection::vec(prop::sample::select(Permission::ALL), 0..20),
            scopes in prop::collection::vec(prop::sample::select(Permission::ALL), 1..8),
        ) {
            let own: PermissionSet = own.into_iter().collect();
            let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
            let first = scopes.iter().position(|scope| !own.contains(*scope));
            let wanted = first.map(|position| format!("/scopes/{position}"));
            prop_assert_eq!(pointer(&new(&names), own), wanted);
        }
    }
}

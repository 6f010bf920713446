//! Keys of other providers. They go in and are used; only the last four characters come back.

mod providers;
pub mod vault;

use serde_json::json;
use vivesphere_crypto::{Sealed, Secret};
use vivesphere_db::{Database, FromRow, Row, Transaction, params};

use crate::{Actor, Error, Instant, Listed, Page, Principal, audit, users};

pub use providers::{Check, CheckResult, PROVIDERS, Provider, Shown, provider};

/// Most keys of a user.
pub const KEPT: i64 = 200;

/// A stored key, as its owner sees it.
#[derive(Debug, Clone)]
pub struct Apikey {
    /// UUIDv7.
    pub apikey_id: String,
    /// Who stored it.
    pub owner_id: String,
    /// A name of the table of providers.
    pub provider: String,
    /// For people; unique among its owner's of the provider.
    pub label: String,
    /// The key's last four characters.
    pub last4: String,
    /// Rises when the key is replaced.
    pub version: i64,
    /// When it was stored first.
    pub created_at: Instant,
    /// When it was last replaced.
    pub rotated_at: Option<Instant>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Instant>,
    /// When it was last checked.
    pub checked_at: Option<Instant>,
    /// What the check of this version found.
    pub check_result: Option<String>,
}

const COLUMNS: &str = "apikey_id, owner_id, provider, label, last4, version, created_at,
    rotated_at, last_used_at, checked_at, check_result";

impl FromRow for Apikey {
    fn from_row(row: &mut Row) -> Result<Self, vivesphere_db::Error> {
        let instant = |column| {
            let millis: Option<i64> = row.get_optional(column)?;
            Ok::<_, vivesphere_db::Error>(millis.map(Instant::from_unix_millis))
        };
        Ok(Self {
            apikey_id: row.text(0)?,
            owner_id: row.text(1)?,
            provider: row.text(2)?,
            label: row.text(3)?,
            last4: row.text(4)?,
            version: row.get(5)?,
            created_at: Instant::from_unix_millis(row.get(6)?),
            rotated_at: instant(7)?,
            last_used_at: instant(8)?,
            checked_at: instant(9)?,
            check_result: row.text_optional(10)?,
        })
    }
}

/// What a new key is kept under.
#[derive(Debug, Clone)]
pub struct NewApikey {
    /// A name of the table of providers.
    pub provider: String,
    /// 1 to 100 characters.
    pub label: String,
}

impl NewApikey {
    /// Checks them.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn check(&self) -> Result<(), Error> {
        if provider(&self.provider).is_none() {
            let names: Vec<&str> = PROVIDERS.iter().map(|provider| provider.name).collect();
            return Err(Error::invalid(
                "/provider",
                format!("must be one of {}", names.join(", ")),
            ));
        }
        if self.label.trim().is_empty()
            || self.label.chars().count() > 100
            || self.label.chars().any(char::is_control)
        {
            return Err(Error::invalid(
                "/label",
                "must be 1 to 100 printable characters",
            ));
        }
        Ok(())
    }
}

/// Checks a key and gives its last four characters. It goes into a header, so it has no others
/// than those; and four of fewer than eight would tell too much.
///
/// # Errors
/// [`Error::Invalid`].
pub fn check_key(key: &Secret<String>) -> Result<String, Error> {
    let text = key.expose();
    if !(8..=512).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid(
            "/key",
            "must be 8 to 512 visible ASCII characters",
        ));
    }
    Ok(text.get(text.len() - 4..).unwrap_or_default().to_owned())
}

/// Stores a key that the vault has sealed for this id and version 1.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Conflict`] `label_taken` or `too_many_apikeys`; storage.
pub async fn store(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    apikey_id: &str,
    new: &NewApikey,
    last4: &str,
    sealed: &Sealed,
) -> Result<Apikey, Error> {
    new.check()?;
    let transaction = db.transaction().await?;
    users::check_owner(&transaction, principal).await?;
    let count: Option<i64> = transaction
        .query_optional(
            "SELECT count(*) FROM apikeys WHERE owner_id = ?",
            params![principal.id.as_str()],
        )
        .await?;
    if count.unwrap_or(KEPT) >= KEPT {
        return Err(Error::conflict(
            "too_many_apikeys",
            format!("You have {KEPT} keys here: delete one first."),
        ));
    }
    transaction
        .execute(
            "INSERT INTO apikeys (apikey_id, owner_id, provider, label, last4, version, key_id,
                wrapped_key, wrap_nonce, nonce, ciphertext, created_at)
             VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?)",
            params![
                apikey_id,
                principal.id.as_str(),
                new.provider.as_str(),
                new.label.as_str(),
                last4,
                sealed.key_id.as_str(),
                sealed.wrapped_key.clone(),
                sealed.wrap_nonce.clone(),
                sealed.nonce.clone(),
                sealed.ciphertext.clone(),
                Instant::now().unix_millis()
            ],
        )
        .await
        .map_err(|error| {
            if error.is_unique_violation("apikeys.label") {
                Error::conflict(
                    "label_taken",
                    "Another key of this provider has this label.",
                )
            } else {
                error.into()
            }
        })?;
    let detail = json!({"provider": new.provider, "label": new.label, "last4": last4});
    audit::record(&transaction, actor, "apikey.stored", apikey_id, &detail).await?;
    transaction.commit().await?;
    get(db, principal, apikey_id).await
}

/// A key of one's own.
///
/// # Errors
/// [`Error::NotFound`]; storage.
pub async fn get(db: &Database, principal: &Principal, apikey_id: &str) -> Result<Apikey, Error> {
    db.query_optional(
        &format!("SELECT {COLUMNS} FROM apikeys WHERE apikey_id = ? AND owner_id = ?"),
        params![apikey_id, principal.id.as_str()],
    )
    .await?
    .ok_or(Error::NotFound)
}

/// One's own keys by age, all or of one provider.
///
/// # Errors
/// Storage.
pub async fn list(
    db: &Database,
    principal: &Principal,
    provider: Option<&str>,
    page: &Page,
) -> Result<Listed<Apikey>, Error> {
    let rows = db
        .query(
            &format!(
                "SELECT {COLUMNS} FROM apikeys
                 WHERE owner_id = ?1 AND (?2 IS NULL OR provider = ?2)
                    AND (?3 IS NULL OR apikey_id > ?3)
                 ORDER BY apikey_id LIMIT ?4"
            ),
            params![
                principal.id.as_str(),
                provider,
                page.after.clone(),
                page.rows()
            ],
        )
        .await?;
    Ok(page.cut(rows, |key: &Apikey| &key.apikey_id))
}

async fn version_in(
    transaction: &Transaction,
    principal: &Principal,
    apikey_id: &str,
) -> Result<i64, Error> {
    transaction
        .query_optional(
            "SELECT version FROM apikeys WHERE apikey_id = ? AND owner_id = ?",
            params![apikey_id, principal.id.as_str()],
        )
        .await?
        .ok_or(Error::NotFound)
}

/// Puts a new key, which the vault has sealed for the version after `replaced`, in the place of
/// that version. What a check found of the old one is forgotten.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::StaleVersion`] when `replaced` is not what is there; storage.
pub async fn rotate(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    apikey_id: &str,
    replaced: i64,
    last4: &str,
    sealed: &Sealed,
) -> Result<Apikey, Error> {
    let transaction = db.transaction().await?;
    let current = version_in(&transaction, principal, apikey_id).await?;
    if current != replaced {
        return Err(Error::StaleVersion { current });
    }
    let version = replaced + 1;
    transaction
        .execute(
            "UPDATE apikeys SET last4 = ?2, version = ?3, key_id = ?4, wrapped_key = ?5,
                wrap_nonce = ?6, nonce = ?7, ciphertext = ?8, rotated_at = ?9,
                checked_at = NULL, check_result = NULL
             WHERE apikey_id = ?1",
            params![
                apikey_id,
                last4,
                version,
                sealed.key_id.as_str(),
                sealed.wrapped_key.clone(),
                sealed.wrap_nonce.clone(),
                sealed.nonce.clone(),
                sealed.ciphertext.clone(),
                Instant::now().unix_millis()
            ],
        )
        .await?;
    let detail = json!({"version": version, "last4": last4});
    audit::record(&transaction, actor, "apikey.rotated", apikey_id, &detail).await?;
    transaction.commit().await?;
    get(db, principal, apikey_id).await
}

/// Keeps what a check of this version found.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::StaleVersion`] when the version was replaced meanwhile: what was found
/// says nothing of the key that is there now; storage.
pub async fn checked(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    apikey_id: &str,
    version: i64,
    result: CheckResult,
) -> Result<Apikey, Error> {
    let transaction = db.transaction().await?;
    let current = version_in(&transaction, principal, apikey_id).await?;
    if current == version {
        transaction
            .execute(
                "UPDATE apikeys SET checked_at = ?2, check_result = ?3 WHERE apikey_id = ?1",
                params![apikey_id, Instant::now().unix_millis(), result.as_str()],
            )
            .await?;
    }
    let detail = json!({"version": version, "result": result.as_str()});
    audit::record(&transaction, actor, "apikey.checked", apikey_id, &detail).await?;
    transaction.commit().await?;
    if current != version {
        return Err(Error::StaleVersion { current });
    }
    get(db, principal, apikey_id).await
}

/// Deletes a key: its envelope is destroyed.
///
/// # Errors
/// [`Error::NotFound`], [`Error::StaleVersion`]; storage.
pub async fn delete(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    apikey_id: &str,
    expected_version: Option<i64>,
) -> Result<(), Error> {
    let transaction = db.transaction().await?;
    let current = version_in(&transaction, principal, apikey_id).await?;
    if expected_version.is_some_and(|expected| expected != current) {
        return Err(Error::StaleVersion { current });
    }
    transaction
        .execute(
            "DELETE FROM apikeys WHERE apikey_id = ?",
            params![apikey_id],
        )
        .await?;
    audit::record(&transaction, actor, "apikey.deleted", apikey_id, &json!({})).await?;
    transaction.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_is_visible_and_shows_four_characters(key in "\\PC{0,20}|[!-~]{4,600}") {
            let fits = (8..=512).contains(&key.len())
                && key.bytes().all(|byte| byte.is_ascii_graphic());
            match check_key(&Secret::new(key.clone())) {
                Ok(last4) => {
                    prop_assert!(fits);
                    prop_assert_eq!(last4.len(), 4);
                    prop_assert!(key.ends_with(&last4));
                }
                Err(_) => prop_assert!(!fits),
            }
        }
    }

    #[test]
    fn the_field_is_pointed_at() {
        let pointer = |provider: &str, label: &str| {
            let new = NewApikey {
                provider: provider.to_owned(),
                label: label.to_owned(),
            };
            match new.check() {
                Ok(()) => String::new(),
                Err(Error::Invalid(errors)) => errors[0].pointer.clone(),
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(pointer("openai", "main"), "");
        assert_eq!(pointer("OpenAI", "main"), "/provider");
        assert_eq!(pointer("openai", "  "), "/label");
        assert_eq!(pointer("openai", "a\u{7}"), "/label");
    }
}

//! The keys themselves, which only the vault sees: sealed under the key of the deployment and
//! bound to the id and the version, so that a row put in another's place does not open.

use vivesphere_crypto::{Sealed, Secret, Vault, associated_data};
use vivesphere_db::{Database, FromRow, Row, params};

use crate::botdata::Rewrapped;
use crate::{Error, Instant};

/// The last use is noted to the minute.
const NOTED_EVERY_MILLISECONDS: i64 = 60_000;

struct Stored {
    apikey_id: String,
    version: i64,
    sealed: Sealed,
    last_used_at: Option<i64>,
}

const COLUMNS: &str = "apikey_id, version, key_id, wrapped_key, wrap_nonce, nonce, ciphertext,
    last_used_at";

impl FromRow for Stored {
    fn from_row(row: &mut Row) -> Result<Self, vivesphere_db::Error> {
        Ok(Self {
            apikey_id: row.text(0)?,
            version: row.get(1)?,
            sealed: Sealed {
                key_id: row.text(2)?,
                algorithm: vivesphere_crypto::envelope::ALGORITHM.to_owned(),
                wrapped_key: row.blob(3)?,
                wrap_nonce: row.blob(4)?,
                nonce: row.blob(5)?,
                ciphertext: row.blob(6)?,
            },
            last_used_at: row.get_optional(7)?,
        })
    }
}

fn bound_to(apikey_id: &str, version: i64) -> Vec<u8> {
    associated_data(&[b"apikeys", apikey_id.as_bytes(), &version.to_be_bytes()])
}

/// Seals a key for the row of this id and version.
///
/// # Errors
/// [`Error::Internal`] when there is no randomness.
pub fn seal(
    vault: &Vault,
    apikey_id: &str,
    version: i64,
    key: &Secret<String>,
) -> Result<Sealed, Error> {
    vault
        .seal(key.expose().as_bytes(), &bound_to(apikey_id, version))
        .map_err(|error| Error::Internal(error.to_string()))
}

/// Opens a key to use it, which is noted. What lies under the previous vault key is sealed anew
/// on the way. Whoever asks has to have made sure that it may.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] `sealed_data_damaged` when the envelope does not open;
/// storage.
pub async fn open(
    db: &Database,
    vault: &Vault,
    apikey_id: &str,
) -> Result<(i64, Secret<String>), Error> {
    let stored: Option<Stored> = db
        .query_optional(
            &format!("SELECT {COLUMNS} FROM apikeys WHERE apikey_id = ?"),
            params![apikey_id],
        )
        .await?;
    let stored = stored.ok_or(Error::NotFound)?;
    let plain = vault
        .open(&stored.sealed, &bound_to(apikey_id, stored.version))
        .map_err(|error| Error::conflict("sealed_data_damaged", error.to_string()))?;
    let key = String::from_utf8(plain.expose().clone())
        .map(Secret::new)
        .map_err(|_| Error::Internal("the sealed key is not what was stored".to_owned()))?;
    if vault.needs_rotation(&stored.sealed) {
        rewrap_one(db, vault, &stored).await?;
    }
    let now = Instant::now().unix_millis();
    let due = now - NOTED_EVERY_MILLISECONDS;
    if stored.last_used_at.is_none_or(|noted| noted <= due) {
        db.execute(
            "UPDATE apikeys SET last_used_at = ?2
             WHERE apikey_id = ?1 AND (last_used_at IS NULL OR last_used_at <= ?3)",
            params![apikey_id, now, due],
        )
        .await?;
    }
    Ok((stored.version, key))
}

/// Seals one row under the current vault key, unless it has changed meanwhile.
async fn rewrap_one(db: &Database, vault: &Vault, stored: &Stored) -> Result<(), Error> {
    let bound = bound_to(&stored.apikey_id, stored.version);
    let sealed = vault
        .rewrap(&stored.sealed, &bound, &bound)
        .map_err(|error| Error::Internal(error.to_string()))?;
    let transaction = db.transaction().await?;
    transaction
        .execute(
            "UPDATE apikeys SET key_id = ?4, wrapped_key = ?5, wrap_nonce = ?6, nonce = ?7,
                ciphertext = ?8
             WHERE apikey_id = ?1 AND version = ?2 AND key_id = ?3",
            params![
                stored.apikey_id.as_str(),
                stored.version,
                stored.sealed.key_id.as_str(),
                sealed.key_id,
                sealed.wrapped_key,
                sealed.wrap_nonce,
                sealed.nonce,
                sealed.ciphertext
            ],
        )
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// Seals up to `limit` keys that lie under another vault key than the current one, those after
/// `after` in the order of their ids. One that does not open stays as it is, and keeps none of the
/// others from it.
///
/// # Errors
/// Storage.
pub async fn rewrap(
    db: &Database,
    vault: &Vault,
    after: &str,
    limit: i64,
) -> Result<Rewrapped, Error> {
    let rows: Vec<Stored> = db
        .query(
            &format!(
                "SELECT {COLUMNS} FROM apikeys WHERE key_id <> ? AND apikey_id > ?
                 ORDER BY apikey_id LIMIT ?"
            ),
            params![vault.current_key_id(), after, limit],
        )
        .await?;
    let mut rewrapped = Rewrapped::default();
    for row in rows {
        match rewrap_one(db, vault, &row).await {
            Ok(()) => rewrapped.done += 1,
            Err(Error::Internal(_)) => rewrapped.damaged += 1,
            Err(error) => return Err(error),
        }
        rewrapped.last = Some(row.apikey_id);
    }
    Ok(rewrapped)
}

/// How many keys lie under another vault key than the current one.
///
/// # Errors
/// Storage.
pub async fn remaining(db: &Database, vault: &Vault) -> Result<i64, Error> {
    let remaining: Option<i64> = db
        .query_optional(
            "SELECT count(*) FROM apikeys WHERE key_id <> ?",
            params![vault.current_key_id()],
        )
        .await?;
    Ok(remaining.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vivesphere_crypto::VaultKey;

    use super::*;

    proptest! {
        #[test]
        fn a_key_opens_in_its_own_place_only(
            key: String,
            version in 1i64..1000,
            other_version in 1i64..1000,
            same_row: bool,
        ) {
            let vault = Vault::new(VaultKey::new(Secret::new([1; 32])), None);
            let (own, other) = (crate::new_id(), crate::new_id());
            let sealed = seal(&vault, &own, version, &Secret::new(key.clone())).unwrap();
            let place = if same_row { &own } else { &other };
            let opened = vault.open(&sealed, &bound_to(place, other_version));
            prop_assert_eq!(opened.is_ok(), same_row && version == other_version);
            if let Ok(plain) = opened {
                prop_assert_eq!(plain.expose().as_slice(), key.as_bytes());
            }
        }
    }
}

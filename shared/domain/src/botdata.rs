//! Sealed data of bots: stored as an envelope bound to the bot and the version, so that a row
//! put in another's place does not open.

use std::collections::BTreeMap;

use serde_json::json;
use vivesphere_crypto::{Sealed, Secret, Vault, associated_data};
use vivesphere_db::{Database, FromRow, Row, Transaction, params};

use crate::{Actor, Error, Instant, Principal, audit, bots};

/// What is stored: names and secrets.
pub type Data = BTreeMap<String, String>;

/// What a rotation has looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Sealed under the current key.
    pub done: usize,
    /// What does not open under any key that is here.
    pub damaged: usize,
    /// The last id; nothing when there was nothing to look at.
    pub last: Option<String>,
}

/// Most entries, and most bytes of names and values together.
const ENTRIES: usize = 64;
const BYTES: usize = 16 << 10;

/// A stored envelope.
#[derive(Debug, Clone)]
pub struct StoredData {
    /// Whose it is.
    pub bot_id: String,
    /// Rises with every store.
    pub version: i64,
    /// The envelope.
    pub sealed: Sealed,
    /// When it was stored.
    pub stored_at: Instant,
}

const COLUMNS: &str =
    "bot_id, version, key_id, wrapped_key, wrap_nonce, nonce, ciphertext, stored_at";

impl FromRow for StoredData {
    fn from_row(row: &mut Row) -> Result<Self, vivesphere_db::Error> {
        Ok(Self {
            bot_id: row.text(0)?,
            version: row.get(1)?,
            sealed: Sealed {
                key_id: row.text(2)?,
                algorithm: vivesphere_crypto::envelope::ALGORITHM.to_owned(),
                wrapped_key: row.blob(3)?,
                wrap_nonce: row.blob(4)?,
                nonce: row.blob(5)?,
                ciphertext: row.blob(6)?,
            },
            stored_at: Instant::from_unix_millis(row.get(7)?),
        })
    }
}

fn bound_to(bot_id: &str, version: i64) -> Vec<u8> {
    associated_data(&[b"botdata", bot_id.as_bytes(), &version.to_be_bytes()])
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Internal(error.to_string())
}

/// Checks what is to be stored.
///
/// # Errors
/// [`Error::Invalid`].
pub fn check(data: &Data) -> Result<(), Error> {
    let bytes: usize = data
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if data.is_empty() || data.len() > ENTRIES || bytes > BYTES {
        return Err(Error::invalid(
            "/data",
            format!("must have 1 to {ENTRIES} entries and at most {BYTES} bytes"),
        ));
    }
    Ok(())
}

/// Seals and stores data in place of what was there.
///
/// # Errors
/// [`Error::NotFound`] for a bot that is not in scope; [`Error::StaleVersion`] when another
/// version than the expected one is there; storage.
pub async fn store(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    vault: &Vault,
    bot_id: &str,
    expected_version: Option<i64>,
    data: &Data,
) -> Result<StoredData, Error> {
    check(data)?;
    bots::get(db, principal, bot_id).await?;
    let transaction = db.transaction().await?;
    if bots::is_gone(&transaction, bot_id).await? {
        return Err(Error::NotFound);
    }
    let current: i64 = transaction
        .query_optional(
            "SELECT version FROM botdata WHERE bot_id = ?",
            params![bot_id],
        )
        .await?
        .unwrap_or(0);
    if expected_version.is_some_and(|expected| expected != current) {
        return Err(Error::StaleVersion { current });
    }
    let version = current + 1;
    let plain = Secret::new(serde_json::to_vec(data).map_err(failed)?);
    let stored = StoredData {
        bot_id: bot_id.to_owned(),
        version,
        sealed: vault
            .seal(plain.expose(), &bound_to(bot_id, version))
            .map_err(failed)?,
        stored_at: Instant::now(),
    };
    write(&transaction, &stored).await?;
    let detail = json!({"version": version, "key_id": stored.sealed.key_id});
    audit::record(&transaction, actor, "botdata.stored", bot_id, &detail).await?;
    transaction.commit().await?;
    Ok(stored)
}

async fn write(transaction: &Transaction, stored: &StoredData) -> Result<(), Error> {
    let sealed = &stored.sealed;
    transaction
        .execute(
            "INSERT INTO botdata (bot_id, version, key_id, wrapped_key, wrap_nonce, nonce,
                ciphertext, stored_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (bot_id) DO UPDATE SET version = excluded.version,
                key_id = excluded.key_id, wrapped_key = excluded.wrapped_key,
                wrap_nonce = excluded.wrap_nonce, nonce = excluded.nonce,
                ciphertext = excluded.ciphertext, stored_at = excluded.stored_at",
            params![
                stored.bot_id.as_str(),
                stored.version,
                sealed.key_id.as_str(),
                sealed.wrapped_key.clone(),
                sealed.wrap_nonce.clone(),
                sealed.nonce.clone(),
                sealed.ciphertext.clone(),
                stored.stored_at.unix_millis(),
            ],
        )
        .await?;
    Ok(())
}

/// The envelope, sealed as it is.
///
/// # Errors
/// [`Error::NotFound`]; storage.
pub async fn retrieve(
    db: &Database,
    principal: &Principal,
    bot_id: &str,
) -> Result<StoredData, Error> {
    bots::get(db, principal, bot_id).await?;
    db.query_optional(
        &format!("SELECT {COLUMNS} FROM botdata WHERE bot_id = ?"),
        params![bot_id],
    )
    .await?
    .ok_or(Error::NotFound)
}

/// The data in plain text; its reading is in the audit trail. What lies under the previous vault
/// key is sealed anew on the way.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] `sealed_data_damaged` when the envelope does not
/// open; storage.
pub async fn reveal(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    vault: &Vault,
    bot_id: &str,
) -> Result<(i64, Data), Error> {
    let stored = retrieve(db, principal, bot_id).await?;
    let plain = vault
        .open(&stored.sealed, &bound_to(bot_id, stored.version))
        .map_err(|error| Error::conflict("sealed_data_damaged", error.to_string()))?;
    let data: Data = serde_json::from_slice(plain.expose())
        .map_err(|_| Error::Internal("the sealed data is not what was stored".to_owned()))?;
    if vault.needs_rotation(&stored.sealed) {
        rewrap_one(db, vault, &stored).await?;
    }
    if !principal.is_service() {
        let transaction = db.transaction().await?;
        let detail = json!({"version": stored.version});
        audit::record(&transaction, actor, "botdata.revealed", bot_id, &detail).await?;
        transaction.commit().await?;
    }
    Ok((stored.version, data))
}

/// Seals one row under the current key, unless it has changed meanwhile.
async fn rewrap_one(db: &Database, vault: &Vault, stored: &StoredData) -> Result<(), Error> {
    let bound = bound_to(&stored.bot_id, stored.version);
    let sealed = vault
        .rewrap(&stored.sealed, &bound, &bound)
        .map_err(failed)?;
    let transaction = db.transaction().await?;
    let current: Option<i64> = transaction
        .query_optional(
            "SELECT version FROM botdata WHERE bot_id = ? AND key_id = ?",
            params![stored.bot_id.as_str(), stored.sealed.key_id.as_str()],
        )
        .await?;
    if current == Some(stored.version) {
        let rotated = StoredData {
            sealed,
            ..stored.clone()
        };
        write(&transaction, &rotated).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Seals up to `limit` rows that lie under another vault key than the current one, those after
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
    let rows: Vec<StoredData> = db
        .query(
            &format!(
                "SELECT {COLUMNS} FROM botdata WHERE key_id <> ? AND bot_id > ?
                 ORDER BY bot_id LIMIT ?"
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
        rewrapped.last = Some(row.bot_id);
    }
    Ok(rewrapped)
}

/// How many rows lie under another vault key than the current one.
///
/// # Errors
/// Storage.
pub async fn remaining(db: &Database, vault: &Vault) -> Result<i64, Error> {
    let remaining: Option<i64> = db
        .query_optional(
            "SELECT count(*) FROM botdata WHERE key_id <> ?",
            params![vault.current_key_id()],
        )
        .await?;
    Ok(remaining.unwrap_or(0))
}

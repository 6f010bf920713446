//! The public halves of the keys that sign access tokens. Only `auth` has a private half.

use vivesphere_db::{Database, Error, Row, Transaction, params};
use vivesphere_tokens::PublicKey;
use vivesphere_tokens::public_key::Jwk;

use crate::Instant;

/// How long a key verifies after another has become current: longer than any access token
/// lives (the setting `access_token_seconds` is at most a day).
const OVERLAP_MILLISECONDS: i64 = 86_400_000;

/// The keys that verify now: the current one first, then those whose tokens may still be out.
///
/// # Errors
/// Any storage error.
pub async fn current(db: &Database, now: Instant) -> Result<Vec<PublicKey>, Error> {
    let rows: Vec<Row> = db
        .query(
            "SELECT public_key FROM signing_keys
             WHERE retired_at IS NULL OR retired_at > ?
             ORDER BY retired_at IS NULL DESC, created_at DESC",
            params![now.unix_millis() - OVERLAP_MILLISECONDS],
        )
        .await?;
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        // A row that is not a key verifies nothing; it must not stop the others.
        if let Ok(jwk) = serde_json::from_str::<Jwk>(row.get::<&str>(0)?)
            && let Ok(key) = PublicKey::try_from(&jwk)
        {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// Makes `key` the current one and retires the others.
///
/// # Errors
/// Any storage error.
pub async fn make_current(
    transaction: &Transaction,
    key: &PublicKey,
    now: Instant,
) -> Result<(), crate::Error> {
    let now = now.unix_millis();
    let jwk = serde_json::to_string(&key.jwk())
        .map_err(|error| crate::Error::Internal(error.to_string()))?;
    transaction
        .execute(
            "INSERT INTO signing_keys (kid, public_key, created_at) VALUES (?, ?, ?)
             ON CONFLICT (kid) DO UPDATE SET retired_at = NULL",
            params![key.kid(), jwk, now],
        )
        .await?;
    transaction
        .execute(
            "UPDATE signing_keys SET retired_at = ? WHERE kid <> ? AND retired_at IS NULL",
            params![now, key.kid()],
        )
        .await?;
    Ok(())
}

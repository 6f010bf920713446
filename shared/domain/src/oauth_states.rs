//! Authorizations under way: each state works once, for ten minutes.

use vivesphere_crypto::TokenHash;
use vivesphere_db::{Database, Row, params};

use crate::{Error, Instant};

const LIFETIME_MILLISECONDS: i64 = 600_000;

/// Notes that a user has begun to connect a bot.
///
/// # Errors
/// Storage.
pub async fn begin(db: &Database, state: &str, bot_id: &str, user_id: &str) -> Result<(), Error> {
    db.execute(
        "INSERT INTO oauth_states (state_hash, bot_id, user_id, expires_at) VALUES (?, ?, ?, ?)",
        params![
            TokenHash::of(state).hex(),
            bot_id,
            user_id,
            Instant::now().unix_millis() + LIFETIME_MILLISECONDS
        ],
    )
    .await?;
    Ok(())
}

/// Takes a state out, once: the bot and the user it was made for.
///
/// # Errors
/// Storage.
pub async fn finish(db: &Database, state: &str) -> Result<Option<(String, String)>, Error> {
    let row: Option<Row> = db
        .query_optional(
            "DELETE FROM oauth_states WHERE state_hash = ?
             RETURNING bot_id, user_id, expires_at",
            params![TokenHash::of(state).hex()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let live = row.get::<i64>(2)? > Instant::now().unix_millis();
    Ok(if live {
        Some((row.text(0)?, row.text(1)?))
    } else {
        None
    })
}

//! Throttling of sign-in: 10 failures in 15 minutes for a name or an address.

use vivesphere_db::{Database, Row, params};

use crate::{Error, Instant};

const WINDOW_MILLISECONDS: i64 = 15 * 60_000;
const FAILURES: i64 = 10;

fn subjects(username: &str, address: &str) -> [String; 2] {
    [
        format!("name:{}", username.to_lowercase()),
        format!("address:{address}"),
    ]
}

/// Refuses when the name or the address has failed too often.
///
/// # Errors
/// [`Error::TooMany`] `too_many_attempts`; storage.
pub async fn check(db: &Database, username: &str, address: &str) -> Result<(), Error> {
    let now = Instant::now().unix_millis();
    for subject in subjects(username, address) {
        let row: Option<Row> = db
            .query_optional(
                "SELECT count(*), min(failed_at) FROM
                    (SELECT failed_at FROM login_failures WHERE subject = ? AND failed_at > ?
                     ORDER BY failed_at DESC LIMIT ?)",
                params![subject, now - WINDOW_MILLISECONDS, FAILURES],
            )
            .await?;
        let Some(row) = row else { continue };
        if row.get::<i64>(0)? >= FAILURES {
            let oldest: i64 = row.get(1)?;
            let wait = (oldest + WINDOW_MILLISECONDS - now).max(1000);
            return Err(Error::TooMany {
                code: "too_many_attempts",
                detail: "Too many failed sign-ins; wait before trying again.".to_owned(),
                retry_after_seconds: wait.unsigned_abs().div_ceil(1000),
            });
        }
    }
    Ok(())
}

/// Notes a failure of both.
///
/// # Errors
/// Storage.
pub async fn note(db: &Database, username: &str, address: &str) -> Result<(), Error> {
    let [name, address] = subjects(username, address);
    db.execute(
        "INSERT INTO login_failures (subject, failed_at) VALUES (?1, ?3), (?2, ?3)",
        params![name, address, Instant::now().unix_millis()],
    )
    .await?;
    Ok(())
}

/// Forgets the failures of a name that has signed in.
///
/// # Errors
/// Storage.
pub async fn forget(db: &Database, username: &str) -> Result<(), Error> {
    let [name, _] = subjects(username, "");
    db.execute(
        "DELETE FROM login_failures WHERE subject = ?",
        params![name],
    )
    .await?;
    Ok(())
}

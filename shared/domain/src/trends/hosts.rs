//! Servers: when each may be asked again, and what its robots.txt says.

use vivesphere_db::{Database, Row, params};
use vivesphere_feeds::robots::Robots;

use crate::{Error, Instant};

/// A moment at which a server may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// It is this worker's: it asks then, and nobody else does.
    At(Instant),
    /// Others come first; it is free again then.
    TakenUntil(Instant),
}

/// Takes the server's next free moment, if that comes within `patience_milliseconds`; the one after
/// it is `spacing_milliseconds` later, whoever takes it. All workers count in one row, so they keep
/// the spacing together.
///
/// # Errors
/// Storage.
pub async fn reserve(
    db: &Database,
    origin: &str,
    spacing_milliseconds: i64,
    patience_milliseconds: i64,
) -> Result<Slot, Error> {
    let now = Instant::now().unix_millis();
    let row: Option<Row> = db
        .query_optional(
            "INSERT INTO scrape_hosts (origin, next_request_at) VALUES (?1, ?2 + ?3)
             ON CONFLICT (origin) DO UPDATE SET
                next_request_at = max(scrape_hosts.next_request_at, ?2) + ?3
             WHERE scrape_hosts.next_request_at <= ?2 + ?4
             RETURNING next_request_at",
            params![origin, now, spacing_milliseconds, patience_milliseconds],
        )
        .await?;
    if let Some(row) = row {
        let next: i64 = row.get(0)?;
        return Ok(Slot::At(Instant::from_unix_millis(
            next - spacing_milliseconds,
        )));
    }
    let free: Option<i64> = db
        .query_optional(
            "SELECT next_request_at FROM scrape_hosts WHERE origin = ?",
            params![origin],
        )
        .await?;
    Ok(Slot::TakenUntil(Instant::from_unix_millis(
        free.unwrap_or(now),
    )))
}

/// What is known of a server's robots.txt.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownRobots {
    /// The rules that are for us.
    pub rules: Robots,
    /// From when on they are to be fetched anew.
    pub expires_at: Instant,
}

/// What is known of a server's robots.txt, if that is still fresh.
///
/// # Errors
/// Storage.
pub async fn robots(db: &Database, origin: &str) -> Result<Option<KnownRobots>, Error> {
    let row: Option<Row> = db
        .query_optional(
            "SELECT robots, robots_expires_at FROM scrape_hosts
             WHERE origin = ? AND robots IS NOT NULL AND robots_expires_at > ?",
            params![origin, Instant::now().unix_millis()],
        )
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    // What an earlier build kept in another form is fetched anew.
    Ok(serde_json::from_str(row.get(0)?)
        .ok()
        .zip(Some(row.get(1)?))
        .map(|(rules, expires_at)| KnownRobots {
            rules,
            expires_at: Instant::from_unix_millis(expires_at),
        }))
}

/// Keeps what a server's robots.txt says to us.
///
/// # Errors
/// Storage.
pub async fn keep_robots(db: &Database, origin: &str, known: &KnownRobots) -> Result<(), Error> {
    let rules =
        serde_json::to_string(&known.rules).map_err(|error| Error::Internal(error.to_string()))?;
    db.execute(
        "INSERT INTO scrape_hosts (origin, robots, robots_expires_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (origin) DO UPDATE SET robots = ?2, robots_expires_at = ?3",
        params![origin, rules, known.expires_at.unix_millis()],
    )
    .await?;
    Ok(())
}

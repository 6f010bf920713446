//! Whether work is being done: what readiness looks at.

use std::collections::BTreeMap;

use vivesphere_db::{Database, Row, params};

use crate::{Error, Instant};

/// A post that has been due for longer is a failure of the deployment.
const OLDEST_SECONDS: i64 = 120;
/// A publisher that has not looked for longer, while posts are due, is not running.
const CLAIM_SECONDS: i64 = 60;

/// What readiness is decided by.
#[derive(Debug, Clone)]
pub struct Readiness {
    /// The decision.
    pub ready: bool,
    /// How long the oldest post of an active bot has been due, in seconds.
    pub oldest_due_seconds: Option<i64>,
    /// By job: seconds since the worker last looked for work successfully.
    pub seconds_since_claim: BTreeMap<String, i64>,
}

/// Looks, and writes to the database to see that it can.
///
/// # Errors
/// Storage: then the deployment is not ready.
pub async fn readiness(db: &Database) -> Result<Readiness, Error> {
    let now = Instant::now().unix_millis();
    db.execute(
        "INSERT INTO worker_claims (job, claimed_at, claimed) VALUES ('readiness', ?1, 0)
         ON CONFLICT (job) DO UPDATE SET claimed_at = excluded.claimed_at",
        params![now],
    )
    .await?;
    let oldest: Option<Row> = db
        .query_optional(
            "SELECT min(p.next_attempt_at) FROM posts p JOIN bots b ON b.bot_id = p.bot_id
             WHERE p.state = 'scheduled' AND p.next_attempt_at <= ?1 AND b.status = 'active'
                AND b.deleted_at IS NULL AND b.rate_limited_until <= ?1",
            params![now],
        )
        .await?;
    let oldest: Option<i64> = oldest.map(|row| row.get_optional(0)).transpose()?.flatten();
    let oldest_due_seconds = oldest.map(|due| (now - due) / 1000);
    let rows: Vec<Row> = db
        .query(
            "SELECT job, claimed_at FROM worker_claims WHERE job <> 'readiness'",
            [],
        )
        .await?;
    let mut seconds_since_claim = BTreeMap::new();
    for row in rows {
        seconds_since_claim.insert(row.text(0)?, (now - row.get::<i64>(1)?) / 1000);
    }
    let waiting = oldest_due_seconds.is_some_and(|seconds| seconds > OLDEST_SECONDS);
    let asleep = oldest_due_seconds.is_some_and(|seconds| seconds > CLAIM_SECONDS)
        && seconds_since_claim
            .get("publish")
            .is_none_or(|seconds| *seconds > CLAIM_SECONDS);
    Ok(Readiness {
        ready: !waiting && !asleep,
        oldest_due_seconds,
        seconds_since_claim,
    })
}

/// What can be counted.
#[derive(Debug, Clone, Copy)]
pub enum Counted {
    /// By state.
    Posts,
    /// By status.
    Bots,
}

/// Counts by state or status.
///
/// # Errors
/// Storage.
pub async fn count(db: &Database, what: Counted) -> Result<BTreeMap<String, i64>, Error> {
    let rows: Vec<Row> = db
        .query(
            match what {
                Counted::Posts => "SELECT state, count(*) FROM posts GROUP BY state",
                Counted::Bots => {
                    "SELECT status, count(*) FROM bots WHERE deleted_at IS NULL GROUP BY status"
                }
            },
            [],
        )
        .await?;
    let mut counts = BTreeMap::new();
    for row in rows {
        counts.insert(row.text(0)?, row.get(1)?);
    }
    Ok(counts)
}

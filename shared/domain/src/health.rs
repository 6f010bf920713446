//! Whether work is being done: what readiness looks at.

use std::collections::BTreeMap;

use vivesphere_db::{Database, Row, params};

use crate::settings::PublishingWindows;
use crate::{Error, Instant, publishing};

/// A post that a worker could have taken for longer is a failure of the deployment.
const OLDEST_SECONDS: i64 = 120;
/// A publisher that has not looked for longer, while posts are due, is not running.
const CLAIM_SECONDS: i64 = 60;

/// The posts that the publisher could take now, one a bot at most, as it looks for them: when the
/// oldest was due, and for how long it could have been taken. A post behind another of its bot
/// waits for that one, a limited bot for X, a paused one for a person, and in the time zones of ?2
/// all wait for their hours; that is nobody's failure.
const CLAIMABLE: &str = "
    SELECT min(h.next_attempt_at),
        min(max(h.next_attempt_at, b.rate_limited_until, b.updated_at, coalesce(
            (SELECT max(ended_at) FROM attempts a WHERE a.bot_id = b.bot_id AND a.outcome = 'sent'),
            0)))
    FROM bots b
    JOIN posts h ON h.post_id = (
        SELECT post_id FROM posts WHERE bot_id = b.bot_id AND state = 'scheduled'
        ORDER BY scheduled_at, post_id LIMIT 1)
    WHERE b.status = 'active' AND b.deleted_at IS NULL AND b.rate_limited_until <= ?1
        AND h.next_attempt_at <= ?1
        AND (b.timezone NOT IN (SELECT value FROM json_each(?2))
            OR EXISTS (SELECT 1 FROM post_parts n WHERE n.post_id = h.post_id
                AND n.x_post_id IS NOT NULL))
        AND NOT EXISTS (SELECT 1 FROM posts q WHERE q.bot_id = b.bot_id
            AND q.state IN ('publishing', 'outcome_unknown')
            AND (q.state = 'publishing' OR q.next_attempt_at IS NOT NULL))";

/// Why a deployment is not ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Posts are due and the publisher has not looked for them for a minute.
    PublisherAsleep,
    /// A post could have gone out for more than two minutes.
    PostOverdue,
}

impl Reason {
    /// Stable, snake_case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PublisherAsleep => "publisher_asleep",
            Self::PostOverdue => "post_overdue",
        }
    }
}

/// What readiness is decided by.
#[derive(Debug, Clone)]
pub struct Readiness {
    /// Empty when it is ready.
    pub reasons: Vec<Reason>,
    /// How long the oldest post that could go out now has been due, in seconds.
    pub oldest_due_seconds: Option<i64>,
    /// By job: seconds since the worker last looked for work successfully.
    pub seconds_since_claim: BTreeMap<String, i64>,
}

/// The rule: `claimable` and `since_claim` in seconds, each nothing when there is no such post
/// and no such claim. Before its first claim a worker has the same minute.
fn reasons(claimable: Option<i64>, since_claim: Option<i64>) -> Vec<Reason> {
    let Some(claimable) = claimable else {
        return Vec::new();
    };
    let mut reasons = Vec::new();
    if since_claim.unwrap_or(claimable) > CLAIM_SECONDS {
        reasons.push(Reason::PublisherAsleep);
    }
    if claimable > OLDEST_SECONDS {
        reasons.push(Reason::PostOverdue);
    }
    reasons
}

/// The time zones in which posts wait for their hours, or have been allowed to go out for less time
/// than a post may be overdue, as a JSON list.
///
/// # Errors
/// Storage.
pub(crate) async fn waiting_zones(
    db: &Database,
    windows: &PublishingWindows,
    now: Instant,
) -> Result<String, Error> {
    let before = now.plus_millis(-OLDEST_SECONDS * 1000);
    publishing::closed_zones(db, windows, &[before, now]).await
}

/// Of the posts that could be taken now: since when the oldest is due, and since when it could have
/// been taken.
///
/// # Errors
/// Storage.
pub(crate) async fn oldest(
    db: &Database,
    waiting_zones: &str,
    now: i64,
) -> Result<(Option<i64>, Option<i64>), Error> {
    let row: Option<Row> = db
        .query_optional(CLAIMABLE, params![now, waiting_zones])
        .await?;
    Ok(match row {
        Some(row) => (row.get_optional(0)?, row.get_optional(1)?),
        None => (None, None),
    })
}

/// Looks, and writes to the database to see that it can.
///
/// # Errors
/// Storage: then the deployment is not ready.
pub async fn readiness(db: &Database, windows: &PublishingWindows) -> Result<Readiness, Error> {
    let now = Instant::now();
    let waiting = waiting_zones(db, windows, now).await?;
    let now = now.unix_millis();
    db.execute(
        "INSERT INTO worker_claims (job, claimed_at, claimed) VALUES ('readiness', ?1, 0)
         ON CONFLICT (job) DO UPDATE SET claimed_at = excluded.claimed_at",
        params![now],
    )
    .await?;
    let seconds = |since: i64| ((now - since) / 1000).max(0);
    let (due, claimable) = oldest(db, &waiting, now).await?;
    let rows: Vec<Row> = db
        .query(
            "SELECT job, claimed_at FROM worker_claims WHERE job <> 'readiness'",
            [],
        )
        .await?;
    let mut seconds_since_claim = BTreeMap::new();
    for row in rows {
        seconds_since_claim.insert(row.text(0)?, seconds(row.get(1)?));
    }
    Ok(Readiness {
        reasons: reasons(
            claimable.map(seconds),
            seconds_since_claim.get("publish").copied(),
        ),
        oldest_due_seconds: due.map(seconds),
        seconds_since_claim,
    })
}

/// The version of SQLite, or of what speaks for it.
///
/// # Errors
/// Storage.
pub async fn sqlite_version(db: &Database) -> Result<Option<String>, Error> {
    Ok(db.query_optional("SELECT sqlite_version()", []).await?)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Reason::{PostOverdue, PublisherAsleep};
    use super::*;

    #[test]
    fn the_limits_are_a_minute_for_the_worker_and_two_for_a_post() {
        assert_eq!(reasons(Some(0), Some(60)), []);
        assert_eq!(reasons(Some(0), Some(61)), [PublisherAsleep]);
        assert_eq!(reasons(Some(120), Some(5)), []);
        assert_eq!(reasons(Some(121), Some(5)), [PostOverdue]);
        assert_eq!(reasons(Some(60), None), []);
        assert_eq!(reasons(Some(61), None), [PublisherAsleep]);
        assert_eq!(reasons(Some(121), None), [PublisherAsleep, PostOverdue]);
    }

    proptest! {
        #[test]
        fn without_a_due_post_it_is_ready(since in proptest::option::of(0..i64::MAX)) {
            prop_assert_eq!(reasons(None, since), []);
        }

        #[test]
        fn waiting_longer_never_makes_it_ready(
            claimable in 0..1000_i64, since in 0..1000_i64, more in 0..1000_i64,
        ) {
            for reason in reasons(Some(claimable), Some(since)) {
                prop_assert!(reasons(Some(claimable + more), Some(since)).contains(&reason));
                prop_assert!(reasons(Some(claimable), Some(since + more)).contains(&reason));
            }
        }
    }
}

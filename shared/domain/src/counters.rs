//! What is counted since the beginning: series that only rise, added to in batches.
//!
//! A restart forgets none of them, and any number of instances add to the same series.

use vivesphere_db::{Database, FromRow, Row, Transaction, params};

use crate::{Error, Instant};

/// What is counted. The name is the key in the database; the labels are those of
/// [`crate::metrics::METRICS`], in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Requests that were answered, with how long it took.
    Requests,
    /// Calls to publish, with how long they took.
    Attempts,
    /// Looks for posts whose outcome was unknown.
    Reconciliations,
    /// Refreshes of bots' tokens.
    TokenRefreshes,
    /// Readings of posts' public counts.
    Readings,
}

impl Counter {
    /// Every counter.
    pub const ALL: [Self; 5] = [
        Self::Requests,
        Self::Attempts,
        Self::Reconciliations,
        Self::TokenRefreshes,
        Self::Readings,
    ];

    /// Stable, snake_case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Attempts => "attempts",
            Self::Reconciliations => "reconciliations",
            Self::TokenRefreshes => "token_refreshes",
            Self::Readings => "readings",
        }
    }

    /// The upper bounds of the buckets of its durations, in microseconds; above the last there is
    /// one more bucket. Empty where durations are not measured.
    #[must_use]
    pub const fn bounds(self) -> &'static [u64] {
        match self {
            Self::Requests => &[
                1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
            ],
            Self::Attempts => &[
                100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000,
            ],
            Self::Reconciliations | Self::TokenRefreshes | Self::Readings => &[],
        }
    }

    /// The bucket of a duration: the first whose bound it does not exceed.
    #[must_use]
    pub fn bucket(self, microseconds: u64) -> usize {
        let bounds = self.bounds();
        bounds
            .iter()
            .position(|bound| microseconds <= *bound)
            .unwrap_or(bounds.len())
    }
}

/// What is added to a series, or what one holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// What was counted.
    pub counter: Counter,
    /// The values of its labels, separated by spaces; none of them is empty or holds one.
    pub labels: String,
    /// Which bucket of its durations.
    pub bucket: usize,
    /// How many.
    pub events: u64,
    /// How long they took together.
    pub microseconds: u64,
    /// When the last one happened.
    pub last_at: Instant,
}

impl Count {
    /// One thing that has just happened and has no duration.
    #[must_use]
    pub fn one(counter: Counter, labels: impl Into<String>) -> Self {
        Self::many(counter, labels, 1)
    }

    /// Things that have just happened and have no duration.
    #[must_use]
    pub fn many(counter: Counter, labels: impl Into<String>, events: u64) -> Self {
        Self {
            counter,
            labels: labels.into(),
            bucket: 0,
            events,
            microseconds: 0,
            last_at: Instant::now(),
        }
    }

    /// One thing that has just ended, and how long it took.
    #[must_use]
    pub fn timed(counter: Counter, labels: impl Into<String>, microseconds: u64) -> Self {
        Self {
            bucket: counter.bucket(microseconds),
            microseconds,
            ..Self::one(counter, labels)
        }
    }
}

const ADD: &str = "
    INSERT INTO counters (counter, labels, bucket, events, microseconds, last_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
    FROM json_each(?) WHERE TRUE
    ON CONFLICT (counter, labels, bucket) DO UPDATE SET events = events + excluded.events,
        microseconds = microseconds + excluded.microseconds,
        last_at = max(last_at, excluded.last_at)";

fn rows(counts: &[Count]) -> String {
    let rows = counts.iter().map(|count| {
        serde_json::json!([
            count.counter.as_str(),
            count.labels,
            count.bucket,
            count.events,
            count.microseconds,
            count.last_at.unix_millis(),
        ])
    });
    serde_json::Value::from_iter(rows).to_string()
}

/// Adds to the series: one statement, however many they are.
///
/// # Errors
/// Storage; then none is added.
pub async fn add(db: &Database, counts: &[Count]) -> Result<(), Error> {
    if counts.is_empty() {
        return Ok(());
    }
    Ok(db.execute(ADD, params![rows(counts)]).await?)
}

/// As [`add`], in a transaction with what is counted.
///
/// # Errors
/// Storage; the transaction is then not to be committed.
pub async fn add_in(transaction: &Transaction, counts: &[Count]) -> Result<(), Error> {
    if counts.is_empty() {
        return Ok(());
    }
    Ok(transaction.execute(ADD, params![rows(counts)]).await?)
}

/// Everything that was counted under the same labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// What was counted.
    pub counter: Counter,
    /// As [`Count::labels`].
    pub labels: String,
    /// How many fell into which bucket; a bucket that holds none may be missing.
    pub buckets: Vec<(usize, u64)>,
    /// How long they took together.
    pub microseconds: u64,
    /// When the last one happened.
    pub last_at: Instant,
}

impl Series {
    /// How many there were.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.buckets.iter().map(|(_, events)| events).sum()
    }
}

/// Every series, in the order of its name and labels.
///
/// # Errors
/// Storage.
pub async fn every(db: &Database) -> Result<Vec<Series>, Error> {
    // A row for each series: handing over one for each bucket costs more than all the rest.
    let rows: Vec<Known> = db
        .query(
            "SELECT counter, labels, group_concat(bucket || ' ' || events, ' '),
                sum(microseconds), max(last_at)
             FROM counters GROUP BY counter, labels ORDER BY counter, labels",
            [],
        )
        .await?;
    Ok(rows.into_iter().filter_map(|known| known.0).collect())
}

/// A row; nothing for a counter that this build does not know.
struct Known(Option<Series>);

impl FromRow for Known {
    fn from_row(row: &mut Row) -> Result<Self, vivesphere_db::Error> {
        let name: &str = row.get(0)?;
        let Some(counter) = Counter::ALL.into_iter().find(|own| own.as_str() == name) else {
            return Ok(Self(None));
        };
        Ok(Self(Some(Series {
            counter,
            labels: row.take_text(1)?,
            buckets: buckets(row.get(2)?),
            microseconds: row.get::<i64>(3)?.unsigned_abs(),
            last_at: Instant::from_unix_millis(row.get(4)?),
        })))
    }
}

/// Reads `<bucket> <events> <bucket> <events> …`.
fn buckets(text: &str) -> Vec<(usize, u64)> {
    let mut numbers = text.split(' ').map_while(|number| number.parse().ok());
    let mut buckets = Vec::new();
    while let (Some(bucket), Some(events)) = (numbers.next(), numbers.next()) {
        buckets.push((usize::try_from(bucket).unwrap_or(usize::MAX), events));
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let bounds = Counter::Requests.bounds();
        assert!(bounds.is_sorted());
        assert_eq!(Counter::Requests.bucket(0), 0);
        assert_eq!(Counter::Requests.bucket(1_000), 0);
        assert_eq!(Counter::Requests.bucket(1_001), 1);
        assert_eq!(Counter::Requests.bucket(u64::MAX), bounds.len());
        assert_eq!(Counter::Readings.bucket(7), 0);
    }

    #[test]
    fn buckets_are_read_as_they_are_packed() {
        assert_eq!(buckets("0 12 3 4"), [(0, 12), (3, 4)]);
        assert_eq!(buckets("7 18446744073709551615"), [(7, u64::MAX)]);
        assert_eq!(buckets(""), []);
    }

    #[test]
    fn a_batch_is_one_parameter() {
        let mut count = Count::timed(Counter::Attempts, "sent created", 200_000);
        count.last_at = Instant::from_unix_millis(5);
        assert_eq!(
            rows(&[count]),
            r#"[["attempts","sent created",1,1,200000,5]]"#
        );
    }
}

//! The numbers at one moment, as Prometheus reads them. Nothing here reads a table whose size
//! depends on the number of posts: what would, is kept in counters.

use std::collections::BTreeMap;

use vivesphere_db::{Database, MIGRATIONS, Row, params};

use super::exposition::{Exposition, bounds};
use super::names::{Metric, table};
use crate::counters::{self, Counter, Series};
use crate::logs::{self, LogType};
use crate::settings::PublishingWindows;
use crate::{Error, Instant, collector_stop, health, trends, x_rate_limits, x_spending};

/// What may be spent on readings, from the settings.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Millionths of a dollar on one day.
    pub daily_micro_dollars: i64,
}

/// No more due posts or readings are counted than these: a backlog is a backlog, and counting one
/// of a hundred thousand takes longer than all the rest.
const MOST_DUE: i64 = 10_000;

const ONE: f64 = 1.0;

fn dollars(micro_dollars: i64) -> f64 {
    micro_dollars as f64 / 1e6
}

/// The exposition's text. `version` is that of the build.
///
/// # Errors
/// Storage.
pub async fn text(
    db: &Database,
    version: &str,
    budget: Budget,
    windows: &PublishingWindows,
) -> Result<String, Error> {
    let mut exposition = Exposition::with_capacity(64 << 10);
    let migration = MIGRATIONS.len().to_string();
    exposition.begin(&table::BUILD);
    exposition.sample(&table::BUILD, &[version, &migration], ONE);
    let series = counters::every(db).await?;
    requests(&mut exposition, &series);
    posts(&mut exposition, db, windows).await?;
    publishing(&mut exposition, &series);
    x(&mut exposition, db).await?;
    readings(&mut exposition, db, &series, budget).await?;
    exposition.begin(&table::TREND_SOURCES);
    for (status, sources) in trends::sources_by_status(db).await? {
        exposition.sample(&table::TREND_SOURCES, &[status], sources as f64);
    }
    log(&mut exposition, db).await?;
    Ok(exposition.finish())
}

/// The series of one counter. They lie together, since all are in the order of name and labels.
fn of(series: &[Series], counter: Counter) -> &[Series] {
    series
        .chunk_by(|one, next| one.counter == next.counter)
        .find(|chunk| chunk.first().is_some_and(|first| first.counter == counter))
        .unwrap_or_default()
}

/// A counter's samples: the series as they are in the database, their buckets added up.
fn samples(exposition: &mut Exposition, metric: &Metric, series: &[Series], counter: Counter) {
    exposition.begin(metric);
    for one in of(series, counter) {
        let values: Vec<&str> = one.labels.split(' ').collect();
        exposition.sample(metric, &values, one.events() as f64);
    }
}

/// A histogram's samples: of the labels of the series only the first ones are told apart.
fn histogram(exposition: &mut Exposition, metric: &Metric, series: &[Series], counter: Counter) {
    exposition.begin(metric);
    let told_apart = metric.labels.len();
    let buckets = counter.bounds().len() + 1;
    let bounds = bounds(counter.bounds());
    let same = |one: &Series, next: &Series| {
        first(&one.labels, told_apart) == first(&next.labels, told_apart)
    };
    for alike in of(series, counter).chunk_by(same) {
        let mut events = vec![0; buckets];
        for (bucket, more) in alike.iter().flat_map(|one| &one.buckets) {
            if let Some(bucket) = events.get_mut(*bucket.min(&(buckets - 1))) {
                *bucket += more;
            }
        }
        let microseconds = alike.iter().map(|one| one.microseconds).sum();
        let labels = alike.first().map_or("", |one| &one.labels);
        let values: Vec<&str> = labels.split(' ').take(told_apart).collect();
        exposition.histogram(metric, &values, &bounds, &events, microseconds);
    }
}

/// The first few of a series' labels.
fn first(labels: &str, few: usize) -> &str {
    let Some(last) = few.checked_sub(1) else {
        return "";
    };
    let end = labels.match_indices(' ').nth(last);
    end.map_or(labels, |(end, _)| labels.get(..end).unwrap_or(labels))
}

/// The job of a series of requests that were answered 200.
fn job_that_ran(labels: &str) -> Option<&str> {
    labels
        .strip_prefix("POST /api/v1/jobs/")?
        .strip_suffix("/run 200")
}

fn requests(exposition: &mut Exposition, series: &[Series]) {
    samples(exposition, &table::REQUESTS, series, Counter::Requests);
    histogram(
        exposition,
        &table::REQUEST_DURATION,
        series,
        Counter::Requests,
    );
    exposition.begin(&table::LAST_SUCCESS);
    let mut last: BTreeMap<&str, Instant> = BTreeMap::new();
    for one in of(series, Counter::Requests) {
        if let Some(job) = job_that_ran(&one.labels) {
            let at = last.entry(job).or_insert(one.last_at);
            *at = one.last_at.max(*at);
        }
    }
    for (job, at) in last {
        let seconds = at.unix_millis() as f64 / 1e3;
        exposition.sample(&table::LAST_SUCCESS, &[job], seconds);
    }
}

async fn posts(
    exposition: &mut Exposition,
    db: &Database,
    windows: &PublishingWindows,
) -> Result<(), Error> {
    let now = Instant::now();
    let waiting = health::waiting_zones(db, windows, now).await?;
    let now = now.unix_millis();
    exposition.begin(&table::POSTS);
    let rows: Vec<Row> = db
        .query(
            "SELECT state, sum(posts) FROM post_counts GROUP BY state",
            [],
        )
        .await?;
    for row in &rows {
        let (state, posts): (&str, i64) = (row.get(0)?, row.get(1)?);
        exposition.sample(&table::POSTS, &[state], posts as f64);
    }
    let due: Option<i64> = db
        .query_optional(
            "SELECT count(*) FROM (SELECT 1 FROM posts
                WHERE state = 'scheduled' AND next_attempt_at <= ? LIMIT ?)",
            params![now, MOST_DUE],
        )
        .await?;
    exposition.begin(&table::POSTS_DUE);
    exposition.sample(&table::POSTS_DUE, &[], due.unwrap_or(0) as f64);
    let (oldest, _) = health::oldest(db, &waiting, now).await?;
    let age = oldest.map_or(0, |at| (now - at).max(0));
    exposition.begin(&table::OLDEST_DUE);
    exposition.sample(&table::OLDEST_DUE, &[], age as f64 / 1e3);
    // Of a bot that was deleted nobody moves them on.
    let letters: Option<i64> = db
        .query_optional(
            "SELECT coalesce((SELECT sum(c.posts) FROM post_counts c JOIN bots b USING (bot_id)
                    WHERE c.state = 'failed' AND b.deleted_at IS NULL), 0)
                + (SELECT count(*) FROM posts p JOIN bots b USING (bot_id)
                    WHERE p.state IN ('publishing', 'outcome_unknown')
                        AND p.state = 'outcome_unknown' AND p.next_attempt_at IS NULL
                        AND b.deleted_at IS NULL)",
            [],
        )
        .await?;
    let letters = letters.unwrap_or(0);
    exposition.begin(&table::DEAD_LETTERS);
    exposition.sample(&table::DEAD_LETTERS, &[], letters as f64);
    let rows: Vec<Row> = db
        .query(
            "SELECT status, count(*), sum(rate_limited_until > ?) FROM bots
             WHERE deleted_at IS NULL GROUP BY status",
            params![now],
        )
        .await?;
    exposition.begin(&table::BOTS);
    let mut limited = 0;
    for row in &rows {
        let bots: i64 = row.get(1)?;
        limited += row.get::<i64>(2)?;
        exposition.sample(&table::BOTS, &[row.get(0)?], bots as f64);
    }
    exposition.begin(&table::BOTS_LIMITED);
    exposition.sample(&table::BOTS_LIMITED, &[], limited as f64);
    Ok(())
}

fn publishing(exposition: &mut Exposition, series: &[Series]) {
    samples(exposition, &table::ATTEMPTS, series, Counter::Attempts);
    histogram(
        exposition,
        &table::ATTEMPT_DURATION,
        series,
        Counter::Attempts,
    );
    let rest = [
        (&table::RECONCILIATIONS, Counter::Reconciliations),
        (&table::TOKEN_REFRESHES, Counter::TokenRefreshes),
    ];
    for (metric, counter) in rest {
        samples(exposition, metric, series, counter);
    }
}

async fn x(exposition: &mut Exposition, db: &Database) -> Result<(), Error> {
    let least = x_rate_limits::least(db).await?;
    exposition.begin(&table::X_REMAINING);
    for left in &least {
        let values = [left.endpoint.as_str(), &left.span];
        exposition.sample(&table::X_REMAINING, &values, left.remaining as f64);
    }
    exposition.begin(&table::X_QUOTA);
    for left in &least {
        let values = [left.endpoint.as_str(), &left.span];
        exposition.sample(&table::X_QUOTA, &values, left.quota as f64);
    }
    let sums = x_spending::sums(db).await?;
    let metrics: [(&Metric, fn(&x_spending::Sum) -> f64); 3] = [
        (&table::SPENT, |sum| dollars(sum.micro_dollars)),
        (&table::SPENT_TODAY, |sum| dollars(sum.micro_dollars_today)),
        (&table::X_RESOURCES, |sum| sum.resources as f64),
    ];
    for (metric, number) in metrics {
        exposition.begin(metric);
        for (purpose, sum) in &sums {
            exposition.sample(metric, &[purpose], number(sum));
        }
    }
    Ok(())
}

async fn readings(
    exposition: &mut Exposition,
    db: &Database,
    series: &[Series],
    budget: Budget,
) -> Result<(), Error> {
    samples(exposition, &table::READINGS, series, Counter::Readings);
    let due: Option<i64> = db
        .query_optional(
            "SELECT count(*) FROM (SELECT 1 FROM post_metrics m JOIN bots b USING (bot_id)
                WHERE m.next_reading_at <= ? AND b.status = 'active' AND b.deleted_at IS NULL
                LIMIT ?)",
            params![Instant::now().unix_millis(), MOST_DUE],
        )
        .await?;
    exposition.begin(&table::READINGS_DUE);
    exposition.sample(&table::READINGS_DUE, &[], due.unwrap_or(0) as f64);
    exposition.begin(&table::READING_BUDGET);
    let dollars = dollars(budget.daily_micro_dollars);
    exposition.sample(&table::READING_BUDGET, &[], dollars);
    exposition.begin(&table::COLLECTOR_STOPPED);
    if let Some(stop) = collector_stop::current(db).await? {
        exposition.sample(&table::COLLECTOR_STOPPED, &[&stop.code], ONE);
    }
    Ok(())
}

async fn log(exposition: &mut Exposition, db: &Database) -> Result<(), Error> {
    let stats = logs::stats(db).await?;
    let metrics = [
        (&table::LOG_QUEUE, stats.queued),
        (&table::LOG_DRAINED, stats.drained),
        (&table::LOG_DROPPED, stats.dropped),
    ];
    for (metric, numbers) in metrics {
        exposition.begin(metric);
        for (log_type, number) in LogType::ALL.into_iter().zip(numbers) {
            exposition.sample(metric, &[log_type.as_str()], number as f64);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_ran_when_its_entry_answered_200() {
        for (labels, wanted) in [
            ("POST /api/v1/jobs/publish/run 200", Some("publish")),
            ("POST /api/v1/jobs/publish/run 503", None),
            ("GET /api/v1/bots/list 200", None),
        ] {
            assert_eq!(job_that_ran(labels), wanted);
        }
    }

    #[test]
    fn labels_are_told_apart_as_far_as_they_are_wanted() {
        for (few, wanted) in [(0, ""), (1, "GET"), (2, "GET /a"), (3, "GET /a 200")] {
            assert_eq!(first("GET /a 200", few), wanted);
        }
        assert_eq!(first("sent", 3), "sent");
    }

    #[test]
    fn statuses_are_added_up_in_a_histogram() {
        let one = |labels: &str, buckets: &[(usize, u64)]| Series {
            counter: Counter::Requests,
            labels: labels.to_owned(),
            buckets: buckets.to_vec(),
            microseconds: 1_000,
            last_at: Instant::from_unix_millis(1),
        };
        let series = [
            one("GET /a 200", &[(0, 2)]),
            one("GET /a 404", &[(0, 0), (10, 1)]),
            one("GET /b 200", &[(1, 1), (2, 3)]),
        ];
        let mut exposition = Exposition::default();
        requests(&mut exposition, &series);
        let text = exposition.finish();
        for wanted in [
            "vivesphere_http_requests_total{method=\"GET\",route=\"/a\",status=\"404\"} 1\n",
            "_bucket{method=\"GET\",route=\"/a\",le=\"5\"} 2\n",
            "_bucket{method=\"GET\",route=\"/a\",le=\"+Inf\"} 3\n",
            "_sum{method=\"GET\",route=\"/a\"} 0.002\n",
            "_count{method=\"GET\",route=\"/b\"} 4\n",
        ] {
            assert!(text.contains(wanted), "{wanted} is not in\n{text}");
        }
    }
}

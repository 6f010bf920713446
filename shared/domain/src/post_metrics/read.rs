//! Reading the counts: a bot's series, its latest posts, a post's readings.

use std::collections::BTreeMap;

use vivesphere_db::{Database, FromRow, Row, params};

use super::Counts;
use crate::{Error, Instant, Principal, bots, posts};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// Steps of one series.
const STEPS: i64 = 1000;

/// Which part of a bot's series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first step's beginning.
    pub from: Instant,
    /// The end, exclusive.
    pub to: Instant,
    /// A step's length in milliseconds: whole hours.
    pub step: i64,
}

impl Span {
    /// Checks what was asked for: the last seven days by the hour, when nothing was. The beginning
    /// moves back to a whole step (of Unix time).
    ///
    /// # Errors
    /// [`Error::Invalid`] when the step is not whole hours, the end is not after the beginning, or
    /// there would be more than 1000 steps.
    pub fn parse(
        from: Option<Instant>,
        to: Option<Instant>,
        step_seconds: Option<u32>,
    ) -> Result<Self, Error> {
        let step = i64::from(step_seconds.unwrap_or(3600)) * 1000;
        if step == 0 || step % HOUR != 0 {
            return Err(Error::invalid("/step", "must be whole hours, in seconds"));
        }
        let to = to.unwrap_or_else(Instant::now);
        let from = from.unwrap_or_else(|| to.plus_millis(-7 * DAY));
        if from >= to {
            return Err(Error::invalid("/from", "must be before `to`"));
        }
        let from = from.plus_millis(-from.unix_millis().rem_euclid(step));
        if to.millis_since(from) > STEPS * step {
            return Err(Error::invalid("/step", "makes more than 1000 steps"));
        }
        Ok(Self { from, to, step })
    }
}

/// One step of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Its beginning.
    pub at: Instant,
    /// Posts that went out in it.
    pub published: i64,
    /// Readings of posts in it.
    pub readings: i64,
    /// By how much the counts changed with those readings.
    pub change: Counts,
}

/// A bot's numbers over time.
#[derive(Debug, Clone)]
pub struct Series {
    /// Every step, also those in which nothing happened.
    pub steps: Vec<Step>,
    /// Over all of the bot's posts, since the beginning.
    pub totals: Counts,
}

/// A bot's series.
///
/// # Errors
/// [`Error::NotFound`]; storage.
pub async fn series(
    db: &Database,
    principal: &Principal,
    bot_id: &str,
    span: &Span,
) -> Result<Series, Error> {
    bots::get(db, principal, bot_id).await?;
    let parameters = || {
        params![
            bot_id,
            span.from.unix_millis(),
            span.to.unix_millis(),
            span.step
        ]
    };
    let mut steps = BTreeMap::new();
    let mut at = span.from;
    while at < span.to {
        let step = Step {
            at,
            published: 0,
            readings: 0,
            change: Counts::default(),
        };
        steps.insert(at.unix_millis(), step);
        at = at.plus_millis(span.step);
    }
    let rows: Vec<Row> = db
        .query(
            "SELECT hour - hour % ?4 AS at, sum(readings), sum(impressions), sum(likes),
                sum(reposts), sum(replies), sum(quotes), sum(bookmarks)
             FROM bot_metric_hours WHERE bot_id = ?1 AND hour >= ?2 AND hour < ?3 GROUP BY at",
            parameters(),
        )
        .await?;
    for row in &rows {
        if let Some(step) = steps.get_mut(&row.get(0)?) {
            step.readings = row.get(1)?;
            step.change = Counts::from_columns(row, 2)?;
        }
    }
    let rows: Vec<Row> = db
        .query(
            "SELECT published_at - published_at % ?4 AS at, count(*) FROM posts
             WHERE bot_id = ?1 AND state = 'published' AND published_at >= ?2
                AND published_at < ?3 GROUP BY at",
            parameters(),
        )
        .await?;
    for row in &rows {
        if let Some(step) = steps.get_mut(&row.get(0)?) {
            step.published = row.get(1)?;
        }
    }
    let totals: Option<Totals> = db
        .query_optional(
            &format!(
                "SELECT {} FROM bot_metrics WHERE bot_id = ?",
                Counts::COLUMNS
            ),
            params![bot_id],
        )
        .await?;
    Ok(Series {
        steps: steps.into_values().collect(),
        totals: totals.map_or(Counts::default(), |totals| totals.0),
    })
}

struct Totals(Counts);

impl FromRow for Totals {
    fn from_row(row: &mut Row) -> Result<Self, vivesphere_db::Error> {
        Counts::from_columns(row, 0).map(Self)
    }
}

/// A published post with its counts, those of a thread's parts added up.
#[derive(Debug, Clone)]
pub struct Latest {
    /// The post.
    pub post_id: String,
    /// When it was published.
    pub published_at: Instant,
    /// When it was last read.
    pub read_at: Option<Instant>,
    /// Whether X did not show all of it the last time.
    pub missing: bool,
    /// What X showed last.
    pub counts: Counts,
}

impl FromRow for Latest {
    fn from_row(row: &mut Row) -> Result<Self, vivesphere_db::Error> {
        Ok(Self {
            post_id: row.text(0)?,
            published_at: Instant::from_unix_millis(row.get(1)?),
            read_at: row.get_optional(2)?.map(Instant::from_unix_millis),
            missing: row.get::<i64>(3)? > 0,
            counts: Counts::from_columns(row, 4)?,
        })
    }
}

/// A bot's latest published posts, the newest first. Whoever calls has checked that the bot may be
/// seen.
///
/// # Errors
/// Storage.
pub async fn latest(db: &Database, bot_id: &str, limit: u32) -> Result<Vec<Latest>, Error> {
    Ok(db
        .query(
            "SELECT p.post_id, p.published_at, max(m.read_at), max(m.missed), sum(m.impressions),
                sum(m.likes), sum(m.reposts), sum(m.replies), sum(m.quotes), sum(m.bookmarks)
             FROM (SELECT post_id, published_at FROM posts
                WHERE bot_id = ? AND state = 'published' ORDER BY published_at DESC LIMIT ?) p
             JOIN post_metrics m ON m.post_id = p.post_id
             GROUP BY p.post_id ORDER BY p.published_at DESC",
            params![bot_id, limit],
        )
        .await?)
}

/// The counts at one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// When.
    pub read_at: Instant,
    /// What X showed.
    pub counts: Counts,
}

/// A part of a post and its readings.
#[derive(Debug, Clone)]
pub struct PartReadings {
    /// Which part, from 0.
    pub position: i64,
    /// Its id on X.
    pub x_post_id: String,
    /// When it is read next; nothing when it is not read any more.
    pub next_reading_at: Option<Instant>,
    /// When it was last read.
    pub read_at: Option<Instant>,
    /// Whether X did not show it the last time.
    pub missing: bool,
    /// The oldest first.
    pub readings: Vec<Reading>,
}

/// The readings of a post that the principal may see, part by part.
///
/// # Errors
/// [`Error::NotFound`]; storage.
pub async fn of_post(
    db: &Database,
    principal: &Principal,
    post_id: &str,
) -> Result<Vec<PartReadings>, Error> {
    posts::get(db, principal, post_id).await?;
    let rows: Vec<Row> = db
        .query(
            "SELECT position, x_post_id, next_reading_at, read_at, missed FROM post_metrics
             WHERE post_id = ? ORDER BY position",
            params![post_id],
        )
        .await?;
    let mut parts = Vec::with_capacity(rows.len());
    for row in &rows {
        parts.push(PartReadings {
            position: row.get(0)?,
            x_post_id: row.text(1)?,
            next_reading_at: row.get_optional(2)?.map(Instant::from_unix_millis),
            read_at: row.get_optional(3)?.map(Instant::from_unix_millis),
            missing: row.get::<i64>(4)? > 0,
            readings: Vec::new(),
        });
    }
    let rows: Vec<Row> = db
        .query(
            &format!(
                "SELECT position, read_at, {} FROM post_readings WHERE post_id = ?
                 ORDER BY position, read_at",
                Counts::COLUMNS
            ),
            params![post_id],
        )
        .await?;
    for row in &rows {
        let position: i64 = row.get(0)?;
        if let Some(part) = parts.iter_mut().find(|part| part.position == position) {
            part.readings.push(Reading {
                read_at: Instant::from_unix_millis(row.get(1)?),
                counts: Counts::from_columns(row, 2)?,
            });
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Option<Instant> {
        Some(Instant::from_unix_millis(1_800_000_000_000 + hours * HOUR))
    }

    #[test]
    fn a_span_begins_with_a_whole_step_and_has_no_more_than_a_thousand() {
        let day = Span::parse(at(5), at(50), Some(86_400)).unwrap();
        assert_eq!(day.from.unix_millis() % DAY, 0);
        assert_eq!(day.step, DAY);
        let week = Span::parse(None, at(0), None).unwrap();
        assert_eq!(week.to.millis_since(week.from), 7 * DAY);
        for (from, to, step) in [
            (at(0), at(1), Some(60)),
            (at(0), at(1), Some(0)),
            (at(1), at(1), None),
            (at(2), at(1), None),
            (at(0), at(1001), None),
        ] {
            assert!(matches!(
                Span::parse(from, to, step),
                Err(Error::Invalid(_))
            ));
        }
        assert!(Span::parse(at(0), at(1000), None).is_ok());
    }
}

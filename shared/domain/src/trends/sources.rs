//! The sources of trends: what is read, and how each fares.

use vivesphere_db::{Database, Row, params};

use super::source_fields::{Kind, Target};
use crate::x_spending::price;
use crate::{Error, Instant, Listed, Page};

/// A source, with its health.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its id.
    pub source_id: String,
    /// For people.
    pub name: String,
    /// What is read.
    pub target: Target,
    /// The language of its items, where it overrides what they say.
    pub language: Option<String>,
    /// The category of its topics, where it overrides what they say.
    pub category: Option<String>,
    /// How much a sighting counts.
    pub weight: f64,
    /// Its own interval, if it has one.
    pub interval_seconds: Option<i64>,
    /// Whether it is fetched.
    pub enabled: bool,
    /// Whose doing it is.
    pub created_by: String,
    /// How it fares.
    pub health: Health,
    /// Rises with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
}

/// How a source fares.
#[derive(Debug, Clone)]
pub struct Health {
    /// `new`, `ok`, `failing`, `stopped` or `disabled`.
    pub status: &'static str,
    /// When it is next fetched; nothing while it is not.
    pub next_fetch_at: Option<Instant>,
    /// Failures in a row.
    pub failures: i64,
    /// Until when it is left alone after a failure.
    pub backoff_until: Option<Instant>,
    /// When it was last asked.
    pub last_attempt_at: Option<Instant>,
    /// When it last answered well.
    pub last_success_at: Option<Instant>,
    /// When it last showed something new.
    pub last_item_at: Option<Instant>,
    /// What went wrong last, by a stable name.
    pub last_error_code: Option<String>,
    /// When that was.
    pub last_error_at: Option<Instant>,
    /// The status of its last answer.
    pub last_http_status: Option<i64>,
    /// Requests that were sent for it since the beginning.
    pub requests: i64,
    /// Items that it showed since the beginning.
    pub items: i64,
    /// What those requests cost, in millionths of a dollar.
    pub spent_micro_dollars: i64,
}

pub(super) const COLUMNS: &str = "s.source_id, s.name, s.target, s.language, s.category, s.weight,
    s.interval_seconds, s.enabled, s.created_by, s.version, s.created_at, s.updated_at,
    f.next_fetch_at, f.not_before, f.failures, f.backoff_until, f.last_attempt_at,
    f.last_success_at, f.last_item_at, f.last_error_code, f.last_error_at, f.last_http_status,
    f.stopped_at, f.requests, f.items";
pub(super) const TABLES: &str =
    "trend_sources s JOIN trend_source_states f ON f.source_id = s.source_id";

/// A target as it is kept: only what was checked gets there.
pub(super) fn target(json: &str) -> Result<Target, Error> {
    serde_json::from_str(json).map_err(|error| Error::Internal(format!("a source: {error}")))
}

fn instant(row: &Row, column: usize) -> Result<Option<Instant>, Error> {
    Ok(row.get_optional(column)?.map(Instant::from_unix_millis))
}

const STATUSES: [&str; 5] = ["new", "ok", "failing", "stopped", "disabled"];

fn status(stopped: bool, enabled: bool, failing: bool, new: bool) -> &'static str {
    match () {
        () if stopped => "stopped",
        () if !enabled => "disabled",
        () if failing => "failing",
        () if new => "new",
        () => "ok",
    }
}

/// How many sources there are of each health, those without one included.
///
/// # Errors
/// Storage.
pub async fn sources_by_status(db: &Database) -> Result<[(&'static str, i64); 5], Error> {
    let rows: Vec<Row> = db
        .query(
            "SELECT f.stopped_at IS NOT NULL, s.enabled, f.failures > 0, f.last_success_at IS NULL
             FROM trend_sources s JOIN trend_source_states f ON f.source_id = s.source_id
             WHERE s.deleted_at IS NULL",
            [],
        )
        .await?;
    let mut counts = STATUSES.map(|status| (status, 0));
    for row in rows {
        let found = status(row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        for (status, count) in &mut counts {
            *count += i64::from(*status == found);
        }
    }
    Ok(counts)
}

pub(super) fn source(row: &Row) -> Result<Source, Error> {
    let target = target(&row.text(2)?)?;
    let enabled: bool = row.get(7)?;
    let (failures, requests): (i64, i64) = (row.get(14)?, row.get(23)?);
    let stopped: Option<i64> = row.get_optional(22)?;
    let last_success_at = instant(row, 17)?;
    let status = status(
        stopped.is_some(),
        enabled,
        failures > 0,
        last_success_at.is_none(),
    );
    let next: i64 = row.get::<i64>(12)?.max(row.get(13)?);
    let costs = match target.kind() {
        Kind::XTrends => price::TRENDS,
        Kind::Feed | Kind::HackerNews | Kind::Page => 0,
    };
    Ok(Source {
        source_id: row.text(0)?,
        name: row.text(1)?,
        target,
        language: row.text_optional(3)?,
        category: row.text_optional(4)?,
        weight: row.get(5)?,
        interval_seconds: row.get_optional(6)?,
        enabled,
        created_by: row.text(8)?,
        health: Health {
            status,
            next_fetch_at: (enabled && stopped.is_none()).then(|| Instant::from_unix_millis(next)),
            failures,
            backoff_until: instant(row, 15)?,
            last_attempt_at: instant(row, 16)?,
            last_success_at,
            last_item_at: instant(row, 18)?,
            last_error_code: row.text_optional(19)?,
            last_error_at: instant(row, 20)?,
            last_http_status: row.get_optional(21)?,
            requests,
            items: row.get(24)?,
            spent_micro_dollars: requests.saturating_mul(costs),
        },
        version: row.get(9)?,
        created_at: Instant::from_unix_millis(row.get(10)?),
        updated_at: Instant::from_unix_millis(row.get(11)?),
    })
}

/// What a list of sources is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct SourceFilter {
    /// [`Kind::as_str`].
    pub kind: Option<String>,
    /// Whether they are fetched.
    pub enabled: Option<bool>,
}

/// A source.
///
/// # Errors
/// [`Error::NotFound`]; storage.
pub async fn get(db: &Database, source_id: &str) -> Result<Source, Error> {
    let row: Option<Row> = db
        .query_optional(
            &format!(
                "SELECT {COLUMNS} FROM {TABLES} WHERE s.source_id = ? AND s.deleted_at IS NULL"
            ),
            params![source_id],
        )
        .await?;
    source(&row.ok_or(Error::NotFound)?)
}

/// Sources by age.
///
/// # Errors
/// [`Error::Invalid`] for a kind that there is not; storage.
pub async fn list(
    db: &Database,
    filter: &SourceFilter,
    page: &Page,
) -> Result<Listed<Source>, Error> {
    if let Some(kind) = &filter.kind
        && Kind::parse(kind).is_none()
    {
        let detail = "must be x_trends, feed, hacker_news or page";
        return Err(Error::invalid("/kind", detail));
    }
    let rows: Vec<Row> = db
        .query(
            &format!(
                "SELECT {COLUMNS} FROM {TABLES}
                 WHERE s.deleted_at IS NULL AND (?1 IS NULL OR s.kind = ?1)
                    AND (?2 IS NULL OR s.enabled = ?2) AND (?3 IS NULL OR s.source_id > ?3)
                 ORDER BY s.source_id LIMIT ?4"
            ),
            params![
                filter.kind.clone(),
                filter.enabled.map(i64::from),
                page.after.clone(),
                page.rows()
            ],
        )
        .await?;
    let sources = rows.iter().map(source).collect::<Result<Vec<_>, _>>()?;
    Ok(page.cut(sources, |source: &Source| &source.source_id))
}

/// How many sources are due.
///
/// # Errors
/// Storage.
pub async fn due(db: &Database) -> Result<i64, Error> {
    let count: Option<i64> = db
        .query_optional(
            "SELECT count(*) FROM trend_source_states f JOIN trend_sources s USING (source_id)
             WHERE s.deleted_at IS NULL AND s.enabled AND f.stopped_at IS NULL
                AND f.next_fetch_at <= ?1 AND f.not_before <= ?1",
            params![Instant::now().unix_millis()],
        )
        .await?;
    Ok(count.unwrap_or_default())
}

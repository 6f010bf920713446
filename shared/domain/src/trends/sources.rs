//! The sources of trends: what is read, and how it fares.

use serde_json::json;
use vivesphere_db::{Database, Row, Transaction, params};

use super::X_TRENDS_MICRO_DOLLARS;
use super::source_fields::{Checked, Kind, SourceChange, SourceFields, Target};
use crate::{Actor, Error, Instant, Listed, Page, audit, new_id};

/// Most sources there may be: each is asked again and again.
const SOURCES: i64 = 500;

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

const COLUMNS: &str = "s.source_id, s.name, s.target, s.language, s.category, s.weight,
    s.interval_seconds, s.enabled, s.created_by, s.version, s.created_at, s.updated_at,
    f.next_fetch_at, f.not_before, f.failures, f.backoff_until, f.last_attempt_at,
    f.last_success_at, f.last_item_at, f.last_error_code, f.last_error_at, f.last_http_status,
    f.stopped_at, f.requests, f.items";
const TABLES: &str = "trend_sources s JOIN trend_source_states f ON f.source_id = s.source_id";

/// A target as it is kept: only what was checked gets there.
pub(super) fn target(json: &str) -> Result<Target, Error> {
    serde_json::from_str(json).map_err(|error| Error::Internal(format!("a source: {error}")))
}

fn instant(row: &Row, column: usize) -> Result<Option<Instant>, Error> {
    Ok(row.get_optional(column)?.map(Instant::from_unix_millis))
}

fn source(row: &Row) -> Result<Source, Error> {
    let target = target(&row.text(2)?)?;
    let enabled: bool = row.get(7)?;
    let (failures, requests): (i64, i64) = (row.get(14)?, row.get(23)?);
    let stopped: Option<i64> = row.get_optional(22)?;
    let last_success_at = instant(row, 17)?;
    let status = match () {
        () if stopped.is_some() => "stopped",
        () if !enabled => "disabled",
        () if failures > 0 => "failing",
        () if last_success_at.is_none() => "new",
        () => "ok",
    };
    let next: i64 = row.get::<i64>(12)?.max(row.get(13)?);
    let costs = match target.kind() {
        Kind::XTrends => X_TRENDS_MICRO_DOLLARS,
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

fn taken(error: vivesphere_db::Error) -> Error {
    if error.is_unique_violation("trend_sources.target_key") {
        Error::conflict(
            "trend_source_exists",
            "There is a source of this already: two would count everything twice.",
        )
    } else {
        error.into()
    }
}

fn kept(target: &Target) -> Result<String, Error> {
    serde_json::to_string(target).map_err(|error| Error::Internal(error.to_string()))
}

/// Adds a source. It is due at once.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Conflict`] `trend_source_exists`, `too_many_trend_sources`; storage.
pub async fn create(
    db: &Database,
    actor: &Actor,
    created_by: &str,
    fields: SourceFields,
    allow_private: bool,
) -> Result<Source, Error> {
    let checked = fields.checked(allow_private)?;
    let (source_id, now) = (new_id(), Instant::now().unix_millis());
    let transaction = db.transaction().await?;
    let count: Option<i64> = transaction
        .query_optional(
            "SELECT count(*) FROM trend_sources WHERE deleted_at IS NULL",
            params![],
        )
        .await?;
    if count >= Some(SOURCES) {
        return Err(Error::conflict(
            "too_many_trend_sources",
            "There are as many sources as there can be: delete one first.",
        ));
    }
    transaction
        .execute(
            "INSERT INTO trend_sources (source_id, name, kind, target, target_key, language,
                category, weight, interval_seconds, enabled, created_by, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12)",
            params![
                source_id.as_str(),
                checked.name.as_str(),
                checked.target.kind().as_str(),
                kept(&checked.target)?,
                checked.target.key(),
                checked.language,
                checked.category,
                checked.weight,
                checked.interval_seconds,
                i64::from(checked.enabled),
                created_by,
                now,
            ],
        )
        .await
        .map_err(taken)?;
    transaction
        .execute(
            "INSERT INTO trend_source_states (source_id, next_fetch_at) VALUES (?, ?)",
            params![source_id.as_str(), now],
        )
        .await?;
    let detail = json!({"name": checked.name, "target": checked.target});
    audit::record(
        &transaction,
        actor,
        "trend_source.created",
        &source_id,
        &detail,
    )
    .await?;
    transaction.commit().await?;
    get(db, &source_id).await
}

/// The source under the write lock. Refuses a stale version.
async fn lock(
    transaction: &Transaction,
    source_id: &str,
    expected: Option<i64>,
) -> Result<Source, Error> {
    let row: Option<Row> = transaction
        .query_optional(
            &format!(
                "SELECT {COLUMNS} FROM {TABLES} WHERE s.source_id = ? AND s.deleted_at IS NULL"
            ),
            params![source_id],
        )
        .await?;
    let found = source(&row.ok_or(Error::NotFound)?)?;
    if expected.is_some_and(|expected| expected != found.version) {
        return Err(Error::StaleVersion {
            current: found.version,
        });
    }
    Ok(found)
}

fn fields(source: &Source) -> SourceFields {
    let mut fields = SourceFields {
        name: source.name.clone(),
        kind: source.target.kind().as_str().to_owned(),
        language: source.language.clone(),
        category: source.category.clone(),
        weight: Some(source.weight),
        interval_seconds: source.interval_seconds,
        enabled: source.enabled,
        ..SourceFields::default()
    };
    match source.target.clone() {
        Target::XTrends { woeid } => fields.woeid = Some(woeid),
        Target::HackerNews { list } => fields.list = Some(list.as_str().to_owned()),
        Target::Feed { url } => fields.url = Some(url),
        Target::Page {
            url,
            selectors,
            permission,
        } => {
            fields.url = Some(url);
            fields.selectors = Some(selectors);
            fields.permission = Some(permission);
        }
    }
    fields
}

/// Changes a source. Enabling it starts it again after it was stopped; another address or other
/// selectors make it due at once, and what was known of its answers is forgotten.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`], [`Error::StaleVersion`]; [`Error::Conflict`]
/// `trend_source_exists`; storage.
pub async fn update(
    db: &Database,
    actor: &Actor,
    source_id: &str,
    expected_version: Option<i64>,
    change: SourceChange,
    allow_private: bool,
) -> Result<Source, Error> {
    // Bad input is refused before anybody waits for the lock.
    let seen = get(db, source_id).await?;
    fields(&seen).with(change.clone()).checked(allow_private)?;
    let transaction = db.transaction().await?;
    let current = lock(&transaction, source_id, expected_version).await?;
    let starts = change.enabled == Some(true);
    let checked = fields(&current).with(change).checked(allow_private)?;
    let now = Instant::now().unix_millis();
    write(&transaction, source_id, &checked, now).await?;
    let anew = checked.target != current.target;
    if anew || (starts && current.health.status == "stopped") {
        transaction
            .execute(
                "UPDATE trend_source_states SET next_fetch_at = ?2, etag = NULL,
                    last_modified = NULL, stopped_at = NULL, failures = 0, backoff_until = NULL,
                    not_before = CASE WHEN ?3 THEN 0 ELSE not_before END
                 WHERE source_id = ?1",
                params![source_id, now, i64::from(anew)],
            )
            .await?;
    }
    let version = current.version + 1;
    let detail = json!({"version": version, "enabled": checked.enabled, "target": checked.target});
    audit::record(
        &transaction,
        actor,
        "trend_source.changed",
        source_id,
        &detail,
    )
    .await?;
    transaction.commit().await?;
    get(db, source_id).await
}

async fn write(
    transaction: &Transaction,
    source_id: &str,
    checked: &Checked,
    now: i64,
) -> Result<(), Error> {
    transaction
        .execute(
            "UPDATE trend_sources SET name = ?2, target = ?3, target_key = ?4, language = ?5,
                category = ?6, weight = ?7, interval_seconds = ?8, enabled = ?9,
                version = version + 1, updated_at = ?10
             WHERE source_id = ?1",
            params![
                source_id,
                checked.name.as_str(),
                kept(&checked.target)?,
                checked.target.key(),
                checked.language.clone(),
                checked.category.clone(),
                checked.weight,
                checked.interval_seconds,
                i64::from(checked.enabled),
                now,
            ],
        )
        .await
        .map_err(taken)
}

/// Deletes a source. What it showed stays until its time is over.
///
/// # Errors
/// [`Error::NotFound`], [`Error::StaleVersion`]; storage.
pub async fn delete(
    db: &Database,
    actor: &Actor,
    source_id: &str,
    expected_version: Option<i64>,
) -> Result<(), Error> {
    let transaction = db.transaction().await?;
    let source = lock(&transaction, source_id, expected_version).await?;
    transaction
        .execute(
            "UPDATE trend_sources SET deleted_at = ?2, updated_at = ?2 WHERE source_id = ?1",
            params![source_id, Instant::now().unix_millis()],
        )
        .await?;
    let detail = json!({"name": source.name});
    audit::record(
        &transaction,
        actor,
        "trend_source.deleted",
        source_id,
        &detail,
    )
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// Asks for a source to be fetched at the scraper's next run. What its server asked for, and the
/// spacing of requests to it, hold all the same. Gives the source as it is then.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] `trend_source_not_fetched` for one that is disabled or
/// stopped; storage.
pub async fn request_scrape(
    db: &Database,
    actor: &Actor,
    source_id: &str,
) -> Result<Source, Error> {
    let transaction = db.transaction().await?;
    let source = lock(&transaction, source_id, None).await?;
    if source.health.next_fetch_at.is_none() {
        return Err(Error::conflict(
            "trend_source_not_fetched",
            "This source is disabled or was stopped: enable it first.",
        ));
    }
    transaction
        .execute(
            "UPDATE trend_source_states SET next_fetch_at = min(next_fetch_at, ?2)
             WHERE source_id = ?1",
            params![source_id, Instant::now().unix_millis()],
        )
        .await?;
    let action = "trend_source.scrape_requested";
    audit::record(&transaction, actor, action, source_id, &json!({})).await?;
    transaction.commit().await?;
    get(db, source_id).await
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

//! Sources are added, changed, deleted, and asked for.

use serde_json::json;
use vivesphere_db::{Database, Row, Transaction, params};

use super::source_fields::{Checked, SourceChange, SourceFields, Target};
use super::sources::{COLUMNS, Source, TABLES, get, source};
use crate::{Actor, Error, Instant, audit, new_id};

/// Most sources there may be: each is asked again and again.
const SOURCES: i64 = 500;

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
        // A fetch that is under way asks for what is no longer wanted: it loses its lease.
        transaction
            .execute(
                "UPDATE trend_source_states SET next_fetch_at = ?2, etag = NULL,
                    last_modified = NULL, minutes_between_fetches = NULL,
                    fencing_token = fencing_token + 1, leased_until = 0, stopped_at = NULL, failures = 0, backoff_until = NULL,
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

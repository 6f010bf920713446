//! Posts: what people schedule. What the publisher does with them stands in `publishing`.

use serde_json::json;
use vivesphere_db::{Database, FromRow, Row, Transaction, params};

use crate::permissions::Permission;
use crate::time_zone::{Zone, parse_instant, resolve_local};
use crate::weighted_length::{PostText, TextError};
use crate::{Actor, Error, FieldError, Instant, Listed, Page, Principal, audit, bots, new_id};

/// Most parts of a thread.
const PARTS: usize = 25;
/// A time this far past is taken for "now": clocks differ, requests travel.
const LATE_MILLISECONDS: i64 = 60_000;

/// A post.
#[derive(Debug, Clone)]
pub struct Post {
    /// UUIDv7.
    pub post_id: String,
    /// The bot that publishes it.
    pub bot_id: String,
    /// By its contract name.
    pub state: String,
    /// When it is due.
    pub scheduled_at: Instant,
    /// When its last part was published.
    pub published_at: Option<Instant>,
    /// When it is looked at next; absent when only a person moves it on.
    pub next_attempt_at: Option<Instant>,
    /// Why it failed, as a stable code.
    pub failure_code: Option<String>,
    /// Why it failed, for people.
    pub failure_detail: Option<String>,
    /// Rises with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
    /// Its texts, with X's id of each that is published.
    pub parts: Vec<(String, Option<String>)>,
    /// Every call made for it.
    pub attempts: Vec<Attempt>,
}

/// One call made for a post.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// From 1.
    pub number: i64,
    /// Which part of the thread, from 0.
    pub part: i64,
    /// Written before the call.
    pub started_at: Instant,
    /// Absent while it runs.
    pub ended_at: Option<Instant>,
    /// `sent`, `refused`, `unknown` or `deferred`.
    pub outcome: Option<String>,
    /// The answer's status.
    pub http_status: Option<i64>,
    /// A stable code.
    pub code: Option<String>,
    /// For people.
    pub detail: Option<String>,
}

const COLUMNS: &str = "p.post_id, p.bot_id, p.state, p.scheduled_at, p.published_at,
    p.next_attempt_at, p.failure_code, p.failure_detail, p.version, p.created_at, p.updated_at";

impl FromRow for Post {
    fn from_row(row: &Row) -> Result<Self, vivesphere_db::Error> {
        Ok(Self {
            post_id: row.text(0)?,
            bot_id: row.text(1)?,
            state: row.text(2)?,
            scheduled_at: Instant::from_unix_millis(row.get(3)?),
            published_at: row.get_optional(4)?.map(Instant::from_unix_millis),
            next_attempt_at: row.get_optional(5)?.map(Instant::from_unix_millis),
            failure_code: row.text_optional(6)?,
            failure_detail: row.text_optional(7)?,
            version: row.get(8)?,
            created_at: Instant::from_unix_millis(row.get(9)?),
            updated_at: Instant::from_unix_millis(row.get(10)?),
            parts: Vec::new(),
            attempts: Vec::new(),
        })
    }
}

/// What is asked for: exactly one of `text` and `thread`, at most one of the times.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// A single post.
    pub text: Option<String>,
    /// Several, each a reply to the one before.
    pub thread: Option<Vec<String>>,
    /// RFC 3339 with an offset.
    pub scheduled_at: Option<String>,
    /// `2026-12-01T09:00` in the bot's time zone.
    pub local_time: Option<String>,
    /// Whether a person must approve it first.
    pub requires_approval: Option<bool>,
}

/// What can be changed about a post that has not been sent.
pub type PostChange = Draft;

fn texts(draft: &Draft) -> Result<Option<Vec<String>>, Error> {
    let (given, pointer): (Vec<&String>, fn(usize) -> String) = match (&draft.text, &draft.thread) {
        (Some(text), None) => (vec![text], |_| "/text".to_owned()),
        (None, Some(thread)) => (thread.iter().collect(), |part| format!("/thread/{part}")),
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(Error::invalid(
                "/thread",
                "give either text or thread, not both",
            ));
        }
    };
    if given.is_empty() || given.len() > PARTS {
        return Err(Error::invalid(
            "/thread",
            format!("must have 1 to {PARTS} parts"),
        ));
    }
    let mut errors = Vec::new();
    let mut parts = Vec::new();
    for (part, text) in given.into_iter().enumerate() {
        match PostText::parse(text) {
            Ok(text) => parts.push(text.as_str().to_owned()),
            Err(error) => errors.push(FieldError {
                pointer: pointer(part),
                detail: explain(error),
            }),
        }
    }
    if errors.is_empty() {
        Ok(Some(parts))
    } else {
        Err(Error::Invalid(errors))
    }
}

fn explain(error: TextError) -> String {
    error.to_string()
}

/// The moment that is asked for. The request is checked, never the row it would change.
fn moment(draft: &Draft, timezone: &str) -> Result<Option<Instant>, Error> {
    let (instant, pointer) = match (&draft.scheduled_at, &draft.local_time) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(Error::invalid(
                "/local_time",
                "give either scheduled_at or local_time, not both",
            ));
        }
        (Some(text), None) => (
            parse_instant(text)
                .map_err(|error| Error::invalid("/scheduled_at", error.to_string()))?,
            "/scheduled_at",
        ),
        (None, Some(text)) => {
            let zone = Zone::parse(timezone).map_err(|error| Error::Internal(error.to_string()))?;
            (
                resolve_local(zone, text)
                    .map_err(|error| Error::invalid("/local_time", error.to_string()))?,
                "/local_time",
            )
        }
    };
    let late = Instant::now().millis_since(instant);
    if late > LATE_MILLISECONDS {
        return Err(Error::invalid(pointer, "is in the past"));
    }
    Ok(Some(instant))
}

/// Schedules a post.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`], [`Error::Forbidden`]; storage.
pub async fn schedule(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    bot_id: &str,
    draft: &Draft,
) -> Result<Post, Error> {
    let bot = bots::get_writable(db, principal, bot_id).await?;
    let parts = texts(draft)?.ok_or_else(|| Error::invalid("/text", "is missing"))?;
    if draft.requires_approval == Some(true) {
        return Err(Error::invalid(
            "/requires_approval",
            "must be false: there are no approvals to ask for yet",
        ));
    }
    let now = Instant::now();
    let scheduled_at = moment(draft, &bot.timezone)?.unwrap_or(now);
    let post_id = new_id();
    let transaction = db.transaction().await?;
    transaction
        .execute(
            "INSERT INTO posts (post_id, bot_id, created_by, state, scheduled_at,
                next_attempt_at, created_at, updated_at)
             VALUES (?1, ?2, ?3, 'scheduled', ?4, ?4, ?5, ?5)",
            params![
                post_id.as_str(),
                bot_id,
                principal.id.as_str(),
                scheduled_at.unix_millis(),
                now.unix_millis(),
            ],
        )
        .await?;
    write_parts(&transaction, &post_id, &parts).await?;
    let detail = json!({"scheduled_at": scheduled_at, "parts": parts.len()});
    audit::record(&transaction, actor, "post.scheduled", &post_id, &detail).await?;
    transaction.commit().await?;
    get(db, principal, &post_id).await
}

async fn write_parts(
    transaction: &Transaction,
    post_id: &str,
    parts: &[String],
) -> Result<(), Error> {
    transaction
        .execute("DELETE FROM post_parts WHERE post_id = ?", params![post_id])
        .await?;
    for (position, text) in parts.iter().enumerate() {
        transaction
            .execute(
                "INSERT INTO post_parts (post_id, position, text) VALUES (?, ?, ?)",
                params![
                    post_id,
                    i64::try_from(position).unwrap_or_default(),
                    text.as_str()
                ],
            )
            .await?;
    }
    Ok(())
}

/// A post that the principal may see, with its parts and attempts.
///
/// # Errors
/// [`Error::NotFound`]; storage.
pub async fn get(db: &Database, principal: &Principal, post_id: &str) -> Result<Post, Error> {
    let owner = principal.scope(Permission::BotsReadAll).owner();
    let post: Option<Post> = db
        .query_optional(
            &format!(
                "SELECT {COLUMNS} FROM posts p JOIN bots b ON b.bot_id = p.bot_id
                 WHERE p.post_id = ?2 AND b.deleted_at IS NULL
                    AND (?1 IS NULL OR b.owner_id = ?1)"
            ),
            params![owner, post_id],
        )
        .await?;
    let mut post = post.ok_or(Error::NotFound)?;
    fill(db, &mut post).await?;
    Ok(post)
}

async fn fill(db: &Database, post: &mut Post) -> Result<(), Error> {
    let parts: Vec<Row> = db
        .query(
            "SELECT text, x_post_id FROM post_parts WHERE post_id = ? ORDER BY position",
            params![post.post_id.as_str()],
        )
        .await?;
    for row in parts {
        post.parts.push((row.text(0)?, row.text_optional(1)?));
    }
    let attempts: Vec<Row> = db
        .query(
            "SELECT number, position, started_at, ended_at, outcome, http_status, code, detail
             FROM attempts WHERE post_id = ? ORDER BY number",
            params![post.post_id.as_str()],
        )
        .await?;
    for row in attempts {
        post.attempts.push(Attempt {
            number: row.get(0)?,
            part: row.get(1)?,
            started_at: Instant::from_unix_millis(row.get(2)?),
            ended_at: row.get_optional(3)?.map(Instant::from_unix_millis),
            outcome: row.text_optional(4)?,
            http_status: row.get_optional(5)?,
            code: row.text_optional(6)?,
            detail: row.text_optional(7)?,
        });
    }
    Ok(())
}

/// A bot's posts by age, all or of one state.
///
/// # Errors
/// [`Error::NotFound`]; storage.
pub async fn list(
    db: &Database,
    principal: &Principal,
    bot_id: &str,
    state: Option<&str>,
    page: &Page,
) -> Result<Listed<Post>, Error> {
    bots::get(db, principal, bot_id).await?;
    let rows: Vec<Post> = db
        .query(
            &format!(
                "SELECT {COLUMNS} FROM posts p
                 WHERE p.bot_id = ?1 AND (?2 IS NULL OR p.state = ?2)
                    AND (?3 IS NULL OR p.post_id > ?3)
                 ORDER BY p.post_id LIMIT ?4"
            ),
            params![bot_id, state, page.after.clone(), page.rows()],
        )
        .await?;
    let mut listed = page.cut(rows, |post: &Post| &post.post_id);
    for post in &mut listed.items {
        fill(db, post).await?;
    }
    Ok(listed)
}

/// Reads the state and version under the write lock, and refuses a stale version.
async fn lock(
    transaction: &Transaction,
    post_id: &str,
    expected: Option<i64>,
) -> Result<String, Error> {
    let row: Option<Row> = transaction
        .query_optional(
            "SELECT state, version FROM posts WHERE post_id = ?",
            params![post_id],
        )
        .await?;
    let row = row.ok_or(Error::NotFound)?;
    let current: i64 = row.get(1)?;
    match expected {
        Some(expected) if expected != current => Err(Error::StaleVersion { current }),
        _ => Ok(row.text(0)?),
    }
}

fn wrong_state(code: &'static str, state: &str) -> Error {
    Error::conflict(code, format!("The post is {state} now."))
}

/// Changes a post that has not been sent: until the moment of sending, not after it.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`], [`Error::Forbidden`], [`Error::StaleVersion`];
/// [`Error::Conflict`] `not_editable`; storage.
pub async fn edit(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    post_id: &str,
    expected_version: Option<i64>,
    change: &PostChange,
) -> Result<Post, Error> {
    let post = get(db, principal, post_id).await?;
    let bot = bots::get_writable(db, principal, &post.bot_id).await?;
    let parts = texts(change)?;
    let scheduled_at = moment(change, &bot.timezone)?;
    let transaction = db.transaction().await?;
    let state = lock(&transaction, post_id, expected_version).await?;
    if !matches!(state.as_str(), "draft" | "awaiting_approval" | "scheduled") {
        return Err(wrong_state("not_editable", &state));
    }
    if let Some(parts) = &parts {
        let sent: Option<i64> = transaction
            .query_optional(
                "SELECT count(*) FROM post_parts WHERE post_id = ? AND x_post_id IS NOT NULL",
                params![post_id],
            )
            .await?;
        if sent != Some(0) {
            return Err(Error::conflict(
                "partly_published",
                "Parts of this thread are on X already; cancel it instead.",
            ));
        }
        write_parts(&transaction, post_id, parts).await?;
    }
    transaction
        .execute(
            "UPDATE posts SET scheduled_at = coalesce(?2, scheduled_at),
                next_attempt_at = coalesce(?2, next_attempt_at),
                version = version + 1, updated_at = ?3
             WHERE post_id = ?1",
            params![
                post_id,
                scheduled_at.map(Instant::unix_millis),
                Instant::now().unix_millis()
            ],
        )
        .await?;
    let detail = json!({"scheduled_at": scheduled_at, "text": parts.is_some()});
    audit::record(&transaction, actor, "post.edited", post_id, &detail).await?;
    transaction.commit().await?;
    get(db, principal, post_id).await
}

/// Withdraws a post that has not been sent.
///
/// # Errors
/// As [`edit`], with the code `not_cancellable`.
pub async fn cancel(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    post_id: &str,
    expected_version: Option<i64>,
) -> Result<Post, Error> {
    let post = get(db, principal, post_id).await?;
    bots::get_writable(db, principal, &post.bot_id).await?;
    let transaction = db.transaction().await?;
    let state = lock(&transaction, post_id, expected_version).await?;
    if !matches!(
        state.as_str(),
        "draft" | "awaiting_approval" | "scheduled" | "failed"
    ) {
        return Err(wrong_state("not_cancellable", &state));
    }
    set_state(&transaction, post_id, "cancelled", None).await?;
    audit::record(&transaction, actor, "post.cancelled", post_id, &json!({})).await?;
    transaction.commit().await?;
    get(db, principal, post_id).await
}

/// Has a failed post tried again, or one whose outcome is not known looked for again. The latter
/// is never sent before it has been looked for.
///
/// # Errors
/// As [`edit`], with the code `not_retryable`.
pub async fn retry(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    post_id: &str,
    expected_version: Option<i64>,
) -> Result<Post, Error> {
    let post = get(db, principal, post_id).await?;
    bots::get_writable(db, principal, &post.bot_id).await?;
    let transaction = db.transaction().await?;
    let state = lock(&transaction, post_id, expected_version).await?;
    let next = match state.as_str() {
        "failed" => "scheduled",
        "outcome_unknown" => "outcome_unknown",
        _ => return Err(wrong_state("not_retryable", &state)),
    };
    set_state(&transaction, post_id, next, Some(Instant::now())).await?;
    audit::record(&transaction, actor, "post.retried", post_id, &json!({})).await?;
    transaction.commit().await?;
    get(db, principal, post_id).await
}

async fn set_state(
    transaction: &Transaction,
    post_id: &str,
    state: &str,
    next_attempt_at: Option<Instant>,
) -> Result<(), Error> {
    transaction
        .execute(
            "UPDATE posts SET state = ?2, next_attempt_at = ?3, attempts_spent = 0,
                reconciliations = 0, failure_code = NULL, failure_detail = NULL,
                version = version + 1, updated_at = ?4
             WHERE post_id = ?1",
            params![
                post_id,
                state,
                next_attempt_at.map(Instant::unix_millis),
                Instant::now().unix_millis()
            ],
        )
        .await?;
    Ok(())
}

//! Posts: what people schedule. What the publisher does with them stands in `publishing`.

mod draft;
mod read;

use serde_json::json;
use vivesphere_db::{Database, Row, Transaction, params};

use crate::post_state::{PostEvent, PostState, next};
use crate::{Actor, Error, Instant, Principal, audit, bots, new_id, personas};

pub use draft::{Draft, PostChange};
use draft::{moment, pointers, texts};
pub use read::{get, list};

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
    personas::check_texts(&transaction, bot_id, &parts, pointers(draft)).await?;
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

/// What the event makes of the post, read under the write lock. Refuses a stale version, and
/// with `refusal` what cannot happen now.
async fn lock(
    transaction: &Transaction,
    post_id: &str,
    expected: Option<i64>,
    event: PostEvent,
    refusal: &'static str,
) -> Result<PostState, Error> {
    let row: Option<Row> = transaction
        .query_optional(
            "SELECT state, version FROM posts WHERE post_id = ?",
            params![post_id],
        )
        .await?;
    let row = row.ok_or(Error::NotFound)?;
    let current: i64 = row.get(1)?;
    if expected.is_some_and(|expected| expected != current) {
        return Err(Error::StaleVersion { current });
    }
    let state =
        PostState::parse(&row.text(0)?).map_err(|error| Error::Internal(error.to_string()))?;
    next(state, event).map_err(|_| Error::conflict(refusal, format!("The post is {state} now.")))
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
    let state = lock(
        &transaction,
        post_id,
        expected_version,
        PostEvent::Edit,
        "not_editable",
    )
    .await?;
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
        personas::check_texts(&transaction, &bot.bot_id, parts, pointers(change)).await?;
        write_parts(&transaction, post_id, parts).await?;
    }
    transaction
        .execute(
            "UPDATE posts SET scheduled_at = coalesce(?2, scheduled_at),
                next_attempt_at = CASE ?4 WHEN 'scheduled' THEN coalesce(?2, next_attempt_at)
                    ELSE next_attempt_at END,
                state = ?4, version = version + 1, updated_at = ?3
             WHERE post_id = ?1",
            params![
                post_id,
                scheduled_at.map(Instant::unix_millis),
                Instant::now().unix_millis(),
                state.as_str()
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
    let state = lock(
        &transaction,
        post_id,
        expected_version,
        PostEvent::Cancel,
        "not_cancellable",
    )
    .await?;
    set_state(&transaction, post_id, state, None).await?;
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
    let state = lock(
        &transaction,
        post_id,
        expected_version,
        PostEvent::Retry,
        "not_retryable",
    )
    .await?;
    // A later time that was set since is kept.
    let next_attempt_at = post.scheduled_at.max(Instant::now());
    set_state(&transaction, post_id, state, Some(next_attempt_at)).await?;
    audit::record(&transaction, actor, "post.retried", post_id, &json!({})).await?;
    transaction.commit().await?;
    get(db, principal, post_id).await
}

async fn set_state(
    transaction: &Transaction,
    post_id: &str,
    state: PostState,
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
                state.as_str(),
                next_attempt_at.map(Instant::unix_millis),
                Instant::now().unix_millis()
            ],
        )
        .await?;
    Ok(())
}

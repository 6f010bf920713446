//! Posts: what people schedule. What the publisher does with them stands in `publishing`.

mod approval;
mod draft;
mod read;

use serde_json::json;
use vivesphere_db::{Database, Row, Transaction, params};

use crate::post_state::{PostEvent, PostState, next};
use crate::{Actor, Error, Instant, Principal, audit, bots, new_id, personas};

pub use approval::{ApprovalRules, approve, expire_approvals, reject, submit};
pub use draft::{Draft, PostChange};
use draft::{moment, pointers, texts};
pub use read::{get, list, list_awaiting_approval};

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
    /// Why it failed or is a draft again, as a stable code.
    pub failure_code: Option<String>,
    /// The same for people.
    pub failure_detail: Option<String>,
    /// Rises with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
    /// Whether a person must approve it before it goes out.
    pub requires_approval: bool,
    /// When approval was asked for last.
    pub approval_requested_at: Option<Instant>,
    /// The user who approved it as it is.
    pub approved_by: Option<String>,
    /// When they did.
    pub approved_at: Option<Instant>,
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

/// Schedules a post, or asks for the approval that it requires first.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`], [`Error::Forbidden`]; storage.
pub async fn schedule(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    bot_id: &str,
    draft: &Draft,
    approvals: ApprovalRules,
) -> Result<Post, Error> {
    let bot = bots::get_writable(db, principal, bot_id).await?;
    let parts = texts(draft)?.ok_or_else(|| Error::invalid("/text", "is missing"))?;
    let requires_approval = approvals.of_new(draft.requires_approval)?;
    let now = Instant::now();
    let scheduled_at = moment(draft, &bot.timezone)?.unwrap_or(now);
    let post_id = new_id();
    let (state, action) = if requires_approval {
        (PostState::AwaitingApproval, "post.submitted")
    } else {
        (PostState::Scheduled, "post.scheduled")
    };
    let transaction = db.transaction().await?;
    if bots::is_gone(&transaction, bot_id).await? {
        return Err(Error::NotFound);
    }
    transaction
        .execute(
            "INSERT INTO posts (post_id, bot_id, created_by, state, scheduled_at,
                next_attempt_at, created_at, updated_at, requires_approval,
                approval_requested_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9)",
            params![
                post_id.as_str(),
                bot_id,
                principal.id.as_str(),
                state.as_str(),
                scheduled_at.unix_millis(),
                (!requires_approval).then(|| scheduled_at.unix_millis()),
                now.unix_millis(),
                i64::from(requires_approval),
                requires_approval.then(|| now.unix_millis()),
            ],
        )
        .await?;
    personas::check_texts(&transaction, bot_id, &parts, pointers(draft)).await?;
    write_parts(&transaction, &post_id, &parts).await?;
    let detail = json!({"scheduled_at": scheduled_at, "parts": parts.len()});
    audit::record(&transaction, actor, action, &post_id, &detail).await?;
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

/// A post as it is under the write lock.
struct Locked {
    state: PostState,
    version: i64,
    scheduled_at: Instant,
    next_attempt_at: Option<Instant>,
    requires_approval: bool,
    approval_requested_at: Option<Instant>,
    /// Whether it has been looked for.
    looked_for: bool,
}

impl Locked {
    /// What the event makes of it; refuses with `refusal` what cannot happen now.
    fn after(&self, event: PostEvent, refusal: &'static str) -> Result<PostState, Error> {
        next(self.state, event).map_err(|_| self.refused(refusal))
    }

    fn refused(&self, refusal: &'static str) -> Error {
        Error::conflict(refusal, format!("The post is {} now.", self.state))
    }
}

/// Reads the post under the write lock. Refuses a stale version, and a bot that was deleted.
async fn lock(
    transaction: &Transaction,
    post_id: &str,
    expected: Option<i64>,
) -> Result<Locked, Error> {
    let row: Option<Row> = transaction
        .query_optional(
            "SELECT state, version, scheduled_at, requires_approval, approval_requested_at,
                next_attempt_at, reconciliations + look_failures
             FROM posts WHERE post_id = ? AND EXISTS (SELECT 1 FROM bots b
                WHERE b.bot_id = posts.bot_id AND b.deleted_at IS NULL)",
            params![post_id],
        )
        .await?;
    let row = row.ok_or(Error::NotFound)?;
    let current: i64 = row.get(1)?;
    if expected.is_some_and(|expected| expected != current) {
        return Err(Error::StaleVersion { current });
    }
    Ok(Locked {
        state: PostState::parse(&row.text(0)?)
            .map_err(|error| Error::Internal(error.to_string()))?,
        version: current,
        scheduled_at: Instant::from_unix_millis(row.get(2)?),
        requires_approval: row.get::<i64>(3)? != 0,
        approval_requested_at: row.get_optional(4)?.map(Instant::from_unix_millis),
        next_attempt_at: row.get_optional(5)?.map(Instant::from_unix_millis),
        looked_for: row.get::<i64>(6)? > 0,
    })
}

/// Changes a post that has not been sent: until the moment of sending, not after it.
///
/// What requires approval is asked for it again when its text or time changes, and from the moment
/// it begins to require it: an approval that was given is void, the deadline starts anew. A draft
/// stays one until it is submitted.
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
    approvals: ApprovalRules,
) -> Result<Post, Error> {
    let post = get(db, principal, post_id).await?;
    let bot = bots::get_writable(db, principal, &post.bot_id).await?;
    let parts = texts(change)?;
    let scheduled_at = moment(change, &bot.timezone)?;
    let transaction = db.transaction().await?;
    let found = lock(&transaction, post_id, expected_version).await?;
    let edited = found.after(PostEvent::Edit, "not_editable")?;
    let other_content = parts.is_some() || scheduled_at.is_some();
    let requires = approvals.of_changed(found.requires_approval, change, other_content)?;
    let asks =
        found.state != PostState::Draft && requires && (other_content || !found.requires_approval);
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
        // What a late worker noted is the id of the text as it was.
        transaction
            .execute(
                "UPDATE attempts SET x_post_id = NULL WHERE post_id = ?",
                params![post_id],
            )
            .await?;
    }
    let detail = json!({"scheduled_at": scheduled_at, "text": parts.is_some()});
    audit::record(&transaction, actor, "post.edited", post_id, &detail).await?;
    if asks {
        approval::ask(&transaction, post_id, scheduled_at).await?;
        if found.state != PostState::AwaitingApproval {
            let state = found.after(PostEvent::Submit, "not_editable")?;
            let detail = json!({"state": state.as_str()});
            audit::record(&transaction, actor, "post.submitted", post_id, &detail).await?;
        }
    } else {
        write_edit(&transaction, post_id, edited, scheduled_at, requires).await?;
    }
    transaction.commit().await?;
    get(db, principal, post_id).await
}

/// The row of an edited post for which no approval is asked.
async fn write_edit(
    transaction: &Transaction,
    post_id: &str,
    state: PostState,
    scheduled_at: Option<Instant>,
    requires_approval: bool,
) -> Result<(), Error> {
    transaction
        .execute(
            "UPDATE posts SET scheduled_at = coalesce(?2, scheduled_at),
                next_attempt_at = CASE ?4 WHEN 'scheduled' THEN coalesce(?2, next_attempt_at)
                    ELSE next_attempt_at END,
                state = ?4, requires_approval = ?5, version = version + 1, updated_at = ?3
             WHERE post_id = ?1",
            params![
                post_id,
                scheduled_at.map(Instant::unix_millis),
                Instant::now().unix_millis(),
                state.as_str(),
                i64::from(requires_approval)
            ],
        )
        .await?;
    Ok(())
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
    let found = lock(&transaction, post_id, expected_version).await?;
    let state = found.after(PostEvent::Cancel, "not_cancellable")?;
    set_state(&transaction, post_id, state, None).await?;
    audit::record(&transaction, actor, "post.cancelled", post_id, &json!({})).await?;
    transaction.commit().await?;
    get(db, principal, post_id).await
}

/// Has a failed post tried again, or one whose outcome is not known looked for again. The latter
/// is never sent before it has been looked for; where the bot acts as another account since
/// (`account_changed`), that is the account's from then on.
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
    let found = lock(&transaction, post_id, expected_version).await?;
    let state = found.after(PostEvent::Retry, "not_retryable")?;
    let now = Instant::now();
    let next_attempt_at = match found.state {
        // What it waits for since is not that: a person need not wait until X has recovered.
        PostState::OutcomeUnknown if found.looked_for => now,
        // Not before what was sent can be seen: until then it would look as if it were absent.
        PostState::OutcomeUnknown => found.next_attempt_at.map_or(now, |at| at.max(now)),
        // A later time that was set since is kept.
        _ => found.scheduled_at.max(now),
    };
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
                reconciliations = 0, look_failures = 0,
                look_on_any_account = ?2 = 'outcome_unknown'
                    AND (look_on_any_account OR failure_code IS 'account_changed'),
                failure_code = NULL, failure_detail = NULL,
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

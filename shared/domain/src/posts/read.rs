//! Reading posts.

use std::collections::HashMap;

use vivesphere_db::{Database, FromRow, Row, params};

use super::{Attempt, Post};
use crate::permissions::Permission;
use crate::{Error, Instant, Listed, Page, Principal, bots};

const COLUMNS: &str = "p.post_id, p.bot_id, p.state, p.scheduled_at, p.published_at,
    p.next_attempt_at, p.failure_code, p.failure_detail, p.version, p.created_at, p.updated_at,
    p.requires_approval, p.approval_requested_at, p.approved_by, p.approved_at";

impl FromRow for Post {
    fn from_row(row: &mut Row) -> Result<Self, vivesphere_db::Error> {
        Ok(Self {
            post_id: row.take_text(0)?,
            bot_id: row.take_text(1)?,
            state: row.take_text(2)?,
            scheduled_at: Instant::from_unix_millis(row.get(3)?),
            published_at: row.get_optional(4)?.map(Instant::from_unix_millis),
            next_attempt_at: row.get_optional(5)?.map(Instant::from_unix_millis),
            failure_code: row.take_text_optional(6)?,
            failure_detail: row.take_text_optional(7)?,
            version: row.get(8)?,
            created_at: Instant::from_unix_millis(row.get(9)?),
            updated_at: Instant::from_unix_millis(row.get(10)?),
            requires_approval: row.get::<i64>(11)? != 0,
            approval_requested_at: row.get_optional(12)?.map(Instant::from_unix_millis),
            approved_by: row.take_text_optional(13)?,
            approved_at: row.get_optional(14)?.map(Instant::from_unix_millis),
            parts: Vec::new(),
            attempts: Vec::new(),
        })
    }
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
                    AND (?1 IS NULL OR b.owner_id = ?1)
                    AND (?3 IS NULL OR b.bot_id IN (SELECT value FROM json_each(?3)))"
            ),
            params![owner, post_id, principal.bots()],
        )
        .await?;
    let mut post = post.ok_or(Error::NotFound)?;
    fill(db, std::slice::from_mut(&mut post)).await?;
    Ok(post)
}

/// Reads the parts and attempts of all the posts: two queries, however many they are.
async fn fill(db: &Database, posts: &mut [Post]) -> Result<(), Error> {
    let ids: Vec<&str> = posts.iter().map(|post| post.post_id.as_str()).collect();
    let ids = serde_json::to_string(&ids).map_err(|error| Error::Internal(error.to_string()))?;
    let places: HashMap<String, usize> = posts
        .iter()
        .enumerate()
        .map(|(place, post)| (post.post_id.clone(), place))
        .collect();
    let post_of = |row: &Row| Ok::<_, Error>(places.get(&row.text(0)?).copied());
    let parts: Vec<Row> = db
        .query(
            "SELECT post_id, text, x_post_id FROM post_parts
             WHERE post_id IN (SELECT value FROM json_each(?)) ORDER BY post_id, position",
            params![ids.as_str()],
        )
        .await?;
    for row in parts {
        if let Some(post) = post_of(&row)?.and_then(|place| posts.get_mut(place)) {
            post.parts.push((row.text(1)?, row.text_optional(2)?));
        }
    }
    let attempts: Vec<Row> = db
        .query(
            "SELECT post_id, number, position, started_at, ended_at, outcome, http_status, code,
                detail FROM attempts
             WHERE post_id IN (SELECT value FROM json_each(?)) ORDER BY post_id, number",
            params![ids.as_str()],
        )
        .await?;
    for row in attempts {
        let attempt = Attempt {
            number: row.get(1)?,
            part: row.get(2)?,
            started_at: Instant::from_unix_millis(row.get(3)?),
            ended_at: row.get_optional(4)?.map(Instant::from_unix_millis),
            outcome: row.text_optional(5)?,
            http_status: row.get_optional(6)?,
            code: row.text_optional(7)?,
            detail: row.text_optional(8)?,
        };
        if let Some(post) = post_of(&row)?.and_then(|place| posts.get_mut(place)) {
            post.attempts.push(attempt);
        }
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
    fill(db, &mut listed.items).await?;
    Ok(listed)
}

/// The posts that wait for approval, of every bot that the principal may see, by age.
///
/// # Errors
/// Storage.
pub async fn list_awaiting_approval(
    db: &Database,
    principal: &Principal,
    page: &Page,
) -> Result<Listed<Post>, Error> {
    let owner = principal.scope(Permission::BotsReadAll).owner();
    let rows: Vec<Post> = db
        .query(
            &format!(
                "SELECT {COLUMNS} FROM posts p JOIN bots b ON b.bot_id = p.bot_id
                 WHERE p.state = 'awaiting_approval' AND p.post_id > coalesce(?2, '')
                    AND b.deleted_at IS NULL AND (?1 IS NULL OR b.owner_id = ?1)
                    AND (?3 IS NULL OR b.bot_id IN (SELECT value FROM json_each(?3)))
                 ORDER BY p.post_id LIMIT ?4"
            ),
            params![owner, page.after.clone(), principal.bots(), page.rows()],
        )
        .await?;
    let mut listed = page.cut(rows, |post: &Post| &post.post_id);
    fill(db, &mut listed.items).await?;
    Ok(listed)
}

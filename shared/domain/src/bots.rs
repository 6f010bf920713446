//! Bots: accounts on X that this deployment acts for.

mod delete;
mod status;

use serde_json::json;
use vivesphere_db::{Database, FromRow, Row, Transaction, params};

use crate::permissions::Permission;
use crate::time_zone::Zone;
use crate::{
    Actor, Error, Instant, Listed, Page, Principal, Scope, audit, new_id, personas, users,
};

pub use delete::delete;
pub use status::{
    account, connected, pause_or_resume, renewed, reserve_account, set_account, stop,
    stop_unless_replaced,
};

/// The reason with which a post ends whose bot was deleted while nobody knew whether X has it.
pub(crate) const DELETED_IN_DOUBT: (&str, &str) = (
    "bot_deleted",
    "The bot was deleted before anybody knew whether X has the post.",
);

/// X's own ceiling of posts a day for an account.
pub const DAILY_POSTS: u32 = 2400;

/// A bot.
#[derive(Debug, Clone)]
pub struct Bot {
    /// UUIDv7.
    pub bot_id: String,
    /// Unique among its owner's.
    pub bot_name: String,
    /// Whose it is.
    pub owner_id: String,
    /// On X, without `@`.
    pub handle: Option<String>,
    /// X's id of the account.
    pub x_user_id: Option<String>,
    /// `active`, `paused`, `needs_reauth` or `unconnected`.
    pub status: String,
    /// Why it is not active, as a stable code.
    pub status_code: Option<String>,
    /// Why it is not active, for people.
    pub status_detail: Option<String>,
    /// The persona it writes as.
    pub persona_id: Option<String>,
    /// IANA.
    pub timezone: String,
    /// Calls that may make a post in any 24 hours.
    pub daily_post_limit: i64,
    /// Rises with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
}

const COLUMNS: &str = "bot_id, bot_name, owner_id, handle, x_user_id, status, status_code,
    status_detail, persona_id, timezone, daily_post_limit, version, created_at, updated_at";

impl FromRow for Bot {
    fn from_row(row: &mut Row) -> Result<Self, vivesphere_db::Error> {
        Ok(Self {
            bot_id: row.take_text(0)?,
            bot_name: row.take_text(1)?,
            owner_id: row.take_text(2)?,
            handle: row.take_text_optional(3)?,
            x_user_id: row.take_text_optional(4)?,
            status: row.take_text(5)?,
            status_code: row.take_text_optional(6)?,
            status_detail: row.take_text_optional(7)?,
            persona_id: row.take_text_optional(8)?,
            timezone: row.take_text(9)?,
            daily_post_limit: row.get(10)?,
            version: row.get(11)?,
            created_at: Instant::from_unix_millis(row.get(12)?),
            updated_at: Instant::from_unix_millis(row.get(13)?),
        })
    }
}

/// What a bot is made of, or changed to: `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct BotChange {
    /// 1 to 100 characters.
    pub bot_name: Option<String>,
    /// IANA.
    pub timezone: Option<String>,
    /// 1 to [`DAILY_POSTS`].
    pub daily_post_limit: Option<u32>,
    /// `Some(None)` takes the persona away.
    pub persona_id: Option<Option<String>>,
}

impl BotChange {
    fn check(&self) -> Result<(), Error> {
        if let Some(name) = &self.bot_name
            && (name.trim().is_empty()
                || name.chars().count() > 100
                || name.chars().any(char::is_control))
        {
            return Err(Error::invalid(
                "/bot_name",
                "must be 1 to 100 printable characters",
            ));
        }
        if let Some(zone) = &self.timezone {
            Zone::parse(zone)
                .map_err(|_| Error::invalid("/timezone", "is not an IANA time zone"))?;
        }
        if let Some(limit) = self.daily_post_limit
            && !(1..=DAILY_POSTS).contains(&limit)
        {
            return Err(Error::invalid(
                "/daily_post_limit",
                format!("must be 1 to {DAILY_POSTS}, X's own ceiling"),
            ));
        }
        if let Some(Some(persona)) = &self.persona_id
            && crate::parse_id(persona).is_none()
        {
            return Err(Error::invalid("/persona_id", "is not an id"));
        }
        Ok(())
    }
}

fn name_taken(error: vivesphere_db::Error) -> Error {
    if error.is_unique_violation("bots.bot_name") {
        Error::conflict("bot_name_taken", "Another bot of yours has this name.")
    } else {
        error.into()
    }
}

/// Makes a bot, not connected yet.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Forbidden`] for an access key that is restricted to some bots;
/// [`Error::Conflict`] `bot_name_taken`, `duplicate_purpose`; storage.
pub async fn create(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    new: &BotChange,
) -> Result<Bot, Error> {
    new.check()?;
    if principal.bot_ids.is_some() {
        return Err(Error::Forbidden(
            "This access key is restricted to some bots and makes no others.".to_owned(),
        ));
    }
    let name = new.bot_name.clone().unwrap_or_default();
    let bot_id = new_id();
    let transaction = db.transaction().await?;
    users::check_owner(&transaction, principal).await?;
    if let Some(Some(persona_id)) = &new.persona_id {
        personas::check_link(&transaction, principal, persona_id, "").await?;
    }
    transaction
        .execute(
            "INSERT INTO bots (bot_id, owner_id, bot_name, status, persona_id, timezone,
                daily_post_limit, created_at, updated_at)
             VALUES (?1, ?2, ?3, 'unconnected', ?4, ?5, ?6, ?7, ?7)",
            params![
                bot_id.as_str(),
                principal.id.as_str(),
                name.as_str(),
                new.persona_id.clone().flatten(),
                new.timezone.as_deref().unwrap_or("UTC"),
                new.daily_post_limit.unwrap_or(DAILY_POSTS),
                Instant::now().unix_millis(),
            ],
        )
        .await
        .map_err(name_taken)?;
    let detail = json!({"bot_name": name});
    audit::record(&transaction, actor, "bot.created", &bot_id, &detail).await?;
    transaction.commit().await?;
    get(db, principal, &bot_id).await
}

/// A bot that the principal may see.
///
/// # Errors
/// [`Error::NotFound`]; storage.
pub async fn get(db: &Database, principal: &Principal, bot_id: &str) -> Result<Bot, Error> {
    let owner = principal.scope(Permission::BotsReadAll).owner();
    db.query_optional(
        &format!(
            "SELECT {COLUMNS} FROM bots
             WHERE bot_id = ?2 AND deleted_at IS NULL AND (?1 IS NULL OR owner_id = ?1)
                AND (?3 IS NULL OR bot_id IN (SELECT value FROM json_each(?3)))"
        ),
        params![owner, bot_id, principal.bots()],
    )
    .await?
    .ok_or(Error::NotFound)
}

/// A bot that the principal may change. One that it may only see is forbidden, not absent.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; storage.
pub async fn get_writable(
    db: &Database,
    principal: &Principal,
    bot_id: &str,
) -> Result<Bot, Error> {
    let bot = get(db, principal, bot_id).await?;
    match principal.scope(Permission::BotsWriteAll) {
        Scope::Owner(owner) if owner != bot.owner_id => {
            Err(Error::Forbidden("This bot is another's.".to_owned()))
        }
        _ => Ok(bot),
    }
}

/// Whether a bot has been deleted. Under the write lock: what was read before may have changed.
///
/// # Errors
/// Storage.
pub(crate) async fn is_gone(
    transaction: &Transaction,
    bot_id: &str,
) -> Result<bool, vivesphere_db::Error> {
    let there: Option<i64> = transaction
        .query_optional(
            "SELECT 1 FROM bots WHERE bot_id = ? AND deleted_at IS NULL",
            params![bot_id],
        )
        .await?;
    Ok(there.is_none())
}

/// Bots by age: one's own, or another's with `bots:read_all`.
///
/// # Errors
/// [`Error::Forbidden`]; storage.
pub async fn list(
    db: &Database,
    principal: &Principal,
    owner_id: Option<&str>,
    page: &Page,
) -> Result<Listed<Bot>, Error> {
    let owner = match owner_id {
        None => principal.id.clone(),
        Some(owner) if owner == principal.id || principal.may(Permission::BotsReadAll) => {
            owner.to_owned()
        }
        Some(_) => {
            return Err(Error::Forbidden(
                "Another's bots need the permission `bots:read_all`.".to_owned(),
            ));
        }
    };
    let rows = db
        .query(
            &format!(
                "SELECT {COLUMNS} FROM bots
                 WHERE owner_id = ?1 AND deleted_at IS NULL AND (?2 IS NULL OR bot_id > ?2)
                    AND (?4 IS NULL OR bot_id IN (SELECT value FROM json_each(?4)))
                 ORDER BY bot_id LIMIT ?3"
            ),
            params![owner, page.after.clone(), page.rows(), principal.bots()],
        )
        .await?;
    Ok(page.cut(rows, |bot: &Bot| &bot.bot_id))
}

/// Changes a bot.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`], [`Error::Forbidden`], [`Error::StaleVersion`],
/// [`Error::Conflict`]; storage.
pub async fn update(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    bot_id: &str,
    expected_version: Option<i64>,
    change: &BotChange,
) -> Result<Bot, Error> {
    change.check()?;
    get_writable(db, principal, bot_id).await?;
    let transaction = db.transaction().await?;
    check_version(&transaction, bot_id, expected_version).await?;
    if let Some(Some(persona_id)) = &change.persona_id {
        personas::check_link(&transaction, principal, persona_id, bot_id).await?;
    }
    let (has_persona, persona) = match &change.persona_id {
        Some(persona) => (1, persona.clone()),
        None => (0, None),
    };
    transaction
        .execute(
            "UPDATE bots SET bot_name = coalesce(?2, bot_name),
                timezone = coalesce(?3, timezone),
                daily_post_limit = coalesce(?4, daily_post_limit),
                persona_id = CASE ?5 WHEN 1 THEN ?6 ELSE persona_id END,
                version = version + 1, updated_at = ?7
             WHERE bot_id = ?1",
            params![
                bot_id,
                change.bot_name.clone(),
                change.timezone.clone(),
                change.daily_post_limit,
                has_persona,
                persona,
                Instant::now().unix_millis(),
            ],
        )
        .await
        .map_err(name_taken)?;
    audit::record(&transaction, actor, "bot.changed", bot_id, &json!({})).await?;
    transaction.commit().await?;
    get(db, principal, bot_id).await
}

async fn check_version(
    transaction: &Transaction,
    bot_id: &str,
    expected: Option<i64>,
) -> Result<(), Error> {
    let current: Option<i64> = transaction
        .query_optional(
            "SELECT version FROM bots WHERE bot_id = ? AND deleted_at IS NULL",
            params![bot_id],
        )
        .await?;
    match (current, expected) {
        (None, _) => Err(Error::NotFound),
        (Some(current), Some(expected)) if current != expected => {
            Err(Error::StaleVersion { current })
        }
        _ => Ok(()),
    }
}

//! Personas: as whom a bot writes. Every change is a version of its own, kept as it was.

pub mod banned_terms;
pub mod fields;
mod language;
pub mod prompt;
mod purpose;
mod versions;

use serde_json::json;
use vivesphere_db::{Database, Row, Transaction, params};

use crate::permissions::Permission;
use crate::{Actor, Error, FieldError, Instant, Listed, Page, Principal, Scope, audit, new_id};
use purpose::Keys;

pub use fields::{PURPOSE, PersonaChange, PersonaFields};
pub use language::{Language, Unknown, parse_region};
pub use prompt::{Assignment, Rule, prompt, rules};
pub(crate) use purpose::check_link;
pub use purpose::purpose_key;
pub use versions::{PersonaVersion, version, versions};

/// A persona as it is now.
#[derive(Debug, Clone)]
pub struct Persona {
    /// UUIDv7.
    pub persona_id: String,
    /// Whose it is.
    pub owner_id: String,
    /// What it is made of.
    pub fields: PersonaFields,
    /// The bots that write as it, as far as the principal may see them, by age.
    pub bot_ids: Vec<String>,
    /// Rises with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
}

/// `?1` is whose bots are shown.
const COLUMNS: &str = "p.persona_id, p.owner_id, v.fields, p.version, p.created_at, p.updated_at,
    (SELECT json_group_array(bot_id) FROM (SELECT b.bot_id FROM bots b
     WHERE b.persona_id = p.persona_id AND b.deleted_at IS NULL
        AND (?1 IS NULL OR b.owner_id = ?1) ORDER BY b.bot_id))";
const TABLES: &str = "personas p JOIN persona_versions v
    ON v.persona_id = p.persona_id AND v.version = p.version";

/// Fields as they are kept: only what was checked gets there.
pub(crate) fn kept<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, Error> {
    serde_json::from_str(json).map_err(|error| Error::Internal(format!("a persona: {error}")))
}

fn persona(row: &Row) -> Result<Persona, Error> {
    Ok(Persona {
        persona_id: row.text(0)?,
        owner_id: row.text(1)?,
        fields: kept(&row.text(2)?)?,
        version: row.get(3)?,
        created_at: Instant::from_unix_millis(row.get(4)?),
        updated_at: Instant::from_unix_millis(row.get(5)?),
        bot_ids: kept(&row.text(6)?)?,
    })
}

/// What a list is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct PersonaFilter {
    /// One's own, or another's with `bots:read_all`.
    pub owner_id: Option<String>,
    /// BCP 47, exactly.
    pub language: Option<String>,
    /// The region, exactly.
    pub region: Option<String>,
}

fn name_taken(error: vivesphere_db::Error) -> Error {
    if error.is_unique_violation("personas.name") {
        Error::conflict(
            "persona_name_taken",
            "Another persona of yours has this name.",
        )
    } else {
        error.into()
    }
}

/// Makes a persona. No bot writes as it yet, so its purpose may be another's too until one does.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Conflict`] `persona_name_taken`; storage.
pub async fn create(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    fields: PersonaFields,
) -> Result<Persona, Error> {
    let fields = fields.checked()?;
    let keys = Keys::of(&fields)?;
    let (persona_id, now) = (new_id(), Instant::now().unix_millis());
    let transaction = db.transaction().await?;
    transaction
        .execute(
            "INSERT INTO personas (persona_id, owner_id, name, language, region, purpose_key,
                language_key, region_key, version, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?9, ?9)",
            params![
                persona_id.as_str(),
                principal.id.as_str(),
                fields.name.as_str(),
                fields.language.as_str(),
                fields.region.clone(),
                keys.purpose,
                keys.language,
                keys.region,
                now,
            ],
        )
        .await
        .map_err(name_taken)?;
    versions::write(&transaction, principal, &persona_id, 1, &fields, now).await?;
    let detail = json!({"name": fields.name});
    audit::record(&transaction, actor, "persona.created", &persona_id, &detail).await?;
    transaction.commit().await?;
    get(db, principal, &persona_id).await
}

/// A persona that the principal may see.
///
/// # Errors
/// [`Error::NotFound`]; storage.
pub async fn get(db: &Database, principal: &Principal, persona_id: &str) -> Result<Persona, Error> {
    let owner = principal.scope(Permission::BotsReadAll).owner();
    let row: Option<Row> = db
        .query_optional(
            &format!(
                "SELECT {COLUMNS} FROM {TABLES}
                 WHERE p.persona_id = ?2 AND p.deleted_at IS NULL
                    AND (?1 IS NULL OR p.owner_id = ?1)"
            ),
            params![owner, persona_id],
        )
        .await?;
    persona(&row.ok_or(Error::NotFound)?)
}

/// A persona that the principal may change. One that it may only see is forbidden, not absent.
async fn get_writable(
    db: &Database,
    principal: &Principal,
    persona_id: &str,
) -> Result<Persona, Error> {
    let persona = get(db, principal, persona_id).await?;
    match principal.scope(Permission::BotsWriteAll) {
        Scope::Owner(owner) if owner != persona.owner_id => {
            Err(Error::Forbidden("This persona is another's.".to_owned()))
        }
        _ => Ok(persona),
    }
}

/// Personas by age: one's own, or another's with `bots:read_all`.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::Invalid`]; storage.
pub async fn list(
    db: &Database,
    principal: &Principal,
    filter: &PersonaFilter,
    page: &Page,
) -> Result<Listed<Persona>, Error> {
    let owner = match &filter.owner_id {
        None => principal.id.clone(),
        Some(owner) if *owner == principal.id || principal.may(Permission::BotsReadAll) => {
            owner.clone()
        }
        Some(_) => {
            return Err(Error::Forbidden(
                "Another's personas need the permission `bots:read_all`.".to_owned(),
            ));
        }
    };
    let language = match &filter.language {
        Some(text) => {
            let language = Language::parse(text)
                .map_err(|error| Error::invalid("/language", error.to_string()))?;
            Some(language.as_str().to_owned())
        }
        None => None,
    };
    let region = match &filter.region {
        Some(text) => {
            Some(parse_region(text).map_err(|error| Error::invalid("/region", error.to_string()))?)
        }
        None => None,
    };
    let rows: Vec<Row> = db
        .query(
            &format!(
                "SELECT {COLUMNS} FROM {TABLES}
                 WHERE p.owner_id = ?2 AND p.deleted_at IS NULL
                    AND (?3 IS NULL OR p.language = ?3) AND (?4 IS NULL OR p.region = ?4)
                    AND (?5 IS NULL OR p.persona_id > ?5)
                 ORDER BY p.persona_id LIMIT ?6"
            ),
            params![
                principal.scope(Permission::BotsReadAll).owner(),
                owner,
                language,
                region,
                page.after.clone(),
                page.rows()
            ],
        )
        .await?;
    let personas = rows.iter().map(persona).collect::<Result<Vec<_>, _>>()?;
    Ok(page.cut(personas, |persona: &Persona| &persona.persona_id))
}

/// The current fields and version under the write lock. Refuses a stale version.
async fn lock(
    transaction: &Transaction,
    persona_id: &str,
    expected: Option<i64>,
) -> Result<(PersonaFields, i64), Error> {
    let row: Option<Row> = transaction
        .query_optional(
            &format!(
                "SELECT v.fields, p.version FROM {TABLES}
                 WHERE p.persona_id = ? AND p.deleted_at IS NULL"
            ),
            params![persona_id],
        )
        .await?;
    let row = row.ok_or(Error::NotFound)?;
    let current: i64 = row.get(1)?;
    if expected.is_some_and(|expected| expected != current) {
        return Err(Error::StaleVersion { current });
    }
    Ok((kept(&row.text(0)?)?, current))
}

/// Changes a persona: a new version, unless nothing is different.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`], [`Error::Forbidden`], [`Error::StaleVersion`];
/// [`Error::Conflict`] `persona_name_taken`, `duplicate_purpose`; storage.
pub async fn update(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    persona_id: &str,
    expected_version: Option<i64>,
    change: &PersonaChange,
) -> Result<Persona, Error> {
    let seen = get_writable(db, principal, persona_id).await?;
    // Bad input is refused before anybody waits for the lock.
    seen.fields.with(change).checked()?;
    let transaction = db.transaction().await?;
    let (current, version) = lock(&transaction, persona_id, expected_version).await?;
    let fields = current.with(change).checked()?;
    if fields == current {
        transaction.commit().await?;
        return get(db, principal, persona_id).await;
    }
    let keys = Keys::of(&fields)?;
    purpose::check_change(&transaction, principal, &seen, &keys).await?;
    let (version, now) = (version + 1, Instant::now().unix_millis());
    versions::write(&transaction, principal, persona_id, version, &fields, now).await?;
    transaction
        .execute(
            "UPDATE personas SET name = ?2, language = ?3, region = ?4, purpose_key = ?5,
                language_key = ?6, region_key = ?7, version = ?8, updated_at = ?9
             WHERE persona_id = ?1",
            params![
                persona_id,
                fields.name.as_str(),
                fields.language.as_str(),
                fields.region.clone(),
                keys.purpose,
                keys.language,
                keys.region,
                version,
                now,
            ],
        )
        .await
        .map_err(name_taken)?;
    let detail = json!({"version": version});
    audit::record(&transaction, actor, "persona.changed", persona_id, &detail).await?;
    transaction.commit().await?;
    get(db, principal, persona_id).await
}

/// Deletes a persona that no bot writes as. Its versions are kept, out of sight.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::StaleVersion`]; [`Error::Conflict`]
/// `persona_in_use`; storage.
pub async fn delete(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    persona_id: &str,
    expected_version: Option<i64>,
) -> Result<(), Error> {
    get_writable(db, principal, persona_id).await?;
    let transaction = db.transaction().await?;
    lock(&transaction, persona_id, expected_version).await?;
    let bots: Option<i64> = transaction
        .query_optional(
            "SELECT count(*) FROM bots WHERE persona_id = ? AND deleted_at IS NULL",
            params![persona_id],
        )
        .await?;
    if bots != Some(0) {
        return Err(Error::conflict(
            "persona_in_use",
            "A persona that a bot writes as cannot be deleted (rule persona_in_use): give the \
             bot another persona first, or none.",
        ));
    }
    transaction
        .execute(
            "UPDATE personas SET deleted_at = ?2, updated_at = ?2 WHERE persona_id = ?1",
            params![persona_id, Instant::now().unix_millis()],
        )
        .await?;
    audit::record(
        &transaction,
        actor,
        "persona.deleted",
        persona_id,
        &json!({}),
    )
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// Refuses texts that hold a term which the bot's persona bans. Under the write lock, so that
/// what is refused is what the persona says now.
pub(crate) async fn check_texts(
    transaction: &Transaction,
    bot_id: &str,
    texts: &[String],
    pointer: impl Fn(usize) -> String,
) -> Result<(), Error> {
    /// Most refusals listed: a text that breaks every rule need not be told of each.
    const LISTED: usize = 50;
    let json: Option<String> = transaction
        .query_optional(
            "SELECT v.fields FROM bots b JOIN personas p ON p.persona_id = b.persona_id
             JOIN persona_versions v ON v.persona_id = p.persona_id AND v.version = p.version
             WHERE b.bot_id = ? AND p.deleted_at IS NULL",
            params![bot_id],
        )
        .await?;
    let Some(json) = json else {
        return Ok(());
    };
    let fields: PersonaFields = kept(&json)?;
    let mut errors = Vec::new();
    for (position, text) in texts.iter().enumerate() {
        for term in banned_terms::found(text, &fields.banned_terms) {
            errors.push(FieldError {
                pointer: pointer(position),
                detail: format!("holds \"{term}\", which the bot's persona bans"),
            });
        }
    }
    errors.truncate(LISTED);
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(errors))
    }
}

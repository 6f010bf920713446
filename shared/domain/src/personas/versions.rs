//! The versions of a persona: written once, never changed (the database refuses it too).

use vivesphere_db::{Database, Row, Transaction, params};

use super::{PersonaFields, get, kept};
use crate::{Error, Instant, Listed, Page, Principal};

/// A persona as it was.
#[derive(Debug, Clone)]
pub struct PersonaVersion {
    /// From 1.
    pub version: i64,
    /// What it was made of.
    pub fields: PersonaFields,
    /// Who made it so: a user's id.
    pub changed_by: String,
    /// When.
    pub changed_at: Instant,
}

fn persona_version(row: &Row) -> Result<PersonaVersion, Error> {
    Ok(PersonaVersion {
        version: row.get(0)?,
        fields: kept(&row.text(1)?)?,
        changed_by: row.text(2)?,
        changed_at: Instant::from_unix_millis(row.get(3)?),
    })
}

pub(super) async fn write(
    transaction: &Transaction,
    principal: &Principal,
    persona_id: &str,
    version: i64,
    fields: &PersonaFields,
    now: i64,
) -> Result<(), Error> {
    let json = serde_json::to_string(fields).map_err(|error| Error::Internal(error.to_string()))?;
    transaction
        .execute(
            "INSERT INTO persona_versions (persona_id, version, fields, changed_by, changed_at)
             VALUES (?, ?, ?, ?, ?)",
            params![persona_id, version, json, principal.id.as_str(), now],
        )
        .await?;
    Ok(())
}

/// The versions of a persona that the principal may see, the newest first. The cursor is a
/// version's number.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for what is no limit or cursor; storage.
pub async fn versions(
    db: &Database,
    principal: &Principal,
    persona_id: &str,
    limit: Option<u32>,
    cursor: Option<&str>,
) -> Result<Listed<PersonaVersion>, Error> {
    let page = Page::parse(limit, None)?;
    let before = match cursor {
        None => i64::MAX,
        Some(text) => text
            .parse()
            .ok()
            .filter(|version| *version > 0)
            .ok_or_else(|| Error::invalid("/cursor", "is not a cursor that a list gave"))?,
    };
    get(db, principal, persona_id).await?;
    let rows: Vec<Row> = db
        .query(
            "SELECT version, fields, changed_by, changed_at FROM persona_versions
             WHERE persona_id = ? AND version < ? ORDER BY version DESC LIMIT ?",
            params![persona_id, before, page.rows()],
        )
        .await?;
    let more = rows.len() > page.limit as usize;
    let items = rows
        .iter()
        .take(page.limit as usize)
        .map(persona_version)
        .collect::<Result<Vec<_>, _>>()?;
    let next_cursor = items
        .last()
        .filter(|_| more)
        .map(|item| item.version.to_string());
    Ok(Listed { items, next_cursor })
}

/// One version of a persona that the principal may see.
///
/// # Errors
/// [`Error::NotFound`]; storage.
pub async fn version(
    db: &Database,
    principal: &Principal,
    persona_id: &str,
    number: i64,
) -> Result<PersonaVersion, Error> {
    get(db, principal, persona_id).await?;
    let row: Option<Row> = db
        .query_optional(
            "SELECT version, fields, changed_by, changed_at FROM persona_versions
             WHERE persona_id = ? AND version = ?",
            params![persona_id, number],
        )
        .await?;
    persona_version(&row.ok_or(Error::NotFound)?)
}

//! Whether a copy is whole, and what it holds.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, bail};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use serde::{Deserialize, Serialize};
use vivesphere_crypto::{ChainHash, sha256_hex};

/// This program's migrations: number and text.
const MIGRATIONS: &[(i64, &str)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// A row of the audit trail as it is hashed, in SQL: the rule stands in
/// `shared/domain/src/audit/chain.rs`, and a scenario holds this against it.
const AUDIT_ROWS: &str = "SELECT audit_id,
        octet_length(audit_id) || ':' || audit_id
        || octet_length(occurred_at) || ':' || occurred_at
        || octet_length(actor_kind) || ':' || actor_kind
        || octet_length(actor_id) || ':' || actor_id
        || octet_length(action) || ':' || action
        || octet_length(subject_id) || ':' || subject_id
        || octet_length(detail) || ':' || detail
        || octet_length(request_id) || ':' || request_id,
        hash
    FROM audit_log WHERE audit_id <= ? ORDER BY audit_id";

/// What was found in the copies.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Examination {
    /// The last migration that was applied; 0 when none was.
    pub migration_level: i64,
    /// The public names of the vault keys that sealed data lies under. None of the keys is in a
    /// backup; without them the sealed data cannot be opened.
    pub vault_key_ids: BTreeSet<String>,
    /// The audit trail's chain of hashes, when there is one.
    pub audit: Option<Audit>,
}

/// The audit trail's chain of hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Rows that are as they were sealed.
    pub verified_rows: i64,
    /// The chain's last row.
    pub head_audit_id: i64,
    /// Its hash, to be compared with one that was noted elsewhere.
    pub head_hash: String,
    /// The first row that is not as it was sealed.
    pub broken_at: Option<i64>,
}

/// Opens a file that nobody writes to, without leaving anything beside it.
fn open(path: &Path) -> anyhow::Result<Connection> {
    let mut url = url::Url::from_file_path(path)
        .map_err(|()| anyhow::anyhow!("{} is not an absolute path", path.display()))?;
    url.set_query(Some("immutable=1"));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(url.as_str(), flags)?)
}

/// Checks a copy as a whole and adds what it holds.
///
/// # Errors
/// When SQLite finds the file damaged, a reference leads nowhere, or the copy cannot be read. A
/// broken audit trail is told, not refused: its backup may be the one thing that is needed then.
pub(super) fn copy(path: &Path, found: &mut Examination) -> anyhow::Result<()> {
    let database = open(path)?;
    let whole: String = database.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if whole != "ok" {
        bail!("SQLite's integrity check: {whole}");
    }
    let dangling: Option<String> = database
        .query_row("PRAGMA foreign_key_check", [], |row| row.get(0))
        .optional()?;
    if let Some(table) = dangling {
        bail!("a row of `{table}` refers to a row that is not there");
    }
    let level = level(&database)?;
    found.migration_level = found.migration_level.max(level);
    found.vault_key_ids.extend(vault_key_ids(&database)?);
    if let Some(audit) = audit(&database)? {
        found.audit = Some(audit);
    }
    Ok(())
}

fn has_table(database: &Connection, table: &str) -> rusqlite::Result<bool> {
    database.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?",
        [table],
        |row| row.get::<_, i64>(0).map(|count| count > 0),
    )
}

fn level(database: &Connection) -> anyhow::Result<i64> {
    if !has_table(database, "schema_migrations")? {
        return Ok(0);
    }
    let level: Option<i64> =
        database.query_row("SELECT max(version) FROM schema_migrations", [], |row| {
            row.get(0)
        })?;
    Ok(level.unwrap_or(0))
}

/// Refuses a file whose migrations this program does not have, or has otherwise.
///
/// # Errors
/// Says which program is needed.
pub(super) fn check_migrations(path: &Path) -> anyhow::Result<()> {
    let database = open(path)?;
    if !has_table(&database, "schema_migrations")? {
        return Ok(());
    }
    check_level(level(&database)?)?;
    let mut statement = database.prepare("SELECT version, checksum FROM schema_migrations")?;
    let applied = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for row in applied {
        let (version, checksum): (i64, String) = row?;
        let own = MIGRATIONS.iter().find(|(number, _)| *number == version);
        let same = own.is_some_and(|(_, text)| sha256_hex(text.as_bytes()) == checksum);
        if !same {
            bail!(
                "migration {version} of the backup is not this program's; restore it with the \
                 program that wrote it"
            );
        }
    }
    Ok(())
}

/// Refuses a database that is newer than this program.
///
/// # Errors
/// Says both levels.
pub(super) fn check_level(level: i64) -> anyhow::Result<()> {
    let own = MIGRATIONS.last().map_or(0, |(version, _)| *version);
    if level > own {
        bail!(
            "the backup's database is at migration level {level}, this program knows {own}: it \
             is too old for it; restore with the program that wrote it, or a newer one"
        );
    }
    Ok(())
}

/// Every table with sealed data has both columns.
fn vault_key_ids(database: &Connection) -> anyhow::Result<BTreeSet<String>> {
    let mut tables = database.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table'
            AND EXISTS (SELECT 1 FROM pragma_table_info(sqlite_schema.name) WHERE name = 'key_id')
            AND EXISTS (SELECT 1 FROM pragma_table_info(sqlite_schema.name) WHERE name = 'wrapped_key')",
    )?;
    let tables: Vec<String> = tables
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut ids = BTreeSet::new();
    for table in tables {
        let name = table.replace('"', "\"\"");
        let mut rows = database.prepare(&format!("SELECT DISTINCT key_id FROM \"{name}\""))?;
        for id in rows.query_map([], |row| row.get(0))? {
            ids.insert(id?);
        }
    }
    Ok(ids)
}

fn audit(database: &Connection) -> anyhow::Result<Option<Audit>> {
    if !has_table(database, "audit_head")? {
        return Ok(None);
    }
    let head: Option<(i64, String)> = database
        .query_row("SELECT audit_id, hash FROM audit_head", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((head_audit_id, head_hash)) = head else {
        return Ok(None);
    };
    let mut audit = Audit {
        verified_rows: 0,
        head_audit_id,
        head_hash,
        broken_at: None,
    };
    let mut place = ChainHash::GENESIS;
    let mut expected = 1;
    let mut statement = database.prepare(AUDIT_ROWS)?;
    let mut rows = statement.query([head_audit_id])?;
    while let Some(row) = rows.next()? {
        let audit_id: i64 = row.get(0)?;
        let canonical = row.get_ref(1)?.as_bytes().context("an audit row")?;
        let hash: Option<String> = row.get(2)?;
        place = place.next(canonical);
        if audit_id != expected || hash != Some(place.hex()) {
            audit.broken_at = Some(audit_id.min(expected));
            return Ok(Some(audit));
        }
        audit.verified_rows += 1;
        expected += 1;
    }
    if expected <= head_audit_id || place.hex() != audit.head_hash {
        audit.broken_at = Some(expected.min(head_audit_id));
    }
    Ok(Some(audit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_from_one_without_a_hole() {
        let numbers: Vec<i64> = MIGRATIONS.iter().map(|(version, _)| *version).collect();
        let expected: Vec<i64> = (1..=numbers.len() as i64).collect();
        assert_eq!(numbers, expected);
    }

    #[test]
    fn a_newer_level_is_refused_with_both_numbers() {
        let own = MIGRATIONS.len() as i64;
        check_level(own).unwrap();
        let refused = check_level(own + 1).unwrap_err().to_string();
        assert!(refused.contains(&format!("level {}", own + 1)), "{refused}");
    }
}

//! Migrations: numbered SQL files, embedded, applied once, in order, never changed afterwards.
//!
//! Any number of instances may start on an empty database at once: the write lock of the
//! transaction lets one apply them, the others then find them applied.

use std::cell::Cell;
use std::time::Instant;

use spin_sdk::sqlite::wit::sqlite::Connection;

use crate::connection::{Durability, is_far, put_back, read, reads_take, run, take, take_for_read};
use crate::{Error, Row, Transaction};

/// One migration of this build.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its number: the file name's first four digits.
    pub version: i64,
    /// The file's name, without its ending.
    pub name: &'static str,
    /// SHA-256 of the file's text, in hexadecimal.
    checksum: &'static str,
    /// Where its text is among all of them, which come packed.
    start: usize,
    end: usize,
}

/// Every migration, in order, as the build found them in `migrations/`.
// Not a `const`: each use of one would carry its own copy.
pub static MIGRATIONS: &[Migration] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// Far more than all of them together.
const LIMIT: usize = 16 << 20;

/// The texts of all migrations, one after the other.
fn texts() -> Vec<u8> {
    let packed = include_bytes!(concat!(env!("OUT_DIR"), "/migrations"));
    miniz_oxide::inflate::decompress_to_vec_with_limit(packed, LIMIT).unwrap_or_default()
}

impl Migration {
    /// Its text, out of all of them.
    fn sql<'a>(&self, texts: &'a [u8]) -> Result<&'a str, Error> {
        texts
            .get(self.start..self.end)
            .and_then(|text| std::str::from_utf8(text).ok())
            .ok_or_else(|| Error::Migration {
                version: self.version,
                reason: "its text cannot be unpacked".to_owned(),
            })
    }
}

const APPLIED_ROWS: &str = "SELECT version, checksum FROM schema_migrations ORDER BY version";

thread_local! {
    static APPLIED: Cell<bool> = const { Cell::new(false) };
}

/// How often a database that others are migrating is asked again, with the busy timeout of
/// Spin's connections (5 s) in between.
const TRIES: usize = 8;

/// Reads that are timed at most before the database is taken to be far away. A machine that is busy
/// for a moment looks like a network once, hardly three times; and each instance that was wrong about
/// it would open a connection for every request that it serves at once.
const TIMED: usize = 3;

/// Applies what is missing. The first call of an instance looks, later ones return at once.
pub(crate) async fn ensure() -> Result<(), Error> {
    if APPLIED.get() {
        return Ok(());
    }
    let mut tries = 0;
    loop {
        match look_and_apply().await {
            Err(Error::Busy(_)) if tries < TRIES => tries += 1,
            result => {
                APPLIED.set(result.is_ok());
                return result;
            }
        }
    }
}

/// Whether everything is applied, by one read on a connection that later reads go on with.
async fn look() -> Result<bool, Error> {
    let (durability, connection) = take_for_read().await?;
    let asked = Instant::now();
    let mut found = run(&connection, APPLIED_ROWS, Vec::new()).await;
    let mut quickest = asked.elapsed();
    for _ in 1..TIMED {
        if !is_far(quickest) {
            break;
        }
        let asked = Instant::now();
        found = run(&connection, APPLIED_ROWS, Vec::new()).await;
        quickest = quickest.min(asked.elapsed());
    }
    reads_take(quickest);
    let Ok(found) = found else {
        // Most likely there is no such table yet. Whatever it is, the thorough way finds out.
        return Ok(false);
    };
    let applied = rows(read(found)?)?;
    check(&applied)?;
    put_back(durability, connection);
    Ok(applied.len() == MIGRATIONS.len())
}

async fn look_and_apply() -> Result<(), Error> {
    if look().await? {
        return Ok(());
    }
    let connection = take(Durability::Full).await?;
    let applied = applied(&connection).await?;
    check(&applied)?;
    if applied.len() == MIGRATIONS.len() {
        put_back(Durability::Full, connection);
        return Ok(());
    }
    // Not possible inside a transaction, and persistent: readers then never wait for a writer.
    // A store that has no journal modes (libSQL) is left as it is.
    match run(&connection, "PRAGMA journal_mode=WAL", Vec::new()).await {
        Ok(_) | Err(Error::Unavailable(_)) => {}
        Err(error) => return Err(error),
    }
    drop(connection);
    apply(Transaction::begin(Durability::Full).await?).await
}

async fn apply(transaction: Transaction) -> Result<(), Error> {
    transaction
        .execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
                version INTEGER PRIMARY KEY,
                name TEXT NOT NULL,
                checksum TEXT NOT NULL,
                applied_at INTEGER NOT NULL
            ) STRICT",
            [],
        )
        .await?;
    // Read again under the lock: another instance may have been first.
    let applied = rows(transaction.query(APPLIED_ROWS, []).await?)?;
    check(&applied)?;
    let texts = texts();
    for migration in MIGRATIONS.iter().skip(applied.len()) {
        for statement in statements(migration.sql(&texts)?) {
            transaction.execute(&statement, []).await?;
        }
        transaction
            .execute(
                "INSERT INTO schema_migrations (version, name, checksum, applied_at)
                 VALUES (?, ?, ?, CAST(unixepoch('subsec') * 1000 AS INTEGER))",
                crate::params![migration.version, migration.name, migration.checksum],
            )
            .await?;
    }
    transaction.commit().await
}

async fn applied(connection: &Connection) -> Result<Vec<(i64, String)>, Error> {
    let table = run(
        connection,
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'",
        Vec::new(),
    )
    .await?;
    let table: Vec<i64> = read(table)?;
    if table.first() != Some(&1) {
        return Ok(Vec::new());
    }
    rows(read(run(connection, APPLIED_ROWS, Vec::new()).await?)?)
}

fn rows(rows: Vec<Row>) -> Result<Vec<(i64, String)>, Error> {
    rows.iter()
        .map(|row| Ok((row.get(0)?, row.text(1)?)))
        .collect()
}

/// Refuses a database whose applied migrations are not a prefix of this build's.
fn check(applied: &[(i64, String)]) -> Result<(), Error> {
    for (position, (version, sum)) in applied.iter().enumerate() {
        let reason = match MIGRATIONS.get(position) {
            None => "the database was written by a newer build",
            Some(migration) if migration.version != *version => "a migration is missing",
            Some(migration) if migration.checksum != sum => {
                "the file was changed after it was applied"
            }
            Some(_) => continue,
        };
        return Err(Error::Migration {
            version: *version,
            reason: reason.to_owned(),
        });
    }
    Ok(())
}

/// Splits a migration into statements: Spin runs one at a time. A statement ends with a line
/// that ends in `;`; a trigger's body is written so that only its `END;` does at column zero.
fn statements(sql: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut statement = String::new();
    let mut in_trigger = false;
    for line in sql.lines() {
        let code = line.split("--").next().unwrap_or_default().trim_end();
        if code.trim().is_empty() {
            continue;
        }
        in_trigger |= statement.is_empty() && code.starts_with("CREATE TRIGGER");
        statement.push_str(code);
        statement.push('\n');
        if code.ends_with(';') && (!in_trigger || code == "END;") {
            statements.push(std::mem::take(&mut statement));
            in_trigger = false;
        }
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_in_the_folder_is_embedded_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .expect("the migrations folder")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".sql").map(str::to_owned))
            .collect();
        files.sort();
        let embedded: Vec<&str> = MIGRATIONS.iter().map(|migration| migration.name).collect();
        assert_eq!(files, embedded);
        let texts = texts();
        for migration in MIGRATIONS {
            let file = std::fs::read_to_string(format!("{folder}/{}.sql", migration.name));
            let sql = migration.sql(&texts).expect("its text");
            assert_eq!(file.expect("its file"), sql);
            let checksum = vivesphere_crypto::sha256_hex(sql.as_bytes());
            assert_eq!(checksum, migration.checksum);
        }
        for (position, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.version, position as i64 + 1);
            assert!(
                migration
                    .name
                    .starts_with(&format!("{:04}_", migration.version))
            );
        }
    }

    #[test]
    fn statements_keep_a_trigger_together_and_drop_comments() {
        let sql = "-- why\nCREATE TABLE a (b);\n\nCREATE TRIGGER t AFTER INSERT ON a BEGIN\n  DELETE FROM a;\nEND;\nCREATE INDEX i\n  ON a (b);\n";
        let split = statements(sql);
        assert_eq!(split.len(), 3, "{split:?}");
        assert!(split[1].starts_with("CREATE TRIGGER") && split[1].ends_with("END;\n"));
        assert_eq!(split[2], "CREATE INDEX i\n  ON a (b);\n");
    }

    #[test]
    fn a_changed_a_missing_and_a_newer_migration_are_refused() {
        let good: Vec<(i64, String)> = MIGRATIONS
            .iter()
            .map(|migration| (migration.version, migration.checksum.to_owned()))
            .collect();
        assert!(check(&good).is_ok());
        assert!(check(&good[..1]).is_ok());
        let mut changed = good.clone();
        changed[0].1 = "something else".to_owned();
        assert!(matches!(
            check(&changed),
            Err(Error::Migration { version: 1, .. })
        ));
        let mut newer = good.clone();
        newer.push((99, String::new()));
        assert!(matches!(
            check(&newer),
            Err(Error::Migration { version: 99, .. })
        ));
        assert!(check(&good[1..]).is_err());
    }
}

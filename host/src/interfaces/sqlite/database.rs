//! A database's file, whose turn it is to write, and its connections that no guest holds any more.
//!
//! SQLite lets one connection write at a time; the others ask again and again, with longer and longer
//! pauses, and whoever asks at the right moment comes first. Among the connections of one host there
//! is a queue instead.
//!
//! Every `open` is a connection of its own, as in Spin. Opening one reads the whole schema, and each
//! statement is compiled anew on it, which costs more than most statements: so a connection that is
//! given back is kept for the next `open`, unless a guest could tell that it is not new.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a statement waits for another writer, as in Spin.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections kept: requests that come in a crowd are served by as many instances.
const KEPT: usize = 64;
/// Of these keep their pages in memory, up to 2 MB each.
const KEPT_WARM: usize = 4;
/// Compiled statements kept by a connection.
const STATEMENTS: usize = 64;

/// Which file it is, whatever its name is now.
type Identity = (u64, u64);

/// A database that guests open connections to.
pub(crate) struct Database {
    path: PathBuf,
    idle: Mutex<Vec<Open>>,
    writing: Arc<Semaphore>,
}

/// The right to write, among the connections of this host.
pub(super) type Permit = OwnedSemaphorePermit;

/// When a statement may begin.
pub(super) enum Turn<Later> {
    /// It does not begin to write.
    NotNeeded,
    Now(Permit),
    Later(Later),
}

/// A connection, and what has become of it.
pub(super) struct Open {
    pub(super) connection: rusqlite::Connection,
    /// Held from a write to the end of its transaction.
    pub(super) turn: Option<Permit>,
    file: Option<Identity>,
    /// Rows changed before this guest had it.
    changed_before: u64,
    traces: Traces,
}

/// What a statement leaves behind on its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Traces {
    None,
    /// `PRAGMA synchronous`, which is easily set back.
    Synchronous,
    /// Other pragmas, temporary tables, attached files, and whatever else there is.
    Lasting,
}

impl Database {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            idle: Mutex::default(),
            writing: Arc::new(Semaphore::new(1)),
        }
    }

    /// A connection that is as good as new, if one is kept.
    pub(super) fn idle(&self) -> Option<Open> {
        loop {
            let mut open = self.kept().pop()?;
            // Somebody may have put another file in its place.
            if open.file.is_some() && open.file == identity(&self.path) && open.renew().is_ok() {
                return Some(open);
            }
        }
    }

    /// A new connection.
    pub(super) fn open(&self) -> rusqlite::Result<Open> {
        let connection = rusqlite::Connection::open(&self.path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Else SQLite looks at the value bound to a `LIMIT ?`, and a statement that is kept is
        // compiled anew at every run.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(Open {
            connection,
            turn: None,
            file: identity(&self.path),
            changed_before: 0,
            traces: Traces::None,
        })
    }

    /// Takes a connection back, to keep it or to close it.
    pub(super) fn give_back(&self, open: Open) {
        if open.traces == Traces::Lasting || !open.connection.is_autocommit() {
            return;
        }
        let mut kept = self.kept();
        if kept.len() >= KEPT_WARM && open.connection.release_memory().is_err() {
            return;
        }
        if kept.len() < KEPT {
            kept.push(open);
        }
    }

    /// When a statement that begins to write may do so. Who waits for as long as SQLite would is told
    /// what SQLite would say.
    pub(super) fn turn_for(
        &self,
        statement: &str,
    ) -> Turn<impl Future<Output = rusqlite::Result<Permit>> + use<>> {
        if !writes(statement) {
            return Turn::NotNeeded;
        }
        match self.writing.clone().try_acquire_owned() {
            Ok(permit) => Turn::Now(permit),
            Err(_) => {
                let permit = timeout(BUSY_TIMEOUT, self.writing.clone().acquire_owned());
                Turn::Later(async move { permit.await.ok().and_then(Result::ok).ok_or_else(busy) })
            }
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Open>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Notes what a statement leaves behind. To be called before it is run.
    pub(super) fn note(&mut self, statement: &str) {
        self.traces = self.traces.max(traces(statement));
    }

    /// Rows that the guest's last change changed.
    pub(super) fn changes(&self) -> u64 {
        // SQLite still knows those of the guest before.
        if self.connection.total_changes() == self.changed_before {
            return 0;
        }
        self.connection.changes()
    }

    /// Makes it look new.
    fn renew(&mut self) -> rusqlite::Result<()> {
        self.connection.progress_handler(0, None::<fn() -> bool>)?;
        if self.traces == Traces::Synchronous {
            self.connection.pragma_update(None, "synchronous", "FULL")?;
        }
        self.traces = Traces::None;
        self.changed_before = self.connection.total_changes();
        forget_last_insert_rowid(&self.connection);
        Ok(())
    }
}

#[allow(
    unsafe_code,
    reason = "SQLite has no other way to set it, and the crate does not wrap it"
)]
fn forget_last_insert_rowid(connection: &rusqlite::Connection) {
    // SAFETY: the handle is that of an open connection, which lives longer than this call; SQLite
    // takes the connection's own mutex for it.
    unsafe { rusqlite::ffi::sqlite3_set_last_insert_rowid(connection.handle(), 0) }
}

fn identity(path: &Path) -> Option<Identity> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

fn busy() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    rusqlite::Error::SqliteFailure(code, Some("database is locked".to_owned()))
}

/// The first two words of a statement, in lower case; nothing where it begins with anything else,
/// such as a comment, which may hold any words.
fn first_words(statement: &str) -> Option<(String, String)> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let statement = statement.trim_start();
    if !statement.starts_with(is_word) {
        return None;
    }
    let mut words = statement
        .split(|character| !is_word(character))
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase);
    Some((words.next()?, words.next().unwrap_or_default()))
}

/// Whether a statement takes SQLite's write lock at once. One that is not known to does not wait
/// here, and waits as SQLite does.
fn writes(statement: &str) -> bool {
    let Some((first, second)) = first_words(statement) else {
        return false;
    };
    match first.as_str() {
        "insert" | "update" | "delete" | "replace" | "create" | "drop" | "alter" => true,
        "begin" => matches!(second.as_str(), "immediate" | "exclusive"),
        _ => false,
    }
}

/// Whether a statement is a `PRAGMA synchronous`.
pub(super) fn sets_durability(statement: &str) -> bool {
    traces(statement) == Traces::Synchronous
}

/// What a statement may leave behind. What is not known is taken for the worst.
fn traces(statement: &str) -> Traces {
    let Some((first, second)) = first_words(statement) else {
        return Traces::Lasting;
    };
    match first.as_str() {
        "select" | "insert" | "update" | "delete" | "replace" | "with" | "begin" | "commit"
        | "rollback" | "savepoint" | "release" => Traces::None,
        "pragma" if second == "synchronous" => Traces::Synchronous,
        _ => Traces::Lasting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_something_behind_is_known_by_its_first_word() {
        for (statement, wanted) in [
            ("SELECT 1", Traces::None),
            ("  insert into t values (1)", Traces::None),
            ("WITH n AS (SELECT 1) SELECT * FROM n", Traces::None),
            ("BEGIN IMMEDIATE", Traces::None),
            ("COMMIT", Traces::None),
            ("PRAGMA synchronous=NORMAL", Traces::Synchronous),
            ("pragma synchronous = off", Traces::Synchronous),
            ("PRAGMA main.synchronous=OFF", Traces::Lasting),
            ("PRAGMA foreign_keys=ON", Traces::Lasting),
            ("CREATE TEMP TABLE t (id)", Traces::Lasting),
            ("ATTACH 'x' AS x", Traces::Lasting),
            ("-- select\nPRAGMA foreign_keys=ON", Traces::Lasting),
            ("/*select*/ PRAGMA foreign_keys=ON", Traces::Lasting),
            (";select 1", Traces::Lasting),
            ("", Traces::Lasting),
        ] {
            assert_eq!(traces(statement), wanted, "{statement}");
        }
    }

    #[test]
    fn what_writes_is_known_by_its_first_words() {
        for statement in [
            "INSERT INTO t VALUES (1)",
            " update t set a = 1",
            "BEGIN IMMEDIATE",
            "begin exclusive transaction",
        ] {
            assert!(writes(statement), "{statement}");
        }
        for statement in [
            "SELECT 1",
            "BEGIN",
            "BEGIN DEFERRED",
            "COMMIT",
            "PRAGMA synchronous=OFF",
            "",
        ] {
            assert!(!writes(statement), "{statement}");
        }
    }

    #[tokio::test]
    async fn writers_come_in_turn_and_do_not_wait_for_ever() {
        let database = Database::new("nowhere".into());
        let Turn::Now(first) = database.turn_for("BEGIN IMMEDIATE") else {
            panic!("nobody writes");
        };
        assert!(matches!(database.turn_for("SELECT 1"), Turn::NotNeeded));
        let (Turn::Later(second), Turn::Later(third)) = (
            database.turn_for("DELETE FROM t"),
            database.turn_for("DELETE FROM t"),
        ) else {
            panic!("somebody writes");
        };
        // Both at once: who waits is refused when SQLite would refuse him.
        let (second, third) = tokio::join!(second, third);
        for refused in [second, third] {
            assert_eq!(refused.unwrap_err().to_string(), "database is locked");
        }
        let Turn::Later(next) = database.turn_for("DELETE FROM t") else {
            panic!("somebody writes");
        };
        drop(first);
        drop(next.await.unwrap());
        assert!(matches!(database.turn_for("DELETE FROM t"), Turn::Now(_)));
    }

    #[test]
    fn a_connection_is_as_good_as_new() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::new(folder.path().join("a.db"));
        let run = |open: &mut Open, sql: &str| {
            open.note(sql);
            open.connection.execute_batch(sql).unwrap();
        };
        let mut open = database.open().unwrap();
        run(&mut open, "CREATE TABLE t (id INTEGER)");
        database.give_back(open);
        assert!(database.idle().is_none(), "DDL leaves it unusable");

        let mut open = database.open().unwrap();
        run(&mut open, "PRAGMA synchronous=OFF");
        run(&mut open, "INSERT INTO t VALUES (1), (2)");
        assert_eq!(open.changes(), 2);
        database.give_back(open);
        let mut open = database.idle().unwrap();
        assert_eq!(open.changes(), 0);
        assert_eq!(open.connection.last_insert_rowid(), 0);
        let level: i64 = open
            .connection
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .unwrap();
        assert_eq!(level, 2);
        run(&mut open, "DELETE FROM t WHERE id = 1");
        assert_eq!(open.changes(), 1);
        run(&mut open, "BEGIN");
        database.give_back(open);
        assert!(database.idle().is_none(), "a transaction is rolled back");

        let open = database.open().unwrap();
        database.give_back(open);
        std::fs::rename(
            folder.path().join("a.db"),
            folder.path().join("elsewhere.db"),
        )
        .unwrap();
        assert!(database.idle().is_none(), "the file is another");
    }
}

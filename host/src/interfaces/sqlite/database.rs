//! A database's file, whose turn it is to write, and its connections that no guest holds any more.
//!
//! SQLite lets one connection write at a time; the others ask again and again, with longer and longer
//! pauses, and whoever asks at the right moment comes first. Among the connections of one host there
//! is a queue instead.
//!
//! Every `open` is a connection of its own, as in Spin. Opening one reads the whole schema, and each
//! statement is compiled anew on it, which costs more than most statements: so a connection that is
//! given back is kept for the next `open`, unless a guest could tell that it is not new.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::at_once::Serving;
use super::statement::{Kind, Traces};

/// How long a statement waits for another writer, as in Spin.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections kept: requests that come in a crowd are served by as many instances.
const KEPT: usize = 64;
/// Of these keep their pages in memory, up to 2 MB each.
const KEPT_WARM: usize = 4;
/// Compiled statements kept by a connection.
const STATEMENTS: usize = 64;

/// Writes of which it is known whether they are short.
const KNOWN: usize = 1024;
/// How long commits are made where they may wait, after one that met a busy disk.
const CAREFUL: Duration = Duration::from_secs(1);
const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Which file it is, whatever its name is now.
type Identity = (u64, u64);

/// A database that guests open connections to.
pub(crate) struct Database {
    path: PathBuf,
    idle: Mutex<Vec<Open>>,
    writing: Arc<Semaphore>,
    /// Whether a write has always been short.
    short: Mutex<HashMap<String, bool>>,
    /// Until when commits are made where they may wait.
    slow_until: Mutex<Option<Instant>>,
    /// Whether the write-ahead log is about to be written back.
    checkpoint: AtomicBool,
}

/// The right to write, among the connections of this host.
pub(super) type Permit = OwnedSemaphorePermit;

/// When a statement may begin.
pub(super) enum Turn<Later> {
    /// Its connection has the turn to write, or it does not begin to write.
    Now,
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
    /// Whether commits do not wait for the disk, in a write-ahead log.
    relaxed: bool,
    wal: bool,
    /// What SQLite looks at while a statement runs.
    pub(super) serving: Arc<Serving>,
}

impl Database {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            idle: Mutex::default(),
            writing: Arc::new(Semaphore::new(1)),
            short: Mutex::default(),
            slow_until: Mutex::default(),
            checkpoint: AtomicBool::new(false),
        }
    }

    /// A connection that is as good as new, if one is kept.
    pub(super) fn idle(&self) -> Option<Open> {
        loop {
            let mut open = locked(&self.idle).pop()?;
            // Somebody may have put another file in its place.
            if open.file.is_some() && open.file == identity(&self.path) && open.renew().is_ok() {
                return Some(open);
            }
        }
    }

    /// A new connection.
    pub(super) fn open(&self) -> rusqlite::Result<Open> {
        let mut connection = rusqlite::Connection::open(&self.path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Else SQLite looks at the value bound to a `LIMIT ?`, and a statement that is kept is
        // compiled anew at every run.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let serving = Arc::new(Serving::new());
        let committing = serving.clone();
        connection.wal_hook(Some(move |wal: &mut Wal, pages| {
            committing.committed(wal, pages);
            Ok(())
        }))?;
        Ok(Open {
            connection,
            turn: None,
            file: identity(&self.path),
            changed_before: 0,
            traces: Traces::None,
            relaxed: false,
            wal: false,
            serving,
        })
    }

    /// Takes a connection back, to keep it or to close it.
    pub(super) fn give_back(&self, open: Open) {
        if open.traces == Traces::Lasting || !open.connection.is_autocommit() {
            return;
        }
        let mut kept = locked(&self.idle);
        if kept.len() >= KEPT_WARM && open.connection.release_memory().is_err() {
            return;
        }
        if kept.len() < KEPT {
            kept.push(open);
        }
    }

    /// The turn to write, now or later. Who waits for as long as SQLite would is told what SQLite would
    /// say.
    pub(super) fn turn(
        &self,
    ) -> Result<Permit, impl Future<Output = rusqlite::Result<Permit>> + use<>> {
        self.writing.clone().try_acquire_owned().map_err(|_| {
            let permit = timeout(BUSY_TIMEOUT, self.writing.clone().acquire_owned());
            async move { permit.await.ok().and_then(Result::ok).ok_or_else(busy) }
        })
    }

    /// Whether a write has been run before, and has always been short.
    pub(super) fn is_short(&self, statement: &str) -> bool {
        locked(&self.short).get(statement) == Some(&true)
    }

    /// Notes whether a write was short. One that was long once is taken for long.
    pub(super) fn note_length(&self, statement: &str, short: bool) {
        let mut known = locked(&self.short);
        if let Some(known) = known.get_mut(statement) {
            *known &= short;
        } else if known.len() < KNOWN {
            known.insert(statement.to_owned(), short);
        }
    }

    /// Whether a commit has just met a busy disk.
    pub(super) fn is_slow(&self) -> bool {
        locked(&self.slow_until).is_some_and(|until| Instant::now() < until)
    }

    /// Notes that a commit has met a busy disk.
    pub(super) fn note_slow(&self) {
        *locked(&self.slow_until) = Some(Instant::now() + CAREFUL);
    }

    /// Writes the write-ahead log back, when nobody writes. Others wait for their turn meanwhile: while
    /// there is always somebody who writes the log could never begin anew.
    pub(super) fn checkpoint(self: &Arc<Self>) {
        if self.checkpoint.swap(true, Ordering::Relaxed) {
            return;
        }
        let database = self.clone();
        tokio::spawn(async move {
            let turn = database.writing.clone().acquire_owned().await;
            tokio::task::spawn_blocking(move || {
                let open = database.idle().map_or_else(|| database.open(), Ok);
                // As after any commit: what cannot be done now is done another time.
                if let Ok(open) = open {
                    let _ = open.connection.query_row(PASSIVE, [], |_| Ok(()));
                    database.give_back(open);
                }
                database.checkpoint.store(false, Ordering::Relaxed);
                drop(turn);
            });
        });
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Open {
    /// Notes what a statement leaves behind. To be called before it is run.
    pub(super) fn note(&mut self, statement: Kind) {
        self.traces = self.traces.max(statement.traces());
        if let Kind::Durability {
            relaxed: Some(relaxed),
        } = statement
        {
            self.relaxed = relaxed;
        }
    }

    /// Whether a commit is there without waiting for the disk. The journal's mode is the file's, and
    /// what is a write-ahead log stays one.
    pub(super) fn commits_without_sync(&mut self) -> bool {
        if self.relaxed && !self.wal {
            let is_wal = |row: &rusqlite::Row<'_>| Ok(row.get_ref(0)?.as_str()? == "wal");
            let mode = self
                .connection
                .pragma_query_value(None, "journal_mode", is_wal);
            self.wal = mode.unwrap_or(false);
        }
        self.relaxed && self.wal
    }

    /// Lets others write, unless a transaction is under way.
    pub(super) fn end_turn(&mut self) {
        if self.connection.is_autocommit() {
            self.turn = None;
        }
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
        self.relaxed = false;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn writers_come_in_turn_and_do_not_wait_for_ever() {
        let database = Database::new("nowhere".into());
        let Ok(first) = database.turn() else {
            panic!("nobody writes");
        };
        let (Err(second), Err(third)) = (database.turn(), database.turn()) else {
            panic!("somebody writes");
        };
        // Both at once: who waits is refused when SQLite would refuse him.
        let (second, third) = tokio::join!(second, third);
        for refused in [second, third] {
            assert_eq!(refused.unwrap_err().to_string(), "database is locked");
        }
        let Err(next) = database.turn() else {
            panic!("somebody writes");
        };
        drop(first);
        drop(next.await.unwrap());
        assert!(database.turn().is_ok());
    }

    #[test]
    fn a_connection_is_as_good_as_new() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::new(folder.path().join("a.db"));
        let run = |open: &mut Open, sql: &str| {
            open.note(Kind::of(sql));
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

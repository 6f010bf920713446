//! Short statements, run on the thread that serves requests.
//!
//! Handing a statement to another thread and back costs several times what SQLite needs for a short
//! one. So it is run where it is asked for, unless it would wait: for another writer, or for the disk
//! until a commit is there. One that turns out to be long is broken off and run elsewhere. A write
//! within a transaction cannot be broken off without it: it is run at once when it has always been
//! short, and when it is not any more, another thread serves requests meanwhile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::ErrorCode;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::super::bindings::spin::sqlite::sqlite::{RowResult, Value};
use super::connection::{bound, columns_of, values};
use super::database::{BUSY_TIMEOUT, Database, Open};
use super::statement::Kind;

/// A result with more rows than this is not short: they are streamed.
const SHORT: usize = 256;
/// Pages of the write-ahead log after which it is written back, as SQLite does by itself.
const CHECKPOINT: i32 = 1000;
/// A commit that does not wait for the disk, and takes this long all the same, has met one that is
/// busy with something else.
const SLOW: Duration = Duration::from_millis(50);
/// In this time another thread has taken over what a thread served.
const TAKEN_OVER: Duration = Duration::from_millis(1);

/// Looks at a statement after which it is not short. They are counted over all its runs, so the first
/// may come at once.
const LONG: u32 = 2;

/// Where a statement is run, and what becomes of it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Where it may take its time.
    Patient,
    /// On a thread that serves requests, until it turns out to be long.
    Tried,
    /// On a thread that serves requests, to its end.
    Kept,
}

/// A connection's statement while it runs.
#[derive(Debug)]
struct State {
    place: Place,
    looks: u32,
    /// When it turned out to be long.
    long_since: Option<Instant>,
    /// Whether the write-ahead log should be written back.
    checkpoint: bool,
}

/// What SQLite looks at while a connection's statement runs.
#[derive(Debug)]
pub(super) struct Serving(Mutex<State>);

impl Serving {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State::at(Place::Patient)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a statement.
    pub(super) fn begin(&self, place: Place) {
        *self.state() = State::at(place);
    }

    /// Whether the statement was short.
    pub(super) fn was_short(&self) -> bool {
        self.state().looks < LONG
    }

    /// SQLite calls this every now and then while a statement runs.
    ///
    /// Gives whether it is to be broken off: to be run elsewhere, or because it has kept its thread for
    /// `longest`. Until it ends nothing else can end its instance.
    pub(super) fn look(&self, longest: Duration) -> bool {
        let mut state = self.state();
        state.looks = state.looks.saturating_add(1);
        match state.place {
            Place::Patient => false,
            Place::Tried => state.looks >= LONG,
            Place::Kept => {
                let Some(since) = state.long_since else {
                    if state.looks >= LONG {
                        state.long_since = Some(Instant::now());
                        drop(state);
                        step_aside();
                    }
                    return false;
                };
                since.elapsed() > longest
            }
        }
    }

    /// SQLite calls this after a commit. Writing the log back waits for the disk.
    pub(super) fn committed(&self, wal: &mut rusqlite::hooks::Wal, pages: i32) {
        if pages < CHECKPOINT {
            return;
        }
        let mut state = self.state();
        if state.place == Place::Patient {
            drop(state);
            // As SQLite does: what cannot be written back now is written back another time.
            let _ = wal.checkpoint();
        } else {
            state.checkpoint = true;
        }
    }
}

impl State {
    fn at(place: Place) -> Self {
        Self {
            place,
            looks: 0,
            long_since: None,
            checkpoint: false,
        }
    }
}

/// Lets another thread serve requests, since this one is kept for longer.
fn step_aside() {
    let can = Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    if can {
        // What this thread serves is taken over while it "blocks", and not given back.
        tokio::task::block_in_place(|| std::thread::sleep(TAKEN_OVER));
    }
}

/// Names of the columns, and the rows.
pub(super) type Answer = (Vec<String>, rusqlite::Result<Vec<RowResult>>);

/// Runs a statement, if that needs no waiting. Without an answer it has changed nothing, and is to be
/// run where it may wait.
pub(super) fn run(
    database: &Arc<Database>,
    open: &mut Open,
    kind: Kind,
    statement: &str,
    parameters: &[Value],
) -> Option<Answer> {
    let autocommit = open.connection.is_autocommit();
    let commits = match kind {
        Kind::Read | Kind::Durability { .. } | Kind::Begin { .. } | Kind::Rollback => false,
        Kind::Write => autocommit,
        Kind::Commit => true,
        Kind::Schema | Kind::Passing | Kind::Other => return None,
    };
    let kept = kind == Kind::Write && !autocommit;
    let waits = commits && (!open.commits_without_sync() || database.is_slow());
    if waits || (kept && !database.is_short(statement)) {
        return None;
    }
    open.note(kind);
    let began = Instant::now();
    open.connection.busy_timeout(Duration::ZERO).ok()?;
    open.serving
        .begin(if kept { Place::Kept } else { Place::Tried });
    let (mut columns, reads) = (Vec::new(), kind == Kind::Read);
    let rows = all_rows(&open.connection, reads, statement, parameters, &mut columns);
    let State {
        looks, checkpoint, ..
    } = std::mem::replace(&mut *open.serving.state(), State::at(Place::Patient));
    let _ = open.connection.busy_timeout(BUSY_TIMEOUT);
    if kept && looks >= LONG {
        database.note_length(statement, false);
    }
    if checkpoint {
        database.checkpoint();
    }
    if commits && began.elapsed() > SLOW {
        database.note_slow();
    }
    match rows {
        Ok(rows) => rows.map(|rows| (columns, Ok(rows))),
        // A read is free to fail twice. A write may have ended its transaction by failing.
        Err(error) if reads || has_changed_nothing(&error, kept) => None,
        Err(error) => Some((columns, Err(error))),
    }
}

fn all_rows(
    connection: &rusqlite::Connection,
    reads: bool,
    statement: &str,
    parameters: &[Value],
    columns: &mut Vec<String>,
) -> rusqlite::Result<Option<Vec<RowResult>>> {
    let mut statement = connection.prepare_cached(statement)?;
    if reads && !statement.readonly() {
        return Ok(None);
    }
    *columns = columns_of(&statement);
    let mut found = statement.query(bound(parameters))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        if reads && rows.len() == SHORT {
            return Ok(None);
        }
        rows.push(values(row, columns.len())?);
    }
    Ok(Some(rows))
}

/// Whether another connection is in the way, or it was only tried, and broken off.
fn has_changed_nothing(error: &rusqlite::Error, kept: bool) -> bool {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => true,
        Some(ErrorCode::OperationInterrupted) => !kept,
        _ => false,
    }
}

//! A connection that a guest has opened, and how its statements are run.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio::sync::{mpsc, oneshot};

use super::super::bindings::spin::sqlite::sqlite::{Error, RowResult, Value};
use super::database::{BUSY_TIMEOUT, Database, Open, Permit, Turn, sets_durability};
use crate::lifecycle::Alive;

/// Steps of SQLite's machine between two looks at whether to go on: well under a millisecond. They
/// are counted over all runs of a statement, so the first look may come at once.
const STEPS: i32 = 10_000;
/// Rows handed to the guest at a time.
const CHUNK: usize = 128;
/// A statement with more rows than this is not short.
const SHORT: usize = 256;

/// A connection that a guest has opened.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Connection {
    database: Arc<Database>,
    /// Nothing only while it is dropped.
    open: Arc<Mutex<Option<Open>>>,
    /// What the looks at a statement find.
    trying: Arc<AtomicU8>,
}

/// A statement is run where it may take its time.
const PATIENT: u8 = 0;
/// A statement is tried on the thread that serves requests.
const TRIED: u8 = 1;
/// It has been looked at once.
const SEEN: u8 = 2;

/// A statement that has been run, or is being run.
pub(super) enum Running {
    /// Every row is there.
    Done {
        columns: Vec<String>,
        rows: Vec<RowResult>,
    },
    /// Rows come while the statement runs; its error may come after them.
    Streaming {
        columns: oneshot::Receiver<Vec<String>>,
        rows: mpsc::Receiver<Vec<RowResult>>,
        result: oneshot::Receiver<Result<(), Error>>,
    },
}

impl Connection {
    pub(super) fn open(database: &Arc<Database>, alive: &Arc<Alive>) -> Result<Self, Error> {
        // SQLite reads nothing before the first statement: a thread that may wait would cost more.
        let mut open = match database.idle() {
            Some(open) => open,
            None => database.open().map_err(failure)?,
        };
        let trying = Arc::new(AtomicU8::new(PATIENT));
        let (tried, alive) = (trying.clone(), Arc::downgrade(alive));
        // A statement may compute for hours: it ends with the instance that asked for it. One that
        // turns out not to be short leaves the thread that serves requests.
        let stop = move || {
            let seen = tried.compare_exchange(TRIED, SEEN, Ordering::Relaxed, Ordering::Relaxed);
            seen == Err(SEEN) || alive.strong_count() == 0
        };
        open.connection
            .progress_handler(STEPS, Some(stop))
            .map_err(failure)?;
        Ok(Self {
            database: database.clone(),
            open: Arc::new(Mutex::new(Some(open))),
            trying,
        })
    }

    /// Runs a statement. A short read is done at once, since handing it to another thread and
    /// back costs several times what SQLite needs for it; everything else runs on a thread that
    /// may wait. The connection is held until the last row is taken or nobody wants more.
    pub(super) fn start(&self, statement: String, parameters: Vec<Value>) -> Running {
        if let Some(done) = self.at_once(&statement, &parameters) {
            return done;
        }
        let (columns_sender, columns) = oneshot::channel();
        let (rows_sender, rows) = mpsc::channel(1);
        let (result_sender, result) = oneshot::channel();
        let open = self.open.clone();
        let turn = self.turn_for(&statement);
        let run = move |turn| {
            let outcome = match lock(&open).as_mut() {
                Some(open) => {
                    let columns = |columns| drop(columns_sender.send(columns));
                    run(open, turn, &statement, &parameters, columns, &rows_sender).map_err(failure)
                }
                None => Err(super::lost()),
            };
            // Free before the result is known: the guest may go on at once.
            drop(open);
            let _ = result_sender.send(outcome);
        };
        match turn {
            Turn::NotNeeded => drop(tokio::task::spawn_blocking(move || run(Ok(None)))),
            Turn::Now(turn) => drop(tokio::task::spawn_blocking(move || run(Ok(Some(turn))))),
            // No thread waits, so that there is one for whoever is to end its transaction.
            Turn::Later(turn) => drop(tokio::spawn(async move {
                let turn = turn.await.map(Some);
                tokio::task::spawn_blocking(move || run(turn));
            })),
        }
        Running::Streaming {
            columns,
            rows,
            result,
        }
    }

    /// Whether a statement has to wait for another writer. A connection that writes already, or is
    /// at something else, does not.
    fn turn_for(
        &self,
        statement: &str,
    ) -> Turn<impl Future<Output = rusqlite::Result<Permit>> + use<>> {
        let mut open = self.open.try_lock();
        match open.as_mut().map(|open| open.as_mut()) {
            Ok(Some(open)) if open.turn.is_none() => self.database.turn_for(statement),
            _ => Turn::NotNeeded,
        }
    }

    /// All rows of a statement that waits for nobody and is short: one that only reads, or says how
    /// durable commits are to be. Nothing when it is not like that, or fails: it has changed nothing
    /// then, and is run anew.
    fn at_once(&self, statement: &str, parameters: &[Value]) -> Option<Running> {
        let text = statement.trim_start().as_bytes();
        let reads = text
            .get(..6)
            .is_some_and(|first| first.eq_ignore_ascii_case(b"select"));
        if !reads && !sets_durability(statement) {
            return None;
        }
        let mut open = self.open.try_lock().ok()?;
        let open = open.as_mut()?;
        if !reads {
            open.note(statement);
        }
        let connection = &open.connection;
        connection.busy_timeout(Duration::ZERO).ok()?;
        self.trying.store(TRIED, Ordering::Relaxed);
        let read = short_read(connection, statement, parameters, reads);
        self.trying.store(PATIENT, Ordering::Relaxed);
        connection.busy_timeout(BUSY_TIMEOUT).ok()?;
        let (columns, rows) = read.ok().flatten()?;
        Some(Running::Done { columns, rows })
    }

    /// Reads something of the connection, after the statement that is under way.
    pub(super) fn after<T: Send + 'static>(
        &self,
        read: fn(&Open) -> T,
    ) -> impl Future<Output = wasmtime::Result<T>> + Send + use<T> {
        let open = self.open.clone();
        let read = tokio::task::spawn_blocking(move || lock(&open).as_ref().map(read));
        async move {
            let read = read.await?;
            read.ok_or_else(|| wasmtime::format_err!("the connection is gone"))
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A statement that is still being run ends by itself, and its connection with it.
        if Arc::strong_count(&self.open) == 1
            && let Some(open) = lock(&self.open).take()
        {
            self.database.give_back(open);
        }
    }
}

fn lock(open: &Mutex<Option<Open>>) -> MutexGuard<'_, Option<Open>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

type Read = (Vec<String>, Vec<RowResult>);

fn short_read(
    connection: &rusqlite::Connection,
    statement: &str,
    parameters: &[Value],
    only_reads: bool,
) -> rusqlite::Result<Option<Read>> {
    let mut statement = connection.prepare_cached(statement)?;
    if only_reads && !statement.readonly() {
        return Ok(None);
    }
    let columns = columns_of(&statement);
    let mut found = statement.query(rusqlite::params_from_iter(parameters.iter().map(Bound)))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        if rows.len() == SHORT {
            return Ok(None);
        }
        rows.push(values(row, columns.len())?);
    }
    drop(found);
    Ok(Some((columns, rows)))
}

fn run(
    open: &mut Open,
    turn: rusqlite::Result<Option<Permit>>,
    statement: &str,
    parameters: &[Value],
    columns: impl FnOnce(Vec<String>),
    rows_sender: &mpsc::Sender<Vec<RowResult>>,
) -> rusqlite::Result<()> {
    if let Some(turn) = turn? {
        open.turn = Some(turn);
    }
    open.note(statement);
    let outcome = rows_of(
        &open.connection,
        statement,
        parameters,
        columns,
        rows_sender,
    );
    if open.connection.is_autocommit() {
        open.turn = None;
    }
    outcome
}

fn rows_of(
    connection: &rusqlite::Connection,
    sql: &str,
    parameters: &[Value],
    columns: impl FnOnce(Vec<String>),
    rows_sender: &mpsc::Sender<Vec<RowResult>>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    let names = columns_of(&statement);
    let width = names.len();
    columns(names);
    let mut rows = statement.query(rusqlite::params_from_iter(parameters.iter().map(Bound)))?;
    let mut chunk = Vec::new();
    while let Some(row) = rows.next()? {
        chunk.push(values(row, width)?);
        if chunk.len() == CHUNK
            && rows_sender
                .blocking_send(std::mem::take(&mut chunk))
                .is_err()
        {
            return Ok(());
        }
    }
    if !chunk.is_empty() {
        let _ = rows_sender.blocking_send(chunk);
    }
    Ok(())
}

fn columns_of(statement: &rusqlite::Statement<'_>) -> Vec<String> {
    statement.column_names().map(str::to_owned).collect()
}

fn values(row: &rusqlite::Row<'_>, width: usize) -> rusqlite::Result<RowResult> {
    let mut values = Vec::with_capacity(width);
    for column in 0..width {
        values.push(value(row.get_ref(column)?));
    }
    Ok(RowResult { values })
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        ValueRef::Null => Value::Null,
    }
}

/// A parameter as the guest gave it, not copied.
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
            Value::Null => ValueRef::Null,
        }))
    }
}

/// What Spin says of an error of SQLite.
fn failure(error: rusqlite::Error) -> Error {
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) {
        return Error::DatabaseFull;
    }
    Error::Io(error.to_string())
}

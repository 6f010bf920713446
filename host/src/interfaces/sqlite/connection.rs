//! A connection that a guest has opened, and how its statements are run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio::sync::{mpsc, oneshot};

use super::super::bindings::spin::sqlite::sqlite::{Error, RowResult, Value};
use super::at_once::{self, Place};
use super::database::{Database, Open, Permit, Turn};
use super::statement::Kind;
use crate::lifecycle::Alive;

/// Steps of SQLite's machine between two looks at whether to go on: well under a millisecond.
const STEPS: i32 = 10_000;
/// Rows handed to the guest at a time.
const CHUNK: usize = 128;

/// A connection that a guest has opened.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Connection {
    database: Arc<Database>,
    /// Nothing only while it is dropped.
    open: Arc<Mutex<Option<Open>>>,
}

/// A statement that has been run, or is being run.
pub(super) enum Running {
    /// It is over: every row is there, or none and an error.
    Done {
        columns: Vec<String>,
        rows: Result<Vec<RowResult>, Error>,
    },
    /// Rows come while the statement runs; its error may come after them.
    Streaming {
        columns: oneshot::Receiver<Vec<String>>,
        rows: mpsc::Receiver<Vec<RowResult>>,
        result: oneshot::Receiver<Result<(), Error>>,
    },
}

impl Connection {
    /// A statement that is run on the thread that serves requests is given up after `longest`.
    pub(super) fn open(
        database: &Arc<Database>,
        alive: &Arc<Alive>,
        longest: Duration,
    ) -> Result<Self, Error> {
        // SQLite reads nothing before the first statement: a thread that may wait would cost more.
        let mut open = match database.idle() {
            Some(open) => open,
            None => database.open().map_err(failure)?,
        };
        let (serving, alive) = (open.serving.clone(), Arc::downgrade(alive));
        // A statement may compute for hours: it ends with the instance that asked for it.
        let stop = move || serving.look(longest) || alive.strong_count() == 0;
        open.connection
            .progress_handler(STEPS, Some(stop))
            .map_err(failure)?;
        Ok(Self {
            database: database.clone(),
            open: Arc::new(Mutex::new(Some(open))),
        })
    }

    /// Runs a statement: at once when it need not wait, else on a thread that may. The connection is
    /// held until the last row is taken or nobody wants more.
    pub(super) fn start(&self, statement: String, parameters: Vec<Value>) -> Running {
        let kind = Kind::of(&statement);
        let turn = match self.at_once(kind, &statement, &parameters) {
            Ok(done) => return done,
            Err(turn) => turn,
        };
        let (columns_sender, columns) = oneshot::channel();
        let (rows_sender, rows) = mpsc::channel(1);
        let (result_sender, result) = oneshot::channel();
        let (open, database) = (self.open.clone(), self.database.clone());
        let run = move |turn| {
            let outcome = match lock(&open).as_mut() {
                Some(open) => {
                    let columns = |columns| drop(columns_sender.send(columns));
                    open.note(kind);
                    open.serving.begin(Place::Patient);
                    let outcome = run(open, turn, &statement, &parameters, columns, &rows_sender);
                    if kind == Kind::Write && outcome.is_ok() {
                        database.note_length(&statement, open.serving.was_short());
                    }
                    outcome.map_err(failure)
                }
                None => Err(super::lost()),
            };
            // Free before the result is known: the guest may go on at once.
            drop(open);
            let _ = result_sender.send(outcome);
        };
        match turn {
            Turn::Now => drop(tokio::task::spawn_blocking(move || run(Ok(None)))),
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

    /// What a statement gives that need not wait; else when it may begin. A connection that is at
    /// something else waits for itself, and one that writes already for nobody.
    fn at_once(
        &self,
        kind: Kind,
        statement: &str,
        parameters: &[Value],
    ) -> Result<Running, Turn<impl Future<Output = rusqlite::Result<Permit>> + use<>>> {
        let mut open = self.open.try_lock();
        let Ok(Some(open)) = open.as_mut().map(|open| open.as_mut()) else {
            return Err(Turn::Now);
        };
        if kind.writes() && open.turn.is_none() {
            match self.database.turn() {
                Ok(turn) => open.turn = Some(turn),
                Err(later) => return Err(Turn::Later(later)),
            }
        }
        let answer = at_once::run(&self.database, open, kind, statement, parameters);
        let Some((columns, rows)) = answer else {
            return Err(Turn::Now);
        };
        open.end_turn();
        let rows = rows.map_err(failure);
        Ok(Running::Done { columns, rows })
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
    let outcome = rows_of(
        &open.connection,
        statement,
        parameters,
        columns,
        rows_sender,
    );
    open.end_turn();
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
    let mut rows = statement.query(bound(parameters))?;
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

pub(super) fn columns_of(statement: &rusqlite::Statement<'_>) -> Vec<String> {
    statement.column_names().map(str::to_owned).collect()
}

pub(super) fn values(row: &rusqlite::Row<'_>, width: usize) -> rusqlite::Result<RowResult> {
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

/// Parameters as the guest gave them, not copied.
pub(super) fn bound(parameters: &[Value]) -> impl rusqlite::Params {
    rusqlite::params_from_iter(parameters.iter().map(Bound))
}

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

//! `spin:sqlite@3.1`: every `open` opens the file anew; rows are streamed, errors may come late.

use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use tokio::sync::{mpsc, oneshot};
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Accessor, Destination, FutureReader, Resource, StreamProducer, StreamReader, StreamResult,
    VecBuffer,
};

use super::bindings::spin::sqlite::sqlite::{
    Error, Host, HostConnection, HostConnectionWithStore, QueryResult, RowResult, Value,
};
use crate::instance::{Guest, GuestData};
use crate::lifecycle::Alive;

/// How long a statement waits for another writer, as in Spin.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);
/// Steps of SQLite's machine between two looks at whether the instance is still there.
const STEPS: i32 = 10_000;
/// Rows handed to the guest at a time.
const CHUNK: usize = 128;

/// A connection that a guest has opened.
#[derive(Clone)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Connection(Arc<Mutex<rusqlite::Connection>>);

impl Connection {
    async fn open(path: &Path, alive: &Arc<Alive>) -> Result<Self, Error> {
        let path = path.to_owned();
        let alive = Arc::downgrade(alive);
        blocking(move || {
            let mut connection = rusqlite::Connection::open(path)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            // A statement may compute for hours: it ends with the instance that asked for it.
            connection.progress_handler(STEPS, Some(move || alive.strong_count() == 0))?;
            // Else SQLite looks at the value bound to a `LIMIT ?`, and a statement that is kept
            // is compiled anew at every run.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            Ok(Self(Arc::new(Mutex::new(connection))))
        })
        .await
    }

    /// Runs a statement on a thread that may wait; rows come through the channel. The
    /// connection is held until the last row is taken or nobody wants more.
    fn start(&self, statement: String, parameters: Vec<Value>) -> Running {
        let (columns_sender, columns) = oneshot::channel();
        let (rows_sender, rows) = mpsc::channel(1);
        let (result_sender, result) = oneshot::channel();
        let connection = self.0.clone();
        tokio::task::spawn_blocking(move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = run(
                &connection,
                &statement,
                parameters,
                columns_sender,
                &rows_sender,
            );
            // Free before the result is known: the guest may go on at once.
            drop(connection);
            let _ = result_sender.send(outcome.map_err(failure));
        });
        Running {
            columns,
            rows,
            result,
        }
    }

    async fn with<T: Send + 'static>(
        &self,
        read: impl FnOnce(&rusqlite::Connection) -> T + Send + 'static,
    ) -> wasmtime::Result<T> {
        let connection = self.0.clone();
        Ok(tokio::task::spawn_blocking(move || {
            read(&connection.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await?)
    }
}

struct Running {
    columns: oneshot::Receiver<Vec<String>>,
    rows: mpsc::Receiver<Vec<RowResult>>,
    result: oneshot::Receiver<Result<(), Error>>,
}

fn run(
    connection: &rusqlite::Connection,
    statement: &str,
    parameters: Vec<Value>,
    columns_sender: oneshot::Sender<Vec<String>>,
    rows_sender: &mpsc::Sender<Vec<RowResult>>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(statement)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let width = columns.len();
    let _ = columns_sender.send(columns);
    let mut rows = statement.query(rusqlite::params_from_iter(
        parameters.into_iter().map(parameter),
    ))?;
    let mut chunk = Vec::new();
    while let Some(row) = rows.next()? {
        let values = (0..width)
            .map(|column| row.get_ref(column).map(value))
            .collect::<rusqlite::Result<_>>()?;
        chunk.push(RowResult { values });
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

fn parameter(value: Value) -> rusqlite::types::Value {
    use rusqlite::types::Value as Sql;
    match value {
        Value::Integer(number) => Sql::Integer(number),
        Value::Real(number) => Sql::Real(number),
        Value::Text(text) => Sql::Text(text),
        Value::Blob(bytes) => Sql::Blob(bytes),
        Value::Null => Sql::Null,
    }
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

fn failure(error: rusqlite::Error) -> Error {
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) {
        return Error::DatabaseFull;
    }
    Error::Io(error.to_string())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Io(error.to_string()))?
        .map_err(failure)
}

/// The file behind a label that the manifest grants and the runtime configuration has.
fn granted(guest: &Guest, label: &str) -> Result<std::path::PathBuf, Error> {
    let grants = &guest.grants;
    if !grants
        .component
        .sqlite_databases
        .iter()
        .any(|granted| granted == label)
    {
        return Err(Error::AccessDenied);
    }
    grants
        .databases
        .get(label)
        .cloned()
        .ok_or(Error::NoSuchDatabase)
}

/// Rows on their way to the guest.
struct Rows(mpsc::Receiver<Vec<RowResult>>);

impl<D> StreamProducer<D> for Rows {
    type Item = RowResult;
    type Buffer = VecBuffer<RowResult>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Self::Item, Self::Buffer>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(&mut store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        match self.0.poll_recv(cx) {
            Poll::Ready(Some(rows)) => {
                destination.set_buffer(rows.into());
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Ready(None) => Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => Poll::Pending,
        }
    }
}

fn lost() -> Error {
    Error::Io("the statement was abandoned".to_owned())
}

impl Host for Guest {}

impl HostConnection for Guest {
    async fn open(
        &mut self,
        database: String,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        let opened = match granted(self, &database) {
            Ok(path) => Connection::open(&path, &self.alive).await,
            Err(error) => Err(error),
        };
        Ok(match opened {
            Ok(connection) => Ok(self.table.push(connection)?),
            Err(error) => Err(error),
        })
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<QueryResult, Error>> {
        let mut running = self.table.get(&connection)?.start(statement, parameters);
        let columns = running.columns.await.unwrap_or_default();
        let mut rows = Vec::new();
        while let Some(chunk) = running.rows.recv().await {
            rows.extend(chunk);
        }
        let result = running.result.await.unwrap_or_else(|_| Err(lost()));
        Ok(result.map(|()| QueryResult { columns, rows }))
    }

    async fn last_insert_rowid(
        &mut self,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<i64> {
        let connection = self.table.get(&connection)?.clone();
        connection
            .with(rusqlite::Connection::last_insert_rowid)
            .await
    }

    async fn changes(&mut self, connection: Resource<Connection>) -> wasmtime::Result<u64> {
        let connection = self.table.get(&connection)?.clone();
        connection.with(rusqlite::Connection::changes).await
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

fn opened<T: Send>(
    accessor: &Accessor<T, GuestData>,
    connection: &Resource<Connection>,
) -> wasmtime::Result<Connection> {
    accessor.with(|mut access| Ok(access.get().table.get(connection)?.clone()))
}

type Streamed = (
    Vec<String>,
    StreamReader<RowResult>,
    FutureReader<Result<(), Error>>,
);

impl<T: Send> HostConnectionWithStore<T> for GuestData {
    async fn open_async(
        accessor: &Accessor<T, Self>,
        database: String,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        let opened = accessor.with(|mut access| {
            let guest = access.get();
            granted(guest, &database).map(|path| (path, guest.alive.clone()))
        });
        let (path, alive) = match opened {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        match Connection::open(&path, &alive).await {
            Ok(connection) => {
                accessor.with(|mut access| Ok(Ok(access.get().table.push(connection)?)))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<Streamed, Error>> {
        let running = opened(accessor, &connection)?.start(statement, parameters);
        // A statement that cannot be prepared has no columns; its error comes with the result.
        let columns = running.columns.await.unwrap_or_default();
        let result = running.result;
        accessor.with(|mut access| {
            let rows = StreamReader::new(&mut access, Rows(running.rows))?;
            let result = FutureReader::new(&mut access, async move {
                wasmtime::error::Ok(result.await.unwrap_or_else(|_| Err(lost())))
            })?;
            Ok(Ok((columns, rows, result)))
        })
    }

    async fn last_insert_rowid_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<i64> {
        let connection = opened(accessor, &connection)?;
        connection
            .with(rusqlite::Connection::last_insert_rowid)
            .await
    }

    async fn changes_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<u64> {
        let connection = opened(accessor, &connection)?;
        connection.with(rusqlite::Connection::changes).await
    }
}

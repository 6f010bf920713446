//! `spin:sqlite@3.1`: every `open` gives a connection that is as good as new; rows are streamed, errors
//! may come late.

mod at_once;
mod connection;
mod database;
mod statement;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Accessor, Destination, FutureReader, Resource, StreamProducer, StreamReader, StreamResult,
    VecBuffer,
};

#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub use self::connection::Connection;
use self::connection::Running;
pub(crate) use self::database::Database;
use self::database::Open;
use super::bindings::spin::sqlite::sqlite::{
    Error, Host, HostConnection, HostConnectionWithStore, QueryResult, RowResult, Value,
};
use crate::instance::{Guest, GuestData};

/// The database behind a label that the manifest grants and the runtime configuration has.
fn granted(guest: &Guest, label: &str) -> Result<Arc<Database>, Error> {
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
            Ok(database) => Connection::open(&database, &self.alive, self.grants.computing()),
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
        match self.table.get(&connection)?.start(statement, parameters) {
            Running::Done { columns, rows } => Ok(rows.map(|rows| QueryResult { columns, rows })),
            Running::Streaming {
                columns,
                rows: mut chunks,
                result,
            } => {
                let columns = columns.await.unwrap_or_default();
                let mut rows = Vec::new();
                while let Some(chunk) = chunks.recv().await {
                    rows.extend(chunk);
                }
                let result = result.await.unwrap_or_else(|_| Err(lost()));
                Ok(result.map(|()| QueryResult { columns, rows }))
            }
        }
    }

    async fn last_insert_rowid(
        &mut self,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<i64> {
        let connection = self.table.get(&connection)?;
        connection
            .after(|open| open.connection.last_insert_rowid())
            .await
    }

    async fn changes(&mut self, connection: Resource<Connection>) -> wasmtime::Result<u64> {
        self.table.get(&connection)?.after(Open::changes).await
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

/// Begins something on a connection. What it gives does not need the store any more.
fn begin<T: Send, R>(
    accessor: &Accessor<T, GuestData>,
    connection: &Resource<Connection>,
    begin: impl FnOnce(&Connection) -> R,
) -> wasmtime::Result<R> {
    accessor.with(|mut access| Ok(begin(access.get().table.get(connection)?)))
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
            let longest = guest.grants.computing();
            granted(guest, &database).map(|database| (database, guest.alive.clone(), longest))
        });
        let (database, alive, longest) = match opened {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        match Connection::open(&database, &alive, longest) {
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
        let running = begin(accessor, &connection, |connection| {
            connection.start(statement, parameters)
        })?;
        match running {
            Running::Done { columns, rows } => accessor.with(|mut access| {
                let (rows, result) = match rows {
                    Ok(rows) => (rows, Ok(())),
                    Err(error) => (Vec::new(), Err(error)),
                };
                let rows = StreamReader::new(&mut access, rows)?;
                let result = FutureReader::new(&mut access, async { wasmtime::error::Ok(result) })?;
                Ok(Ok((columns, rows, result)))
            }),
            Running::Streaming {
                columns,
                rows,
                result,
            } => {
                // A statement that cannot be prepared has no columns; its error comes with the
                // result.
                let columns = columns.await.unwrap_or_default();
                accessor.with(|mut access| {
                    let rows = StreamReader::new(&mut access, Rows(rows))?;
                    let result = FutureReader::new(&mut access, async move {
                        wasmtime::error::Ok(result.await.unwrap_or_else(|_| Err(lost())))
                    })?;
                    Ok(Ok((columns, rows, result)))
                })
            }
        }
    }

    async fn last_insert_rowid_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<i64> {
        begin(accessor, &connection, |connection| {
            connection.after(|open| open.connection.last_insert_rowid())
        })?
        .await
    }

    async fn changes_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<u64> {
        begin(accessor, &connection, |connection| {
            connection.after(Open::changes)
        })?
        .await
    }
}

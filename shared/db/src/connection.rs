//! Connections: kept while idle, never shared by two statements at a time.
//!
//! An instance serves up to 16 requests at once on one thread, and on one connection a second
//! statement would wait for the first one's rows to be drained, possibly for ever. So a
//! statement takes a connection out of the pool and puts it back when its result has been read
//! to the end. A future that is dropped half-way drops its connection with it, which closes it
//! and, in a transaction, rolls back.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use spin_sdk::sqlite::wit::sqlite::{Connection, RowResult};
use spin_sdk::wit_bindgen::StreamResult;

use crate::{Error, FromRow, Row, Transaction, Value, migrate};

/// The database's name in `spin.toml`.
const DATABASE: &str = "default";

/// Idle connections kept per instance and durability; more are closed after use.
const KEPT: usize = 16;

/// A short read that always takes longer than this comes over a network, or from a disk that is as
/// slow.
const FAR: Duration = Duration::from_millis(20);

/// Rows that a result has room for before it grows.
const ROOM: usize = 32;

/// What a power cut may take away. A crash of the process takes nothing either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// `synchronous=NORMAL`: a power cut may lose the last commits, never break the database.
    /// For what may be lost: counters, last-used times.
    Relaxed,
    /// `synchronous=FULL`: committed is on the disk. For all that would double or lose a post,
    /// a secret, a role or an audit row.
    Full,
}

thread_local! {
    // A component has one thread. What lies here is only ever an idle connection.
    static RELAXED: RefCell<Vec<Connection>> = const { RefCell::new(Vec::new()) };
    // Whether the database is so far away (libSQL over a network) that reads had better not hold the
    // instance up.
    static SLOW: Cell<bool> = const { Cell::new(false) };
    static FULL: RefCell<Vec<Connection>> = const { RefCell::new(Vec::new()) };
}

fn with_pool<R>(durability: Durability, run: impl FnOnce(&mut Vec<Connection>) -> R) -> R {
    let pool = match durability {
        Durability::Relaxed => &RELAXED,
        Durability::Full => &FULL,
    };
    pool.with(|pool| run(&mut pool.borrow_mut()))
}

pub(crate) async fn take(durability: Durability) -> Result<Connection, Error> {
    if let Some(connection) = with_pool(durability, Vec::pop) {
        return Ok(connection);
    }
    // At once, for the reason that `take_for_read` gives.
    let connection = match SLOW.get() {
        true => Connection::open_async(DATABASE.to_owned()).await?,
        false => Connection::open(DATABASE)?,
    };
    if durability == Durability::Relaxed {
        run(&connection, "PRAGMA synchronous=NORMAL", Vec::new()).await?;
    }
    Ok(connection)
}

/// A connection for a read, and where it is put back.
///
/// It is opened without letting the instance's other requests go on. They come in crowds, above all
/// to a new instance, and each would open one of its own meanwhile, which costs more than the read;
/// so they find it put back, and one is enough.
pub(crate) async fn take_for_read() -> Result<(Durability, Connection), Error> {
    if SLOW.get() {
        return Ok((Durability::Relaxed, take(Durability::Relaxed).await?));
    }
    let idle = [Durability::Relaxed, Durability::Full]
        .into_iter()
        .find_map(|durability| Some((durability, with_pool(durability, Vec::pop)?)));
    match idle {
        Some(idle) => Ok(idle),
        // As SQLite makes them, they are good for durable commits.
        None => Ok((Durability::Full, Connection::open(DATABASE)?)),
    }
}

pub(crate) fn put_back(durability: Durability, connection: Connection) {
    with_pool(durability, |pool| {
        if pool.len() < KEPT {
            pool.push(connection);
        }
    });
}

/// Runs one statement and reads its result to the end.
pub(crate) async fn run(
    connection: &Connection,
    sql: &str,
    parameters: Vec<Value>,
) -> Result<Vec<RowResult>, Error> {
    run_as(is_read(sql), connection, sql, parameters).await
}

/// As [`run`], of a statement within a transaction that writes: it waits for nobody either.
pub(crate) async fn run_within(
    connection: &Connection,
    sql: &str,
    parameters: Vec<Value>,
) -> Result<Vec<RowResult>, Error> {
    run_as(true, connection, sql, parameters).await
}

async fn run_as(
    waits_for_nobody: bool,
    connection: &Connection,
    sql: &str,
    parameters: Vec<Value>,
) -> Result<Vec<RowResult>, Error> {
    if waits_for_nobody && !SLOW.get() {
        return Ok(connection.execute(sql, &parameters)?.rows);
    }
    streamed(connection, sql, parameters).await
}

/// Rows as what they are read into. Apart from what runs a statement, so that only this is compiled
/// for each type.
pub(crate) fn read<T: FromRow>(rows: Vec<RowResult>) -> Result<Vec<T>, Error> {
    rows.into_iter()
        .map(|row| T::from_row(&mut Row::new(row)))
        .collect()
}

/// A read waits for no writer, so it may hold the instance up for the time it takes: through
/// streams it would cost several times as much, since each value that comes by itself wakes the
/// instance once more.
fn is_read(sql: &str) -> bool {
    sql.get(..7)
        .is_some_and(|first| first.eq_ignore_ascii_case("select "))
}

/// A statement that may wait, and lets the instance's other requests go on meanwhile. The error of
/// a statement may arrive only after its last row.
async fn streamed(
    connection: &Connection,
    sql: &str,
    parameters: Vec<Value>,
) -> Result<Vec<RowResult>, Error> {
    let (_, mut stream, result) = connection.execute_async(sql.to_owned(), parameters).await?;
    // Room for a page at once: `collect` begins with room for a few and asks again and again.
    let mut rows = Vec::with_capacity(ROOM);
    loop {
        if rows.len() == rows.capacity() {
            rows.reserve(rows.len());
        }
        let (status, read) = stream.read(rows).await;
        rows = read;
        if status == StreamResult::Dropped {
            break;
        }
    }
    result.await?;
    Ok(rows)
}

/// Whether a database is far away whose short reads take so long.
pub(crate) fn is_far(read: Duration) -> bool {
    read > FAR
}

/// Says how long this instance's reads take.
pub(crate) fn reads_take(duration: Duration) {
    SLOW.set(is_far(duration));
}

/// The database. Cheap to make; holds nothing.
#[derive(Debug, Clone, Copy)]
pub struct Database {
    _opened: (),
}

impl Database {
    /// The database with every migration applied. The first call of an instance looks; later
    /// ones cost nothing.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it cannot be opened, [`Error::Migration`] when it was
    /// written by another build.
    pub async fn open() -> Result<Self, Error> {
        migrate::ensure().await?;
        Ok(Self { _opened: () })
    }

    /// All rows of a single statement. Writes are committed with [`Durability::Relaxed`].
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn query<T: FromRow>(
        &self,
        sql: &str,
        parameters: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<T>, Error> {
        read(self.rows(sql, parameters.into_iter().collect()).await?)
    }

    async fn rows(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<RowResult>, Error> {
        let (durability, connection) = if is_read(sql) {
            take_for_read().await?
        } else {
            (Durability::Relaxed, take(Durability::Relaxed).await?)
        };
        let result = run(&connection, sql, parameters).await;
        // After an error nothing is known of the connection's state: it is closed, not kept.
        if result.is_ok() {
            put_back(durability, connection);
        }
        result
    }

    /// The first row of a single statement, if there is one.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn query_optional<T: FromRow>(
        &self,
        sql: &str,
        parameters: impl IntoIterator<Item = Value>,
    ) -> Result<Option<T>, Error> {
        Ok(self.query(sql, parameters).await?.into_iter().next())
    }

    /// As [`Database::query_optional`], of a read that takes long: the instance's other requests and
    /// futures go on meanwhile, for which a short read would pay more than for itself.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn query_meanwhile<T: FromRow>(
        &self,
        sql: &str,
        parameters: impl IntoIterator<Item = Value>,
    ) -> Result<Option<T>, Error> {
        let (durability, connection) = take_for_read().await?;
        let parameters = parameters.into_iter().collect();
        let rows = streamed(&connection, sql, parameters).await?;
        put_back(durability, connection);
        Ok(read(rows)?.into_iter().next())
    }

    /// Runs a single statement and forgets its rows. Committed with [`Durability::Relaxed`].
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn execute(
        &self,
        sql: &str,
        parameters: impl IntoIterator<Item = Value>,
    ) -> Result<(), Error> {
        let parameters = parameters.into_iter().collect();
        self.rows(sql, parameters).await.map(drop)
    }

    /// Begins a transaction that holds the write lock from its start, committed with
    /// [`Durability::Full`]. Dropping it without `commit` rolls back.
    ///
    /// # Errors
    /// [`Error::Busy`] when another writer holds the lock for longer than the busy timeout.
    pub async fn transaction(&self) -> Result<Transaction, Error> {
        Transaction::begin(Durability::Full).await
    }

    /// As [`Database::transaction`], for rows whose loss at a power cut does no harm.
    ///
    /// # Errors
    /// As [`Database::transaction`].
    pub async fn relaxed_transaction(&self) -> Result<Transaction, Error> {
        Transaction::begin(Durability::Relaxed).await
    }
}

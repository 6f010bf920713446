//! Where the values of a key-value store live: a SQLite file, as Spin's default store does.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use rusqlite::{Connection, OptionalExtension as _, params};

/// One store, shared by all instances.
#[derive(Clone)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
    label: Arc<str>,
}

/// A store that a guest has opened.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub type OpenStore = Store;

type Outcome<T> = Result<T, String>;

impl Store {
    /// Opens the file, making it when it is not there.
    pub(crate) fn open(path: &Path, label: &str) -> anyhow::Result<Self> {
        let connection = Connection::open(path)
            .with_context(|| format!("cannot open the key-value store {}", path.display()))?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.execute(
            "CREATE TABLE IF NOT EXISTS spin_key_value (
                store TEXT NOT NULL,
                key TEXT NOT NULL,
                value BLOB NOT NULL,
                PRIMARY KEY (store, key)
            )",
            [],
        )?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            label: label.into(),
        })
    }

    /// Runs `work` on a thread that may wait for the disk.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection, &str) -> rusqlite::Result<T> + Send + 'static,
    ) -> Outcome<T> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || {
            let mut connection = store
                .connection
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            work(&mut connection, &store.label).map_err(|error| error.to_string())
        })
        .await
        .map_err(|error| error.to_string())?
    }

    pub(crate) async fn get(&self, key: String) -> Outcome<Option<Vec<u8>>> {
        self.run(move |connection, label| read(connection, label, &key))
            .await
    }

    pub(crate) async fn set(&self, key: String, value: Vec<u8>) -> Outcome<()> {
        self.run(move |connection, label| write(connection, label, &key, &value))
            .await
    }

    pub(crate) async fn delete(&self, key: String) -> Outcome<()> {
        self.run(move |connection, label| {
            connection
                .prepare_cached("DELETE FROM spin_key_value WHERE store = ? AND key = ?")?
                .execute(params![label, key])
                .map(drop)
        })
        .await
    }

    pub(crate) async fn exists(&self, key: String) -> Outcome<bool> {
        Ok(self.get(key).await?.is_some())
    }

    pub(crate) async fn keys(&self) -> Outcome<Vec<String>> {
        self.run(|connection, label| {
            connection
                .prepare_cached("SELECT key FROM spin_key_value WHERE store = ? ORDER BY key")?
                .query_map(params![label], |row| row.get(0))?
                .collect()
        })
        .await
    }

    /// Adds to a decimal number in one transaction; a missing value counts as 0.
    pub(crate) async fn increment(&self, key: String, delta: i64) -> Outcome<Result<i64, String>> {
        self.run(move |connection, label| {
            let transaction =
                connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let current = match read(&transaction, label, &key)? {
                None => Some(0),
                Some(bytes) => std::str::from_utf8(&bytes)
                    .ok()
                    .and_then(|text| text.parse::<i64>().ok()),
            };
            let Some(sum) = current.and_then(|current| current.checked_add(delta)) else {
                return Ok(Err(
                    "the value is not a number that can be added to".to_owned()
                ));
            };
            write(&transaction, label, &key, sum.to_string().as_bytes())?;
            transaction.commit()?;
            Ok(Ok(sum))
        })
        .await
    }

    /// Writes when the value is still `expected`; gives the present value back otherwise.
    pub(crate) async fn compare_and_swap(
        &self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> Outcome<Result<(), Option<Vec<u8>>>> {
        self.run(move |connection, label| {
            let transaction =
                connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let current = read(&transaction, label, &key)?;
            if current != expected {
                return Ok(Err(current));
            }
            write(&transaction, label, &key, &value)?;
            transaction.commit()?;
            Ok(Ok(()))
        })
        .await
    }

    /// All in one transaction.
    pub(crate) async fn set_many(&self, pairs: Vec<(String, Vec<u8>)>) -> Outcome<()> {
        self.run(move |connection, label| {
            let transaction = connection.transaction()?;
            for (key, value) in &pairs {
                write(&transaction, label, key, value)?;
            }
            transaction.commit()
        })
        .await
    }
}

fn read(connection: &Connection, label: &str, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT value FROM spin_key_value WHERE store = ? AND key = ?")?
        .query_row(params![label, key], |row| row.get(0))
        .optional()
}

fn write(connection: &Connection, label: &str, key: &str, value: &[u8]) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO spin_key_value (store, key, value) VALUES (?, ?, ?)
             ON CONFLICT (store, key) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![label, key, value])
        .map(drop)
}

//! A store in a SQLite file, laid out as Spin's own.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{NOT_A_NUMBER, Outcome};

/// One store, shared by all instances.
#[derive(Clone)]
pub(super) struct FileStore {
    connection: Arc<Mutex<Connection>>,
    label: Arc<str>,
}

impl FileStore {
    /// Opens the file, making it when it is not there.
    pub(super) fn open(path: &Path, label: &str) -> anyhow::Result<Self> {
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

    pub(super) async fn get(&self, key: String) -> Outcome<Option<Vec<u8>>> {
        self.run(move |connection, label| read(connection, label, &key))
            .await
    }

    pub(super) async fn set(&self, key: String, value: Vec<u8>) -> Outcome<()> {
        self.run(move |connection, label| write(connection, label, &key, &value))
            .await
    }

    pub(super) async fn delete(&self, key: String) -> Outcome<()> {
        self.run(move |connection, label| remove(connection, label, &key))
            .await
    }

    pub(super) async fn keys(&self) -> Outcome<Vec<String>> {
        self.run(|connection, label| {
            connection
                .prepare_cached("SELECT key FROM spin_key_value WHERE store = ? ORDER BY key")?
                .query_map(params![label], |row| row.get(0))?
                .collect()
        })
        .await
    }

    /// In one transaction. As with Spin a number is eight bytes, the lowest first.
    pub(super) async fn increment(&self, key: String, delta: i64) -> Outcome<i64> {
        self.run(move |connection, label| {
            let transaction =
                connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let current = match read(&transaction, label, &key)? {
                None => Some(0),
                Some(bytes) => bytes.try_into().ok().map(i64::from_le_bytes),
            };
            let Some(sum) = current.and_then(|current| current.checked_add(delta)) else {
                return Ok(None);
            };
            write(&transaction, label, &key, &sum.to_le_bytes())?;
            transaction.commit()?;
            Ok(Some(sum))
        })
        .await?
        .ok_or_else(|| NOT_A_NUMBER.to_owned())
    }

    /// In one transaction.
    pub(super) async fn compare_and_swap(
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

    pub(super) async fn get_many(&self, keys: Vec<String>) -> Outcome<Vec<Option<Vec<u8>>>> {
        self.run(move |connection, label| {
            let transaction = connection.transaction()?;
            keys.iter()
                .map(|key| read(&transaction, label, key))
                .collect()
        })
        .await
    }

    /// In one transaction.
    pub(super) async fn delete_many(&self, keys: Vec<String>) -> Outcome<()> {
        self.run(move |connection, label| {
            let transaction = connection.transaction()?;
            for key in &keys {
                remove(&transaction, label, key)?;
            }
            transaction.commit()
        })
        .await
    }

    /// In one transaction.
    pub(super) async fn set_many(&self, pairs: Vec<(String, Vec<u8>)>) -> Outcome<()> {
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

fn remove(connection: &Connection, label: &str, key: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM spin_key_value WHERE store = ? AND key = ?")?
        .execute(params![label, key])
        .map(drop)
}

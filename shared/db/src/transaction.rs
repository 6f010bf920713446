//! Transactions on a connection of their own.

use spin_sdk::sqlite::wit::sqlite::Connection;

use crate::connection::{Durability, put_back, read, run, run_within, take};
use crate::{Error, FromRow, Value};

/// A transaction that holds the write lock. Dropped without [`Transaction::commit`], it closes
/// its connection, which rolls back.
pub struct Transaction {
    connection: Connection,
    durability: Durability,
}

impl Transaction {
    pub(crate) async fn begin(durability: Durability) -> Result<Self, Error> {
        let connection = take(durability).await?;
        // IMMEDIATE: a transaction that reads first and writes later would otherwise fail with
        // "locked" at its first write when somebody wrote in between.
        run(&connection, "BEGIN IMMEDIATE", Vec::new()).await?;
        Ok(Self {
            connection,
            durability,
        })
    }

    /// All rows of a statement.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn query<T: FromRow>(
        &self,
        sql: &str,
        parameters: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<T>, Error> {
        let parameters = parameters.into_iter().collect();
        read(run_within(&self.connection, sql, parameters).await?)
    }

    /// The first row of a statement, if there is one.
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

    /// Runs a statement and forgets its rows.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn execute(
        &self,
        sql: &str,
        parameters: impl IntoIterator<Item = Value>,
    ) -> Result<(), Error> {
        let parameters = parameters.into_iter().collect();
        run_within(&self.connection, sql, parameters)
            .await
            .map(drop)
    }

    /// Commits. After `Ok` the writes are as durable as the transaction was begun.
    ///
    /// # Errors
    /// Any [`Error`]; then nothing was written.
    pub async fn commit(self) -> Result<(), Error> {
        run(&self.connection, "COMMIT", Vec::new()).await?;
        put_back(self.durability, self.connection);
        Ok(())
    }
}

//! What can go wrong with storage.

use spin_sdk::sqlite;

/// A storage error. Its text is for the log, never for a client: it may show SQL.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another writer held the database for longer than the busy timeout; trying again helps.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// A unique index or a check refused the row.
    #[error("a constraint refused the row: {0}")]
    Constraint(String),
    /// The database is full, read-only, missing, not granted, or failed in another way.
    #[error("the database failed: {0}")]
    Unavailable(String),
    /// A column held something its Rust type cannot hold.
    #[error("column {column} of the result cannot be read")]
    Column {
        /// The column's position, from zero.
        column: usize,
    },
    /// An applied migration differs from the one this build carries, or is newer than it.
    #[error("migration {version} does not fit this build: {reason}")]
    Migration {
        /// The migration's number.
        version: i64,
        /// What does not fit.
        reason: String,
    },
}

impl Error {
    /// Whether this is a violation of the unique index over `columns`,
    /// spelled as SQLite spells it: `table.column`.
    #[must_use]
    pub fn is_unique_violation(&self, columns: &str) -> bool {
        matches!(self, Self::Constraint(text)
            if text.contains("UNIQUE constraint failed") && text.contains(columns))
    }
}

impl From<sqlite::Error> for Error {
    fn from(error: sqlite::Error) -> Self {
        match error {
            sqlite::Error::Io(text) => {
                // Spin passes SQLite's message on as text; there is no code to look at.
                let lower = text.to_lowercase();
                if lower.contains("locked") || lower.contains("busy") {
                    Self::Busy(text)
                } else if lower.contains("constraint failed") {
                    Self::Constraint(text)
                } else {
                    Self::Unavailable(text)
                }
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

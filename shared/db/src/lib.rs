//! The one crate that talks to Spin's SQLite interface.
//!
//! It promises that a late query error is never lost, that a result is always drained before
//! the connection is used again, that a connection is never shared by two requests at a time,
//! and that every migration has run before the first statement does.

mod connection;
mod error;
mod migrate;
mod row;
mod transaction;

pub use connection::{Database, Durability};
pub use error::Error;
pub use migrate::{MIGRATIONS, Migration};
pub use row::{FromRow, Row};
pub use spin_sdk::sqlite::Value;
pub use transaction::Transaction;

/// A list of SQL parameters: `params![name, 5, None::<String>]`.
#[macro_export]
macro_rules! params {
    () => { [] as [$crate::Value; 0] };
    ($($value:expr),+ $(,)?) => { [$($crate::Value::from($value)),+] };
}

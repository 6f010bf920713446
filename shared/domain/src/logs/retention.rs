//! How long records are kept.

use vivesphere_db::Database;

use super::LogType;
use crate::Error;

/// Days for which records of a category are kept when nobody says otherwise.
#[must_use]
pub const fn default_retention(log_type: LogType) -> u32 {
    match log_type {
        LogType::UserActivity => 365,
        LogType::Debug => 7,
        LogType::Terminal | LogType::Console => 30,
    }
}

/// Days for which records of a category are kept.
///
/// # Errors
/// Storage.
#[allow(
    clippy::unused_async,
    reason = "the one place where a deployment's own numbers are to be read from the database"
)]
pub async fn retention(_db: &Database, log_type: LogType) -> Result<u32, Error> {
    Ok(default_retention(log_type))
}

//! Whether posts' counts may be read at all: X's word against the application, or its limits, stop
//! every reader at once.

use vivesphere_db::{Database, Row, params};

use crate::{Error, Instant};

/// Why nothing is read, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Then it is tried again.
    pub until: Instant,
    /// Stable, snake_case.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// The stop that holds now, if one does.
///
/// # Errors
/// Storage.
pub async fn current(db: &Database) -> Result<Option<Stop>, Error> {
    let row: Option<Row> = db
        .query_optional(
            "SELECT until, code, detail FROM collector_stop WHERE until > ?",
            params![Instant::now().unix_millis()],
        )
        .await?;
    row.map(|row| {
        Ok(Stop {
            until: Instant::from_unix_millis(row.get(0)?),
            code: row.text(1)?,
            detail: row.text(2)?,
        })
    })
    .transpose()
}

/// Stops every reader. A stop that lasts longer stays.
///
/// # Errors
/// Storage.
pub async fn set(db: &Database, stop: &Stop) -> Result<(), Error> {
    db.execute(
        "UPDATE collector_stop SET until = ?1, code = ?2, detail = ?3 WHERE until < ?1",
        params![
            stop.until.unix_millis(),
            stop.code.as_str(),
            stop.detail.as_str()
        ],
    )
    .await?;
    Ok(())
}

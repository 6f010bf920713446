//! Chaining what is new.

use vivesphere_db::{Error, FromRow, Row as Columns, Transaction, params};

use super::chain::Row;
use super::verify::{Head, head_in};

/// What [`seal`] did.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// The rows after the chain's former end, in their order.
    pub rows: Vec<Row>,
    /// Whether there may be rows after them.
    pub more: bool,
    /// Where the chain ends now.
    pub head: Head,
}

impl FromRow for Row {
    fn from_row(row: &mut Columns) -> Result<Self, Error> {
        Ok(Self {
            audit_id: row.get(0)?,
            occurred_at: row.get(1)?,
            actor_kind: row.text(2)?,
            actor_id: row.text(3)?,
            action: row.text(4)?,
            subject_id: row.text(5)?,
            detail: row.text(6)?,
            request_id: row.text(7)?,
            hash: row.text_optional(8)?,
        })
    }
}

/// Details of this many bytes are sealed at once, or one row's: whatever is told of them is then in an
/// instance's memory, too.
const DETAIL_BYTES: usize = 1 << 20;

/// Seals at most `limit` rows, in the order of their ids, and fewer when they tell much. Power lost afterwards does no harm: the
/// same rows are then sealed again with the same hashes.
///
/// A row that has a hash before it was sealed did not come from here. It is left as it is, for
/// [`super::verify`] to find.
///
/// # Errors
/// Storage.
pub async fn seal(transaction: &Transaction, limit: usize) -> Result<Sealed, Error> {
    let head = head_in(transaction).await?;
    let rows: Vec<Row> = transaction
        .query(
            "SELECT audit_id, occurred_at, actor_kind, actor_id, action, subject_id, detail,
                request_id, hash
             FROM (SELECT *, sum(length(detail)) OVER (ORDER BY audit_id) - length(detail) AS before
                FROM (SELECT * FROM audit_log WHERE audit_id > ? ORDER BY audit_id LIMIT ?))
             WHERE before < ? ORDER BY audit_id",
            params![head.place.audit_id, limit as i64, DETAIL_BYTES as i64],
        )
        .await?;
    let Some(last) = rows.last() else {
        let more = false;
        return Ok(Sealed { rows, more, head });
    };
    let bytes: usize = rows.iter().map(|row| row.detail.len()).sum();
    let more = rows.len() >= limit || bytes >= DETAIL_BYTES;
    let last = last.audit_id;
    let mut place = head.place;
    let mut seals = Vec::with_capacity(rows.len());
    for row in rows.iter().filter(|row| row.hash.is_none()) {
        place = place.then(row.audit_id, row.canonical().as_bytes());
        seals.push((row.audit_id, place.hash.hex()));
    }
    let sealed_rows = head.sealed_rows + seals.len() as i64;
    let seals = serde_json::to_string(&seals).unwrap_or_default();
    transaction
        .execute(
            "UPDATE audit_log SET hash = seal.value ->> 1
             FROM json_each(?) AS seal WHERE audit_id = (seal.value ->> 0) AND hash IS NULL",
            params![seals],
        )
        .await?;
    transaction
        .execute(
            "INSERT INTO audit_head (only, audit_id, sealed_rows, hash) VALUES (1, ?, ?, ?)
             ON CONFLICT (only) DO UPDATE SET audit_id = excluded.audit_id,
                sealed_rows = excluded.sealed_rows, hash = excluded.hash",
            params![last, sealed_rows, place.hash.hex()],
        )
        .await?;
    place.audit_id = last;
    Ok(Sealed {
        rows,
        more,
        head: Head { place, sealed_rows },
    })
}

//! Walking the chain in the database.

use vivesphere_crypto::ChainHash;
use vivesphere_db::{Database, Row as Columns, Transaction, params};

use super::chain::{Broken, CANONICAL, Place, Reason, Walk};
use crate::{Error, Instant};

/// Rows that are read at a time. They come as one text: handing over hundreds of thousands of
/// single values a second costs several times what hashing them does.
const CHUNK: i64 = 4000;

/// Where the chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The last sealed row and its hash.
    pub place: Place,
    /// How many rows are sealed.
    pub sealed_rows: i64,
}

const HEAD: &str = "SELECT audit_id, sealed_rows, hash FROM audit_head";

fn read_head(row: Option<&Columns>) -> Result<Head, vivesphere_db::Error> {
    let Some(row) = row else {
        // Whoever took the head away finds every sealed row to lie beyond the chain's end.
        return Ok(Head {
            place: Place::START,
            sealed_rows: 0,
        });
    };
    Ok(Head {
        place: Place {
            audit_id: row.get(0)?,
            // A head that cannot be read is no hash of ours: nothing arrives at it.
            hash: ChainHash::from_hex(row.get(2)?).unwrap_or(ChainHash::GENESIS),
        },
        sealed_rows: row.get(1)?,
    })
}

/// The chain's end.
///
/// # Errors
/// Storage.
pub async fn head(db: &Database) -> Result<Head, Error> {
    let row: Option<Columns> = db.query_optional(HEAD, []).await?;
    Ok(read_head(row.as_ref())?)
}

pub(super) async fn head_in(transaction: &Transaction) -> Result<Head, vivesphere_db::Error> {
    let row: Option<Columns> = transaction.query_optional(HEAD, []).await?;
    read_head(row.as_ref())
}

/// What a walk along the chain found.
#[derive(Debug, Clone)]
pub struct Verification {
    /// The first row that is not as it was sealed.
    pub broken: Option<Broken>,
    /// Rows that were found as they were sealed.
    pub verified_rows: i64,
    /// The last of them, or where the walk began: where another walk may go on.
    pub place: Place,
    /// Whether the walk came to the end of the chain, or to a broken row.
    pub complete: bool,
    /// Rows that are not sealed yet.
    pub unsealed_rows: i64,
    /// Where the chain ended when the walk began.
    pub head: Head,
}

/// Walks the chain from a place (its beginning, or one that was noted before) to its end, until
/// `end` at the longest.
///
/// # Errors
/// Storage.
pub async fn verify(db: &Database, from: Place, end: Instant) -> Result<Verification, Error> {
    let head = head(db).await?;
    let mut walk = Walk::from(from);
    let mut verification = Verification {
        broken: None,
        verified_rows: 0,
        place: from,
        complete: true,
        unsealed_rows: 0,
        head,
    };
    let walked = match stands(db, from).await? {
        Ok(()) => walk_on(db, &mut walk, head.place.audit_id, end).await?,
        Err(broken) => Walked::Broken(broken),
    };
    verification.broken = match walked {
        Walked::Broken(broken) => Some(broken),
        Walked::OutOfTime => {
            verification.complete = false;
            None
        }
        Walked::ToTheEnd => match walk.arrived(&head.place) {
            Ok(()) if from == Place::START && walk.rows != head.sealed_rows => Some(Broken {
                audit_id: head.place.audit_id,
                reason: Reason::Changed,
            }),
            Ok(()) => None,
            Err(broken) => Some(broken),
        },
    };
    verification.verified_rows = walk.rows;
    verification.place = walk.place;
    let (unsealed_rows, broken) = beyond_the_end(db).await?;
    verification.unsealed_rows = unsealed_rows;
    if verification.complete && verification.broken.is_none() {
        verification.broken = broken;
    }
    Ok(verification)
}

/// Whether the chain runs through a noted place.
async fn stands(db: &Database, place: Place) -> Result<Result<(), Broken>, Error> {
    if place.audit_id == 0 {
        return Ok(Ok(()));
    }
    let row: Option<Columns> = db
        .query_optional(
            "SELECT hash FROM audit_log WHERE audit_id = ?",
            params![place.audit_id],
        )
        .await?;
    let broken = |reason| {
        Ok(Err(Broken {
            audit_id: place.audit_id,
            reason,
        }))
    };
    match row {
        None => broken(Reason::Removed),
        Some(row) if row.text_optional(0)? == Some(place.hash.hex()) => Ok(Ok(())),
        Some(_) => broken(Reason::Changed),
    }
}

enum Walked {
    ToTheEnd,
    OutOfTime,
    Broken(Broken),
}

/// A chunk: the last row's id, and the rows packed for [`Walk::step_packed`].
type Chunk = Option<(i64, String)>;

async fn chunk(db: &Database, after: i64, to: i64) -> Result<Chunk, vivesphere_db::Error> {
    // The inner query gives the rows in order, and they are packed as they come. Would they not,
    // the walk would stop at a row that is out of order: a false alarm, never a false peace.
    let statement = format!(
        "SELECT max(audit_id), group_concat(octet_length(entry) || ':' || entry
            || octet_length(seal) || ':' || seal, '')
         FROM (SELECT audit_id, {CANONICAL} AS entry, coalesce(hash, '') AS seal
            FROM audit_log WHERE audit_id > ? AND audit_id <= ? ORDER BY audit_id LIMIT ?)"
    );
    let row: Option<Columns> = db
        .query_meanwhile(&statement, params![after, to, CHUNK])
        .await?;
    let Some(row) = row else { return Ok(None) };
    let Some(last) = row.get_optional(0)? else {
        return Ok(None);
    };
    Ok(Some((last, row.text(1)?)))
}

async fn walk_on(db: &Database, walk: &mut Walk, to: i64, end: Instant) -> Result<Walked, Error> {
    // Rows before the first place are looked for too: they were inserted.
    let begin = match walk.place {
        Place::START => i64::MIN,
        place => place.audit_id,
    };
    let mut next = chunk(db, begin, to).await?;
    while let Some((last, packed)) = next {
        if Instant::now() >= end {
            return Ok(Walked::OutOfTime);
        }
        // The database reads the next chunk while this one is hashed.
        let step = async { walk.step_packed(packed.as_bytes()) };
        let (fetched, stepped) = futures::join!(chunk(db, last, to), step);
        match stepped {
            Some(Ok(())) => next = fetched?,
            Some(Err(broken)) => return Ok(Walked::Broken(broken)),
            None => return Err(Error::Internal("rows cannot be read".to_owned())),
        }
    }
    Ok(Walked::ToTheEnd)
}

/// How many rows lie beyond the chain's end, and the first of them that should not be there or is
/// not there.
async fn beyond_the_end(db: &Database) -> Result<(i64, Option<Broken>), Error> {
    let row: Option<Columns> = db
        .query_optional(
            "WITH ends AS (SELECT coalesce((SELECT audit_id FROM audit_head), 0) AS sealed,
                coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit_log'), 0) AS given)
             SELECT count(*), min(audit_id) FILTER (WHERE hash IS NOT NULL),
                (SELECT min(before) + 1 FROM (
                    SELECT sealed AS before FROM ends UNION ALL
                    SELECT audit_id FROM audit_log WHERE audit_id > (SELECT sealed FROM ends))
                 WHERE before < (SELECT given FROM ends) AND NOT EXISTS (
                    SELECT 1 FROM audit_log WHERE audit_id = before + 1))
             FROM audit_log WHERE audit_id > (SELECT sealed FROM ends)",
            [],
        )
        .await?;
    let Some(row) = row else {
        return Ok((0, None));
    };
    let inserted: Option<i64> = row.get_optional(1)?;
    let removed: Option<i64> = row.get_optional(2)?;
    let broken = [
        inserted.map(|audit_id| (audit_id, Reason::Inserted)),
        removed.map(|audit_id| (audit_id, Reason::Removed)),
    ];
    let first = broken
        .into_iter()
        .flatten()
        .min_by_key(|(audit_id, _)| *audit_id)
        .map(|(audit_id, reason)| Broken { audit_id, reason });
    Ok((row.get(0)?, first))
}

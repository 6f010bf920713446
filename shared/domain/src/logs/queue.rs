//! The bounded queue.
//!
//! It holds at most [`queue_limit`] records. When it is full, a record makes room for a more
//! important one: debug first, then terminal, then console; user activity never. What was displaced
//! is counted. A record that finds no room is refused: an outside program is told so, and one of the
//! application's own is dropped and counted.

use std::borrow::Borrow;

use vivesphere_db::{Database, Row, Transaction, params};

use super::{LogType, Record};
use crate::Error;

/// Most records in the queue.
pub const QUEUE_LIMIT: usize = 10_000;

/// Most records in the queue, as this deployment has it.
#[must_use]
pub const fn queue_limit() -> usize {
    QUEUE_LIMIT
}

/// Records that are taken or refused together.
pub type Submission = Vec<Record>;

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the queue, and stays there when the process is killed.
    Queued,
    /// The queue is full of records that are as important. Nothing of it was kept.
    Full,
}

const INSERT: &str = "
    INSERT INTO log_queue
        (log_id, log_type, level, service, actor, message, data, submitted_by)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
        value -> 6, value ->> 7
    FROM json_each(?1)";

/// Puts submissions into the queue with one commit. The write is not synced: a crash of the process
/// loses nothing, a power cut may lose the last moments.
///
/// # Errors
/// Storage; then nothing is in the queue.
pub async fn submit<S: Borrow<Submission>>(
    db: &Database,
    submissions: &[S],
) -> Result<Vec<Verdict>, Error> {
    let submissions: Vec<&Submission> = submissions.iter().map(Borrow::borrow).collect();
    let count: usize = submissions.iter().map(|records| records.len()).sum();
    if count == 0 {
        return Ok(vec![Verdict::Queued; submissions.len()]);
    }
    // Nearly always there is room: one statement then does it all. The span of the ids is never
    // less than the number of records, and costs nothing to look up.
    let statement = format!(
        "{INSERT} WHERE ?2 + coalesce((SELECT max(queue_id) FROM log_queue)
            - (SELECT min(queue_id) FROM log_queue) + 1, 0) <= ?3 RETURNING 1"
    );
    let limit = i64::try_from(queue_limit()).unwrap_or(i64::MAX);
    let rows: Vec<i64> = db
        .query(
            &statement,
            params![json(submissions.iter().copied())?, count as i64, limit],
        )
        .await?;
    if rows.len() == count {
        return Ok(vec![Verdict::Queued; submissions.len()]);
    }
    let transaction = db.relaxed_transaction().await?;
    let verdicts = submit_where_room_is_short(&transaction, &submissions).await?;
    transaction.commit().await?;
    Ok(verdicts)
}

/// Puts records of the application's own into the queue; those that find no room are counted.
///
/// # Errors
/// Storage.
pub async fn hand_over(db: &Database, records: Vec<Record>) -> Result<(), Error> {
    let submissions: Vec<Submission> = records.into_iter().map(|record| vec![record]).collect();
    let verdicts = submit(db, &submissions).await?;
    let mut dropped = [0; 4];
    for (submission, verdict) in submissions.iter().zip(verdicts) {
        if verdict == Verdict::Full {
            count_types(submission)
                .iter()
                .zip(&mut dropped)
                .for_each(|(one, all)| *all += one);
        }
    }
    if dropped != [0; 4] {
        db.execute(COUNT_DROPPED, params![by_type(dropped)]).await?;
    }
    Ok(())
}

const COUNT_DROPPED: &str = "
    UPDATE log_counters SET dropped = dropped + more.value
    FROM json_each(?) AS more WHERE log_type = more.key";

/// Counts by category as a JSON object for SQL.
pub(super) fn by_type(counts: [usize; 4]) -> String {
    let counts: serde_json::Map<String, serde_json::Value> = LogType::ALL
        .iter()
        .zip(counts)
        .map(|(log_type, count)| (log_type.as_str().to_owned(), count.into()))
        .collect();
    serde_json::Value::Object(counts).to_string()
}

/// Records as a JSON list for SQL.
pub(super) fn json<'a>(submissions: impl Iterator<Item = &'a Submission>) -> Result<String, Error> {
    let columns: Vec<_> = submissions.flatten().map(Record::columns).collect();
    serde_json::to_string(&columns).map_err(|error| Error::Internal(error.to_string()))
}

fn count_types(submission: &Submission) -> [usize; 4] {
    LogType::ALL.map(|log_type| {
        let of_type = |record: &&Record| record.log_type == log_type;
        submission.iter().filter(of_type).count()
    })
}

async fn submit_where_room_is_short(
    transaction: &Transaction,
    submissions: &[&Submission],
) -> Result<Vec<Verdict>, Error> {
    let counts: Vec<Row> = transaction
        .query(
            "SELECT log_type, count(*) FROM log_queue GROUP BY log_type",
            [],
        )
        .await?;
    let mut queued = [0; 4];
    for row in &counts {
        let log_type = LogType::parse(row.get(0)?);
        if let Some(log_type) = log_type {
            queued[log_type as usize] = usize::try_from(row.get::<i64>(1)?).unwrap_or(0);
        }
    }
    let mut displaced = [0; 4];
    let mut verdicts = Vec::with_capacity(submissions.len());
    for submission in submissions {
        let made = make_room(queued, count_types(submission), queue_limit());
        verdicts.push(match made {
            Some((after, more)) => {
                queued = after;
                displaced
                    .iter_mut()
                    .zip(more)
                    .for_each(|(all, one)| *all += one);
                Verdict::Queued
            }
            None => Verdict::Full,
        });
    }
    let accepted = submissions
        .iter()
        .zip(&verdicts)
        .filter(|(_, verdict)| **verdict == Verdict::Queued)
        .map(|(submission, _)| *submission);
    transaction
        .execute(INSERT, params![json(accepted)?])
        .await?;
    for (log_type, count) in LogType::ALL.iter().zip(displaced) {
        if count > 0 {
            transaction
                .execute(
                    "DELETE FROM log_queue WHERE queue_id IN (SELECT queue_id FROM log_queue
                        WHERE log_type = ? ORDER BY queue_id LIMIT ?)",
                    params![log_type.as_str(), count as i64],
                )
                .await?;
        }
    }
    if displaced != [0; 4] {
        let displaced = by_type(displaced);
        transaction
            .execute(COUNT_DROPPED, params![displaced])
            .await?;
    }
    Ok(verdicts)
}

/// The rule. Numbers by category, the least important first: what is queued, what comes. Gives
/// what is queued afterwards and what was displaced for it, or nothing when there is no room for
/// all that comes.
fn make_room(
    mut queued: [usize; 4],
    incoming: [usize; 4],
    limit: usize,
) -> Option<([usize; 4], [usize; 4])> {
    let mut displaced = [0; 4];
    // What is there already; what comes along is never displaced by its own companions.
    let mut movable = queued;
    for kind in (0..4).rev() {
        let free = limit.saturating_sub(queued.iter().sum());
        let mut missing = incoming[kind].saturating_sub(free);
        for lesser in 0..kind {
            let moved = missing.min(movable[lesser]);
            movable[lesser] -= moved;
            queued[lesser] -= moved;
            displaced[lesser] += moved;
            missing -= moved;
        }
        if missing > 0 {
            return None;
        }
        queued[kind] += incoming[kind];
    }
    Some((queued, displaced))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn debug_goes_first_and_user_activity_never() {
        assert_eq!(
            make_room([5, 5, 0, 0], [0, 0, 0, 3], 10),
            Some(([2, 5, 0, 3], [3, 0, 0, 0]))
        );
        assert_eq!(
            make_room([1, 5, 4, 0], [0, 0, 0, 7], 10),
            Some(([0, 0, 3, 7], [1, 5, 1, 0]))
        );
        assert_eq!(make_room([0, 0, 0, 10], [0, 0, 0, 1], 10), None);
        assert_eq!(make_room([10, 0, 0, 0], [1, 0, 0, 0], 10), None);
        assert_eq!(
            make_room([9, 0, 0, 0], [1, 0, 0, 0], 10),
            Some(([10, 0, 0, 0], [0; 4]))
        );
        assert_eq!(make_room([9, 0, 0, 1], [1, 0, 0, 1], 10), None);
        assert_eq!(make_room([8, 0, 0, 1], [1, 0, 0, 1], 10), None);
        assert_eq!(make_room([0; 4], [0, 0, 0, 11], 10), None);
    }

    fn counts() -> impl Strategy<Value = [usize; 4]> {
        prop::array::uniform4(0..8_usize)
    }

    proptest! {
        #[test]
        fn the_queue_stays_within_its_limit(queued in counts(), incoming in counts(), more in 0..9_usize) {
            let limit = queued.iter().sum::<usize>() + more;
            let Some((after, displaced)) = make_room(queued, incoming, limit) else {
                // Even without everything that is less important than the least that comes,
                // or with too much of all, there is no room.
                prop_assert!(queued.iter().chain(&incoming).sum::<usize>() > limit);
                return Ok(());
            };
            prop_assert!(after.iter().sum::<usize>() <= limit);
            prop_assert_eq!(displaced[3], 0);
            for kind in 0..4 {
                prop_assert_eq!(after[kind], queued[kind] + incoming[kind] - displaced[kind]);
            }
            let most = (0..4).filter(|kind| incoming[*kind] > 0).max().unwrap_or(0);
            prop_assert!((most..4).all(|kind| displaced[kind] == 0));
            // No more than needed, and the lesser first.
            let excess = (queued.iter().chain(&incoming).sum::<usize>()).saturating_sub(limit);
            prop_assert_eq!(displaced.iter().sum::<usize>(), excess);
            for kind in 1..4 {
                if displaced[kind] > 0 {
                    prop_assert!((0..kind).all(|lesser| displaced[lesser] == queued[lesser]));
                }
            }
        }
    }
}

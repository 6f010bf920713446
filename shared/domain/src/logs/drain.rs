//! The log writer's run: the queue into the logs, the audit trail sealed and told of, the old
//! deleted.
//!
//! One worker drains at a time, under a lease; each batch is a transaction that first looks whether
//! the fencing token is still its own, so that a worker that was held up for longer than its lease
//! does nothing more. A batch moves within one database, so it happens wholly or not at all, and a
//! worker that dies leaves nothing half done.

use std::time::Duration;

use serde_json::Value;
use vivesphere_db::{Database, Row, Transaction, params};

use super::queue::{by_type, json};
use super::{Level, LogType, Record, Submission, read, retention};
use crate::{Error, Instant, audit, parse_id};

/// Records of one transaction: nobody waits long for the write lock.
const BATCH: i64 = 1000;
const SEAL_BATCH: usize = 500;
const DELETE_BATCH: i64 = 500;
/// How long a worker that has died keeps others waiting.
const LEASE: Duration = Duration::from_secs(15);
/// How often it is looked for what is old.
const EXPIRE_EVERY: Duration = Duration::from_secs(600);

/// What a run did, by category where it is a list.
#[derive(Debug, Clone, Default)]
pub struct Drained {
    /// Another worker is draining: nothing was done.
    pub busy: bool,
    /// Records that went from the queue into the logs.
    pub drained: [usize; 4],
    /// Rows of the audit trail that were sealed and told of in `user_activity`.
    pub sealed: usize,
    /// Where the audit trail's chain ends, when rows were sealed.
    pub head: Option<audit::Head>,
    /// Records whose time was over.
    pub deleted: [usize; 4],
}

struct Drain<'a> {
    db: &'a Database,
    token: i64,
    done: Drained,
    /// The categories in which it has yet to be looked for what is old.
    to_expire: Vec<LogType>,
}

/// Drains until nothing is left or it is `end`. When there is nothing to do, nothing is written.
///
/// # Errors
/// Storage; what was done before stays done.
pub async fn drain(db: &Database, end: Instant) -> Result<Drained, Error> {
    let now = Instant::now();
    let row: Option<Row> = db
        .query_optional(
            "SELECT expire_at <= ?1, EXISTS (SELECT 1 FROM log_queue)
                OR coalesce((SELECT max(audit_id) FROM audit_log), 0)
                    > coalesce((SELECT audit_id FROM audit_head), 0)
             FROM log_drain",
            params![now.unix_millis()],
        )
        .await?;
    let (expire, waiting): (bool, bool) = match row {
        Some(row) => (row.get(0)?, row.get(1)?),
        None => return Err(Error::Internal("log_drain has no row".to_owned())),
    };
    let mut done = Drained::default();
    if !expire && !waiting {
        return Ok(done);
    }
    let token: Option<i64> = db
        .query_optional(
            "UPDATE log_drain SET fencing_token = fencing_token + 1, leased_until = ?2
             WHERE leased_until <= ?1 RETURNING fencing_token",
            params![now.unix_millis(), now.plus(LEASE).unix_millis()],
        )
        .await?;
    let Some(token) = token else {
        done.busy = true;
        return Ok(done);
    };
    let to_expire = if expire {
        LogType::ALL.to_vec()
    } else {
        Vec::new()
    };
    let mut drain = Drain {
        db,
        token,
        done,
        to_expire,
    };
    while drain.step().await? && Instant::now() < end {}
    drain.finish(expire).await?;
    Ok(drain.done)
}

impl Drain<'_> {
    /// One batch of each kind; whether there may be more.
    async fn step(&mut self) -> Result<bool, Error> {
        let Some(moved) = self.move_records().await? else {
            return Ok(false);
        };
        let Some(sealed) = self.seal().await? else {
            return Ok(false);
        };
        let Some(deleted) = self.delete_old().await? else {
            return Ok(false);
        };
        Ok(moved || sealed || deleted)
    }

    /// A transaction under the lease, which is prolonged; nothing when the lease is lost.
    async fn begin(&self) -> Result<Option<Transaction>, Error> {
        let transaction = self.db.relaxed_transaction().await?;
        let until = Instant::now().plus(LEASE).unix_millis();
        let ours: Option<i64> = transaction
            .query_optional(
                "UPDATE log_drain SET leased_until = ? WHERE fencing_token = ? RETURNING 1",
                params![until, self.token],
            )
            .await?;
        Ok(ours.map(|_| transaction))
    }

    async fn move_records(&mut self) -> Result<Option<bool>, Error> {
        let Some(transaction) = self.begin().await? else {
            return Ok(None);
        };
        let rows: Vec<Row> = transaction
            .query(
                "SELECT log_type, count(*), max(queue_id)
                 FROM (SELECT log_type, queue_id FROM log_queue ORDER BY queue_id LIMIT ?)
                 GROUP BY log_type",
                params![BATCH],
            )
            .await?;
        let (mut counts, mut last) = ([0_usize; 4], 0_i64);
        for row in &rows {
            if let Some(log_type) = LogType::parse(row.get(0)?) {
                counts[log_type as usize] = usize::try_from(row.get::<i64>(1)?).unwrap_or(0);
            }
            last = last.max(row.get(2)?);
        }
        if rows.is_empty() {
            return Ok(Some(false));
        }
        // A submission that was tried twice is one record.
        transaction
            .execute(
                "INSERT INTO logs
                    (log_id, log_type, level, service, actor, message, data, submitted_by)
                 SELECT log_id, log_type, level, service, actor, message, data, submitted_by
                 FROM log_queue WHERE queue_id <= ? ON CONFLICT (log_id) DO NOTHING",
                params![last],
            )
            .await?;
        transaction
            .execute("DELETE FROM log_queue WHERE queue_id <= ?", params![last])
            .await?;
        count(&transaction, "drained", counts).await?;
        transaction.commit().await?;
        add(&mut self.done.drained, counts);
        Ok(Some(counts.iter().sum::<usize>() >= BATCH as usize))
    }

    async fn seal(&mut self) -> Result<Option<bool>, Error> {
        let Some(transaction) = self.begin().await? else {
            return Ok(None);
        };
        let sealed = audit::seal(&transaction, SEAL_BATCH).await?;
        let count_of_rows = sealed.rows.len();
        if count_of_rows == 0 {
            return Ok(Some(false));
        }
        let records: Submission = sealed.rows.iter().map(told).collect();
        let statement = "
            INSERT INTO logs (log_id, log_type, level, service, actor, message, data, submitted_by)
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
                value -> 6, value ->> 7
            FROM json_each(?) WHERE TRUE ON CONFLICT (log_id) DO NOTHING";
        let records = json([records].iter())?;
        transaction.execute(statement, params![records]).await?;
        let mut counts = [0; 4];
        counts[LogType::UserActivity as usize] = count_of_rows;
        count(&transaction, "drained", counts).await?;
        transaction.commit().await?;
        self.done.sealed += count_of_rows;
        self.done.head = Some(sealed.head);
        Ok(Some(sealed.more))
    }

    async fn delete_old(&mut self) -> Result<Option<bool>, Error> {
        let Some(log_type) = self.to_expire.last().copied() else {
            return Ok(Some(false));
        };
        let days = retention(self.db, log_type).await?;
        let kept = Duration::from_secs(u64::from(days) * 86_400).as_millis();
        let kept = i64::try_from(kept).unwrap_or(i64::MAX);
        let before = read::first_id_of(Instant::now().plus_millis(-kept));
        let Some(transaction) = self.begin().await? else {
            return Ok(None);
        };
        let rows: Vec<i64> = transaction
            .query(
                "DELETE FROM logs WHERE log_id IN (SELECT log_id FROM logs
                    WHERE log_type = ? AND log_id < ? ORDER BY log_id LIMIT ?) RETURNING 1",
                params![log_type.as_str(), before, DELETE_BATCH],
            )
            .await?;
        if !rows.is_empty() {
            let mut counts = [0; 4];
            counts[log_type as usize] = rows.len();
            count(&transaction, "deleted", counts).await?;
            transaction.commit().await?;
            add(&mut self.done.deleted, counts);
        }
        if rows.len() < DELETE_BATCH as usize {
            self.to_expire.pop();
        }
        Ok(Some(!self.to_expire.is_empty()))
    }

    /// Gives the lease back. What is old is looked for again later, at once when time ran out.
    async fn finish(&self, expiring: bool) -> Result<(), Error> {
        let next = Instant::now().plus(EXPIRE_EVERY).unix_millis();
        let expired = expiring && self.to_expire.is_empty();
        let next = expired.then_some(next);
        self.db
            .execute(
                "UPDATE log_drain SET leased_until = 0, expire_at = coalesce(?, expire_at)
                 WHERE fencing_token = ?",
                params![next, self.token],
            )
            .await?;
        Ok(())
    }
}

fn add(all: &mut [usize; 4], more: [usize; 4]) {
    all.iter_mut()
        .zip(more)
        .for_each(|(all, more)| *all += more);
}

async fn count(
    transaction: &Transaction,
    column: &'static str,
    counts: [usize; 4],
) -> Result<(), Error> {
    let statement = format!(
        "UPDATE log_counters SET {column} = {column} + more.value
         FROM json_each(?) AS more WHERE log_type = more.key"
    );
    let counts = by_type(counts);
    transaction.execute(&statement, params![counts]).await?;
    Ok(())
}

/// What the log says of a row of the audit trail. Its id follows from the row's, so that a row
/// is told of once.
fn told(row: &audit::Row) -> Record {
    let noun = row.action.split('.').next().unwrap_or_default();
    let level = if row.action.ends_with("failed") {
        Level::Warn
    } else {
        Level::Info
    };
    let message = format!("{} {}", row.action, row.subject_id);
    let detail: Value = serde_json::from_str(&row.detail).unwrap_or_default();
    let mut record = Record::new(LogType::UserActivity, level, noun, message.trim_end())
        .actor(&row.actor_id)
        .with("audit_id", &row.audit_id)
        .with("action", &row.action)
        .with("actor_kind", &row.actor_kind)
        .with("subject_id", &row.subject_id)
        .with("request_id", &row.request_id)
        .with("detail", &detail);
    let millis = u64::try_from(row.occurred_at).unwrap_or(0);
    let mut rest = [0; 10];
    for (byte, own) in rest.iter_mut().skip(2).zip(row.audit_id.to_be_bytes()) {
        *byte = own;
    }
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid();
    if let Some(id) = parse_id(&id.to_string()) {
        record.log_id = id;
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(audit_id: i64) -> audit::Row {
        audit::Row {
            audit_id,
            occurred_at: 1_750_000_000_123,
            actor_kind: "user".to_owned(),
            actor_id: "me".to_owned(),
            action: "login.failed".to_owned(),
            subject_id: "you".to_owned(),
            detail: r#"{"token":"abc","n":1}"#.to_owned(),
            request_id: "r".to_owned(),
            hash: None,
        }
    }

    #[test]
    fn a_row_of_the_trail_is_told_of_once_and_without_secrets() {
        let record = told(&row(7));
        assert_eq!(record.log_id, told(&row(7)).log_id);
        assert_ne!(record.log_id, told(&row(8)).log_id);
        assert_eq!(
            read::moment_of(&record.log_id).unix_millis(),
            1_750_000_000_123
        );
        assert_eq!(record.level, Level::Warn);
        assert_eq!(record.data["detail"]["token"], "[redacted]");
        assert_eq!(record.data["detail"]["n"], 1);
        assert_eq!(
            (record.actor.as_str(), record.service.as_str()),
            ("me", "login")
        );
    }
}

//! Looking into the logs, the newest first.
//!
//! An id holds its moment, so a range of time is a range of ids, and each of the indexes (by
//! category, by service, by actor, and by level for `warn` and `error`) gives its records in the
//! order of time. A query takes one of them; whatever else it asks for (another filter, a text) is
//! looked for in the records that the index gives, at most [`SCAN`] of them for one page. A page
//! that ends there may hold few records or none, and still have a next page.

use serde_json::Value as Json;
use vivesphere_db::{Database, FromRow, Row, Value, params};

use super::{Level, LogType};
use crate::{Error, Instant, Listed, Page};

/// Records that are looked at for one page when no index gives just what is asked for.
const SCAN: i64 = 20_000;

/// Which records. What is not given is not asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this category.
    pub log_type: Option<LogType>,
    /// Of exactly this level.
    pub level: Option<Level>,
    /// Of exactly this service.
    pub service: Option<String>,
    /// About exactly this actor.
    pub actor: Option<String>,
    /// Not before.
    pub from: Option<Instant>,
    /// Before.
    pub to: Option<Instant>,
    /// With this text in its message or its data (as JSON), whatever the case of ASCII letters.
    pub text: Option<String>,
}

/// A record as it is kept.
#[derive(Debug, Clone)]
pub struct Entry {
    /// UUIDv7.
    pub log_id: String,
    /// Its category's name.
    pub log_type: String,
    /// Its level's name.
    pub level: String,
    /// Which part of the application, or which program.
    pub service: String,
    /// Whom it is about, if about anybody.
    pub actor: Option<String>,
    /// For people.
    pub message: String,
    /// All else, a JSON object.
    pub data: Json,
    /// When it arrived.
    pub logged_at: Instant,
    /// Who handed it in; `system` for the application's own.
    pub submitted_by: String,
}

impl FromRow for Entry {
    fn from_row(row: &mut Row) -> Result<Self, vivesphere_db::Error> {
        let log_id = row.take_text(0)?;
        Ok(Self {
            logged_at: moment_of(&log_id),
            log_id,
            log_type: row.take_text(1)?,
            level: row.take_text(2)?,
            service: row.take_text(3)?,
            actor: Some(row.take_text(4)?).filter(|actor| !actor.is_empty()),
            message: row.take_text(5)?,
            data: serde_json::from_str(row.get(6)?).unwrap_or_default(),
            submitted_by: row.take_text(7)?,
        })
    }
}

/// The moment that a UUIDv7 holds (RFC 9562, section 5.7).
pub(super) fn moment_of(log_id: &str) -> Instant {
    let millis = uuid::Uuid::try_parse(log_id).map_or(0, |id| id.as_u128() >> 80);
    Instant::from_unix_millis(i64::try_from(millis).unwrap_or(0))
}

/// No record of this moment or later has a lesser id, and none before it a greater one.
pub(super) fn first_id_of(moment: Instant) -> String {
    let millis = u128::try_from(moment.unix_millis()).unwrap_or(0);
    uuid::Uuid::from_u128(millis << 80).to_string()
}

/// A query's conditions: those of the index it takes, and the others.
struct Query {
    path: Vec<String>,
    path_values: Vec<Value>,
    others: Vec<String>,
    other_values: Vec<Value>,
}

impl Query {
    fn new(filter: &Filter, after: Option<&str>) -> Self {
        let mut query = Self {
            path: Vec::new(),
            path_values: Vec::new(),
            others: Vec::new(),
            other_values: Vec::new(),
        };
        // The rarest first. A plus before a column keeps it from an index of its own.
        let rare = filter.level.filter(|level| *level >= Level::Warn);
        if let Some(actor) = &filter.actor {
            // As the index has it, so that SQLite sees that it fits.
            query.equal("actor <> '' AND actor", actor.as_str(), false);
        }
        if let Some(service) = &filter.service {
            query.equal("service", service.as_str(), true);
        }
        if let Some(level) = rare {
            match query.path.is_empty() {
                true => query.path.push(format!("level = '{}'", level.as_str())),
                false => query.equal("level", level.as_str(), true),
            }
        }
        if let Some(log_type) = filter.log_type {
            query.equal("log_type", log_type.as_str(), true);
        }
        if let Some(level) = filter.level.filter(|_| rare.is_none()) {
            query.others.push("level = ?".to_owned());
            query.other_values.push(level.as_str().into());
        }
        if let Some(text) = &filter.text {
            let mut like = "message LIKE ? ESCAPE '\\' OR data LIKE ? ESCAPE '\\'".to_owned();
            query
                .other_values
                .extend(params![pattern(text), pattern(text)]);
            // Within the data a text stands as JSON writes it.
            let written = Json::from(text.as_str()).to_string();
            let written = written.get(1..written.len() - 1).unwrap_or_default();
            if written != text {
                like.push_str(" OR data LIKE ? ESCAPE '\\'");
                query.other_values.extend(params![pattern(written)]);
            }
            query.others.push(format!("({like})"));
        }
        if let Some(from) = filter.from {
            query.bound("log_id >= ?", first_id_of(from));
        }
        if let Some(to) = filter.to {
            query.bound("log_id < ?", first_id_of(to));
        }
        if let Some(after) = after {
            query.bound("log_id < ?", after.to_owned());
        }
        query
    }

    /// The first becomes the path, later ones are looked for along it.
    fn equal(&mut self, column: &str, value: &str, plain: bool) {
        if self.path.is_empty() || !plain {
            self.path.push(format!("{column} = ?"));
            self.path_values.push(value.into());
        } else {
            self.others.push(format!("+{column} = ?"));
            self.other_values.push(value.into());
        }
    }

    fn bound(&mut self, condition: &str, log_id: String) {
        self.path.push(condition.to_owned());
        self.path_values.push(log_id.into());
    }

    fn path(&self) -> String {
        match self.path.is_empty() {
            true => "TRUE".to_owned(),
            false => self.path.join(" AND "),
        }
    }
}

/// `text` within anything, for `LIKE … ESCAPE '\'`.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// One page, the newest first.
///
/// # Errors
/// Storage.
pub async fn list(db: &Database, filter: &Filter, page: &Page) -> Result<Listed<Entry>, Error> {
    page_of(db, filter, page.limit, page.after.as_deref()).await
}

/// As [`list`], of any size.
///
/// # Errors
/// Storage.
pub async fn page_of(
    db: &Database,
    filter: &Filter,
    limit: u32,
    after: Option<&str>,
) -> Result<Listed<Entry>, Error> {
    let mut query = Query::new(filter, after);
    let mut scanned_to: Option<String> = None;
    if !query.others.is_empty() {
        let statement = format!(
            "SELECT log_id FROM logs WHERE {} ORDER BY log_id DESC LIMIT 1 OFFSET ?",
            query.path()
        );
        let mut values = query.path_values.clone();
        values.push((SCAN - 1).into());
        scanned_to = db.query_optional(&statement, values).await?;
        if let Some(last) = &scanned_to {
            query.bound("log_id >= ?", last.clone());
        }
    }
    let conditions: Vec<String> = [query.path()].into_iter().chain(query.others).collect();
    let statement = format!(
        "SELECT log_id, log_type, level, service, actor, message, data, submitted_by
         FROM logs WHERE {} ORDER BY log_id DESC LIMIT ?",
        conditions.join(" AND ")
    );
    let mut values = query.path_values;
    values.extend(query.other_values);
    values.push((i64::from(limit) + 1).into());
    let mut items: Vec<Entry> = db.query(&statement, values).await?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let last = items.last().map(|entry| entry.log_id.clone());
    let next_cursor = if more { last } else { scanned_to };
    Ok(Listed { items, next_cursor })
}

/// Numbers by category, in the order of [`LogType::ALL`].
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// In the queue now.
    pub queued: [i64; 4],
    /// Taken into the logs since the beginning.
    pub drained: [i64; 4],
    /// Not kept because the queue was full, since the beginning.
    pub dropped: [i64; 4],
    /// Deleted when their time was over, since the beginning.
    pub deleted: [i64; 4],
    /// How long the oldest record has been in the queue, in milliseconds.
    pub oldest_queued_ms: Option<i64>,
}

/// Looks at the queue and the counters.
///
/// # Errors
/// Storage.
pub async fn stats(db: &Database) -> Result<Stats, Error> {
    let rows: Vec<Row> = db
        .query(
            "SELECT log_type, drained, dropped, deleted,
                (SELECT count(*) FROM log_queue q WHERE q.log_type = c.log_type),
                (SELECT log_id FROM log_queue ORDER BY queue_id LIMIT 1)
             FROM log_counters c",
            [],
        )
        .await?;
    let mut stats = Stats::default();
    for row in &rows {
        let Some(log_type) = LogType::parse(row.get(0)?) else {
            continue;
        };
        let kind = log_type as usize;
        stats.drained[kind] = row.get(1)?;
        stats.dropped[kind] = row.get(2)?;
        stats.deleted[kind] = row.get(3)?;
        stats.queued[kind] = row.get(4)?;
        let oldest = row.text_optional(5)?;
        stats.oldest_queued_ms =
            oldest.map(|id| Instant::now().millis_since(moment_of(&id)).max(0));
    }
    Ok(stats)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_range_of_time_is_a_range_of_ids(millis in 0..4_000_000_000_000_u64, rest: [u8; 10]) {
            let id = uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid();
            let id = id.to_string();
            let moment = moment_of(&id);
            prop_assert_eq!(moment.unix_millis(), millis as i64);
            prop_assert!(first_id_of(moment) <= id);
            prop_assert!(id < first_id_of(moment.plus_millis(1)));
        }
    }

    #[test]
    fn a_text_is_looked_for_as_it_is() {
        assert_eq!(pattern("50%_\\a"), "%50\\%\\_\\\\a%");
    }

    #[test]
    fn a_query_takes_one_index_and_looks_for_the_rest_along_it() {
        let filter = Filter {
            log_type: Some(LogType::Debug),
            level: Some(Level::Error),
            service: Some("s".to_owned()),
            text: Some("x".to_owned()),
            ..Filter::default()
        };
        let query = Query::new(&filter, Some("id"));
        assert_eq!(query.path, ["service = ?", "log_id < ?"]);
        assert_eq!(query.others.len(), 3);
        let filter = Filter {
            log_type: Some(LogType::Debug),
            from: Some(Instant::now()),
            ..Filter::default()
        };
        let query = Query::new(&filter, None);
        assert_eq!(query.path, ["log_type = ?", "log_id >= ?"]);
        assert!(query.others.is_empty());
    }
}

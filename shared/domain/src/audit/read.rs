//! Looking into the trail, the newest first.

use vivesphere_db::{Database, Value, params};

use super::chain::Row;
use crate::{Error, Instant, Listed, Page};

/// Which rows. What is not given is not asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// What it was done to, exactly.
    pub subject_id: Option<String>,
    /// Who did it, exactly.
    pub actor_id: Option<String>,
    /// What was done, exactly.
    pub action: Option<String>,
    /// Not before.
    pub from: Option<Instant>,
    /// Before.
    pub to: Option<Instant>,
}

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    occurred_at: i64,
    audit_id: i64,
}

impl Position {
    /// Reads the cursor that [`list`] gave.
    ///
    /// # Errors
    /// [`Error::Invalid`] for any other text.
    pub fn parse(cursor: &str) -> Result<Self, Error> {
        cursor
            .split_once('.')
            .and_then(|(occurred_at, audit_id)| {
                Some(Self {
                    occurred_at: occurred_at.parse().ok()?,
                    audit_id: audit_id.parse().ok()?,
                })
            })
            .ok_or_else(|| Error::invalid("/cursor", "is not a cursor that a list gave"))
    }
}

/// One page, the newest first. `page` gives the limit alone; `after` is where the last one ended.
///
/// # Errors
/// Storage.
pub async fn list(
    db: &Database,
    filter: &Filter,
    page: &Page,
    after: Option<Position>,
) -> Result<Listed<Row>, Error> {
    let mut conditions = Vec::new();
    let mut parameters: Vec<Value> = Vec::new();
    let exact = [
        ("subject_id = ?", &filter.subject_id),
        ("actor_id = ?", &filter.actor_id),
        ("action = ?", &filter.action),
    ];
    for (condition, value) in exact {
        if let Some(value) = value {
            conditions.push(condition);
            parameters.push(value.as_str().into());
        }
    }
    let bounds = [
        ("occurred_at >= ?", filter.from),
        ("occurred_at < ?", filter.to),
    ];
    for (condition, moment) in bounds {
        if let Some(moment) = moment {
            conditions.push(condition);
            parameters.push(moment.unix_millis().into());
        }
    }
    if let Some(after) = after {
        conditions.push("(occurred_at, audit_id) < (?, ?)");
        parameters.extend(params![after.occurred_at, after.audit_id]);
    }
    if conditions.is_empty() {
        conditions.push("TRUE");
    }
    parameters.push(page.rows().into());
    let statement = format!(
        "SELECT audit_id, occurred_at, actor_kind, actor_id, action, subject_id, detail,
            request_id, hash
         FROM audit_log WHERE {} ORDER BY occurred_at DESC, audit_id DESC LIMIT ?",
        conditions.join(" AND ")
    );
    let mut items: Vec<Row> = db.query(&statement, parameters).await?;
    let limit = page.limit as usize;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items
        .last()
        .filter(|_| more)
        .map(|row| format!("{}.{}", row.occurred_at, row.audit_id));
    Ok(Listed { items, next_cursor })
}

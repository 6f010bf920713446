//! What X is owed, by its price list.
//!
//! X tells nobody what a call has cost, so it is counted here, and on the side of too much: a post
//! that holds anything X may take for a link costs what a post with a link costs, a reading counts
//! even where X does not bill the same post twice on one day, and a call whose answer was lost
//! counts as made. A refused call counts nothing: X's questions and answers say that it is not
//! billed (one integrator reports the opposite of refused posts).

use std::collections::BTreeMap;

use vivesphere_db::{Database, Row, Transaction, params};

use crate::weighted_length::has_link;
use crate::{Error, Instant};

/// X's prices for self-serve plans in millionths of a dollar, as of November 2026
/// (<https://docs.x.com/x-api/getting-started/pricing>).
pub mod price {
    /// A post that is made.
    pub const POST: i64 = 15_000;
    /// A post that is made and holds a link.
    pub const POST_WITH_LINK: i64 = 200_000;
    /// A post that is read. What the user who owns the developer application reads of their own
    /// costs a fifth; a bot's account is seldom that user's, so the full price is the default of
    /// the setting `post_read_micro_dollars`.
    pub const POST_READ: i64 = 5_000;
    /// An account that is read.
    pub const USER_READ: i64 = 10_000;
    /// The trends of a place.
    pub const TRENDS: i64 = 10_000;
}

/// What it was spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Posts that were made.
    Publish,
    /// Timelines that were read to find a post whose outcome was unknown.
    Reconcile,
    /// Posts whose public counts were read.
    Collect,
    /// Accounts that were asked whose they are.
    Account,
    /// Trends of places.
    Trends,
}

impl Purpose {
    /// Stable, snake_case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Reconcile => "reconcile",
            Self::Collect => "collect",
            Self::Account => "account",
            Self::Trends => "trends",
        }
    }
}

/// Something that was paid for. Negative numbers take back what was counted too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// On what.
    pub purpose: Purpose,
    /// Calls.
    pub requests: i64,
    /// Posts or accounts.
    pub resources: i64,
    /// Millionths of a dollar.
    pub micro_dollars: i64,
}

/// What making a post costs, by its text.
#[must_use]
pub fn price_of_post(text: &str) -> i64 {
    if has_link(text) {
        price::POST_WITH_LINK
    } else {
        price::POST
    }
}

/// The day of an instant, as the table has it.
#[must_use]
pub fn day_of(instant: Instant) -> String {
    let mut text = instant.to_string();
    text.truncate(10);
    text
}

const ADD: &str = "
    INSERT INTO x_spending (day, purpose, requests, resources, micro_dollars)
    SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?2) WHERE TRUE
    ON CONFLICT (day, purpose) DO UPDATE SET requests = requests + excluded.requests,
        resources = resources + excluded.resources,
        micro_dollars = micro_dollars + excluded.micro_dollars";

fn rows(spent: &[Spent]) -> String {
    let rows = spent.iter().map(|spent| {
        serde_json::json!([
            spent.purpose.as_str(),
            spent.requests,
            spent.resources,
            spent.micro_dollars,
        ])
    });
    serde_json::Value::from_iter(rows).to_string()
}

/// Counts what was spent now, in a transaction with what it was spent on.
///
/// # Errors
/// Storage; the transaction is then not to be committed.
pub async fn add_in(transaction: &Transaction, day: &str, spent: &[Spent]) -> Result<(), Error> {
    if spent.is_empty() {
        return Ok(());
    }
    Ok(transaction.execute(ADD, params![day, rows(spent)]).await?)
}

/// Counts what was spent now.
///
/// # Errors
/// Storage.
pub async fn add(db: &Database, spent: Spent) -> Result<(), Error> {
    let today = day_of(Instant::now());
    Ok(db.execute(ADD, params![today, rows(&[spent])]).await?)
}

/// What was spent on a purpose on a day, in millionths of a dollar.
///
/// # Errors
/// Storage.
pub async fn on_day(transaction: &Transaction, day: &str, purpose: Purpose) -> Result<i64, Error> {
    let sum: Option<i64> = transaction
        .query_optional(
            "SELECT micro_dollars FROM x_spending WHERE day = ? AND purpose = ?",
            params![day, purpose.as_str()],
        )
        .await?;
    Ok(sum.unwrap_or(0))
}

/// What was spent on one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// Since the beginning, in millionths of a dollar.
    pub micro_dollars: i64,
    /// Of those, on the current day (UTC).
    pub micro_dollars_today: i64,
    /// Calls since the beginning.
    pub requests: i64,
    /// Posts and accounts since the beginning.
    pub resources: i64,
}

/// What was spent, by purpose.
///
/// # Errors
/// Storage.
pub async fn sums(db: &Database) -> Result<BTreeMap<String, Sum>, Error> {
    let rows: Vec<Row> = db
        .query(
            "SELECT purpose, sum(micro_dollars), sum(iif(day = ?, micro_dollars, 0)),
                sum(requests), sum(resources)
             FROM x_spending GROUP BY purpose",
            params![day_of(Instant::now())],
        )
        .await?;
    let mut sums = BTreeMap::new();
    for row in rows {
        let sum = Sum {
            micro_dollars: row.get(1)?,
            micro_dollars_today: row.get(2)?,
            requests: row.get(3)?,
            resources: row.get(4)?,
        };
        sums.insert(row.text(0)?, sum);
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_may_be_a_link_costs_what_a_link_costs() {
        for (text, wanted) in [
            ("no link at all", price::POST),
            ("see https://example.com/a", price::POST_WITH_LINK),
            ("see example.com", price::POST_WITH_LINK),
            ("1.5 of 2. Then more", price::POST),
        ] {
            assert_eq!(price_of_post(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_day_is_utc() {
        let instant = Instant::from_unix_millis(1_795_219_199_999);
        assert_eq!(day_of(instant), "2026-11-20");
        assert_eq!(day_of(instant.plus_millis(1)), "2026-11-21");
    }
}

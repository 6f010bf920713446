//! The public counts of what this deployment has put on X: likes, reposts, replies, quotes,
//! bookmarks, impressions (<https://docs.x.com/x-api/fundamentals/metrics>).
//!
//! Each part that is on X has a row with the counts that X showed last, and a few older readings.
//! When it is read is [`plan`]'s matter; that nobody reads twice at once, and that the day's budget
//! holds, that of [`claims`]; what a reading changes, that of [`readings`].

mod claims;
mod plan;
mod read;
mod readings;

use std::ops::{Add, Sub};

use vivesphere_db::{Row, Transaction, params};

use crate::{Error, Instant};

pub use claims::{Batch, Claimed, Claims, Part, claim};
pub use plan::{OFFSETS, next_reading_at};
pub use read::{Latest, PartReadings, Reading, Series, Span, Step, latest, of_post, series};
pub use readings::{Read, Written, give_up, postpone, write};

/// What X counts of a post. Counts may go down, and so may be less than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Times shown.
    pub impressions: i64,
    /// Likes.
    pub likes: i64,
    /// Reposts.
    pub reposts: i64,
    /// Replies.
    pub replies: i64,
    /// Quotes.
    pub quotes: i64,
    /// Bookmarks.
    pub bookmarks: i64,
}

impl Counts {
    /// The columns, in the order of [`Counts::values`].
    const COLUMNS: &str = "impressions, likes, reposts, replies, quotes, bookmarks";

    fn values(self) -> [i64; 6] {
        [
            self.impressions,
            self.likes,
            self.reposts,
            self.replies,
            self.quotes,
            self.bookmarks,
        ]
    }

    /// Reads [`Counts::COLUMNS`], of which the first is `column`.
    pub(crate) fn from_columns(row: &Row, column: usize) -> Result<Self, vivesphere_db::Error> {
        Ok(Self {
            impressions: row.get(column)?,
            likes: row.get(column + 1)?,
            reposts: row.get(column + 2)?,
            replies: row.get(column + 3)?,
            quotes: row.get(column + 4)?,
            bookmarks: row.get(column + 5)?,
        })
    }

    /// What people did with it, beside looking at it.
    #[must_use]
    pub fn engagements(self) -> i64 {
        self.likes + self.reposts + self.replies + self.quotes + self.bookmarks
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            impressions: self.impressions + more.impressions,
            likes: self.likes + more.likes,
            reposts: self.reposts + more.reposts,
            replies: self.replies + more.replies,
            quotes: self.quotes + more.quotes,
            bookmarks: self.bookmarks + more.bookmarks,
        }
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            impressions: self.impressions - before.impressions,
            likes: self.likes - before.likes,
            reposts: self.reposts - before.reposts,
            replies: self.replies - before.replies,
            quotes: self.quotes - before.quotes,
            bookmarks: self.bookmarks - before.bookmarks,
        }
    }
}

/// Begins to read a part that is on X now.
///
/// # Errors
/// Storage; the transaction is then not to be committed.
pub async fn begin(
    transaction: &Transaction,
    (post_id, bot_id, position): (&str, &str, i64),
    x_post_id: &str,
    now: Instant,
) -> Result<(), Error> {
    let first = next_reading_at(now, now).map(Instant::unix_millis);
    transaction
        .execute(
            "INSERT INTO post_metrics
                (post_id, position, bot_id, x_post_id, published_at, next_reading_at)
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (post_id, position) DO NOTHING",
            params![
                post_id,
                position,
                bot_id,
                x_post_id,
                now.unix_millis(),
                first
            ],
        )
        .await?;
    Ok(())
}

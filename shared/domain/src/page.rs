//! Pages of a list, by cursor. Ids are UUIDv7, so a list by id is a list by age.

use crate::Error;

/// What part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// 1 to 200.
    pub limit: u32,
    /// The id after which the page begins, if it is not the first.
    pub after: Option<String>,
}

/// One page: its items and where the next begins.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// The next page's cursor, if there is one.
    pub next_cursor: Option<String>,
}

impl Page {
    /// Checks `limit` (1–200, default 20) and `cursor` (an id that a list gave).
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn parse(limit: Option<u32>, cursor: Option<&str>) -> Result<Self, Error> {
        let limit = limit.unwrap_or(20);
        if !(1..=200).contains(&limit) {
            return Err(Error::invalid("/limit", "must be 1 to 200"));
        }
        let after = cursor
            .map(|text| {
                uuid::Uuid::parse_str(text)
                    .map(|id| id.to_string())
                    .map_err(|_| Error::invalid("/cursor", "is not a cursor that a list gave"))
            })
            .transpose()?;
        Ok(Self { limit, after })
    }

    /// How many rows to ask for: one more than shown tells whether there is a next page.
    #[must_use]
    pub fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Cuts the rows of [`Page::rows`] to a page.
    #[must_use]
    pub fn cut<T>(&self, mut rows: Vec<T>, id: impl Fn(&T) -> &str) -> Listed<T> {
        let limit = self.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if more {
            rows.last().map(|row| id(row).to_owned())
        } else {
            None
        };
        Listed {
            items: rows,
            next_cursor,
        }
    }
}

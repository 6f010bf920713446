//! What every list has: its body, and the part of its query string that says which page.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vivesphere_domain::{Listed, Page};

use crate::Problem;

/// Which page of a list is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Items of a page; 20 when left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

impl PageQuery {
    /// The page of a list whose cursors are ids.
    ///
    /// # Errors
    /// 422 when the limit is not 1 to 200 or the cursor is not one of ours.
    pub fn by_id(&self) -> Result<Page, Problem> {
        Ok(Page::parse(self.limit, self.cursor.as_deref())?)
    }

    /// Whether a pair of a query string is one of these.
    pub(crate) fn has(pair: &str) -> bool {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        ["limit", "cursor"].contains(&name)
    }
}

/// A list that cannot be filtered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoFilter {}

/// A page of a list.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub struct List<T> {
    items: Vec<T>,
    /// Where the next page begins; null on the last.
    next_cursor: Option<String>,
}

impl<T> List<T> {
    /// The page as it is sent.
    #[must_use]
    pub fn of<Row: Into<T>>(listed: Listed<Row>) -> Self {
        Self {
            items: listed.items.into_iter().map(Into::into).collect(),
            next_cursor: listed.next_cursor,
        }
    }

    /// A list that has one page only.
    #[must_use]
    pub fn whole(items: Vec<T>) -> Self {
        Self {
            items,
            next_cursor: None,
        }
    }
}

//! The body of every list.

use schemars::JsonSchema;
use serde::Serialize;
use vivesphere_domain::Listed;

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

//! X's trends, as its API gives them.

use crate::document::Item;
use crate::limits::TITLE_CHARACTERS;
use crate::text::plain;
use crate::title::title_key;

/// A trend: its name, and how many posts there are if X says so. Nothing for a name without a
/// letter or a digit.
#[must_use]
pub fn x_trend(name: &str, posts: Option<u64>) -> Option<Item> {
    let title = plain(name, TITLE_CHARACTERS);
    let key = title_key(&title);
    (!key.is_empty()).then(|| Item {
        key,
        title,
        volume: posts,
        ..Item::default()
    })
}

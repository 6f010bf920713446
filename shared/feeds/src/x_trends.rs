//! X's trends, by the names and numbers that its API gives.

use crate::document::{Item, ReadError};
use crate::limits::{DOCUMENT_BYTES, ITEMS, TITLE_CHARACTERS};
use crate::text::plain;
use crate::title::title_key;

/// The items of a JSON list of pairs of name and number of posts (or `null`).
///
/// # Errors
/// [`ReadError::TooLong`], [`ReadError::Malformed`].
pub fn x_trends(bytes: &[u8]) -> Result<Vec<Item>, ReadError> {
    if bytes.len() > DOCUMENT_BYTES {
        return Err(ReadError::TooLong);
    }
    let trends: Vec<(String, Option<u64>)> =
        serde_json::from_slice(bytes).map_err(|_| ReadError::Malformed)?;
    let items = trends
        .iter()
        .filter_map(|(name, posts)| x_trend(name, *posts));
    Ok(items.take(ITEMS).collect())
}

/// A trend: its name, and how many posts there are if X says so. Nothing for a name without a
/// letter or a digit.
fn x_trend(name: &str, posts: Option<u64>) -> Option<Item> {
    let title = plain(name, TITLE_CHARACTERS);
    let key = title_key(&title);
    (!key.is_empty()).then(|| Item {
        key,
        title,
        volume: posts,
        ..Item::default()
    })
}

//! Hacker News' API (<https://github.com/HackerNews/API>).

use serde::Deserialize;

use crate::document::{Item, ReadError};
use crate::json_feed::limited;
use crate::limits::{DOCUMENT_BYTES, SUMMARY_CHARACTERS, TITLE_CHARACTERS};
use crate::text::plain;
use crate::web_address::canonical;

/// The ids of a list (`topstories.json` and its like), best first.
///
/// # Errors
/// [`ReadError::TooLong`], [`ReadError::Malformed`].
pub fn hacker_news_list(bytes: &[u8]) -> Result<Vec<u64>, ReadError> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Ids(#[serde(deserialize_with = "limited")] Vec<u64>);
    if bytes.len() > DOCUMENT_BYTES {
        return Err(ReadError::TooLong);
    }
    let ids: Ids = serde_json::from_slice(bytes).map_err(|_| ReadError::Malformed)?;
    Ok(ids.0)
}

#[derive(Deserialize)]
struct Entry {
    id: u64,
    time: Option<i64>,
    title: Option<String>,
    url: Option<String>,
    text: Option<String>,
    score: Option<u64>,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    dead: bool,
}

/// An item (`item/<id>.json`); nothing for one that is gone, is no story, or is `null`.
///
/// # Errors
/// [`ReadError::TooLong`], [`ReadError::Malformed`].
pub fn hacker_news_item(bytes: &[u8]) -> Result<Option<Item>, ReadError> {
    if bytes.len() > DOCUMENT_BYTES {
        return Err(ReadError::TooLong);
    }
    let entry: Option<Entry> = serde_json::from_slice(bytes).map_err(|_| ReadError::Malformed)?;
    let Some(entry) = entry.filter(|entry| !entry.deleted && !entry.dead) else {
        return Ok(None);
    };
    let title = plain(&entry.title.unwrap_or_default(), TITLE_CHARACTERS);
    if title.is_empty() {
        return Ok(None);
    }
    let own = format!("https://news.ycombinator.com/item?id={}", entry.id);
    let url = entry.url.as_deref().and_then(|url| canonical(url, None));
    Ok(Some(Item {
        key: entry.id.to_string(),
        title,
        summary: plain(&entry.text.unwrap_or_default(), SUMMARY_CHARACTERS),
        url: Some(url.map_or(own, String::from)),
        published_at: entry.time.and_then(|seconds| seconds.checked_mul(1000)),
        language: Some("en".to_owned()),
        volume: entry.score,
        ..Item::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_items_are_read() {
        assert_eq!(hacker_news_list(b"[3, 1, 2]"), Ok(vec![3, 1, 2]));
        assert_eq!(hacker_news_list(b"null"), Err(ReadError::Malformed));
        let long = format!("[{}1]", "1,".repeat(5_000));
        assert_eq!(hacker_news_list(long.as_bytes()).unwrap().len(), 500);
        let item = br#"{"id": 8, "type": "story", "by": "a", "time": 1795183200,
            "title": "Show HN: a &lt;thing&gt;", "url": "https://a.example/?utm_source=hn", "score": 41, "kids": [1]}"#;
        let item = hacker_news_item(item).unwrap().unwrap();
        assert_eq!(item.title, "Show HN: a <thing>");
        assert_eq!(item.url.as_deref(), Some("https://a.example/"));
        assert_eq!((item.key.as_str(), item.volume), ("8", Some(41)));
        assert_eq!(item.published_at, Some(1_795_183_200_000));
        for none in [
            "null",
            r#"{"id": 1, "deleted": true}"#,
            r#"{"id": 1, "type": "comment", "text": "x"}"#,
        ] {
            assert_eq!(hacker_news_item(none.as_bytes()), Ok(None), "{none}");
        }
        assert_eq!(hacker_news_item(b"<html>"), Err(ReadError::Malformed));
    }
}

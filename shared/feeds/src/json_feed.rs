//! JSON Feed 1.1 (<https://www.jsonfeed.org/version/1.1/>).

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use url::Url;

use crate::date;
use crate::document::{Document, ReadError};
use crate::feed::{Draft, add, language};
use crate::limits::{Deadline, ITEMS, TITLE_CHARACTERS};
use crate::text::plain;

#[derive(Deserialize)]
struct Feed {
    #[serde(default)]
    version: String,
    title: Option<String>,
    language: Option<String>,
    #[serde(deserialize_with = "limited")]
    items: Vec<Entry>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    id: Text,
    url: Option<String>,
    external_url: Option<String>,
    title: Option<String>,
    summary: Option<String>,
    content_text: Option<String>,
    content_html: Option<String>,
    date_published: Option<String>,
    date_modified: Option<String>,
    language: Option<String>,
    #[serde(deserialize_with = "limited")]
    tags: Vec<Text>,
}

/// Text, or a number, which some write for an id.
#[derive(Default)]
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Any {
            Text(String),
            Number(i64),
            Other(IgnoredAny),
        }
        Ok(Self(match Any::deserialize(deserializer)? {
            Any::Text(text) => text,
            Any::Number(number) => number.to_string(),
            Any::Other(IgnoredAny) => String::new(),
        }))
    }
}

/// A list of which no more than the limit is kept: a short text can hold a very long one.
pub(crate) fn limited<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Limited<T>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Limited<T> {
        type Value = Vec<T>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut kept = Vec::new();
            while kept.len() < ITEMS {
                match list.next_element()? {
                    Some(item) => kept.push(item),
                    None => return Ok(kept),
                }
            }
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(kept)
        }
    }
    deserializer.deserialize_seq(Limited(std::marker::PhantomData))
}

/// Reads one. JSON is read in time proportional to its length; what costs is the markup in its
/// entries, so the clock is looked at between them.
pub(crate) fn read(text: &str, base: &Url, deadline: Deadline) -> Result<Document, ReadError> {
    let feed: Feed = serde_json::from_str(text).map_err(|error| {
        if error.is_data() {
            ReadError::NotAFeed
        } else {
            ReadError::Malformed
        }
    })?;
    if !feed.version.contains("jsonfeed.org") {
        return Err(ReadError::NotAFeed);
    }
    let mut document = Document {
        title: feed.title.map(|title| plain(&title, TITLE_CHARACTERS)),
        language: feed.language.as_deref().and_then(language),
        ..Document::default()
    };
    for entry in feed.items {
        if deadline.has_passed() {
            if document.items.is_empty() {
                return Err(ReadError::TooSlow);
            }
            document.cut_short = Some(ReadError::TooSlow);
            break;
        }
        let published = entry.date_published.or(entry.date_modified);
        let draft = Draft {
            id: entry.id.0,
            title: entry.title.unwrap_or_default(),
            link: entry.url.or(entry.external_url).unwrap_or_default(),
            summary: entry.summary.unwrap_or_default(),
            content: entry
                .content_text
                .or(entry.content_html)
                .unwrap_or_default(),
            language: entry.language,
            category: entry.tags.into_iter().next().unwrap_or_default().0,
            published_at: published.as_deref().and_then(date::parse),
        };
        add(&mut document, draft.into_item(base));
    }
    Ok(document)
}

//! RSS, RDF, Atom or JSON Feed: whichever it is.

use url::Url;

use crate::document::{Document, Item, ReadError};
use crate::limits::{DOCUMENT_BYTES, Deadline, ITEMS, SUMMARY_CHARACTERS, TITLE_CHARACTERS};
use crate::text::{literal, plain};
use crate::web_address::canonical;
use crate::{decode, json_feed, xml_feed};

/// Reads a feed. `base` is where it was fetched, `charset` what the answer's header says.
///
/// # Errors
/// [`ReadError`]. A document that breaks off after its first items gives those, and says so.
pub fn feed(
    bytes: &[u8],
    base: &Url,
    charset: Option<&str>,
    deadline: Deadline,
) -> Result<Document, ReadError> {
    if bytes.len() > DOCUMENT_BYTES {
        return Err(ReadError::TooLong);
    }
    let text = decode::text(bytes, charset, decode::Kind::Feed);
    let text =
        text.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '\u{feff}');
    if text.starts_with('{') {
        json_feed::read(text, base, deadline)
    } else {
        xml_feed::read(text, base, deadline)
    }
}

/// A field of an item, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Written {
    /// With tags and character references.
    Markup(String),
    /// Without.
    Text(String),
}

impl Default for Written {
    fn default() -> Self {
        Self::Markup(String::new())
    }
}

impl Written {
    pub(crate) fn as_mut(&mut self) -> &mut String {
        let (Self::Markup(text) | Self::Text(text)) = self;
        text
    }

    pub(crate) fn is_empty(&self) -> bool {
        let (Self::Markup(text) | Self::Text(text)) = self;
        text.is_empty()
    }

    fn plain(&self, characters: usize) -> String {
        match self {
            Self::Markup(markup) => plain(markup, characters),
            Self::Text(text) => literal(text, characters),
        }
    }
}

/// What a reader found of an item, still as it was written.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) id: String,
    pub(crate) title: Written,
    pub(crate) link: String,
    pub(crate) summary: Written,
    pub(crate) content: Written,
    pub(crate) language: Option<String>,
    pub(crate) category: String,
    pub(crate) published_at: Option<i64>,
}

impl Draft {
    /// The item, if there is enough of it. One without a title is called by the beginning of its
    /// text; its key is its id, else its address, else its title.
    pub(crate) fn into_item(self, base: &Url) -> Option<Item> {
        let summary = [&self.summary, &self.content]
            .into_iter()
            .map(|text| text.plain(SUMMARY_CHARACTERS))
            .find(|text| !text.is_empty())
            .unwrap_or_default();
        let mut title = self.title.plain(TITLE_CHARACTERS);
        if title.is_empty() {
            title = literal(&summary, TITLE_CHARACTERS / 3);
        }
        if title.is_empty() {
            return None;
        }
        let url = canonical(&self.link, Some(base))
            .or_else(|| canonical(&self.id, None))
            .map(String::from);
        let category = plain(&self.category, 64).to_lowercase();
        let id = plain(&self.id, 512);
        Some(Item {
            key: [id, url.clone().unwrap_or_default(), title.clone()]
                .into_iter()
                .find(|key| !key.is_empty())?,
            title,
            summary,
            url,
            published_at: self.published_at,
            language: self.language.as_deref().and_then(language),
            category: (!category.is_empty()).then_some(category),
            volume: None,
            news: Vec::new(),
        })
    }
}

/// A language tag, if it can be one (RFC 5646's letters and lengths); whether there is such a
/// language is not known here.
pub(crate) fn language(text: &str) -> Option<String> {
    let text = text.trim().replace('_', "-");
    let mut parts = text.split('-');
    let first = parts.next().is_some_and(|part| {
        (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic())
    });
    let rest = parts.all(|part| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    (first && rest && text.len() <= 35).then_some(text)
}

/// Adds an item unless there are enough, or it is there already.
pub(crate) fn add(document: &mut Document, item: Option<Item>) {
    if let Some(item) = item
        && document.items.len() < ITEMS
        && !document.items.iter().any(|other| other.key == item.key)
    {
        document.items.push(item);
    }
}

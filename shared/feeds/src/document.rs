//! What a document says.

use serde::{Deserialize, Serialize};

/// A document, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// What it calls itself.
    pub title: Option<String>,
    /// The language that it declares, as it declares it.
    pub language: Option<String>,
    /// How often it wants to be fetched at most (RSS 2.0, `ttl`).
    pub minutes_between_fetches: Option<u32>,
    /// A list of what is much looked for right now, not of what is new: being on it still is a
    /// sighting, too.
    pub ranking: bool,
    /// Its items, as many as the limit allows, in its order.
    pub items: Vec<Item>,
    /// Why it was not read to its end, when it was not.
    pub cut_short: Option<ReadError>,
}

/// One entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item {
    /// What makes it the same entry in the next document of the same source.
    pub key: String,
    /// Plain text, never empty.
    pub title: String,
    /// Plain text, an excerpt; may be empty.
    pub summary: String,
    /// `http` or `https`, without fragment and tracking parameters.
    pub url: Option<String>,
    /// Unix time in milliseconds, as the document says.
    pub published_at: Option<i64>,
    /// As the entry declares it.
    pub language: Option<String>,
    /// Its first one, in lower case.
    pub category: Option<String>,
    /// How much there is of it, in the source's own measure.
    pub volume: Option<u64>,
    /// Articles that it names.
    pub news: Vec<News>,
}

/// An article about a trend.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// Plain text.
    pub title: String,
    /// `http` or `https`.
    pub url: Option<String>,
    /// Who wrote it.
    pub source: Option<String>,
}

/// Why a document gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Longer than [`crate::limits::DOCUMENT_BYTES`].
    #[error("the document is too long")]
    TooLong,
    /// Deeper than [`crate::limits::DEPTH`].
    #[error("the document's elements nest too deep")]
    TooDeep,
    /// More than [`crate::limits::ELEMENTS`].
    #[error("the document has too many elements")]
    TooManyElements,
    /// Broken beyond reading.
    #[error("the document is malformed")]
    Malformed,
    /// Something else than a feed.
    #[error("the document is no feed")]
    NotAFeed,
    /// A page in which the selectors find nothing: most likely it was rebuilt.
    #[error("the selectors find nothing in the page")]
    NothingSelected,
}

impl ReadError {
    /// The stable name of it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "document_too_long",
            Self::TooDeep => "document_too_deep",
            Self::TooManyElements => "document_too_many_elements",
            Self::Malformed => "document_malformed",
            Self::NotAFeed => "not_a_feed",
            Self::NothingSelected => "nothing_selected",
        }
    }
}

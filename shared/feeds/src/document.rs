//! What a document says.

use serde::{Deserialize, Serialize};

/// A document, read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ReadError {
    /// Longer than [`crate::limits::DOCUMENT_BYTES`].
    #[error("the document is too long")]
    #[serde(rename = "document_too_long")]
    TooLong,
    /// Deeper than [`crate::limits::DEPTH`].
    #[error("the document's elements nest too deep")]
    #[serde(rename = "document_too_deep")]
    TooDeep,
    /// More than [`crate::limits::ELEMENTS`].
    #[error("the document has too many elements")]
    #[serde(rename = "document_too_many_elements")]
    TooManyElements,
    /// Not read in the time that was given ([`crate::limits::TIME`]).
    #[error("the document takes too long to read")]
    #[serde(rename = "document_too_slow")]
    TooSlow,
    /// Broken beyond reading.
    #[error("the document is malformed")]
    #[serde(rename = "document_malformed")]
    Malformed,
    /// Something else than a feed.
    #[error("the document is no feed")]
    #[serde(rename = "not_a_feed")]
    NotAFeed,
    /// A page in which the selectors find nothing: most likely it was rebuilt.
    #[error("the selectors find nothing in the page")]
    #[serde(rename = "nothing_selected")]
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
            Self::TooSlow => "document_too_slow",
            Self::Malformed => "document_malformed",
            Self::NotAFeed => "not_a_feed",
            Self::NothingSelected => "nothing_selected",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_written_by_its_code() {
        for error in [
            ReadError::TooLong,
            ReadError::TooDeep,
            ReadError::TooManyElements,
            ReadError::TooSlow,
            ReadError::Malformed,
            ReadError::NotAFeed,
            ReadError::NothingSelected,
        ] {
            let written = serde_json::to_value(error).unwrap();
            assert_eq!(written, error.code());
            assert_eq!(serde_json::from_value::<ReadError>(written).unwrap(), error);
        }
    }
}

//! The limits of every reader. A document past one is refused, or read up to there.

use std::time::{Duration, Instant};

/// The time that one document may take, on a machine that has time for it.
pub const TIME: Duration = Duration::from_secs(2);

/// The memory that reading one document may take, in bytes, the document left out.
pub const MEMORY: usize = 64 << 20;

/// The moment at which a reader gives up. What it has found until then counts.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// From now on.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    pub(crate) fn has_passed(self) -> bool {
        Instant::now() >= self.0
    }
}

/// Elements between two looks at the clock, which costs a call of the host.
pub(crate) const ELEMENTS_AT_ONCE: usize = 64;

/// Bytes of a document as it was sent.
pub const DOCUMENT_BYTES: usize = 2 << 20;

/// Elements that are open at once. Feeds nest a handful; text with markup a little more.
pub const DEPTH: usize = 256;

/// Elements of a document.
pub const ELEMENTS: usize = 60_000;

/// Items that are taken from a document; those after them are left out.
pub const ITEMS: usize = 500;

/// Bytes of one field before its markup is taken away.
pub const FIELD_BYTES: usize = 16 << 10;

/// Characters of a title.
pub const TITLE_CHARACTERS: usize = 300;

/// Characters of a summary: an excerpt, never an article.
pub const SUMMARY_CHARACTERS: usize = 600;

/// Characters of an address.
pub const ADDRESS_CHARACTERS: usize = 2_048;

/// Articles that a trend's entry may name.
pub const NEWS: usize = 8;

/// Bytes that the HTML reader may use beside the document: it bounds how deep elements nest.
pub const HTML_MEMORY: usize = 512 << 10;

/// Elements of a page, and how deep they nest: what a selector costs grows with both, and with the
/// depth to the power of its descendant combinators.
pub const PAGE_ELEMENTS: usize = 20_000;
/// See [`PAGE_ELEMENTS`].
pub const PAGE_DEPTH: usize = 100;
/// Descendant combinators of a selector, together with the item's before it.
pub const PAGE_COMBINATORS: usize = 2;

//! How long X thinks a text is, and texts that are short enough.
//!
//! The rules are twitter-text's, configuration v3
//! (<https://docs.x.com/fundamentals/counting-characters>,
//! <https://github.com/twitter/twitter-text>): the text in NFC; a link counts 23 whatever its
//! length; an emoji counts 2 however many code points it has; other code points count 1 or 2 by
//! range.
//!
//! The grammar of the `twitter_text_parser` crate takes exponential time
//! (`a.com/((((((((((((((((((((((` is enough to stop a program) and a megabyte of code, so the text
//! is read here, in time proportional to its length, with the same tables of top-level domains and
//! emoji. Tests compare the two, as far as the crate can follow.
//!
//! Where the rules leave a doubt, the larger count is taken: a text that is said to fit must fit.

mod emoji;
mod link;
mod top_level_domain;

use std::fmt;

use icu_normalizer::ComposingNormalizerBorrowed;
use serde::{Serialize, Serializer};

/// The most that a post may weigh on an ordinary account.
pub const DEFAULT_MAX: u32 = 280;

/// Unicode's composed form, in which X counts.
const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();

/// The weight of everything is counted in hundredths, as in the configuration (`scale`).
const SCALE: u64 = 100;
const LIGHT: u64 = 100;
const HEAVY: u64 = 200;
const LINK: u64 = 23 * SCALE;

/// Why a text cannot be posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space.
    #[error("must not be empty")]
    Empty,
    /// Longer than the account may post.
    #[error("counts {weighted} characters on X, and at most {max} fit")]
    TooLong {
        /// What it weighs.
        weighted: u32,
        /// What it may weigh.
        max: u32,
    },
    /// Holds a character that X refuses or that cannot be seen: U+FFFE, U+FEFF, U+FFFF, or a
    /// control character other than line feed and tab.
    #[error("must not contain the character U+{:04X} (at position {position})", u32::from(*character))]
    InvalidCharacter {
        /// The character.
        character: char,
        /// Where it is, in characters from the start of the trimmed text, beginning with 0.
        position: usize,
    },
}

/// The text of one post, fit to be sent: not empty, without invalid characters, within its limit.
///
/// What nobody can see is made uniform (surrounding white space removed, CRLF and CR turned into
/// LF, Unicode normalised to NFC, as X counts it), so equal posts are equal texts. What could
/// change the meaning is never removed but refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PostText {
    text: String,
    weighted_length: u32,
}

impl PostText {
    /// Reads a text that may weigh up to [`DEFAULT_MAX`].
    ///
    /// # Errors
    /// [`TextError`], whichever comes first.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        Self::parse_within(text, DEFAULT_MAX)
    }

    /// Reads a text that may weigh up to `max`.
    ///
    /// # Errors
    /// [`TextError`], whichever comes first.
    pub fn parse_within(text: &str, max: u32) -> Result<Self, TextError> {
        let lines = text.trim().replace("\r\n", "\n").replace('\r', "\n");
        if let Some((position, character)) = lines
            .chars()
            .enumerate()
            .find(|(_, character)| !is_allowed(*character))
        {
            return Err(TextError::InvalidCharacter {
                character,
                position,
            });
        }
        let text = NFC.normalize(&lines).into_owned();
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        let weighted = weigh(&text);
        if weighted > max {
            return Err(TextError::TooLong { weighted, max });
        }
        Ok(Self {
            text,
            weighted_length: weighted,
        })
    }

    /// The text as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it weighs, from 1 to the limit.
    #[must_use]
    pub const fn weighted_length(&self) -> u32 {
        self.weighted_length
    }
}

impl fmt::Display for PostText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl AsRef<str> for PostText {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl From<PostText> for String {
    fn from(text: PostText) -> Self {
        text.text
    }
}

impl Serialize for PostText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// The weighted length of any text, trimmed or not.
///
/// Known to come out too small: a bare domain under a top-level domain newer than the table, and
/// people joined into a sequence that Unicode does not list. Known to come out too large: links
/// in doubt, see above.
#[must_use]
pub fn weighted_length(text: &str) -> u32 {
    weigh(&NFC.normalize(text))
}

/// The weight of a text that is in NFC.
fn weigh(text: &str) -> u32 {
    let characters: Vec<char> = text.chars().collect();
    let mut total = 0_u64;
    let mut at = 0;
    let mut link_end = None;
    while let Some(character) = characters.get(at) {
        if let Some(link) = link::at(&characters, at, link_end == Some(at)) {
            total += if link.certain {
                LINK
            } else {
                let as_link = LINK + literal(&characters, at, at + link.before);
                as_link.max(literal(&characters, at, link.end))
            };
            at = link.end;
            link_end = Some(at);
        } else if let Some(end) = emoji::at(&characters, at) {
            total += HEAVY;
            at = end;
        } else {
            total += weight(*character);
            at += 1;
        }
    }
    u32::try_from(total / SCALE).unwrap_or(u32::MAX)
}

/// Whether there is anything in a text that X may take for a link, certain or not.
#[must_use]
pub fn has_link(text: &str) -> bool {
    let characters: Vec<char> = NFC.normalize(text).chars().collect();
    (0..characters.len()).any(|at| link::at(&characters, at, false).is_some())
}

/// The weight of a stretch counted character by character.
fn literal(characters: &[char], from: usize, to: usize) -> u64 {
    characters
        .get(from..to)
        .unwrap_or_default()
        .iter()
        .map(|character| weight(*character))
        .sum()
}

/// The ranges of configuration v3 that count once.
const LIGHT_RANGES: [(u32, u32); 4] = [(0, 4351), (8192, 8205), (8208, 8223), (8242, 8247)];

fn weight(character: char) -> u64 {
    let code_point = u32::from(character);
    let is_light = LIGHT_RANGES
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&code_point));
    if is_light { LIGHT } else { HEAVY }
}

fn is_allowed(character: char) -> bool {
    match character {
        '\n' | '\t' => true,
        '\u{fffe}' | '\u{feff}' | '\u{ffff}' => false,
        other => !other.is_control(),
    }
}

#[cfg(test)]
mod tests;

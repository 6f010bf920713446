//! robots.txt by RFC 9309. It is only read and asked here; fetching it, and what the status of the
//! answer means, is the scraper's.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is read of a file (RFC 9309, section 2.5: at least this much).
pub const FILE_BYTES: usize = 500 << 10;

/// Rules that are kept, and bytes of a pattern: far more than anybody writes for one crawler.
const RULES: usize = 5_000;
const PATTERN_BYTES: usize = 1_024;
/// Nobody waits longer between two requests: what asks for more is not asked at all.
const LONGEST_DELAY: f64 = 86_400.0;

/// What a file says to one crawler.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Robots {
    rules: Vec<Rule>,
    /// Seconds, as `Crawl-delay` says, which is no part of the RFC but is widely written.
    crawl_delay: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Rule {
    allow: bool,
    /// Normalised; `*` and a last `$` have their meaning.
    pattern: String,
}

impl Robots {
    /// Nothing is forbidden: there is no file, or none for us (section 2.3.1.3).
    #[must_use]
    pub fn allow_all() -> Self {
        Self::default()
    }

    /// Everything is forbidden: the file cannot be had (section 2.3.1.4).
    #[must_use]
    pub fn disallow_all() -> Self {
        Self {
            rules: vec![Rule {
                allow: false,
                pattern: "/".to_owned(),
            }],
            crawl_delay: None,
        }
    }

    /// Reads the groups of a file that are for `product`: those that name it, whatever its case,
    /// all together; without one, those for `*` (section 2.2.1). Lines that cannot be read are left
    /// out.
    #[must_use]
    pub fn parse(file: &[u8], product: &str) -> Self {
        let file = file.get(..FILE_BYTES).unwrap_or(file);
        let text = String::from_utf8_lossy(file);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let (mut own, mut everyone) = (None::<Self>, Self::default());
        // Which of the two the group that is being read is for, and whether its rules have begun.
        let (mut for_own, mut for_everyone, mut in_rules) = (false, false, true);
        for line in text.split(['\n', '\r']) {
            let line = line.split('#').next().unwrap_or_default();
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            match name.as_str() {
                "user-agent" => {
                    if in_rules {
                        (for_own, for_everyone, in_rules) = (false, false, false);
                    }
                    for_own |= token(value).eq_ignore_ascii_case(product);
                    for_everyone |= value == "*";
                    if for_own {
                        own.get_or_insert_default();
                    }
                }
                "allow" | "disallow" | "crawl-delay" => {
                    in_rules = true;
                    for group in [
                        own.as_mut().filter(|_| for_own),
                        Some(&mut everyone).filter(|_| for_everyone),
                    ]
                    .into_iter()
                    .flatten()
                    {
                        group.take(&name, value);
                    }
                }
                // Sitemaps and whatever else belong to no group (section 2.2.4).
                _ => {}
            }
        }
        own.unwrap_or(everyone)
    }

    fn take(&mut self, name: &str, value: &str) {
        if name == "crawl-delay" {
            let delay = value.parse::<f64>().ok();
            self.crawl_delay = delay.filter(|delay| delay.is_finite() && *delay > 0.0);
            return;
        }
        // An empty one says nothing; one that is no path is read as below the root.
        if value.is_empty() || value.len() > PATTERN_BYTES || self.rules.len() >= RULES {
            return;
        }
        let root = if value.starts_with(['/', '*']) {
            ""
        } else {
            "/"
        };
        self.rules.push(Rule {
            allow: name == "allow",
            pattern: normalised(&format!("{root}{value}")),
        });
    }

    /// Whether a path (with its query) may be fetched: the longest pattern that fits decides, and
    /// of two the allowing one (section 2.2.2). The file itself always may be.
    #[must_use]
    pub fn allows(&self, path: &str) -> bool {
        if path == "/robots.txt" {
            return true;
        }
        let path = normalised(path);
        self.rules
            .iter()
            .filter(|rule| fits(&rule.pattern, &path))
            .max_by_key(|rule| (rule.pattern.len(), rule.allow))
            .is_none_or(|rule| rule.allow)
    }

    /// How long to wait between two requests, if it says so: a day at most.
    #[must_use]
    pub fn crawl_delay(&self) -> Option<Duration> {
        self.crawl_delay
            .map(|delay| Duration::from_secs_f64(delay.min(LONGEST_DELAY)))
    }
}

/// The product token at the start of a line: letters, `_` and `-` (section 2.2.1). Some write a
/// version behind it.
fn token(value: &str) -> &str {
    let end = value
        .find(|letter: char| !(letter.is_ascii_alphabetic() || matches!(letter, '_' | '-')))
        .unwrap_or(value.len());
    value.get(..end).unwrap_or_default()
}

/// Octets in the form in which they are compared: what is not ASCII encoded, what needs no
/// encoding decoded, digits in capitals (section 2.2.2, RFC 3986 section 6.2.2.2).
fn normalised(path: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let bytes = path.as_bytes();
    let mut normalised = String::with_capacity(path.len());
    let encode = |byte: u8, normalised: &mut String| {
        normalised.push('%');
        for digit in [byte >> 4, byte & 15] {
            normalised.push(char::from(
                DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0'),
            ));
        }
    };
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        at += 1;
        let encoded = (byte == b'%')
            .then(|| {
                let high = char::from(*bytes.get(at)?).to_digit(16)?;
                let low = char::from(*bytes.get(at + 1)?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()
            })
            .flatten();
        match encoded {
            Some(byte) => {
                at += 2;
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    normalised.push(char::from(byte));
                } else {
                    encode(byte, &mut normalised);
                }
            }
            None if byte.is_ascii_graphic() => normalised.push(char::from(byte)),
            None => encode(byte, &mut normalised),
        }
    }
    normalised
}

/// Whether a pattern fits the beginning of a path. Each piece between two `*` is looked for from
/// where the one before ended, so it takes time in the length of both and no more.
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, anchored) = match pattern.strip_suffix('$') {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| path.strip_prefix(first)) else {
        return false;
    };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, between)) = pieces.split_last() else {
        return !anchored || rest.is_empty();
    };
    for piece in between {
        match rest.find(piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    if anchored {
        rest.ends_with(last)
    } else {
        rest.contains(last)
    }
}

#[cfg(test)]
#[path = "robots_tests.rs"]
mod tests;

//! Texts as X sees them: weighed, with links shortened and three characters escaped.

use serde_json::{Value, json};
use twitter_text::entity::Type;
use twitter_text::extractor::{Extract as _, ValidatingExtractor};
use twitter_text_parser::twitter_text::Rule;
use unicode_normalization::UnicodeNormalization as _;

/// A text, read once, outside of any lock.
#[derive(Debug)]
pub(crate) struct Text {
    /// NFC and trimmed: what duplicates are compared by.
    pub(crate) normalized: String,
    pub(crate) weight: i32,
    pub(crate) valid_characters: bool,
    /// Start and end in code points.
    urls: Vec<(usize, usize)>,
    pub(crate) mentions: Vec<String>,
    pub(crate) cashtags: usize,
}

impl Text {
    pub(crate) fn read(text: &str) -> Self {
        let normalized: String = text.nfc().collect::<String>().trim().to_owned();
        let config = twitter_text_config::config_v3();
        let extractor = ValidatingExtractor::new_with_nfc_input(config, &normalized);
        // All in one go: X's grammar takes a millisecond for a text.
        let found = extractor.extract(&normalized, |rule| {
            matches!(
                rule,
                Rule::url | Rule::url_without_protocol | Rule::username | Rule::cashtag
            )
        });
        let (mut urls, mut mentions, mut cashtags) = (Vec::new(), Vec::new(), 0);
        for entity in &found.entities {
            match entity.get_type() {
                Type::URL => {
                    let place = (entity.get_start().try_into(), entity.get_end().try_into());
                    if let (Ok(start), Ok(end)) = place {
                        urls.push((start, end));
                    }
                }
                Type::MENTION => {
                    let name = entity.get_value().trim_start_matches('@');
                    mentions.push(name.to_ascii_lowercase());
                }
                Type::CASHTAG => cashtags += 1,
                Type::HASHTAG => {}
            }
        }
        Self {
            valid_characters: !normalized.contains(['\u{FFFE}', '\u{FEFF}', '\u{FFFF}']),
            weight: found.parse_results.weighted_length,
            urls,
            mentions,
            cashtags,
            normalized,
        }
    }

    pub(crate) fn has_url(&self) -> bool {
        !self.urls.is_empty()
    }

    /// The text that X gives back, and its `entities.urls`. Positions are code points of the text
    /// that is given back.
    pub(crate) fn publish(&self, id: u64) -> (String, Value) {
        let characters: Vec<char> = self.normalized.chars().collect();
        let mut shown = String::new();
        let mut urls = Vec::new();
        let mut at = 0;
        for (index, (start, end)) in self.urls.iter().enumerate() {
            let (Some(before), Some(link)) =
                (characters.get(at..*start), characters.get(*start..*end))
            else {
                continue;
            };
            escape(before, &mut shown);
            let written: String = link.iter().collect();
            let short = short_link(id, index);
            let from = shown.chars().count();
            let bare = written
                .strip_prefix("https://")
                .or_else(|| written.strip_prefix("http://"));
            let expanded = match bare {
                Some(_) => written.clone(),
                None => format!("http://{written}"),
            };
            urls.push(json!({
                "start": from, "end": from + short.chars().count(), "url": short,
                "expanded_url": expanded, "display_url": display(bare.unwrap_or(&written)),
            }));
            shown.push_str(&short);
            at = *end;
        }
        escape(characters.get(at..).unwrap_or_default(), &mut shown);
        (shown, Value::Array(urls))
    }
}

fn escape(characters: &[char], into: &mut String) {
    for character in characters {
        match character {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            other => into.push(*other),
        }
    }
}

/// X shows at most 26 characters and an ellipsis.
fn display(url: &str) -> String {
    let url = url.strip_prefix("www.").unwrap_or(url);
    match url.char_indices().nth(26) {
        Some((end, _)) => format!("{}…", url.get(..end).unwrap_or_default()),
        None => url.to_owned(),
    }
}

/// `https://t.co/` and ten letters or digits, as long as X's.
fn short_link(id: u64, index: usize) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut number = u128::from(id) * 64 + index as u128;
    let mut code = ['0'; 10];
    for place in code.iter_mut().rev() {
        *place = char::from(DIGITS[usize::try_from(number % 62).unwrap_or_default()]);
        number /= 62;
    }
    format!("https://t.co/{}", code.iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weights of X's documentation (<https://docs.x.com/fundamentals/counting-characters>).
    #[test]
    fn weights() {
        let rows = [
            ("Hello, world! 👋", 16),
            ("日本語", 6),
            ("see https://example.com/a/very/long/path?x=1 ok", 30),
            ("see example.com", 27),
            ("cafe\u{301}", 4),
            ("👩🏽‍🚀", 2),
        ];
        for (text, weight) in rows {
            assert_eq!(Text::read(text).weight, weight, "{text}");
        }
    }

    #[test]
    fn a_published_text_has_short_links_and_entities() {
        let text = Text::read("a & b <c> https://example.com/x?y=1&z=2, and example.org!");
        let (shown, urls) = text.publish(1_990_000_000_000_000_001);
        let urls = urls.as_array().unwrap();
        assert_eq!(urls.len(), 2);
        let (one, two) = (
            urls[0]["url"].as_str().unwrap(),
            urls[1]["url"].as_str().unwrap(),
        );
        assert_eq!(shown, format!("a &amp; b &lt;c&gt; {one}, and {two}!"));
        assert_eq!(one.len(), 23);
        assert_ne!(one, two);
        assert_eq!(urls[0]["expanded_url"], "https://example.com/x?y=1&z=2");
        assert_eq!(urls[1]["expanded_url"], "http://example.org");
        let start = usize::try_from(urls[1]["start"].as_u64().unwrap()).unwrap();
        let end = usize::try_from(urls[1]["end"].as_u64().unwrap()).unwrap();
        let characters: Vec<char> = shown.chars().collect();
        assert_eq!(characters[start..end].iter().collect::<String>(), two);
    }

    #[test]
    fn mentions_and_cashtags() {
        let text = Text::read("@Ann and @bob_2 about $ABC and $XYZ");
        assert_eq!(text.mentions, ["ann", "bob_2"]);
        assert_eq!(text.cashtags, 2);
    }
}

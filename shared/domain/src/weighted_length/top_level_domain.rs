//! The names that end a host, looked for in a text.

use crate::tables::TOP_LEVEL_DOMAINS;

/// The longest name in characters.
pub(super) const LONGEST: usize = 24;

/// Whether these characters are a top-level domain. Case makes no difference in ASCII.
pub(super) fn is_one(characters: &[char]) -> bool {
    if characters.len() > LONGEST {
        return false;
    }
    let name: String = characters
        .iter()
        .map(|character| character.to_ascii_lowercase())
        .collect();
    TOP_LEVEL_DOMAINS.contains(name.as_str())
}

/// Where the longest name ends that begins at `at` and is not followed by more of a host.
pub(super) fn longest(characters: &[char], at: usize) -> Option<usize> {
    let last = characters.len().min(at + LONGEST);
    (at + 1..=last).rev().find(|end| {
        let more = characters
            .get(*end)
            .is_some_and(|next| next.is_ascii_lowercase() || next.is_ascii_digit() || *next == '@');
        !more && characters.get(at..*end).is_some_and(is_one)
    })
}

#[cfg(test)]
mod tests {
    use pest::Parser as _;
    use twitter_text_parser::twitter_text::{Rule, TwitterTextParser};

    use super::*;

    #[test]
    fn the_table_is_the_crates() {
        assert!(TOP_LEVEL_DOMAINS.len() > 1_700);
        for name in TOP_LEVEL_DOMAINS.iter().copied() {
            let parsed =
                TwitterTextParser::parse(Rule::tld, name).map(|pairs| pairs.as_str().len());
            assert_eq!(parsed.ok(), Some(name.len()), "{name}");
            assert!(name.chars().count() <= LONGEST, "{name}");
        }
        for name in ["com", "museum", "рф", "中国", "한국"] {
            assert!(TOP_LEVEL_DOMAINS.contains(name), "{name}");
        }
        for other in ["", "example", "co m", "c"] {
            assert!(!is_one(&other.chars().collect::<Vec<_>>()), "{other}");
        }
    }
}

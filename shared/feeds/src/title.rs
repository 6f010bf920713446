//! What two spellings of one title have in common.

use icu_normalizer::ComposingNormalizerBorrowed;

/// Bytes of a key: what is longer differs early enough.
const KEY_BYTES: usize = 200;

/// The words of a title in lower case, without punctuation, one space between: `#StormAlex` and
/// `Storm Alex!` have the same. Compatibility forms are one (NFKC). Empty for a title without a
/// letter or a digit.
#[must_use]
pub fn title_key(title: &str) -> String {
    let mut apart = String::with_capacity(title.len() + 8);
    for word in title.split_whitespace() {
        apart.push(' ');
        match word.strip_prefix(['#', '＃']) {
            Some(tag) => push_apart(&mut apart, tag),
            None => apart.push_str(word),
        }
    }
    let normalizer = ComposingNormalizerBorrowed::new_nfkc();
    let folded: String = normalizer
        .normalize(&apart)
        .chars()
        .flat_map(char::to_lowercase)
        // "don't" is one word, however its apostrophe is written.
        .filter(|letter| !matches!(letter, '\'' | '’' | 'ʼ'))
        .collect();
    // What an apostrophe stood between may have another order now, or be one.
    let folded = normalizer.normalize(&folded);
    let mut key = String::with_capacity(folded.len());
    for word in folded.split(|letter: char| !(letter.is_alphanumeric() || is_mark(letter))) {
        if word.is_empty() {
            continue;
        }
        if !key.is_empty() {
            key.push(' ');
        }
        key.push_str(word);
    }
    key.truncate(crate::text::floor(&key, KEY_BYTES));
    key.trim_end().to_owned()
}

/// Vowel signs and viramas, which belong to the letter before: Indic scripts have no words
/// without them.
fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{dff}' | '\u{e31}'..='\u{e4e}')
        && !letter.is_ascii()
}

/// Writes a hash tag's words apart, where capitals tell them.
fn push_apart(text: &mut String, tag: &str) {
    let mut before_is_lower = false;
    for letter in tag.chars() {
        if letter.is_uppercase() && before_is_lower {
            text.push(' ');
        }
        before_is_lower = letter.is_lowercase();
        text.push(letter);
    }
}

/// The words of a key by which titles are compared: those that are long enough to say something,
/// or in a script whose words are short. Each once, in order.
#[must_use]
pub fn telling_words(key: &str) -> Vec<&str> {
    let mut words: Vec<&str> = key
        .split(' ')
        .filter(|word| {
            word.len() >= 4
                || word
                    .bytes()
                    .any(|byte| byte.is_ascii_digit() || !byte.is_ascii())
        })
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_title_have_one_key() {
        for same in [
            ["#StormAlex", "Storm  Alex!"],
            ["STORM—alex", "storm alex"],
            ["Ｓｔｏｒｍ　Alex", "storm alex"],
            ["Don’t panic", "dont panic"],
            ["cafe\u{301} au lait", "Café au lait"],
        ] {
            assert_eq!(title_key(same[0]), title_key(same[1]));
        }
        let reordered = title_key("\u{1fdd}'\u{dca}");
        assert_eq!(title_key(&reordered), reordered);
        assert_ne!(title_key("storm alex"), title_key("storm alexa"));
        assert_eq!(title_key("!!! 🎉 …"), "");
        assert_eq!(title_key("日本語 ニュース"), "日本語 ニュース");
        assert_eq!(title_key("हिन्दी समाचार"), "हिन्दी समाचार");
        assert_eq!(
            telling_words("the storm hits the 2nd coast"),
            ["2nd", "coast", "hits", "storm"]
        );
    }

    proptest! {
        #[test]
        fn a_key_is_its_own_key(title in "\\PC{0,120}") {
            let key = title_key(&title);
            prop_assert_eq!(title_key(&key), key.clone());
            prop_assert!(key.len() <= KEY_BYTES);
            prop_assert!(!key.contains("  "));
        }
    }
}

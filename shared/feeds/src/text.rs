//! Strangers' markup into plain text. What comes out is data: it is shown and compared, never
//! rendered, and never an instruction to anybody.

use crate::limits::FIELD_BYTES;
use crate::references::REFERENCES;

/// The longest name of a character reference in HTML is 31 letters long.
const LONGEST_REFERENCE: usize = 32;

/// Text without tags, comments and scripts; character references resolved; white space in runs of
/// one; no control characters or changes of direction; at most `characters` characters, cut at a
/// word where that is near.
#[must_use]
pub fn plain(markup: &str, characters: usize) -> String {
    let end = floor(markup, FIELD_BYTES);
    let text = references(&without_tags(markup.get(..end).unwrap_or_default()));
    line(&text, characters)
}

/// As [`plain`], of text that is no markup: what looks like a tag is part of it.
#[must_use]
pub fn literal(text: &str, characters: usize) -> String {
    let end = floor(text, FIELD_BYTES);
    line(text.get(..end).unwrap_or_default(), characters)
}

fn line(text: &str, characters: usize) -> String {
    let mut plain = String::with_capacity(text.len().min(characters * 4));
    let (mut count, mut gap) = (0, false);
    for letter in text.chars() {
        if letter.is_whitespace() || letter.is_control() {
            gap = !plain.is_empty();
            continue;
        }
        if is_invisible(letter) {
            continue;
        }
        if count + usize::from(gap) >= characters {
            shorten(&mut plain, gap);
            break;
        }
        if gap {
            plain.push(' ');
            count += 1;
            gap = false;
        }
        plain.push(letter);
        count += 1;
    }
    plain
}

/// Takes the last, half word away, unless it is most of what there is.
fn shorten(plain: &mut String, at_gap: bool) {
    if !at_gap
        && let Some(space) = plain.rfind(' ')
        && space > plain.len() / 2
    {
        plain.truncate(space);
    }
    plain.push('…');
}

/// Formatting that nobody sees: overrides of direction, joiners, marks of byte order.
fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// The greatest index not above `index` between two characters.
pub(crate) fn floor(text: &str, index: usize) -> usize {
    if index >= text.len() {
        return text.len();
    }
    (0..=index)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

fn without_tags(markup: &str) -> String {
    let mut text = String::with_capacity(markup.len());
    let mut rest = markup;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        text.push_str(before);
        let starts = tag.as_bytes().get(1).copied().unwrap_or_default();
        if !(starts.is_ascii_alphabetic() || matches!(starts, b'/' | b'!' | b'?')) {
            // No tag: a "less than" in a text.
            text.push('<');
            rest = tag.get(1..).unwrap_or_default();
            continue;
        }
        let skipped = if tag.starts_with("<!--") {
            tag.find("-->").map(|end| end + 3)
        } else if let Some(name) = raw(tag) {
            end_of_raw(tag, name)
        } else {
            end_of_tag(tag)
        };
        // What does not end is all tag.
        rest = skipped.and_then(|end| tag.get(end..)).unwrap_or_default();
        text.push(' ');
    }
    text.push_str(rest);
    text
}

fn end_of_tag(tag: &str) -> Option<usize> {
    tag.find('>').map(|end| end + 1)
}

/// Elements whose content is no text.
fn raw(tag: &str) -> Option<&'static str> {
    ["script", "style"].into_iter().find(|name| {
        tag.get(1..=name.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(name))
    })
}

fn end_of_raw(tag: &str, name: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = tag.get(from..)?.find("</").map(|at| from + at) {
        let after = at + 2;
        if tag
            .get(after..after + name.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(name))
        {
            return Some(at + end_of_tag(tag.get(at..)?)?);
        }
        from = after;
    }
    None
}

/// Resolves HTML's character references once; what is none stays as it is.
pub(crate) fn references(text: &str) -> String {
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, reference) = rest.split_at(at);
        resolved.push_str(before);
        let window = reference.get(..floor(reference, LONGEST_REFERENCE + 2));
        let name = window.and_then(|window| window.get(1..window.find(';')?));
        match name.and_then(|name| Some((name, resolve(name)?))) {
            Some((name, letters)) => {
                resolved.push_str(&letters);
                rest = reference.get(name.len() + 2..).unwrap_or_default();
            }
            None => {
                resolved.push('&');
                rest = reference.get(1..).unwrap_or_default();
            }
        }
    }
    resolved.push_str(rest);
    resolved
}

/// What a reference stands for: by number, or by HTML's own table. No document defines any.
pub(crate) fn resolve(name: &str) -> Option<String> {
    let Some(number) = name.strip_prefix('#') else {
        return REFERENCES.get(name).map(|text| (*text).to_owned());
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
        None => number.parse().ok()?,
    };
    let letter = char::from_u32(code).filter(|letter| *letter != '\0');
    Some(letter.unwrap_or(char::REPLACEMENT_CHARACTER).to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markup_goes_and_text_stays() {
        for (markup, wanted) in [
            ("plain", "plain"),
            ("<p>one</p><p>two</p>", "one two"),
            ("a < b && c > d", "a < b && c > d"),
            (
                "Storm &amp; coast &#39;now&#x27; &nbsp; &unknown;",
                "Storm & coast 'now' &unknown;",
            ),
            ("<script>alert('x')</script>said", "said"),
            ("<STYLE>p{}</style >said<!-- not <b>this</b> -->", "said"),
            ("<img src=x onerror=alert(1)", ""),
            ("line\u{202e}\u{200b}\u{0} break\n\t end", "line break end"),
            ("", ""),
        ] {
            assert_eq!(plain(markup, 100), wanted, "{markup}");
        }
        assert_eq!(plain("one two three", 9), "one two…");
        assert_eq!(plain("一二三四五", 3), "一二三…");
    }

    proptest! {
        #[test]
        fn it_is_short_and_without_control_characters(markup in "\\PC{0,200}", most in 1usize..50) {
            let text = plain(&markup, most);
            prop_assert!(text.chars().count() <= most + 1);
            prop_assert!(!text.chars().any(char::is_control));
            prop_assert!(!text.contains("  "));
        }
    }
}

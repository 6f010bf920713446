//! Links, as twitter-text finds them.

use super::top_level_domain::{self, LONGEST as LONGEST_TLD};

/// A link in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    /// Where it ends.
    pub(super) end: usize,
    /// Whether X is sure to take it for one. If not, the larger of both counts holds.
    pub(super) certain: bool,
    /// How many characters at its beginning may not belong to it.
    pub(super) before: usize,
}

/// RFC 1035: octets of a label and of a whole name.
const LONGEST_LABEL: usize = 63;
const LONGEST_HOST: usize = 253;
/// twitter-text takes nothing longer for a link (4096 bytes), counted here in characters of up to
/// four.
const LONGEST_CERTAIN: usize = 1000;
/// The host that X shortens links to, and the most letters that follow it.
const T_CO: &str = "t.co";
const LONGEST_SLUG: usize = 40;

/// The link that begins at `at`, if one does. `after_link` says that another ends right there:
/// implementations differ on whether that is enough of a boundary.
pub(super) fn at(characters: &[char], at: usize, after_link: bool) -> Option<Link> {
    let before = at.checked_sub(1).and_then(|before| characters.get(before));
    let mut link = match after_protocol(characters, at) {
        Some(host) => with_protocol(characters, host, before.copied()),
        None => without_protocol(characters, at, before.copied(), after_link),
    }?;
    // In doubt, what follows the host is read as any other text.
    if link.certain {
        link.end = match after_protocol(characters, at) {
            Some(host) if is_t_co(characters, host) => shortened_end(characters, link.end),
            _ => after_host(characters, link.end),
        };
        link.certain = link.end - at <= LONGEST_CERTAIN;
    }
    Some(link)
}

/// Where the host begins, after `http://` or `https://`.
fn after_protocol(characters: &[char], at: usize) -> Option<usize> {
    ["https://", "http://"]
        .iter()
        .find(|protocol| begins_with(characters, at, protocol))
        .map(|protocol| at + protocol.len())
}

fn with_protocol(characters: &[char], host: usize, before: Option<char>) -> Option<Link> {
    let certain_before = !before.is_some_and(|before| {
        before.is_ascii_alphanumeric()
            || is_tag_prefix(before)
            || matches!(before, '\u{202a}'..='\u{202e}')
    });
    if is_t_co(characters, host) {
        return Some(Link {
            certain: certain_before,
            end: host + T_CO.len(),
            before: 0,
        });
    }
    let Some(found) = host_at(characters, host, is_any_label_character) else {
        // An address of numbers, a name and password, a symbol, a domain newer than the table:
        // it might be a link, and what follows might be another. The protocol stands for it.
        let dotted = characters
            .get(host..)?
            .iter()
            .take_while(|character| !character.is_whitespace() && **character != '/')
            .any(|character| *character == '.');
        return dotted.then_some(Link {
            end: host,
            certain: false,
            before: 0,
        });
    };
    Some(Link {
        certain: found.certain && certain_before,
        ..found
    })
}

fn without_protocol(
    characters: &[char],
    at: usize,
    before: Option<char>,
    after_link: bool,
) -> Option<Link> {
    let first = *characters.get(at)?;
    if !(first.is_ascii_alphanumeric() || is_latin_accent(first)) {
        return None;
    }
    let certain_before = match before {
        Some(_) if after_link => false,
        // In the middle of a word, or right after what twitter-text does not allow there.
        Some(before) if is_bare_label_character(before) || before == '.' => return None,
        // A mention or hashtag. Implementations differ where it cannot be one.
        Some('@' | '＠' | '#' | '＃') if first.is_ascii() => return None,
        Some(before) if before == '/' || is_tag_prefix(before) => false,
        _ => true,
    };
    let found = host_at(characters, at, is_bare_label_character)?;
    let host = characters.get(at..found.end)?;
    // Some versions let the link begin only after an underscore; some know no double hyphen here.
    let before = host
        .iter()
        .rposition(|character| *character == '_')
        .map_or(0, |last| last + 1);
    let hyphens = host.windows(2).any(|pair| pair == ['-', '-']);
    Some(Link {
        certain: found.certain && certain_before && before == 0 && !hyphens,
        before,
        ..found
    })
}

/// The longest host that begins at `at`: labels, and a top-level domain of the table.
fn host_at(characters: &[char], at: usize, is_label: fn(char) -> bool) -> Option<Link> {
    let mut longest = None;
    let mut certain = true;
    let mut from = at;
    loop {
        let to = from + count_while(characters, from, is_label);
        let label = characters.get(from..to)?;
        let bounded = |end: Option<&char>| end.is_some_and(|end| !matches!(end, '-' | '_'));
        if !bounded(label.first()) || !bounded(label.last()) || characters.get(to) != Some(&'.') {
            return longest;
        }
        certain &= is_short(label);
        if !label.contains(&'_')
            && let Some(tld) = top_level_domain(characters, to + 1)
        {
            longest = Some(Link {
                end: tld.end,
                certain: certain && tld.certain && tld.end - at <= LONGEST_HOST,
                before: 0,
            });
        }
        from = to + 1;
    }
}

/// A top-level domain that ends where it must.
fn top_level_domain(characters: &[char], at: usize) -> Option<Link> {
    let word = count_while(characters, at, |character| {
        character.is_ascii_alphanumeric()
    });
    let end = if word == 0 {
        top_level_domain::longest(characters, at)?
    } else if begins_with(characters, at, "xn--") {
        at + count_while(characters, at, |character| {
            character.is_ascii_alphanumeric() || character == '-'
        })
    } else if word <= LONGEST_TLD {
        // The word as a whole: what follows it is judged below.
        let end = at + word;
        top_level_domain::is_one(characters.get(at..end)?).then_some(end)?
    } else {
        return None;
    };
    match characters.get(end) {
        Some('@') => None,
        Some(next) => Some(Link {
            end,
            certain: !matches!(next, '+' | '-') && !next.is_ascii_alphanumeric(),
            before: 0,
        }),
        None => Some(Link {
            end,
            certain: true,
            before: 0,
        }),
    }
}

/// Whether a label is within 63 octets even as punycode, which takes at most five for each letter
/// beyond ASCII.
fn is_short(label: &[char]) -> bool {
    let foreign = label
        .iter()
        .filter(|character| !character.is_ascii())
        .count();
    let octets = if foreign == 0 {
        label.len()
    } else {
        5 + label.len() + 4 * foreign
    };
    octets <= LONGEST_LABEL
}

/// The end of port, path and query.
fn after_host(characters: &[char], host_end: usize) -> usize {
    let mut end = host_end;
    if characters.get(end) == Some(&':') {
        let digits = count_while(characters, end + 1, |character| character.is_ascii_digit());
        if digits > 0 {
            end += 1 + digits;
        }
    }
    if characters.get(end) == Some(&'/') {
        end = path_end(characters, end);
    }
    query_end(characters, end)
}

/// The path that begins at `at`, up to the last character that may end one: commas and full stops
/// at the end belong to the sentence.
fn path_end(characters: &[char], at: usize) -> usize {
    let mut end = at;
    let mut next = at;
    while let Some(&character) = characters.get(next) {
        if character == '(' {
            let Some(closed) = balanced_end(characters, next) else {
                break;
            };
            next = closed;
            end = closed;
        } else if is_path_character(character) {
            next += 1;
            if ends_path(character) {
                end = next;
            }
        } else {
            break;
        }
    }
    end
}

/// The end of `(…)` or `(…(…)…)`, the two forms that twitter-text takes into a path; a slash inside
/// is left in doubt.
fn balanced_end(characters: &[char], at: usize) -> Option<usize> {
    let plain = |from: usize| {
        from + count_while(characters, from, |character| {
            is_path_character(character) && !matches!(character, '/' | '#')
        })
    };
    let outer = plain(at + 1);
    match characters.get(outer)? {
        ')' if outer > at + 1 => Some(outer + 1),
        '(' => {
            let inner = plain(outer + 1);
            if inner == outer + 1 || characters.get(inner) != Some(&')') {
                return None;
            }
            let rest = plain(inner + 1);
            (characters.get(rest) == Some(&')')).then_some(rest + 1)
        }
        _ => None,
    }
}

fn query_end(characters: &[char], at: usize) -> usize {
    if characters.get(at) != Some(&'?') {
        return at;
    }
    let mut end = at;
    let mut next = at + 1;
    while let Some(&character) = characters.get(next) {
        if !is_query_character(character) {
            break;
        }
        next += 1;
        if ends_query(character) {
            end = next;
        }
    }
    end
}

/// `http://t.co/` links end with their slug; whether a query belongs to them depends on the version.
fn shortened_end(characters: &[char], host_end: usize) -> usize {
    if characters.get(host_end) != Some(&'/') {
        return host_end;
    }
    let slug = count_while(characters, host_end + 1, |character| {
        character.is_ascii_alphanumeric()
    });
    if slug > LONGEST_SLUG {
        return host_end;
    }
    host_end + 1 + slug
}

/// Whether the host that begins at `at` is X's own, and ends there.
fn is_t_co(characters: &[char], at: usize) -> bool {
    let next = characters.get(at + T_CO.len()).copied();
    begins_with(characters, at, T_CO)
        && !next.is_some_and(|next| is_bare_label_character(next) || matches!(next, '.' | '@'))
}

/// Whether `expected`, in any case, stands at `at`.
fn begins_with(characters: &[char], at: usize, expected: &str) -> bool {
    expected.chars().enumerate().all(|(offset, expected)| {
        characters
            .get(at + offset)
            .is_some_and(|found| found.eq_ignore_ascii_case(&expected))
    })
}

fn count_while(characters: &[char], from: usize, holds: impl Fn(char) -> bool) -> usize {
    characters
        .get(from..)
        .unwrap_or_default()
        .iter()
        .take_while(|character| holds(**character))
        .count()
}

/// What makes a mention, hashtag or cashtag of the word after it.
fn is_tag_prefix(character: char) -> bool {
    matches!(character, '@' | '＠' | '#' | '＃' | '$')
}

/// A label after a protocol may hold letters of any script. twitter-text allows symbols too; links
/// with those are left in doubt.
fn is_any_label_character(character: char) -> bool {
    matches!(character, '-' | '_') || character.is_alphanumeric()
}

/// A label without a protocol is of Latin letters.
fn is_bare_label_character(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character, '-' | '_')
        || is_latin_accent(character)
}

fn is_path_character(character: char) -> bool {
    ends_path(character)
        || matches!(
            character,
            '!' | '*'
                | '\''
                | ';'
                | ':'
                | ','
                | '.'
                | '$'
                | '%'
                | '['
                | ']'
                | '\u{2013}'
                | '~'
                | '|'
                | '&'
                | '@'
        )
}

fn ends_path(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character, '=' | '_' | '#' | '/' | '+' | '-')
        || matches!(character, '\u{0400}'..='\u{04ff}')
        || is_latin_accent(character)
}

fn is_query_character(character: char) -> bool {
    ends_query(character)
        || matches!(
            character,
            '!' | '?'
                | '*'
                | '\''
                | '@'
                | '('
                | ')'
                | ';'
                | ':'
                | '+'
                | '$'
                | '%'
                | '['
                | ']'
                | '.'
                | ','
                | '~'
                | '|'
        )
}

fn ends_query(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '&' | '=' | '#' | '/')
}

/// twitter-text's `latinAccentChars`.
fn is_latin_accent(character: char) -> bool {
    matches!(character,
        '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{24f}'
        | '\u{253}' | '\u{254}' | '\u{256}' | '\u{257}' | '\u{259}' | '\u{25b}' | '\u{263}'
        | '\u{268}' | '\u{26f}' | '\u{272}' | '\u{289}' | '\u{28b}' | '\u{2bb}'
        | '\u{300}'..='\u{36f}' | '\u{1e00}'..='\u{1eff}')
}

//! Emoji of several code points, which count as one.

use crate::tables::EMOJI_SEQUENCES;

const JOINER: char = '\u{200d}';
const EMOJI_STYLE: char = '\u{fe0f}';

/// The longest sequence in the table has ten code points (a kiss with two skin tones).
const LONGEST: usize = 12;
/// Joined people are at most four: two parents and two children.
const MOST_ELEMENTS: usize = 4;

/// Where the emoji that begins at `at` ends, if it counts as one; nothing for any other character
/// and for emoji of one code point that weigh the same either way.
pub(super) fn at(characters: &[char], at: usize) -> Option<usize> {
    let first = *characters.get(at)?;
    if !may_begin(first) {
        return None;
    }
    let known = in_table(characters, at);
    let newer = newer_sequence(characters, at);
    known.into_iter().chain(newer).max()
}

fn may_begin(first: char) -> bool {
    matches!(first, '#' | '*' | '0'..='9' | '©' | '®' | '\u{203c}'..)
}

/// The longest entry of the table that begins at `at`.
fn in_table(characters: &[char], at: usize) -> Option<usize> {
    let first = *characters.get(at)?;
    if first.is_ascii() {
        // Keycaps: most digits are not, and asking the table for each would be slow.
        let mark = match characters.get(at + 1)? {
            '\u{fe0f}' => at + 2,
            _ => at + 1,
        };
        return (characters.get(mark) == Some(&'\u{20e3}')).then_some(mark + 1);
    }
    let last = characters.len().min(at + LONGEST);
    (at + 2..=last).rev().find(|end| {
        let sequence: String = characters
            .get(at..*end)
            .unwrap_or_default()
            .iter()
            .collect();
        EMOJI_SEQUENCES.contains(sequence.as_str())
    })
}

/// Sequences newer than the table. Their single code points are heavy anyway; what has to be known
/// is that the parts belong together.
fn newer_sequence(characters: &[char], at: usize) -> Option<usize> {
    let first = *characters.get(at)?;
    let mut end = element(characters, at)?;
    let mut elements = 1;
    let toned = end > at + 1 && has_tone(characters, end);
    while elements < MOST_ELEMENTS && characters.get(end) == Some(&JOINER) {
        let Some(&next) = characters.get(end + 1) else {
            break;
        };
        if !is_person_with(first, next) && !is_newer_pair(first, next) {
            break;
        }
        let Some(next_end) = element(characters, end + 1) else {
            break;
        };
        end = next_end;
        elements += 1;
    }
    (elements > 1 || toned).then_some(end)
}

/// One element of a joined sequence: a pictograph, with its style or skin tone.
fn element(characters: &[char], at: usize) -> Option<usize> {
    let base = *characters.get(at)?;
    if !is_pictograph(base) {
        return None;
    }
    let end = match characters.get(at + 1) {
        Some(&EMOJI_STYLE) => at + 2,
        Some(tone) if is_tone(*tone) && takes_tone(base) => at + 2,
        _ => at + 1,
    };
    Some(end)
}

fn has_tone(characters: &[char], end: usize) -> bool {
    end.checked_sub(1)
        .and_then(|last| characters.get(last))
        .is_some_and(|last| is_tone(*last))
}

fn is_tone(character: char) -> bool {
    matches!(character, '\u{1f3fb}'..='\u{1f3ff}')
}

/// Blocks that hold pictographs.
fn is_pictograph(character: char) -> bool {
    matches!(character,
        '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{2600}'..='\u{27bf}'
        | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
        && !is_tone(character)
}

/// Emoji_Modifier_Base of Unicode 17: old ones may stand inside a newer sequence.
fn takes_tone(character: char) -> bool {
    matches!(character,
        '\u{261d}' | '\u{26f9}' | '\u{270a}'..='\u{270d}' | '\u{1f385}'
        | '\u{1f3c2}'..='\u{1f3c4}' | '\u{1f3c7}' | '\u{1f3ca}'..='\u{1f3cc}'
        | '\u{1f442}' | '\u{1f443}' | '\u{1f446}'..='\u{1f450}' | '\u{1f466}'..='\u{1f478}'
        | '\u{1f47c}' | '\u{1f481}'..='\u{1f483}' | '\u{1f485}'..='\u{1f487}' | '\u{1f48f}'
        | '\u{1f491}' | '\u{1f4aa}' | '\u{1f574}' | '\u{1f575}' | '\u{1f57a}' | '\u{1f590}'
        | '\u{1f595}' | '\u{1f596}' | '\u{1f645}'..='\u{1f647}' | '\u{1f64b}'..='\u{1f64f}'
        | '\u{1f6a3}' | '\u{1f6b4}'..='\u{1f6b6}' | '\u{1f6c0}' | '\u{1f6cc}' | '\u{1f90c}'
        | '\u{1f90f}' | '\u{1f918}'..='\u{1f91f}' | '\u{1f926}' | '\u{1f930}'..='\u{1f939}'
        | '\u{1f93c}'..='\u{1f93e}' | '\u{1f977}' | '\u{1f9b5}' | '\u{1f9b6}' | '\u{1f9b8}'
        | '\u{1f9b9}' | '\u{1f9bb}' | '\u{1f9cd}'..='\u{1f9cf}' | '\u{1f9d1}'..='\u{1f9dd}'
        | '\u{1fac3}'..='\u{1fac5}' | '\u{1faf0}'..='\u{1faf8}')
}

/// Whether `first` is somebody, and joins with `next`: adults with anybody and anything they hold,
/// others with their gender and where they look.
fn is_person_with(first: char, next: char) -> bool {
    match first {
        '\u{1f468}' | '\u{1f469}' | '\u{1f9d1}' => true,
        '\u{1faf1}' => next == '\u{1faf2}',
        '\u{1f46f}' | '\u{1f9de}' | '\u{1f9df}' => matches!(next, '\u{2640}' | '\u{2642}'),
        other => takes_tone(other) && matches!(next, '\u{2640}' | '\u{2642}' | '\u{27a1}'),
    }
}

/// The joined sequences of Emoji 12 to 17 that begin with something else than a person.
fn is_newer_pair(first: char, second: char) -> bool {
    matches!(
        (first, second),
        ('\u{1f3f3}', '\u{26a7}')
            | ('\u{1f415}', '\u{1f9ba}')
            | ('\u{1f43b}', '\u{2744}')
            | ('\u{1f408}' | '\u{1f426}', '\u{2b1b}')
            | ('\u{1f426}' | '\u{2764}', '\u{1f525}')
            | ('\u{2764}', '\u{1fa79}')
            | ('\u{1f62e}', '\u{1f4a8}')
            | ('\u{1f635}', '\u{1f4ab}')
            | ('\u{1f636}', '\u{1f32b}')
            | ('\u{1f642}', '\u{2194}' | '\u{2195}')
            | ('\u{1f34b}', '\u{1f7e9}')
            | ('\u{1f344}', '\u{1f7eb}')
            | ('\u{26d3}', '\u{1f4a5}')
    )
}

#[cfg(test)]
mod tests {
    use pest::Parser as _;
    use twitter_text_parser::twitter_text::{Rule, TwitterTextParser};

    use super::*;

    #[test]
    fn the_table_is_the_crates() {
        for sequence in EMOJI_SEQUENCES.iter().copied() {
            let parsed = TwitterTextParser::parse(Rule::emoji, sequence);
            let parsed = parsed.map(|pairs| pairs.as_str().len());
            assert_eq!(parsed.ok(), Some(sequence.len()), "{sequence}");
            assert!(sequence.chars().count() <= LONGEST, "{sequence}");
        }
        for sequence in ["👨‍👩‍👧‍👦", "🇯🇵", "©️", "1️⃣", "👩🏽‍🚀", "🏳️‍🌈", "❤️"]
        {
            assert!(EMOJI_SEQUENCES.contains(sequence), "{sequence}");
        }
    }
}

//! What a persona is made of, and what each field may hold. Every limit stands here.

use icu_normalizer::ComposingNormalizerBorrowed;
use serde::{Deserialize, Serialize};

use super::banned_terms::{can_be_found, folded};
use super::language::{Language, parse_region};
use super::purpose::purpose_key;
use crate::{Error, FieldError};

/// Longest name, in characters.
pub const NAME: usize = 100;
/// Longest purpose.
pub const PURPOSE: usize = 300;
/// Longest tone.
pub const TONE: usize = 200;
/// Most interests.
pub const INTERESTS: usize = 30;
/// Longest interest.
pub const INTEREST: usize = 80;
/// Most style rules.
pub const STYLE_RULES: usize = 30;
/// Longest style rule.
pub const STYLE_RULE: usize = 300;
/// Most banned terms.
pub const BANNED_TERMS: usize = 200;
/// Longest banned term.
pub const BANNED_TERM: usize = 80;
/// Longest disclosure: what fits into the description of an account on X.
pub const DISCLOSURE: usize = 160;

/// The fields of a persona. As JSON this is what is kept of each version and what an export is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonaFields {
    /// 1 to [`NAME`] characters, unique among its owner's.
    pub name: String,
    /// What its account is for: 1 to [`PURPOSE`] characters, with a letter or a number among
    /// them. No two bots have the same purpose, language and region.
    pub purpose: String,
    /// How it sounds: 1 to [`TONE`] characters.
    pub tone: String,
    /// What it writes about: at most [`INTERESTS`], of 1 to [`INTEREST`] characters.
    pub interests: Vec<String>,
    /// BCP 47.
    pub language: String,
    /// For whom: ISO 3166-1 or UN M.49.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// At most [`STYLE_RULES`], of 1 to [`STYLE_RULE`] characters.
    pub style_rules: Vec<String>,
    /// What it never writes: at most [`BANNED_TERMS`], of 1 to [`BANNED_TERM`] characters.
    pub banned_terms: Vec<String>,
    /// The line that says that the account is automated: 1 to [`DISCLOSURE`] characters. X asks
    /// that automated accounts are labelled, so it is never empty.
    pub disclosure: String,
}

/// What is changed: `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the fields of `PersonaFields`")]
pub struct PersonaChange {
    pub name: Option<String>,
    pub purpose: Option<String>,
    pub tone: Option<String>,
    pub interests: Option<Vec<String>>,
    pub language: Option<String>,
    /// `Some(None)` takes the region away.
    pub region: Option<Option<String>>,
    pub style_rules: Option<Vec<String>>,
    pub banned_terms: Option<Vec<String>>,
    pub disclosure: Option<String>,
}

impl PersonaFields {
    /// The fields made uniform: white space around them removed, Unicode in NFC, language and
    /// region in their canonical case. Making them uniform again changes nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that is wrong.
    pub fn checked(self) -> Result<Self, Error> {
        let mut errors = Vec::new();
        let checked = Self {
            name: line(&mut errors, "/name", &self.name, NAME),
            purpose: line(&mut errors, "/purpose", &self.purpose, PURPOSE),
            tone: line(&mut errors, "/tone", &self.tone, TONE),
            interests: lines(
                &mut errors,
                "/interests",
                &self.interests,
                INTERESTS,
                INTEREST,
            ),
            language: match Language::parse(&self.language) {
                Ok(language) => language.as_str().to_owned(),
                Err(error) => refuse(&mut errors, "/language", error.to_string()),
            },
            region: self.region.map(|region| {
                parse_region(&region)
                    .unwrap_or_else(|error| refuse(&mut errors, "/region", error.to_string()))
            }),
            style_rules: lines(
                &mut errors,
                "/style_rules",
                &self.style_rules,
                STYLE_RULES,
                STYLE_RULE,
            ),
            banned_terms: lines(
                &mut errors,
                "/banned_terms",
                &self.banned_terms,
                BANNED_TERMS,
                BANNED_TERM,
            ),
            disclosure: line(&mut errors, "/disclosure", &self.disclosure, DISCLOSURE),
        };
        if !checked.purpose.is_empty() && purpose_key(&checked.purpose).is_empty() {
            refuse(&mut errors, "/purpose", "must hold a letter or a number");
        }
        // Their places are those of the request as long as nothing else was wrong.
        let terms: &[String] = match errors.is_empty() {
            true => &checked.banned_terms,
            false => &[],
        };
        for (position, _) in terms
            .iter()
            .enumerate()
            .filter(|(_, term)| !can_be_found(term))
        {
            let pointer = format!("/banned_terms/{position}");
            refuse(
                &mut errors,
                &pointer,
                "must not begin with a combining mark",
            );
        }
        if errors.is_empty() {
            Ok(checked)
        } else {
            Err(Error::Invalid(errors))
        }
    }

    /// The fields with the change in them, not checked yet.
    #[must_use]
    pub fn with(&self, change: &PersonaChange) -> Self {
        fn or<T: Clone>(change: &Option<T>, current: &T) -> T {
            change.as_ref().unwrap_or(current).clone()
        }
        Self {
            name: or(&change.name, &self.name),
            purpose: or(&change.purpose, &self.purpose),
            tone: or(&change.tone, &self.tone),
            interests: or(&change.interests, &self.interests),
            language: or(&change.language, &self.language),
            region: or(&change.region, &self.region),
            style_rules: or(&change.style_rules, &self.style_rules),
            banned_terms: or(&change.banned_terms, &self.banned_terms),
            disclosure: or(&change.disclosure, &self.disclosure),
        }
    }
}

fn refuse(errors: &mut Vec<FieldError>, pointer: &str, detail: impl Into<String>) -> String {
    errors.push(FieldError {
        pointer: pointer.to_owned(),
        detail: detail.into(),
    });
    String::new()
}

/// One line of text. Line breaks and what turns the direction of writing could make a prompt say
/// something else than what people read here.
pub(super) fn line(
    errors: &mut Vec<FieldError>,
    pointer: &str,
    text: &str,
    longest: usize,
) -> String {
    let text: String = ComposingNormalizerBorrowed::new_nfc()
        .normalize(text.trim())
        .into_owned();
    let breaks = |character: char| {
        character.is_control()
            || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    if text.is_empty() {
        refuse(errors, pointer, "must not be empty")
    } else if text.chars().count() > longest {
        let detail = format!("must have at most {longest} characters");
        refuse(errors, pointer, detail)
    } else if text.chars().any(breaks) {
        let detail = "must be one line, without characters that control the text around them";
        refuse(errors, pointer, detail)
    } else {
        text
    }
}

/// A list of lines, no two the same to a reader.
fn lines(
    errors: &mut Vec<FieldError>,
    pointer: &str,
    texts: &[String],
    most: usize,
    longest: usize,
) -> Vec<String> {
    if texts.len() > most {
        refuse(errors, pointer, format!("must have at most {most} entries"));
        return Vec::new();
    }
    let mut seen = std::collections::HashSet::new();
    let mut checked = Vec::new();
    for (position, text) in texts.iter().enumerate() {
        let pointer = format!("{pointer}/{position}");
        let text = line(errors, &pointer, text, longest);
        if text.is_empty() {
            continue;
        }
        let key = folded(&text);
        if key.is_empty() {
            refuse(errors, &pointer, "must hold something that can be seen");
        } else if seen.insert(key) {
            checked.push(text);
        } else {
            refuse(errors, &pointer, "is in the list already");
        }
    }
    checked
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Fields that may or may not be taken.
    pub(in crate::personas) fn any_fields() -> impl Strategy<Value = PersonaFields> {
        let text =
            || "\\PC{0,12}|[a-zA-Z0-9 :#'\"{}\\[\\]&*!|>%@`,?-]{0,16}|no|~|0x1F|1e3|- a|a: b";
        let list = move || prop::collection::vec(text(), 0..4);
        let language = prop::sample::select(vec!["en", "pt-br", "ZH-hant", "de-CH", "xx"]);
        let region = prop::option::of(prop::sample::select(vec!["fr", "US", "419", "q"]));
        let texts = (text(), text(), text(), text());
        (texts, list(), language, region, list(), list()).prop_map(
            |((name, purpose, tone, disclosure), interests, language, region, style, banned)| {
                PersonaFields {
                    name,
                    purpose,
                    tone,
                    interests,
                    language: language.to_owned(),
                    region: region.map(str::to_owned),
                    style_rules: style,
                    banned_terms: banned,
                    disclosure,
                }
            },
        )
    }

    pub(in crate::personas) fn fields() -> PersonaFields {
        PersonaFields {
            name: "Weather of Lyon".to_owned(),
            purpose: "Daily weather for Lyon".to_owned(),
            tone: "calm".to_owned(),
            interests: vec!["weather".to_owned()],
            language: "fr".to_owned(),
            region: Some("FR".to_owned()),
            style_rules: vec!["short sentences".to_owned()],
            banned_terms: vec!["storm of the century".to_owned()],
            disclosure: "Automated account".to_owned(),
        }
    }

    fn pointers(fields: PersonaFields) -> Vec<String> {
        match fields.checked() {
            Err(Error::Invalid(errors)) => errors.into_iter().map(|error| error.pointer).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let wrong = PersonaFields {
            name: " ".to_owned(),
            purpose: "…".to_owned(),
            tone: "t".repeat(TONE + 1),
            interests: vec!["a".to_owned(), "A".to_owned(), "b\nc".to_owned()],
            language: "klingon".to_owned(),
            region: Some("QQ".to_owned()),
            style_rules: vec!["rule".to_owned(); STYLE_RULES + 1],
            banned_terms: vec!["\u{200b}".to_owned()],
            disclosure: String::new(),
        };
        let wanted = "/name /tone /interests/1 /interests/2 /language /region /style_rules \
                      /banned_terms/0 /disclosure /purpose";
        assert_eq!(pointers(wrong).join(" "), wanted);
        let limits = PersonaFields {
            name: "é".repeat(NAME),
            disclosure: "d".repeat(DISCLOSURE),
            ..fields()
        };
        assert!(limits.checked().is_ok());
    }

    proptest! {
        #[test]
        fn what_is_taken_is_taken_again_as_it_is(given in any_fields()) {
            if let Ok(checked) = given.checked() {
                prop_assert_eq!(&checked.clone().checked().unwrap(), &checked);
                let json = serde_json::to_string(&checked).unwrap();
                prop_assert_eq!(serde_json::from_str::<PersonaFields>(&json).unwrap(), checked);
            }
        }

        #[test]
        fn a_change_of_nothing_changes_nothing(given in any_fields()) {
            prop_assert_eq!(given.with(&PersonaChange::default()), given);
        }
    }
}

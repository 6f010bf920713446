//! Spin's templates: text in which `{{ name }}` stands for an application variable.

use std::collections::BTreeMap;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Variable(String),
}

/// A text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// `{{` without its `}}`.
    #[error("`{{{{` is never closed by `}}}}`")]
    Unclosed,
    /// `}}` without a `{{` before it.
    #[error("`}}}}` stands without a `{{{{` before it")]
    Unopened,
    /// What stands between the braces is no variable's name.
    #[error("{0:?} between the braces is no variable's name: lower_snake_case is expected")]
    Name(String),
}

impl Template {
    /// Parses a text.
    ///
    /// # Errors
    /// [`Malformed`] when braces do not match or hold something else than a name.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once("{{") {
            push_literal(&mut parts, literal)?;
            let (name, after) = after.split_once("}}").ok_or(Malformed::Unclosed)?;
            let name = name.trim();
            if !is_variable_name(name) {
                return Err(Malformed::Name(name.to_owned()));
            }
            parts.push(Part::Variable(name.to_owned()));
            rest = after;
        }
        push_literal(&mut parts, rest)?;
        Ok(Self(parts))
    }

    /// The variables that the template names, in order and with repetitions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The text with every variable replaced.
    ///
    /// # Errors
    /// The name of the first variable that has no value.
    pub fn render(&self, values: &BTreeMap<String, String>) -> Result<String, String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Variable(name) => {
                    text.push_str(values.get(name).ok_or_else(|| name.clone())?);
                }
            }
        }
        Ok(text)
    }
}

fn push_literal(parts: &mut Vec<Part>, literal: &str) -> Result<(), Malformed> {
    if literal.contains("}}") {
        return Err(Malformed::Unopened);
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.to_owned()));
    }
    Ok(())
}

/// Whether a text is a variable's name as Spin has it: words of lower-case letters and
/// digits that begin with a letter, joined by single underscores.
pub fn is_variable_name(text: &str) -> bool {
    is_identifier(text, '_', false)
}

/// Words that begin with a letter and go on with letters and digits, joined by single
/// separators. Spin lets a whole word of a kebab-case id be upper-case.
pub(crate) fn is_identifier(text: &str, separator: char, upper_case_words: bool) -> bool {
    text.split(separator).all(|word| {
        let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        word.bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic())
            && (word.bytes().all(lower) || (upper_case_words && word.bytes().all(upper)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn variables_are_replaced_with_or_without_blanks() {
        let values = values(&[("host", "example.com"), ("port", "80")]);
        for text in ["http://{{host}}:{{ port }}", "http://{{ host }}:{{port}}"] {
            let template = Template::parse(text).unwrap();
            assert_eq!(
                template.render(&values),
                Ok("http://example.com:80".to_owned())
            );
        }
    }

    #[test]
    fn a_value_is_not_read_as_a_template_again() {
        let template = Template::parse("{{ a }}").unwrap();
        let rendered = template.render(&values(&[("a", "{{ b }}"), ("b", "x")]));
        assert_eq!(rendered, Ok("{{ b }}".to_owned()));
    }

    #[test]
    fn single_braces_are_text() {
        let template = Template::parse(r#"{"a": {"b": 1} }"#).unwrap();
        assert_eq!(
            template.render(&BTreeMap::new()),
            Ok(r#"{"a": {"b": 1} }"#.to_owned())
        );
    }

    #[test]
    fn braces_that_do_not_match_are_refused() {
        assert_eq!(Template::parse("a {{ b"), Err(Malformed::Unclosed));
        assert_eq!(Template::parse("a }} b"), Err(Malformed::Unopened));
        assert_eq!(Template::parse("{{ a }} }}"), Err(Malformed::Unopened));
    }

    #[test]
    fn only_names_stand_between_the_braces() {
        for name in ["", "A", "a-b", "a b", "1a", "a__b", "_a", "a_", "a_1"] {
            let parsed = Template::parse(&format!("{{{{ {name} }}}}"));
            assert_eq!(parsed, Err(Malformed::Name(name.to_owned())), "{name:?}");
        }
    }

    #[test]
    fn a_missing_value_is_named() {
        let template = Template::parse("{{ a }}{{ b }}").unwrap();
        assert_eq!(template.render(&values(&[("a", "1")])), Err("b".to_owned()));
        assert_eq!(template.names().collect::<Vec<_>>(), ["a", "b"]);
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "[{} a-z_\\PC]{0,40}") {
            let _ = Template::parse(&text);
        }

        #[test]
        fn text_without_double_braces_is_itself(text in "[^{}]{0,40}") {
            let template = Template::parse(&text).unwrap();
            prop_assert_eq!(template.render(&BTreeMap::new()), Ok(text));
        }

        #[test]
        fn literals_and_values_come_out_in_order(
            parts in proptest::collection::vec(("[^{}]{0,8}", "[a-z][a-z0-9]{0,5}", "\\PC{0,8}"), 0..6)
        ) {
            let mut text = String::new();
            let mut expected = String::new();
            let mut values = BTreeMap::new();
            for (literal, name, value) in &parts {
                let value = values.entry(name.clone()).or_insert_with(|| value.clone());
                text.push_str(&format!("{literal}{{{{ {name} }}}}"));
                expected.push_str(&format!("{literal}{value}"));
            }
            prop_assert_eq!(Template::parse(&text).unwrap().render(&values), Ok(expected));
        }
    }
}

//! Personas as YAML. What comes in is bounded before it is looked at: YAML's aliases let a small
//! text stand for a huge one.

use serde_json::Value;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Error, Options, SerializerOptions};
use vivesphere_http::{FieldError, Problem, StatusCode};

use crate::wire::PersonaDocument;

/// Largest document: 256 KiB. The longest persona has some 28,000 characters, of up to 4 bytes.
const BYTES: usize = 256 << 10;
/// Deepest nesting; a persona has two levels.
const DEPTH: usize = 8;
/// Most values; the largest persona has fewer than 300.
const NODES: usize = 1_000;

fn options() -> Options {
    let budget = serde_saphyr::budget! {
        max_events: 4 * NODES,
        max_nodes: NODES,
        max_depth: DEPTH,
        flow_nesting_limit: DEPTH,
        max_anchors: 0,
        max_aliases: 0,
        max_documents: 1,
        max_merge_keys: 0,
        max_inclusion_depth: 0,
        max_total_scalar_bytes: BYTES,
    };
    serde_saphyr::options! {
        budget: budget,
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        // "no" is Norwegian, not false.
        strict_booleans: true,
        reject_unsupported_tags: true,
        // A snippet would show what was sent.
        with_snippet: false,
    }
}

/// Reads a persona. It is read as JSON would be, so it is refused with the same pointers.
///
/// # Errors
/// 413 when it is too large; 400 when it is not YAML; 422 when it is YAML that is not taken here
/// (anchors, aliases, too deep, too many values), or not a persona.
pub(crate) fn read(body: &[u8]) -> Result<PersonaDocument, Problem> {
    if body.len() > BYTES {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "A persona's YAML has at most 256 KiB.",
        ));
    }
    let text = std::str::from_utf8(body)
        .map_err(|_| Problem::malformed("The body is not text in UTF-8."))?;
    let value: Value =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| refuse(&error))?;
    let json = serde_json::to_vec(&value).map_err(Problem::internal)?;
    vivesphere_http::json(&json)
}

/// The message of the crate may show what was sent; its place may not.
fn refuse(error: &Error) -> Problem {
    let place = match error.location() {
        Some(place) => format!(" See line {}, column {}.", place.line(), place.column()),
        None => String::new(),
    };
    let refused = match error.without_snippet() {
        Error::Budget { .. } => format!(
            "must be one document of at most {DEPTH} levels and {NODES} values, without anchors \
             and aliases"
        ),
        Error::MergeKeyNotAllowed { .. } => "must not have merge keys".to_owned(),
        Error::DuplicateMappingKey { .. } => "must not name a field twice".to_owned(),
        _ => return Problem::malformed(format!("The body is not YAML that can be read.{place}")),
    };
    Problem::invalid(vec![FieldError {
        pointer: String::new(),
        detail: format!("{refused}.{place}"),
    }])
}

/// Writes a persona. Every text is quoted, so that no reader takes one for something else.
///
/// # Errors
/// 500 when it cannot be written.
pub(crate) fn write(document: &PersonaDocument) -> Result<String, Problem> {
    let options: SerializerOptions = serde_saphyr::ser_options! {
        quote_all: true,
        prefer_block_scalars: false,
    };
    serde_saphyr::to_string_with_options(document, options).map_err(Problem::internal)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn document(name: &str, list: &[String], region: Option<String>) -> PersonaDocument {
        PersonaDocument {
            name: name.to_owned(),
            purpose: format!("{name}: # purpose"),
            tone: name.chars().rev().collect(),
            interests: list.to_vec(),
            language: "en".to_owned(),
            region,
            style_rules: Vec::new(),
            banned_terms: list.to_vec(),
            disclosure: "Automated".to_owned(),
        }
    }

    /// Texts that YAML would take for something else, and any others.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "\\PC{0,20}",
            "[ -~]{0,20}",
            "[-?:,\\[\\]{}#&*!|>'\"%@` a\\\\]{0,12}",
            prop::sample::select(vec![
                "no",
                "yes",
                "on",
                "off",
                "null",
                "~",
                "",
                "true",
                "1e3",
                "0x1F",
                "0o7",
                "1_000",
                ".inf",
                "-.nan",
                "2026-01-01",
                "12:30:45",
                "<<",
                "=",
                "---",
                "...",
                "- a",
                "a: b",
                "? a",
                "a #b",
                "\u{85}",
                "\u{2028}",
                "\u{feff}x",
                "\u{a0}",
                "NO",
                "y",
                "+1",
                "é",
            ])
            .prop_map(str::to_owned),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(name in text(), list in prop::collection::vec(text(), 0..5), region in prop::option::of(text())) {
            let given = document(&name, &list, region);
            let yaml = write(&given).unwrap();
            prop_assert_eq!(&read(yaml.as_bytes()).unwrap(), &given, "{}", yaml);
            prop_assert_eq!(write(&read(yaml.as_bytes()).unwrap()).unwrap(), yaml);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80), text in "[ \\na-c:\\[\\]{}&*!|>'\"-]{0,80}") {
            for body in [bytes.as_slice(), text.as_bytes()] {
                if let Err(problem) = read(body) {
                    prop_assert!(problem.status().is_client_error());
                }
            }
        }
    }

    #[test]
    fn a_persona_by_hand_is_read() {
        let yaml = "# ours\nname: Weather\npurpose: >-\n  Daily weather\n  for Lyon\ntone: 'calm'\n\
                    language: no\ndisclosure: Automated\ninterests: [rain, \"sun\"]\n";
        let read = read(yaml.as_bytes()).unwrap();
        assert_eq!(read.purpose, "Daily weather for Lyon");
        assert_eq!((read.language.as_str(), read.interests.len()), ("no", 2));
    }

    #[test]
    fn what_grows_or_hides_is_refused() {
        let laughs: String = (1..9)
            .map(|level| {
                let below = vec![format!("*l{}", level - 1); 10].join(", ");
                format!("l{level}: &l{level} [{below}]\n")
            })
            .collect();
        let laughs = format!("l0: &l0 [lol, lol]\n{laughs}name: *l8\n");
        let deep = format!("name: {}{}", "[".repeat(60), "]".repeat(60));
        let block: String = (0..60)
            .map(|level| format!("{}a:\n", " ".repeat(level)))
            .collect();
        let wide = format!("interests: [{}]", "a, ".repeat(5_000));
        let large = format!("name: {}", "a".repeat(BYTES));
        for (yaml, status) in [
            (laughs.as_str(), 422),
            ("name: &a x\npurpose: y", 422),
            ("name: *a", 400),
            ("base: &b {name: x}\n<<: *b", 422),
            ("<<: {name: x}", 422),
            ("name: a\nname: b", 422),
            (block.as_str(), 422),
            (wide.as_str(), 422),
            (large.as_str(), 413),
            ("name: a\n---\nname: b", 0),
            (deep.as_str(), 0),
            ("name: !!python/object x", 0),
            ("name: [", 400),
            ("\t", 0),
            ("- a", 422),
            ("x", 422),
            ("", 0),
            ("1: 2", 422),
            ("name: 1\npurpose: a", 422),
        ] {
            let problem = read(yaml.as_bytes())
                .err()
                .map(|problem| problem.status().as_u16());
            let start: String = yaml.chars().take(40).collect();
            match status {
                0 => assert!(matches!(problem, Some(400 | 422)), "{start}: {problem:?}"),
                _ => assert_eq!(problem, Some(status), "{start}"),
            }
        }
    }
}

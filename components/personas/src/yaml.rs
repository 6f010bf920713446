//! Personas as YAML 1.2, by its failsafe schema: lists, objects and text, and `null`. "no" is
//! Norwegian here and 2026 a text, not something that a reader has to guess.
//!
//! What comes in is bounded while it is read: YAML's aliases let a small text stand for a huge
//! one, so there are none.

use std::fmt::Write as _;

use granit_parser::{Event, Marker, Parser, ScalarStyle};
use vivesphere_http::{FieldError, Problem, StatusCode};

use crate::wire::PersonaDocument;

/// Largest document: 256 KiB. The longest persona has some 28,000 characters, of up to 4 bytes.
const BYTES: usize = 256 << 10;
/// Deepest nesting; a persona has two levels.
const DEPTH: usize = 8;
/// Most texts, lists and objects; the largest persona has fewer than 300.
const NODES: usize = 1_000;

/// Reads a persona. It becomes JSON on the way, so it is refused with the same pointers.
///
/// # Errors
/// 413 when it is too large; 400 when it is not YAML; 422 when it is YAML that is not taken here
/// (anchors, tags, too deep, too many values, several documents), or not a persona.
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
    vivesphere_http::json(as_json(text)?.as_bytes())
}

/// An object or a list that is being written.
enum Open {
    List,
    /// How many keys and values it has so far.
    Object(usize),
}

/// Writes JSON as the events of YAML come.
#[derive(Default)]
struct Writer {
    json: String,
    open: Vec<Open>,
    nodes: usize,
    documents: usize,
}

impl Writer {
    /// What stands before the next text, list or object.
    fn begin(&mut self, is_text: bool) -> Result<(), &'static str> {
        self.nodes += 1;
        if self.nodes > NODES {
            return Err("must have fewer values");
        }
        match self.open.last_mut() {
            Some(Open::Object(parts)) => {
                let is_key = parts.is_multiple_of(2);
                if is_key && !is_text {
                    return Err("must have texts for keys");
                }
                let mark = if is_key { "," } else { ":" };
                if *parts > 0 {
                    self.json.push_str(mark);
                }
                *parts += 1;
            }
            Some(Open::List) if !self.json.ends_with('[') => self.json.push(','),
            _ => {}
        }
        Ok(())
    }

    fn is_key_next(&self) -> bool {
        matches!(self.open.last(), Some(Open::Object(parts)) if parts.is_multiple_of(2))
    }

    fn open(&mut self, what: Open) -> Result<(), &'static str> {
        self.begin(false)?;
        if self.open.len() == DEPTH {
            return Err("must have fewer levels");
        }
        self.json.push(match what {
            Open::List => '[',
            Open::Object(_) => '{',
        });
        self.open.push(what);
        Ok(())
    }

    fn take(&mut self, event: &Event<'_>) -> Result<(), &'static str> {
        match event {
            Event::Alias(_) | Event::Anchor(..) | Event::UnresolvedAlias(_) => {
                return Err("must have no anchors and aliases");
            }
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(_, anchor, tag)
            | Event::MappingStart(_, anchor, tag) => {
                if *anchor != 0 {
                    return Err("must have no anchors and aliases");
                }
                if tag.is_some() {
                    return Err("must have no tags");
                }
            }
            _ => {}
        }
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err("must be one document");
                }
            }
            Event::Scalar(text, style, ..) => {
                let is_null = *style == ScalarStyle::Plain
                    && !self.is_key_next()
                    && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL");
                self.begin(true)?;
                if is_null {
                    self.json.push_str("null");
                } else {
                    self.json.push_str(&quoted(text));
                }
            }
            Event::SequenceStart(..) => self.open(Open::List)?,
            Event::MappingStart(..) => self.open(Open::Object(0))?,
            Event::SequenceEnd => {
                self.open.pop();
                self.json.push(']');
            }
            Event::MappingEnd => {
                self.open.pop();
                self.json.push('}');
            }
            _ => {}
        }
        Ok(())
    }
}

fn as_json(text: &str) -> Result<String, Problem> {
    let mut writer = Writer::default();
    for event in Parser::new_from_str(text) {
        // The parser's own message may show what was sent; the place does not.
        let (event, span) = event.map_err(|error| {
            Problem::malformed(format!(
                "The body is not YAML: see {}.",
                place(error.marker())
            ))
        })?;
        writer.take(&event).map_err(|refused| {
            Problem::invalid(vec![FieldError {
                pointer: String::new(),
                detail: format!("{refused}: see {}", place(&span.start)),
            }])
        })?;
    }
    if writer.documents == 0 {
        return Err(Problem::malformed("The body has no YAML document."));
    }
    Ok(writer.json)
}

fn place(marker: &Marker) -> String {
    format!("line {}, column {}", marker.line(), marker.col() + 1)
}

/// A text as JSON writes it, which is one of YAML's ways too. What YAML does not allow to stand
/// for itself is escaped.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let mut quoted = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(
            character,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        ) {
            let _ = write!(quoted, "\\u{:04x}", u32::from(character));
        } else {
            quoted.push(character);
        }
    }
    quoted
}

/// Writes a persona. Every text is quoted, so that no reader takes one for something else.
pub(crate) fn write(document: &PersonaDocument) -> String {
    let mut yaml = String::new();
    let line = |yaml: &mut String, key: &str, text: &str| {
        let _ = writeln!(yaml, "{key}: {}", quoted(text));
    };
    let list = |yaml: &mut String, key: &str, texts: &[String]| {
        let _ = writeln!(yaml, "{key}:{}", if texts.is_empty() { " []" } else { "" });
        for text in texts {
            let _ = writeln!(yaml, "  - {}", quoted(text));
        }
    };
    line(&mut yaml, "name", &document.name);
    line(
        &mut yaml,
        "purpose",
        document.purpose.as_deref().unwrap_or_default(),
    );
    line(&mut yaml, "tone", &document.tone);
    list(&mut yaml, "interests", &document.interests);
    line(&mut yaml, "language", &document.language);
    if let Some(region) = &document.region {
        line(&mut yaml, "region", region);
    }
    list(&mut yaml, "style_rules", &document.style_rules);
    list(&mut yaml, "banned_terms", &document.banned_terms);
    line(&mut yaml, "disclosure", &document.disclosure);
    yaml
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
            let yaml = write(&given);
            prop_assert_eq!(&read(yaml.as_bytes()).unwrap(), &given, "{}", yaml);
            prop_assert_eq!(write(&read(yaml.as_bytes()).unwrap()), yaml);
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
            ("name: a\n---\nname: b", 422),
            (deep.as_str(), 0),
            ("name: !!python/object x", 422),
            ("name: [", 400),
            ("\t", 400),
            ("- a", 422),
            ("x", 422),
            ("", 400),
            ("1: 2", 422),
            ("? [a]\n: b", 422),
            ("name: {a: b}", 422),
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

    #[test]
    fn what_is_made_to_be_slow_is_not() {
        let started = std::time::Instant::now();
        for unit in [
            "[",
            "{",
            "- ",
            "? ",
            "a: ",
            "&a ",
            "*a ",
            "!a ",
            "\"",
            "'",
            "| ",
            "> ",
            "# ",
            "\n",
            " ",
            "a ",
            "a,",
            "[a,",
            "{a: ",
            "---\n",
            "%a\n",
            "a\n",
            "\t",
            "a: |\n  b\n",
            ": ",
            "\\",
            "? a\n",
            "- a\n",
            "a:\n",
            "\u{feff}",
            "\r",
            "a#",
            "]",
            "}",
            "{---",
            "...",
            "!<",
        ] {
            for prefix in ["", "a: ", "\"", "- ", "[", "{a: [", "a: |\n ", "# "] {
                let body = format!("{prefix}{}", unit.repeat(100_000 / unit.len()));
                if let Err(problem) = read(body.as_bytes()) {
                    assert!(problem.status().is_client_error());
                }
            }
        }
        assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    }
}

//! What is said of input that cannot be read. Never what stood there: it may be a secret that was
//! sent to the wrong place. Names of fields are told, values are not.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_path_to_error::Segment;

use crate::{FieldError, Problem};

/// How serde begins to speak of a field that is not known.
const UNKNOWN_FIELD: &str = "unknown field `";
/// Bytes of a name that is told. A longer one is no misspelt name.
const TOLD: usize = 64;

/// An object within a body. serde takes a list for a struct, too, field by field, in an order that
/// nobody has promised.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<T> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields))
    }
}

/// In the API's description it is what it holds.
impl<T: JsonSchema> JsonSchema for Object<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// JSON as `T`, for a body that is not a request's own: one that was converted to JSON, say.
///
/// # Errors
/// 400 for what is not JSON, 422 with a pointer (RFC 6901) for JSON of another shape.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // As [`Object`], for what is outermost.
    if body.trim_ascii_start().starts_with(b"[") {
        return match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
            Ok(_) => Err(Problem::invalid(vec![FieldError {
                pointer: String::new(),
                detail: "must be an object".to_owned(),
            }])),
            Err(error) => Err(not_json(&error)),
        };
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path();
        let pointer = pointer(path);
        // An unknown field is where the path ends; a missing one, or one that is given twice, is not in it.
        let in_path = matches!(path.iter().next_back(), Some(Segment::Map { .. }));
        let inner = error.into_inner();
        if !inner.is_data() {
            return not_json(&inner);
        }
        let text = inner.to_string();
        let (field, detail) = explain(&text);
        let pointer = match field {
            Some(field) if !(in_path && text.starts_with(UNKNOWN_FIELD)) => {
                format!("{pointer}/{}", escaped(field))
            }
            _ => pointer,
        };
        Problem::invalid(vec![FieldError { pointer, detail }])
    })?;
    deserializer.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

/// For `#[serde(default, deserialize_with = "vivesphere_http::given")]`: a field that is there is
/// `Some`, `null` too; one that is missing is `None`. So a change can take a value away.
///
/// # Errors
/// What `T` cannot be read from.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// 400 for a query or a form that cannot be read, for the reason that serde gives. Where that names
/// no field, it is the one of the pair.
pub(crate) fn refuse(what: &str, pair: Option<&str>, reason: &str) -> Problem {
    let (field, detail) = explain(reason);
    let field = field.or(pair.and_then(|pair| pair.split('=').next()));
    let field = field.map_or_else(|| "a value".to_owned(), |field| format!("`{field}`"));
    Problem::malformed(format!("The {what} cannot be read: {field} {detail}."))
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::malformed(format!(
        "The body is not JSON: see line {}, column {}.",
        error.line(),
        error.column()
    ))
}

/// The field that serde names, and what is wrong with it.
fn explain(text: &str) -> (Option<&str>, String) {
    // serde names the line and column too; for a client the pointer says it better.
    let text = text.rsplit_once(" at line ").map_or(text, |(text, _)| text);
    let name = |prefix: &str| {
        let rest = text.strip_prefix(prefix)?;
        let name = rest.rsplit_once("`, expected").map(|(name, _)| name);
        name.or_else(|| rest.strip_suffix('`'))
    };
    if let Some(field) = name("missing field `") {
        return (Some(field), "is missing".to_owned());
    }
    if let Some(field) = text.strip_prefix(UNKNOWN_FIELD) {
        let end = field.find("`, expected").or_else(|| field.find("`, there"));
        let end = end.unwrap_or(field.len());
        return (Some(told(&field[..end])), "is not known here".to_owned());
    }
    if let Some(field) = name("duplicate field `") {
        return (Some(field), "is given twice".to_owned());
    }
    match text.rsplit_once(", expected ") {
        Some((_, wanted)) => (None, format!("must be {}", for_people(wanted))),
        // What Rust says of a text that is to be a whole number.
        None if text.contains("digit") || text.contains("integer") || text.contains("number") => {
            (None, format!("must be {}", for_people("i64")))
        }
        None => (None, "cannot be read".to_owned()),
    }
}

/// serde speaks of Rust's types.
fn for_people(wanted: &str) -> &str {
    match wanted {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i64" => "a whole number, not too large",
        "a sequence" => "a list",
        "a map" => "an object",
        _ if wanted.starts_with("struct ") => "an object",
        _ => wanted,
    }
}

fn told(name: &str) -> &str {
    if name.len() <= TOLD { name } else { "?" }
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    path.iter()
        .fold(String::new(), |pointer, segment| match segment {
            Segment::Seq { index } => format!("{pointer}/{index}"),
            Segment::Map { key } => format!("{pointer}/{}", escaped(told(key))),
            // The variant's name may be what was sent.
            Segment::Enum { .. } | Segment::Unknown => pointer,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read by serde only")]
    struct Body {
        parts: Vec<Part>,
        #[serde(default)]
        kind: Option<Kind>,
        #[serde(default)]
        last: Option<String>,
        #[serde(default)]
        inner: Option<Object<Part>>,
        #[serde(default)]
        others: Vec<Object<Part>>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read by serde only")]
    struct Part {
        text: String,
        #[serde(default)]
        count: Option<u8>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
    }

    fn refused(body: &str) -> Problem {
        json::<Body>(body.as_bytes()).expect_err("refused")
    }

    fn field(body: &str) -> (String, String) {
        let problem = refused(body);
        assert_eq!(problem.status, 422, "{body}");
        let error = problem.errors.into_iter().next().expect("an error");
        (error.pointer, error.detail)
    }

    #[test]
    fn what_is_not_json_is_400_and_json_of_another_shape_is_422_with_its_pointer() {
        assert_eq!(refused("{").status, 400);
        assert_eq!(refused(r#"{"parts":[]} x"#).status, 400);
        for (body, pointer, detail) in [
            (
                r#"{"parts":[{"text":"a"},{"text":5}]}"#,
                "/parts/1/text",
                "must be a string",
            ),
            (r#"{"parts":[],"more":1}"#, "/more", "is not known here"),
            (r#"{"parts":[{}]}"#, "/parts/0/text", "is missing"),
            (r#"{"parts":[],"parts":[]}"#, "/parts", "is given twice"),
            (
                r#"{"parts":[{"text":"a","count":300}]}"#,
                "/parts/0/count",
                "must be a whole number, not too large",
            ),
            (r#"{"parts":[],"kind":"other"}"#, "/kind", "must be `plain`"),
            (r#""text""#, "", "must be an object"),
            ("[]", "", "must be an object"),
            (
                r#"{"parts":[],"inner":["a",1]}"#,
                "/inner",
                "must be an object",
            ),
            (
                r#"{"parts":[],"others":[{"text":"a"},["a"]]}"#,
                "/others/1",
                "must be an object",
            ),
            (
                r#"{"parts":[],"inner":{"text":"a","count":"b"}}"#,
                "/inner/count",
                "must be a whole number, not too large",
            ),
            (
                r#"{"parts":[],"inner":{"text":"a","inner":1}}"#,
                "/inner/inner",
                "is not known here",
            ),
            // A name is told as it was sent, and as a pointer writes it (RFC 6901, section 3).
            (
                r#"{"parts":[{"text":"a","par~ts/0":1}]}"#,
                "/parts/0/par~0ts~10",
                "is not known here",
            ),
            (
                r#"{"parts":[],"a`, expected b":1}"#,
                "/a`, expected b",
                "is not known here",
            ),
            (
                r#"{"parts":[],"surprise":true}"#,
                "/surprise",
                "is not known here",
            ),
        ] {
            assert_eq!(
                field(body),
                (pointer.to_owned(), detail.to_owned()),
                "{body}"
            );
        }
    }

    #[test]
    fn a_long_name_is_not_told() {
        let long = "n".repeat(65);
        let (pointer, detail) = field(&format!(r#"{{"parts":[{{"text":"a","{long}":1}}]}}"#));
        assert_eq!(
            (pointer.as_str(), detail.as_str()),
            ("/parts/0/?", "is not known here")
        );
        let problem = refuse(
            "query",
            Some(&long),
            &format!("unknown field `{long}`, expected `a`"),
        );
        assert!(!problem.detail.contains(&long), "{}", problem.detail);
    }

    #[test]
    fn what_was_sent_is_never_shown() {
        for body in [
            r#"{"parts":"sec, expected ret"}"#,
            r#"{"parts":["secret"]}"#,
            r#"{"parts":[],"kind":"secret"}"#,
            r#"{"parts":[],"kind":{"secret":1}}"#,
            r#""secret""#,
            "secret",
        ] {
            let problem = refused(body);
            let errors = problem.errors.iter();
            let said: String = errors
                .map(|error| format!("{} {}", error.pointer, error.detail))
                .collect();
            let said = format!("{said}{}", problem.detail);
            assert!(!said.contains("sec"), "{body}: {said}");
        }
    }
}

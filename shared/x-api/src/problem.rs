//! The forms in which X says no: three JSON envelopes, HTML from the edge, or nothing at all
//! (<https://docs.x.com/x-api/fundamentals/response-codes-and-errors>).

use serde_json::Value;

/// Most characters of a detail that is kept.
const DETAIL_LIMIT: usize = 300;

/// The shape of an error body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Json,
    Empty,
    /// HTML or any other text, as proxies on the way send it.
    Foreign,
}

/// What an error body says, whichever envelope it came in. It has no `Debug`: `words` are as they
/// came, and only [`Problem::sentence`] is fit to be seen.
pub(crate) struct Problem {
    pub(crate) shape: Shape,
    /// The last path segment of `type`: the same problem comes under several hosts.
    pub(crate) slug: String,
    pub(crate) title: String,
    detail: String,
    /// Title and details in lower case, with nothing cut out: what is matched must not depend on
    /// how a token is spelt.
    words: String,
    /// `reason` of a forbidden client.
    pub(crate) reason: String,
    /// The numbers of the legacy envelope.
    pub(crate) legacy_codes: Vec<i64>,
    /// `error` of the token endpoint (RFC 6749, section 5.2).
    pub(crate) error: String,
    shown_error: String,
}

impl Problem {
    /// Reads any body. `secrets` are cut out of what it says.
    pub(crate) fn read(body: &[u8], secrets: &[&str]) -> Self {
        let shape = match std::str::from_utf8(body).map(str::trim) {
            Ok("") => Shape::Empty,
            _ => Shape::Foreign,
        };
        let mut problem = Self {
            shape,
            slug: String::new(),
            title: String::new(),
            detail: String::new(),
            words: String::new(),
            reason: String::new(),
            legacy_codes: Vec::new(),
            error: String::new(),
            shown_error: String::new(),
        };
        if let Ok(value @ Value::Object(_)) = serde_json::from_slice::<Value>(body) {
            problem.shape = Shape::Json;
            problem.fill(&value, secrets);
        }
        problem
    }

    /// One element of `errors[]` beside or instead of data.
    pub(crate) fn of_value(value: &Value) -> Self {
        let mut problem = Self::read(b"", &[]);
        problem.shape = Shape::Json;
        problem.fill(value, &[]);
        problem
    }

    fn fill(&mut self, value: &Value, secrets: &[&str]) {
        let text = |value: &Value, name: &str| {
            let text = value.get(name).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        self.slug = text(value, "type")
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        self.reason = text(value, "reason");
        self.error = text(value, "error");
        let mut details = vec![text(value, "detail"), text(value, "error_description")];
        for error in value
            .get("errors")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if let Some(code) = error.get("code").and_then(Value::as_i64) {
                self.legacy_codes.push(code);
            }
            details.push(text(error, "message"));
            details.push(text(error, "detail"));
        }
        details.retain(|detail| !detail.is_empty());
        details.dedup();
        let title = text(value, "title");
        self.words = format!("{title} / {}", details.join(" / ")).to_ascii_lowercase();
        self.title = clean(&title, secrets);
        self.detail = clean(&details.join(" / "), secrets);
        self.shown_error = clean(&self.error, secrets);
    }

    /// A sentence for people: the detail, or else the title, or else what arrived.
    pub(crate) fn sentence(&self) -> String {
        let known = [&self.detail, &self.title, &self.shown_error];
        match known.into_iter().find(|text| !text.is_empty()) {
            Some(text) => text.clone(),
            None => match self.shape {
                Shape::Empty => "an empty body".to_owned(),
                Shape::Foreign => "a body that is not JSON".to_owned(),
                Shape::Json => "no explanation".to_owned(),
            },
        }
    }

    pub(crate) fn says(&self, needle: &str) -> bool {
        self.words.contains(needle)
    }

    pub(crate) fn has_code(&self, code: i64) -> bool {
        self.legacy_codes.contains(&code)
    }
}

/// Without control characters, without secrets, and short.
fn clean(text: &str, secrets: &[&str]) -> String {
    let mut text: String = text
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        if text.contains(secret) {
            text = text.replace(secret, "[redacted]");
        }
    }
    truncate(&text)
}

fn truncate(text: &str) -> String {
    match text.char_indices().nth(DETAIL_LIMIT) {
        Some((end, _)) => {
            let mut cut = text.get(..end).unwrap_or_default().to_owned();
            cut.push('…');
            cut
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_slug_is_the_same_under_both_hosts() {
        for host in ["https://api.x.com", "https://api.twitter.com"] {
            let body = format!(r#"{{"type":"{host}/2/problems/usage-capped","detail":"x"}}"#);
            assert_eq!(Problem::read(body.as_bytes(), &[]).slug, "usage-capped");
        }
    }

    #[test]
    fn validation_messages_are_joined() {
        let body = br#"{"errors":[{"parameters":{"text":[""]},"message":"one"},{"message":"two"}],
            "title":"Invalid Request","detail":"general"}"#;
        assert_eq!(Problem::read(body, &[]).detail, "general / one / two");
    }

    /// The token is a letter of the words that are matched.
    #[test]
    fn what_is_cut_out_is_still_matched() {
        let problem = Problem::read(br#"{"detail":"the token was invalid"}"#, &["t"]);
        assert!(problem.says("token was invalid"));
        assert!(!problem.sentence().contains("token"));
    }

    proptest! {
        #[test]
        fn any_body_is_read(body: Vec<u8>) {
            let problem = Problem::read(&body, &["t"]);
            prop_assert!(!problem.sentence().is_empty());
        }

        #[test]
        fn a_detail_is_short_and_without_the_token(prefix in ".{0,400}", suffix in ".{0,400}") {
            let token = "c4n4ry-t0ken";
            let body = serde_json::json!({"detail": format!("{prefix}{token}{suffix}")}).to_string();
            let sentence = Problem::read(body.as_bytes(), &[token]).sentence();
            prop_assert!(!sentence.contains(token));
            prop_assert!(sentence.chars().count() <= DETAIL_LIMIT + 1);
        }
    }
}

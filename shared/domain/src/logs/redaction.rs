//! Secrets taken out of what is logged, by pattern and by name.
//!
//! By pattern, in any text: private keys in PEM, JSON Web Tokens, keys of this API (`vs_…`) and of
//! well-known providers, what follows `Bearer` and `Basic`, passwords in URLs, and the value after
//! a secret's name (`password=…`, `"token": "…"`, `--secret …`). By name, at any depth of JSON: the
//! whole value of a field whose name says that it is a secret.
//!
//! It takes out too much rather than too little. A secret without a known form and without a name
//! beside it cannot be told from other text.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::{Map, Value};

/// What stands in a secret's place.
pub const REDACTED: &str = "[redacted]";
/// As it is found again: the bracket ends a value.
const TAKEN_OUT: &str = "[redacted";

/// How keys begin, and how many characters follow at least.
const KEYS: &[(&str, usize)] = &[
    ("vs_", 8),
    ("sk-", 12),
    ("sk_live_", 8),
    ("sk_test_", 8),
    ("rk_live_", 8),
    ("rk_test_", 8),
    ("whsec_", 8),
    ("ghp_", 16),
    ("gho_", 16),
    ("ghu_", 16),
    ("ghs_", 16),
    ("ghr_", 16),
    ("github_pat_", 16),
    ("glpat-", 12),
    ("xoxa-", 8),
    ("xoxb-", 8),
    ("xoxp-", 8),
    ("xoxr-", 8),
    ("xoxs-", 8),
    ("xapp-", 8),
    ("AIza", 30),
    ("AKIA", 16),
    ("ASIA", 16),
    ("hf_", 16),
    ("gsk_", 16),
    ("xai-", 16),
    ("pplx-", 16),
    ("r8_", 16),
    ("ya29.", 16),
    ("npm_", 24),
    ("pypi-", 24),
    // X's app-only tokens.
    ("AAAAAAAAAAAAAAAAAAAA", 20),
];

/// Of any of them, with its beginning.
const SHORTEST_KEY: usize = 11;
/// Of those in PEM, the first line alone.
const SHORTEST_PRIVATE_KEY: usize = "-----BEGIN PRIVATE KEY-----".len();

/// Parts of a name, without case and punctuation, that make it a secret's.
const WITHIN: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "authorization",
    "apikey",
    "privatekey",
    "credential",
];

/// Ends of such names.
const AT_THE_END: &[&str] = &[
    "token",
    "tokens",
    "pwd",
    "cookie",
    "bearer",
    "jwt",
    "accesskey",
    "servicekey",
    "signingkey",
    "encryptionkey",
    "vaultkey",
    "codeverifier",
];

/// Names are short; what is longer is a text.
const NAME: usize = 64;

/// Whether a field of this name holds a secret.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    if name.len() > NAME {
        return false;
    }
    // Every word of what is logged is looked at: no memory is asked for.
    let mut plain = [0; NAME];
    let mut length = 0;
    for letter in name.bytes().filter(u8::is_ascii_alphanumeric) {
        plain[length] = letter.to_ascii_lowercase();
        length += 1;
    }
    let plain = &plain[..length];
    let begins = |rest: &[u8]| WITHIN.iter().any(|part| starts(rest, part));
    let ends =
        |end: &&str| plain.last() == end.as_bytes().last() && plain.ends_with(end.as_bytes());
    (0..length).any(|at| begins(&plain[at..])) || AT_THE_END.iter().any(ends)
}

/// As `starts_with`, which is a call: nearly always the first letter is enough to say no.
fn starts(text: &[u8], with: &str) -> bool {
    text.first() == with.as_bytes().first() && text.starts_with(with.as_bytes())
}

/// Takes the secrets out of a value, at any depth, out of the names of its fields too.
pub fn redact_value(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(redacted) = redact_text(text) {
                *text = redacted;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(redact_value),
        Value::Object(fields) => {
            fields
                .iter_mut()
                .for_each(|(name, value)| field(name, value));
            if fields.keys().any(|name| has_secret(name)) {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(name, value)| (redact_text(&name).into_owned(), value))
                    .collect::<Map<_, _>>();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn has_secret(text: &str) -> bool {
    matches!(redact_text(text), Cow::Owned(_))
}

fn field(name: &str, value: &mut Value) {
    if is_secret_name(name) && !is_harmless(name, value) {
        *value = REDACTED.into();
    } else {
        redact_value(value);
    }
}

/// Whether there is a password is no secret, nor is how many tokens a model used.
fn is_harmless(name: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => true,
        Value::Number(_) => name
            .to_ascii_lowercase()
            .trim_end_matches('s')
            .ends_with("token"),
        _ => false,
    }
}

/// Takes the secrets out of a text.
#[must_use]
pub fn redact_text(text: &str) -> Cow<'_, str> {
    let mut secrets = Vec::new();
    // Most texts are short and hold no address: to look for one letter costs less than for a word.
    if text.len() >= SHORTEST_PRIVATE_KEY {
        private_keys(text, &mut secrets);
    }
    if text.contains('@') {
        passwords_in_urls(text, &mut secrets);
    }
    words(text, &mut secrets);
    if secrets.is_empty() {
        return Cow::Borrowed(text);
    }
    secrets.sort_unstable_by_key(|range| range.start);
    let mut redacted = String::with_capacity(text.len());
    let mut end = 0;
    for secret in secrets {
        if secret.start >= end {
            redacted.push_str(text.get(end..secret.start).unwrap_or_default());
            redacted.push_str(REDACTED);
        }
        end = end.max(secret.end);
    }
    redacted.push_str(text.get(end..).unwrap_or_default());
    Cow::Owned(redacted)
}

/// RFC 7468, every label that ends so; to the end of the text when the key has none.
fn private_keys(text: &str, secrets: &mut Vec<Range<usize>>) {
    const LABEL: &str = "PRIVATE KEY-----";
    let mut from = 0;
    while let Some(begin) = find(text, from, "-----BEGIN ") {
        let Some(label) = find(text, begin, LABEL).filter(|label| label - begin < NAME) else {
            from = begin + 1;
            continue;
        };
        let end = find(text, label, "-----END ").and_then(|end| find(text, end, LABEL));
        from = end.map_or(text.len(), |end| end + LABEL.len());
        secrets.push(begin..from);
    }
}

fn find(text: &str, from: usize, what: &str) -> Option<usize> {
    text.get(from..)?.find(what).map(|at| from + at)
}

/// `scheme://name:password@host`.
fn passwords_in_urls(text: &str, secrets: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some(begin) = find(text, from, "://") {
        from = begin + 3;
        let rest = text.get(from..).unwrap_or_default();
        let ends = |letter: char| letter.is_whitespace() || "/?#\"'<>".contains(letter);
        let authority = &rest[..rest.find(ends).unwrap_or(rest.len())];
        if let Some(at) = authority.rfind('@')
            && let Some(colon) = authority[..at].find(':')
            && colon + 1 < at
        {
            secrets.push(from + colon + 1..from + at);
        }
    }
}

fn of_a_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~')
}

fn of_a_key(byte: u8) -> bool {
    of_a_word(byte) || matches!(byte, b'%' | b'+' | b'/' | b'=')
}

/// Keys and tokens by their form, and values by the name before them.
fn words(text: &str, secrets: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let run = |from: usize, of: fn(u8) -> bool| {
        let rest = bytes.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| of(**byte)).count()
    };
    let mut at = 0;
    while at < bytes.len() {
        if !of_a_word(bytes[at]) {
            at += 1;
            continue;
        }
        let end = run(at, of_a_word);
        let word = text.get(at..end).unwrap_or_default();
        let bare = word.trim_start_matches(['-', '.', '~', '_']);
        let begin = end - bare.len();
        let key_end = run(begin, of_a_key);
        if is_key(&text[begin..key_end]) || is_web_token(bare) {
            secrets.push(begin..key_end);
            at = key_end;
            continue;
        }
        let value = match () {
            () if word.eq_ignore_ascii_case("bearer") => after_scheme(text, end, |_| true),
            () if word.eq_ignore_ascii_case("basic") => after_scheme(text, end, is_encoded),
            () if is_secret_name(word) => after_name(text, word, end),
            () => None,
        };
        at = end;
        if let Some(value) = value {
            // The rest of the text is looked at all the same: it may hold others.
            at = value.end;
            secrets.push(value);
        }
    }
}

fn is_key(word: &str) -> bool {
    word.len() >= SHORTEST_KEY
        && KEYS.iter().any(|(beginning, least)| {
            word.len() >= beginning.len() + least && starts(word.as_bytes(), beginning)
        })
}

/// RFC 7519, section 3: a header is a JSON object, so in base64url it begins with `eyJ`.
fn is_web_token(word: &str) -> bool {
    let mut parts = word.split('.');
    let long = |part: Option<&str>| part.is_some_and(|part| part.len() >= 8);
    word.starts_with("eyJ") && long(parts.next()) && long(parts.next())
}

/// Base64 of more than a word of prose.
fn is_encoded(value: &str) -> bool {
    let prose = |byte: u8| byte.is_ascii_lowercase();
    value.len() >= 8 && !value.bytes().all(prose)
}

fn unquoted(letter: char) -> bool {
    letter.is_whitespace() || "&,;\"'`\\)}]<>".contains(letter)
}

/// What stands after `Bearer` or `Basic` (RFC 9110, section 11.4).
fn after_scheme(text: &str, from: usize, is_value: fn(&str) -> bool) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    let value = rest.trim_start_matches([' ', '\t', '+']);
    let begin = text.len() - value.len();
    let value = &value[..value.find(unquoted).unwrap_or(value.len())];
    let follows = begin > from && value.len() >= 6 && !value.starts_with(TAKEN_OUT);
    (follows && is_value(value)).then(|| begin..begin + value.len())
}

/// What stands after a secret's name: after `=` or `:`, quotes or not, or after a flag and a space.
fn after_name(text: &str, name: &str, from: usize) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    let after_quotes = rest.trim_start_matches(['"', '\'', '\\']).trim_start();
    let value = match after_quotes.strip_prefix([':', '=']) {
        Some(value) => value.trim_start_matches(['=', '>']),
        None if name.starts_with("--") && rest.starts_with(' ') => rest,
        None => return None,
    };
    let value = value.trim_start();
    let opened = value.trim_start_matches('\\');
    let (value, quote) = match opened.chars().next() {
        Some(quote @ ('"' | '\'')) => (&opened[1..], Some(quote)),
        _ => (value, None),
    };
    let plain = name.to_ascii_lowercase();
    let whole_line = plain.ends_with("authorization") || plain.ends_with("cookie");
    let end = match quote {
        Some(quote) => value.find(quote),
        None if whole_line => value.find(['\n', '\r', '"', '\'']),
        None => value.find(unquoted),
    };
    let value_end = end.unwrap_or(value.len());
    let begin = text.len() - value.len();
    let secret = value.get(..value_end)?.trim_end_matches('\\');
    let follows = !secret.is_empty() && !secret.starts_with(TAKEN_OUT);
    follows.then(|| begin..begin + secret.len())
}

#[cfg(test)]
#[path = "redaction_tests.rs"]
mod tests;

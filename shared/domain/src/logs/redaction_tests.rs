use proptest::prelude::*;
use serde_json::json;

use super::*;

const PEM: &str =
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----";

#[test]
fn secrets_go_and_the_rest_stays() {
    for (text, wanted) in [
        ("Authorization: Bearer abc.def", "Authorization: [redacted]"),
        (
            "sent bearer abcdef123, then left",
            "sent bearer [redacted], then left",
        ),
        ("Basic dXNlcjpwYXNz for you", "Basic [redacted] for you"),
        ("basic facts", "basic facts"),
        (
            "jwt eyJhbGciOiJF.eyJzdWIiOiIx.c2ln end",
            "jwt [redacted] end",
        ),
        ("(eyJhbGciOiJF.eyJzdWIiOiIx.)", "([redacted])"),
        ("key vs_0123456789abcdef.", "key [redacted]"),
        ("a vs_1 b", "a vs_1 b"),
        ("sk-ant-api03-abcdef_gh-1", "[redacted]"),
        ("sk-proj-abc/def+ghi== x", "[redacted] x"),
        (
            "task-force-one-two-three-four",
            "task-force-one-two-three-four",
        ),
        (
            "ghp_0123456789abcdefghij AKIAIOSFODNN7EXAMPLE",
            "[redacted] [redacted]",
        ),
        ("password=hunter2&user=ann", "password=[redacted]&user=ann"),
        ("password = \"hunter 2\" x", "password = \"[redacted]\" x"),
        (
            "{\"token\":\"a b\",\"n\":1}",
            "{\"token\":\"[redacted]\",\"n\":1}",
        ),
        (
            "{\\\"client_secret\\\":\\\"a\\\",1}",
            "{\\\"client_secret\\\":\\\"[redacted]\\\",1}",
        ),
        (
            "run --api-key abc --fast",
            "run --api-key [redacted] --fast",
        ),
        ("X-Api-Key: abc", "X-Api-Key: [redacted]"),
        ("Cookie: a=b; c=d\nHost: x", "Cookie: [redacted]\nHost: x"),
        ("the password is wrong", "the password is wrong"),
        ("max_tokens=100", "max_tokens=[redacted]"),
        (
            "postgres://ann:pw@db:5432/x?a@b",
            "postgres://ann:[redacted]@db:5432/x?a@b",
        ),
        ("http://host:80/a@b", "http://host:80/a@b"),
        ("secret => 'x y' z", "secret => '[redacted]' z"),
        ("é password=ü ß", "é password=[redacted] ß"),
        ("token=", "token="),
        ("", ""),
    ] {
        assert_eq!(redact_text(text), wanted, "{text}");
    }
    assert_eq!(redact_text(&format!("a {PEM} b")), "a [redacted] b");
    let cut = &PEM[..50];
    assert_eq!(redact_text(cut), REDACTED);
    let public = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----";
    assert_eq!(redact_text(public), public);
}

#[test]
fn what_is_shorter_than_any_key_is_none() {
    let lengths = KEYS
        .iter()
        .map(|(beginning, least)| beginning.len() + least);
    assert_eq!(lengths.min(), Some(SHORTEST_KEY));
}

#[test]
fn fields_are_known_by_their_names() {
    for name in [
        "password",
        "Password",
        "user_password",
        "passwordHash",
        "token",
        "access_token",
        "refreshToken",
        "Authorization",
        "proxy-authorization",
        "api_key",
        "X-API-Key",
        "apikey",
        "client_secret",
        "secret",
        "private_key",
        "privateKey",
        "credentials",
        "set-cookie",
        "service_key",
        "vault_key",
        "db_pwd",
        "code_verifier",
    ] {
        assert!(is_secret_name(name), "{name}");
    }
    for name in [
        "key",
        "key_id",
        "token_type",
        "author",
        "message",
        "pass_count",
        "compass",
        "bot_id",
        "",
    ] {
        assert!(!is_secret_name(name), "{name}");
    }
}

#[test]
fn what_says_nothing_stays() {
    let mut value = json!({
        "password_set": true, "token": null, "max_tokens": 5, "used_token": 1.5, "n": 7,
        "password": 1234, "secrets": {"a": 1}, "list": [{"token": ["a"]}],
    });
    redact_value(&mut value);
    let wanted = json!({
        "password_set": true, "token": null, "max_tokens": 5, "used_token": 1.5, "n": 7,
        "password": REDACTED, "secrets": REDACTED, "list": [{"token": REDACTED}],
    });
    assert_eq!(value, wanted);
}

/// A secret that is found wherever it leaks, in one of the forms that are known.
fn any_secret() -> impl Strategy<Value = (String, String)> {
    let core = "[A-Za-z0-9]{24}Q7z";
    (core, 0..9_usize).prop_map(|(core, form)| {
        let text = match form {
            0 => format!("Bearer {core}"),
            1 => format!("eyJhbGciOi.{core}.{core}"),
            2 => format!("vs_{core}"),
            3 => format!("sk-{core}"),
            4 => format!("ghp_{core}"),
            5 => format!("password={core}"),
            6 => format!("\"token\": \"{core}\""),
            7 => format!("https://ann:{core}@example.com/"),
            _ => format!("-----BEGIN EC PRIVATE KEY-----\n{core}\n-----END EC PRIVATE KEY-----"),
        };
        (core, text)
    })
}

/// A value with `leaf` at its depth, below other names.
fn buried(leaf: Value, names: &[String]) -> Value {
    names.iter().fold(leaf, |value, name| match name.len() % 3 {
        0 => json!([1, value, "x"]),
        _ => json!({name: value, "beside": 1}),
    })
}

proptest! {
    #[test]
    fn a_secret_is_found_in_any_text(
        (core, secret) in any_secret(),
        before in "(\\PC{0,20}[ \n(,;])?", after in "([ \n),;]\\PC{0,20})?",
    ) {
        let text = format!("{before}{secret}{after}");
        let redacted = redact_text(&text);
        prop_assert!(!redacted.contains(&core), "{redacted}");
    }

    #[test]
    fn a_secret_is_found_at_any_depth(
        (core, secret) in any_secret(), names in prop::collection::vec("[a-z]{1,6}", 0..40),
        by_name: bool,
    ) {
        let leaf = if by_name { json!({"client_secret": [core]}) } else { json!(secret) };
        let mut value = buried(leaf, &names);
        redact_value(&mut value);
        prop_assert!(!value.to_string().contains(&core), "{value}");
    }

    #[test]
    fn what_was_redacted_stays_as_it_is(text in "\\PC{0,60}", (_, secret) in any_secret()) {
        let once = redact_text(&format!("{text} {secret} {text}")).into_owned();
        prop_assert_eq!(redact_text(&once).into_owned(), once);
    }

    #[test]
    fn text_without_secrets_is_not_touched(text in "[a-z ,.!?0-9]{0,80}") {
        prop_assume!(!["bearer", "basic"].iter().any(|word| text.contains(word)));
        prop_assert!(matches!(redact_text(&text), Cow::Borrowed(_)));
    }

    #[test]
    fn any_text_at_all_can_be_looked_at(text in any::<String>()) {
        let _redacted = redact_text(&text);
    }
}

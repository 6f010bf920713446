//! The table of variables: what each kind accepts, and that `spin.toml` says the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test"
)]

use proptest::prelude::*;
use vivesphere_variables::{Kind, VARIABLES, Value, Variable, variable};

fn accepts(name: &str, text: &str) -> bool {
    variable(name).unwrap().parse(text).is_ok()
}

#[test]
fn every_default_has_the_form_that_its_own_row_asks_for() {
    for row in &VARIABLES {
        if let Some(default) = row.default {
            assert!(row.parse(default).is_ok(), "{}", row.name);
        }
    }
}

#[test]
fn a_password_is_no_longer_than_one_that_is_hashed() {
    let name = "bootstrap_admin_password";
    assert!(accepts(name, &"p".repeat(1024)));
    assert!(!accepts(name, &"p".repeat(1025)));
    assert!(!accepts(name, &"é".repeat(513)));
}

#[test]
fn required_variables_are_the_four_secrets_that_a_first_start_makes() {
    let required: Vec<_> = VARIABLES
        .iter()
        .filter(|row| row.required())
        .map(|row| row.name)
        .collect();
    assert_eq!(
        required,
        [
            "bootstrap_admin_password",
            "jwt_signing_key",
            "vault_key",
            "service_key"
        ]
    );
    assert!(
        VARIABLES
            .iter()
            .filter(|row| row.required())
            .all(|row| row.secret)
    );
}

#[test]
fn names_are_unique_and_lower_snake_case() {
    for (index, row) in VARIABLES.iter().enumerate() {
        assert!(
            row.name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        );
        assert!(
            VARIABLES
                .iter()
                .skip(index + 1)
                .all(|other| other.name != row.name)
        );
    }
}

#[test]
fn a_key_is_exactly_32_bytes_of_base64_with_or_without_padding() {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    assert!(accepts("vault_key", key));
    assert!(accepts("vault_key", key.trim_end_matches('=')));
    let Ok(Value::Key(bytes)) = variable("vault_key").unwrap().parse(key) else {
        panic!("a key was expected");
    };
    assert_eq!(
        bytes.expose(),
        &std::array::from_fn::<u8, 32, _>(|index| index as u8)
    );
    for malformed in [
        "",
        "short",
        "AAAA",
        &format!("{key}AAAA"),
        &format!("{key}\n"),
        "not base64 at all, really not!!",
    ] {
        assert!(!accepts("vault_key", malformed), "{malformed:?}");
    }
}

#[test]
fn an_empty_value_means_absent_only_where_the_row_says_so() {
    assert!(matches!(
        variable("vault_key_previous").unwrap().parse(""),
        Ok(Value::Absent)
    ));
    assert!(matches!(
        variable("x_client_secret").unwrap().parse(""),
        Ok(Value::Absent)
    ));
    assert!(!accepts("vault_key", ""));
    assert!(!accepts("public_base_url", ""));
    assert!(!accepts("rate_limit_per_minute", ""));
}

#[test]
fn urls_are_absolute_http_without_extras() {
    assert!(accepts("x_api_base_url", "http://127.0.0.1:4010"));
    assert!(accepts(
        "x_authorize_url",
        "https://x.com/i/oauth2/authorize"
    ));
    for malformed in [
        "x.com",
        "ftp://x.com",
        "https://user@x.com",
        "https://x.com/?a=b",
        "https://x.com/#a",
        " https://x.com",
        "https://x.com/path",
        "http://",
        "file:///etc/passwd",
    ] {
        assert!(!accepts("x_api_base_url", malformed), "{malformed:?}");
    }
}

#[test]
fn integers_keep_their_limits() {
    assert!(accepts("publish_max_attempts", "1"));
    assert!(accepts("publish_max_attempts", "100"));
    for malformed in [
        "0",
        "101",
        "-1",
        "+1",
        " 1",
        "1.0",
        "one",
        "99999999999999999999999",
    ] {
        assert!(!accepts("publish_max_attempts", malformed), "{malformed:?}");
    }
}

#[test]
fn passwords_have_a_least_length_and_one_line() {
    assert!(accepts("bootstrap_admin_password", "twelve chars"));
    assert!(!accepts("bootstrap_admin_password", "eleven char"));
    assert!(!accepts(
        "bootstrap_admin_password",
        "twelve\nchars and more"
    ));
    assert!(!accepts("service_key", "too short for a service key"));
}

#[test]
fn the_message_names_the_variable_and_the_form() {
    let Err(malformed) = variable("jwt_signing_key").unwrap().parse("canary-0451") else {
        panic!("a refusal was expected");
    };
    let message = malformed.to_string();
    assert!(
        message.contains("`jwt_signing_key`") && message.contains("32 random bytes in base64"),
        "{message}"
    );
}

proptest! {
    #[test]
    fn parse_never_panics_and_never_repeats_the_value(text in "\\PC{5,60}") {
        for row in &VARIABLES {
            if let Err(malformed) = row.parse(&text) {
                // A short text may be part of the sentence by chance; a random long one is not.
                prop_assert!(!malformed.to_string().contains(&text));
            }
        }
    }

    #[test]
    fn an_integer_within_its_limits_is_read_as_itself(number in 1u64..=300) {
        let parsed = variable("x_request_timeout_seconds").unwrap().parse(&number.to_string());
        prop_assert!(matches!(parsed, Ok(Value::Integer(read)) if read == number));
    }
}

fn spin_toml() -> toml_edit::Document<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spin.toml");
    let text = std::fs::read_to_string(path).expect("spin.toml stands at the root");
    toml_edit::Document::parse(text).expect("spin.toml is TOML")
}

fn declared<'a>(
    document: &'a toml_edit::Document<String>,
    row: &Variable,
) -> &'a dyn toml_edit::TableLike {
    document["variables"]
        .get(row.name)
        .and_then(|item| item.as_table_like())
        .unwrap_or_else(|| panic!("spin.toml declares no variable `{}`", row.name))
}

#[test]
fn spin_toml_declares_exactly_the_table() {
    let document = spin_toml();
    let mut in_manifest: Vec<_> = document["variables"]
        .as_table_like()
        .unwrap()
        .iter()
        .map(|(name, _)| name.to_owned())
        .collect();
    let mut in_table: Vec<_> = VARIABLES.iter().map(|row| row.name.to_owned()).collect();
    in_manifest.sort();
    in_table.sort();
    assert_eq!(in_manifest, in_table);
}

#[test]
fn spin_toml_agrees_on_defaults_required_and_secret() {
    let document = spin_toml();
    for row in &VARIABLES {
        let variable = declared(&document, row);
        let flag = |key| {
            variable
                .get(key)
                .and_then(|item| item.as_bool())
                .unwrap_or(false)
        };
        assert_eq!(
            variable.get("default").and_then(|item| item.as_str()),
            row.default,
            "{}",
            row.name
        );
        assert_eq!(flag("required"), row.required(), "{}", row.name);
        assert_eq!(flag("secret"), row.secret, "{}", row.name);
        assert!(
            !matches!(row.kind, Kind::Secret32 | Kind::Password { .. }) || row.secret,
            "{}",
            row.name
        );
    }
}

//! Reading variables inside a component.

use std::sync::OnceLock;

use spin_sdk::variables;
use url::Url;
use vivesphere_variables::{Malformed, Secret, VARIABLES, Value, Variable};

/// What this instance has read. A deployment's variables are true for everyone and cannot
/// change while an instance lives, so the first reading serves every later request.
static LOADED: [OnceLock<Value>; VARIABLES.len()] = [const { OnceLock::new() }; VARIABLES.len()];

/// A variable cannot be read by this component. Safe to log: it holds no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}`: {reason}")]
pub struct Misconfigured {
    /// The variable's name; of a setting that reads it, `service/name`.
    pub name: String,
    /// What is wrong.
    pub reason: String,
}

impl Misconfigured {
    fn new(name: &str, reason: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            reason: reason.into(),
        }
    }
}

/// Reads one variable, from this instance's memory after the first time.
///
/// # Errors
/// [`Misconfigured`] when the table has no such variable, when `spin.toml` does not grant it
/// to this component, when the provider failed, or when its value is malformed.
async fn load(
    name: &str,
    parse: impl FnOnce(&Variable, &str) -> Result<Value, Malformed>,
) -> Result<&'static Value, Misconfigured> {
    let mut rows = VARIABLES.iter().zip(&LOADED);
    let Some((variable, slot)) = rows.find(|(variable, _)| variable.name == name) else {
        return Err(Misconfigured::new(name, "there is no such variable"));
    };
    if let Some(value) = slot.get() {
        return Ok(value);
    }
    let text = variables::get(name)
        .await
        .map_err(|error| Misconfigured::new(name, explain(&error)))?;
    let value = parse(variable, &text).map_err(|malformed| {
        Misconfigured::new(name, format!("it must be {}", malformed.expected))
    })?;
    Ok(slot.get_or_init(|| value))
}

fn explain(error: &variables::Error) -> String {
    match error {
        variables::Error::Undefined(_) => {
            "it is not granted to this component in spin.toml".to_owned()
        }
        variables::Error::InvalidName(_) => "its name is not accepted".to_owned(),
        // The provider's own words could repeat a value.
        variables::Error::Provider(_) | variables::Error::Other(_) => {
            "the variables provider failed".to_owned()
        }
    }
}

fn wrong_kind(name: &str, asked: &str) -> Misconfigured {
    Misconfigured::new(name, format!("it is not {asked}"))
}

fn absent(name: &str) -> Misconfigured {
    Misconfigured::new(name, "it is empty")
}

/// A whole number.
///
/// # Errors
/// [`Misconfigured`], as it says; also when the variable is of another kind.
pub async fn integer(name: &str) -> Result<u64, Misconfigured> {
    match load(name, Variable::parse_other).await? {
        Value::Integer(number) => Ok(*number),
        _ => Err(wrong_kind(name, "a number")),
    }
}

/// Yes or no.
///
/// # Errors
/// [`Misconfigured`], as it says; also when the variable is of another kind.
pub async fn boolean(name: &str) -> Result<bool, Misconfigured> {
    match load(name, Variable::parse_other).await? {
        Value::Boolean(value) => Ok(*value),
        _ => Err(wrong_kind(name, "true or false")),
    }
}

/// Text that must be there.
///
/// # Errors
/// [`Misconfigured`], as it says; also when the variable is empty or of another kind.
pub async fn text(name: &str) -> Result<&'static str, Misconfigured> {
    optional_text(name).await?.ok_or_else(|| absent(name))
}

/// Text that may be left empty.
///
/// # Errors
/// [`Misconfigured`], as it says; also when the variable is of another kind.
pub async fn optional_text(name: &str) -> Result<Option<&'static str>, Misconfigured> {
    match load(name, Variable::parse_other).await? {
        Value::Text(text) => Ok(Some(text)),
        Value::Absent => Ok(None),
        _ => Err(wrong_kind(name, "plain text")),
    }
}

/// A URL.
///
/// # Errors
/// [`Misconfigured`], as it says; also when the variable is of another kind.
pub async fn url(name: &str) -> Result<&'static Url, Misconfigured> {
    match load(name, Variable::parse_url).await? {
        Value::Url(url) => Ok(url),
        _ => Err(wrong_kind(name, "a URL")),
    }
}

/// Scheme, host and port of a URL that has no path, without a slash at the end. For those who only
/// append to it: nothing that takes URLs apart comes along. A component asks for a variable by this
/// or by [`url`], not by both.
///
/// # Errors
/// [`Misconfigured`], as it says; also when the variable is of another kind.
pub async fn origin(name: &str) -> Result<&'static str, Misconfigured> {
    match load(name, Variable::parse_origin).await? {
        Value::Text(text) => Ok(text),
        _ => Err(wrong_kind(name, "a URL without a path")),
    }
}

/// Secret text that must be there.
///
/// # Errors
/// [`Misconfigured`], as it says; also when the variable is empty or of another kind.
pub async fn secret_text(name: &str) -> Result<&'static Secret<String>, Misconfigured> {
    optional_secret_text(name)
        .await?
        .ok_or_else(|| absent(name))
}

/// Secret text that may be left empty.
///
/// # Errors
/// [`Misconfigured`], as it says; also when the variable is of another kind.
pub async fn optional_secret_text(
    name: &str,
) -> Result<Option<&'static Secret<String>>, Misconfigured> {
    match load(name, Variable::parse_other).await? {
        Value::SecretText(text) => Ok(Some(text)),
        Value::Absent => Ok(None),
        _ => Err(wrong_kind(name, "secret text")),
    }
}

/// A key of 32 bytes that must be there.
///
/// # Errors
/// [`Misconfigured`], as it says; also when the variable is empty or of another kind.
pub async fn key(name: &str) -> Result<&'static Secret<[u8; 32]>, Misconfigured> {
    optional_key(name).await?.ok_or_else(|| absent(name))
}

/// A key of 32 bytes that may be left empty.
///
/// # Errors
/// [`Misconfigured`], as it says; also when the variable is of another kind.
pub async fn optional_key(name: &str) -> Result<Option<&'static Secret<[u8; 32]>>, Misconfigured> {
    match load(name, Variable::parse_other).await? {
        Value::Key(key) => Ok(Some(key)),
        Value::Absent => Ok(None),
        _ => Err(wrong_kind(name, "a key")),
    }
}

//! One variable: what it is called, what it may hold, and how text becomes its value.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use url::Url;
use zeroize::Zeroize as _;

use crate::Secret;

/// Standard base64; the closing `=` may be left out, because shells and editors lose it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Most bytes of a text that must not be guessed: no longer one is hashed as a password.
pub const PASSWORD_BYTES: usize = 1024;

/// What a variable may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Printable text of `min` to `max` characters without line breaks.
    Text {
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
    },
    /// An absolute `http` or `https` URL without user, query or fragment.
    Url {
        /// Whether it may have a path. Addresses that also stand in `allowed_outbound_hosts` may not.
        /// One that Spin cannot read there denies its component every call: a path, capital letters, or
        /// an IPv6 address without a port.
        path: bool,
    },
    /// Base64 of exactly 32 bytes.
    Secret32,
    /// Text of at least `min` characters, and at most [`PASSWORD_BYTES`], that must not be guessed.
    Password {
        /// Fewest characters.
        min: usize,
    },
    /// A whole number.
    Integer {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// `true` or `false`.
    Boolean,
}

/// One row of the table.
#[derive(Debug)]
pub struct Variable {
    /// The variable's name in `spin.toml`; `SPIN_VARIABLE_<NAME>` in the environment.
    pub name: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// Used when no provider gives a value; `None` makes the variable required.
    pub default: Option<&'static str>,
    /// Whether an empty value means "not given" instead of being malformed.
    pub may_be_empty: bool,
    /// Whether the value must never be shown.
    pub secret: bool,
    /// One sentence for people.
    pub description: &'static str,
}

/// A parsed value. It has no `Debug`, since some variants hold secrets.
#[derive(Clone)]
pub enum Value {
    /// Nothing given for a variable that may be empty.
    Absent,
    /// From [`Kind::Text`].
    Text(String),
    /// From [`Kind::Url`].
    Url(Url),
    /// From [`Kind::Integer`].
    Integer(u64),
    /// From [`Kind::Boolean`].
    Boolean(bool),
    /// From [`Kind::Password`].
    SecretText(Secret<String>),
    /// From [`Kind::Secret32`].
    Key(Secret<[u8; 32]>),
}

/// A value does not have the form that its variable asks for. The message names the variable
/// and the form, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the variable `{variable}` is malformed: it must be {expected}")]
pub struct Malformed {
    /// The variable's name.
    pub variable: &'static str,
    /// What it must look like.
    pub expected: String,
}

impl Variable {
    /// Whether a deployment must give a value.
    pub fn required(&self) -> bool {
        self.default.is_none()
    }

    /// The environment variable that gives the value.
    pub fn environment_name(&self) -> String {
        format!("SPIN_VARIABLE_{}", self.name.to_ascii_uppercase())
    }

    /// What a value must look like, completing the sentence "it must be …".
    pub fn expected(&self) -> String {
        let form = match self.kind {
            Kind::Text { min, max } => {
                format!("printable text of {min} to {max} characters on one line")
            }
            Kind::Url { path: true } => {
                "an absolute http or https URL without user, query or fragment, \
                 such as https://example.com/path"
                    .to_owned()
            }
            Kind::Url { path: false } => {
                "an absolute http or https URL in small letters without user, path, query or \
                 fragment, such as https://example.com; an IPv6 address needs its port"
                    .to_owned()
            }
            Kind::Secret32 => "32 random bytes in base64, 44 characters long \
                               (for example from `openssl rand -base64 32`)"
                .to_owned(),
            Kind::Password { min } => format!(
                "text of at least {min} characters and at most {PASSWORD_BYTES} bytes on one line"
            ),
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Boolean => "true or false".to_owned(),
        };
        if self.may_be_empty {
            format!("empty, or {form}")
        } else {
            form
        }
    }

    /// Turns text into the variable's value.
    ///
    /// # Errors
    /// [`Malformed`] when the text does not have the variable's form.
    pub fn parse(&self, text: &str) -> Result<Value, Malformed> {
        match self.kind {
            Kind::Url { .. } => self.parse_url(text),
            _ => self.parse_other(text),
        }
    }

    /// As [`Variable::parse`], of a variable that holds a URL.
    ///
    /// # Errors
    /// As [`Variable::parse`], and for a variable of another kind.
    pub fn parse_url(&self, text: &str) -> Result<Value, Malformed> {
        self.parse_by(text, |kind, text| match kind {
            Kind::Url { path } => parse_url(text, path).map(Value::Url),
            _ => None,
        })
    }

    /// As [`Variable::parse_url`], of a variable that holds a URL without a path: its scheme, host and
    /// port as text, read without what takes URLs apart.
    ///
    /// # Errors
    /// As [`Variable::parse_url`].
    pub fn parse_origin(&self, text: &str) -> Result<Value, Malformed> {
        self.parse_by(text, |kind, text| {
            let origin = matches!(kind, Kind::Url { path: false }) && is_origin(text);
            origin.then(|| Value::Text(text.trim_end_matches('/').to_owned()))
        })
    }

    /// As [`Variable::parse`], of any other variable: a component that is granted no URL does not
    /// carry what reads one, which is 50 kB.
    ///
    /// # Errors
    /// As [`Variable::parse`], and for a variable that holds a URL.
    pub fn parse_other(&self, text: &str) -> Result<Value, Malformed> {
        self.parse_by(text, Kind::parse)
    }

    fn parse_by(
        &self,
        text: &str,
        parse: impl FnOnce(Kind, &str) -> Option<Value>,
    ) -> Result<Value, Malformed> {
        if text.is_empty() && self.may_be_empty {
            return Ok(Value::Absent);
        }
        parse(self.kind, text).ok_or_else(|| Malformed {
            variable: self.name,
            expected: self.expected(),
        })
    }
}

impl Kind {
    /// Every kind's value but a URL.
    fn parse(self, text: &str) -> Option<Value> {
        match self {
            Kind::Text { min, max } => {
                let length = text.chars().count();
                let fits = (min..=max).contains(&length) && one_line(text);
                fits.then(|| Value::Text(text.to_owned()))
            }
            Kind::Url { .. } => None,
            Kind::Secret32 => parse_key(text).map(|key| Value::Key(Secret::new(key))),
            Kind::Password { min } => {
                let fits =
                    text.chars().count() >= min && text.len() <= PASSWORD_BYTES && one_line(text);
                fits.then(|| Value::SecretText(Secret::new(text.to_owned())))
            }
            Kind::Integer { min, max } => {
                if !text.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                let number = text.parse::<u64>().ok()?;
                (min..=max)
                    .contains(&number)
                    .then_some(Value::Integer(number))
            }
            Kind::Boolean => text.parse().ok().map(Value::Boolean),
        }
    }
}

fn one_line(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

fn parse_url(text: &str, path: bool) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        // The parser forgives blanks around a URL and inside it; a variable is exact.
        && !text.chars().any(|character| character.is_whitespace() || character.is_control());
    (plain && (path || is_origin(text))).then_some(url)
}

/// Whether a text is `http(s)://host` or `http(s)://host:port`, with or without a slash behind it.
/// The host is looked at by its letters only: whether there is such a one, a request finds out.
fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else {
        return false;
    };
    let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority())
    else {
        return false;
    };
    let host = authority.host();
    let address = match authority.port_u16() {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    };
    let as_spin_reads_it = !text.contains(|letter: char| letter.is_ascii_uppercase())
        && (!host.starts_with('[') || authority.port_u16().is_some());
    // Whatever else was there, a name, a path or a fragment, is not in what is put together anew.
    as_spin_reads_it
        && !matches!(host, "" | "[]")
        && text.strip_suffix('/').unwrap_or(text) == address
}

fn parse_key(text: &str) -> Option<[u8; 32]> {
    // Longer texts cannot be 32 bytes; they are not worth decoding.
    if text.len() > 44 {
        return None;
    }
    let mut bytes = BASE64.decode(text).ok()?;
    let key = <[u8; 32]>::try_from(bytes.as_slice()).ok();
    bytes.zeroize();
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_url_without_a_path_is() {
        for text in [
            "https://api.x.com",
            "https://api.x.com/",
            "http://127.0.0.1:3000",
            "http://[::1]:80/",
            "http://xn--bcher-kva.example",
            "http://localhost:65535",
            "http://localhost:1",
        ] {
            assert!(
                is_origin(text) && parse_url(text, false).is_some(),
                "{text}"
            );
        }
        for text in [
            "",
            "api.x.com",
            "ftp://api.x.com",
            "https://",
            "https:///",
            "https://api.x.com/2",
            "https://api.x.com//",
            "https://api.x.com?a",
            "https://api.x.com#a",
            "https://user@api.x.com",
            "https://user:word@api.x.com",
            "https://api.x.com:",
            "https://api.x.com:x",
            "https://api.x.com:65536",
            " https://api.x.com",
            "https://api. x.com",
            "https://[::1",
            "https://[::1]80",
            "https://[]",
            "https://bücher.example",
            "HTTPS://api.x.com",
            "https://API.x.com",
            "http://[::1]",
            "http://[::1]/",
        ] {
            assert!(
                !is_origin(text) && parse_url(text, false).is_none(),
                "{text}"
            );
        }
    }
}

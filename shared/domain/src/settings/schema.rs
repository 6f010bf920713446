//! What one setting is, and how JSON becomes its value.

use serde_json::Value as Json;

use super::networks::{self, Network};
use super::publishing_windows::PublishingWindows;

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// The service whose setting it is.
    pub service: &'static str,
    /// Its name, unique within the service.
    pub name: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// The unit of a number, such as `seconds`.
    pub unit: Option<&'static str>,
    /// The variable of a deployment that gives the value while none is set here.
    pub variable: Option<&'static str>,
    /// The value when neither is there.
    pub fallback: Fallback,
    /// Whether the value never leaves again: not in answers, histories, audit rows or logs.
    pub secret: bool,
    /// One sentence for people.
    pub description: &'static str,
}

/// What a setting may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer {
        /// Smallest.
        minimum: i64,
        /// Largest.
        maximum: i64,
    },
    /// Origins of web pages (RFC 6454), or `*` for every one.
    Origins,
    /// Networks of addresses.
    Networks,
    /// Hours of the week; none at all means always.
    PublishingWindows,
}

/// What holds when nothing was set and no variable is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This.
    Boolean(bool),
    /// This.
    Integer(i64),
    /// The empty list.
    Nothing,
    /// The value of the service's setting of this name.
    SameAs(&'static str),
}

/// A checked value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Of [`Kind::Boolean`].
    Boolean(bool),
    /// Of [`Kind::Integer`].
    Integer(i64),
    /// Of [`Kind::Origins`].
    Origins(Vec<String>),
    /// Of [`Kind::Networks`].
    Networks(Vec<Network>),
    /// Of [`Kind::PublishingWindows`].
    PublishingWindows(PublishingWindows),
}

/// Most origins of one list.
const ORIGINS: usize = 32;

impl Setting {
    /// Reads a value.
    ///
    /// # Errors
    /// Where below the value (a JSON pointer, empty for the value itself) what is wrong; the text
    /// completes "it …" and never repeats the value.
    pub fn parse(&self, json: &Json) -> Result<Value, (String, String)> {
        let here = |detail: String| (String::new(), detail);
        match self.kind {
            Kind::Boolean => json
                .as_bool()
                .map(Value::Boolean)
                .ok_or_else(|| here("must be true or false".to_owned())),
            Kind::Integer { minimum, maximum } => json
                .as_i64()
                .filter(|number| (minimum..=maximum).contains(number))
                .map(Value::Integer)
                .ok_or_else(|| {
                    here(format!(
                        "must be a whole number from {minimum} to {maximum}"
                    ))
                }),
            Kind::Origins => origins(json).map(Value::Origins),
            Kind::Networks => networks::parse(json).map(Value::Networks),
            Kind::PublishingWindows => PublishingWindows::parse(json).map(Value::PublishingWindows),
        }
    }

    /// The value of [`Setting::fallback`]; `None` where it is another setting's.
    #[must_use]
    pub fn fallback_value(&self) -> Option<Value> {
        Some(match (self.fallback, self.kind) {
            (Fallback::Boolean(value), _) => Value::Boolean(value),
            (Fallback::Integer(value), _) => Value::Integer(value),
            (Fallback::Nothing, Kind::PublishingWindows) => {
                Value::PublishingWindows(PublishingWindows::default())
            }
            (Fallback::Nothing, Kind::Networks) => Value::Networks(Vec::new()),
            (Fallback::Nothing, _) => Value::Origins(Vec::new()),
            (Fallback::SameAs(_), _) => return None,
        })
    }
}

impl Kind {
    /// The kind's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer { .. } => "integer",
            Self::Origins => "origins",
            Self::Networks => "networks",
            Self::PublishingWindows => "publishing_windows",
        }
    }
}

impl Value {
    /// As JSON, in the one form in which it is stored.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Boolean(value) => Json::Bool(*value),
            Self::Integer(value) => Json::from(*value),
            Self::Origins(origins) => Json::from(origins.clone()),
            Self::Networks(list) => networks::to_json(list),
            Self::PublishingWindows(windows) => windows.to_json(),
        }
    }
}

fn origins(json: &Json) -> Result<Vec<String>, (String, String)> {
    let wrong = |pointer: String, detail: &str| (pointer, detail.to_owned());
    let list = json
        .as_array()
        .ok_or_else(|| wrong(String::new(), "must be a list"))?;
    if list.len() > ORIGINS {
        return Err(wrong(String::new(), "must have at most 32 entries"));
    }
    let mut origins: Vec<String> = Vec::new();
    for (index, entry) in list.iter().enumerate() {
        let text = entry
            .as_str()
            .filter(|text| *text == "*" || is_origin(text));
        let Some(text) = text else {
            let detail = "must be an origin such as https://example.com, or *";
            return Err(wrong(format!("/{index}"), detail));
        };
        if !origins.iter().any(|other| other == text) {
            origins.push(text.to_owned());
        }
    }
    if origins.len() > 1 && origins.iter().any(|origin| origin == "*") {
        return Err(wrong(
            String::new(),
            "must be * alone, or origins without it",
        ));
    }
    Ok(origins)
}

/// An origin as browsers write it: scheme, host in lower case, a port where it is not the
/// scheme's own.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let own_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return false,
    };
    let port_fits = port.is_none_or(|port| {
        port.parse::<u16>()
            .is_ok_and(|number| number != own_port && number.to_string() == port)
    });
    let name =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let host_fits = match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(address) => {
            let letter = |byte: u8| byte == b':' || matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            address.contains(':') && address.bytes().all(letter)
        }
        None => !host.is_empty() && host.bytes().all(name),
    };
    port_fits && host_fits && text.len() <= 255
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::table;

    #[test]
    fn origins_are_what_browsers_send() {
        for good in [
            "https://example.com",
            "http://127.0.0.1:5173",
            "http://localhost:3001",
            "https://[::1]:8443",
        ] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "null",
            "example.com",
            "https://",
            "https://example.com/",
            "https://Example.com",
            "https://example.com:443",
            "https://example.com:0443",
            "https://user@example.com",
            "https://example.com\r\nx: y",
            "ftp://example.com",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn a_wildcard_stands_alone() {
        let setting = &table::gateway::CORS_ALLOWED_ORIGINS;
        assert!(setting.parse(&json!(["*"])).is_ok());
        assert!(setting.parse(&json!(["*", "https://a.example"])).is_err());
        let (pointer, _) = setting.parse(&json!(["https://a.example", 5])).unwrap_err();
        assert_eq!(pointer, "/1");
    }

    #[test]
    fn numbers_are_whole_and_in_range() {
        let setting = &table::gateway::RATE_LIMIT_PER_MINUTE;
        assert_eq!(setting.parse(&json!(5)), Ok(Value::Integer(5)));
        for bad in [
            json!(0),
            json!(-1),
            json!(1.5),
            json!("5"),
            json!(null),
            json!(1e10),
        ] {
            assert!(setting.parse(&bad).is_err(), "{bad}");
        }
    }
}

//! One record, redacted.

use serde_json::{Map, Value};
use vivesphere_crypto::Secret;
use zeroize::Zeroize;

use super::{Level, LogType, REDACTED, redact_text, redact_value};

/// What can stand in a record's data.
pub trait Loggable {
    /// As it is logged.
    fn logged(&self) -> Value;
}

/// A secret is logged as [`REDACTED`], by its type: whatever it holds.
impl<T: Zeroize> Loggable for Secret<T> {
    fn logged(&self) -> Value {
        REDACTED.into()
    }
}

impl<T: Loggable> Loggable for Option<T> {
    fn logged(&self) -> Value {
        self.as_ref().map_or(Value::Null, Loggable::logged)
    }
}

macro_rules! loggable {
    ($($type:ty),*) => {$(
        impl Loggable for $type {
            fn logged(&self) -> Value {
                self.clone().into()
            }
        }
    )*};
}
loggable!(&str, String, bool, u16, i64, f64, Value, Map<String, Value>);

/// A record on its way into the logs. Its texts went through redaction when it was made, its data
/// with each field.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub(super) log_id: String,
    pub(super) log_type: LogType,
    pub(super) level: Level,
    pub(super) service: String,
    pub(super) actor: String,
    pub(super) message: String,
    pub(super) data: Map<String, Value>,
    pub(super) submitted_by: String,
}

impl Record {
    /// A record of the application's own, of this moment. `service` says which part of it speaks.
    #[must_use]
    pub fn new(log_type: LogType, level: Level, service: &str, message: &str) -> Self {
        Self {
            log_id: crate::new_id(),
            log_type,
            level,
            service: redact_text(service).into_owned(),
            actor: String::new(),
            message: redact_text(message).into_owned(),
            data: Map::new(),
            submitted_by: "system".to_owned(),
        }
    }

    /// Whom it is about.
    #[must_use]
    pub fn actor(mut self, actor: &str) -> Self {
        self.actor = redact_text(actor).into_owned();
        self
    }

    /// Adds a field to its data.
    #[must_use]
    pub fn with(mut self, name: &str, value: &impl Loggable) -> Self {
        let mut field = Map::new();
        field.insert(name.to_owned(), value.logged());
        let mut field = Value::Object(field);
        redact_value(&mut field);
        if let Value::Object(field) = field {
            self.data.extend(field);
        }
        self
    }

    /// Its id.
    #[must_use]
    pub fn log_id(&self) -> &str {
        &self.log_id
    }

    /// Its category.
    #[must_use]
    pub fn log_type(&self) -> LogType {
        self.log_type
    }

    /// The columns of its row, in the order of the tables.
    pub(super) fn columns(&self) -> impl serde::Serialize + '_ {
        (
            &self.log_id,
            self.log_type.as_str(),
            self.level.as_str(),
            &self.service,
            &self.actor,
            &self.message,
            &self.data,
            &self.submitted_by,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_redacted_by_its_type() {
        let record = Record::new(LogType::Debug, Level::Info, "auth", "tried")
            .with("tried", &Secret::new("plain words".to_owned()))
            .with("key", &Some(Secret::new([7_u8; 32])))
            .with("count", &3_i64);
        let columns = serde_json::to_string(&record.columns()).unwrap();
        assert!(!columns.contains("plain words"), "{columns}");
        assert_eq!(record.data["tried"], REDACTED);
        assert_eq!(record.data["key"], REDACTED);
        assert_eq!(record.data["count"], 3);
    }

    #[test]
    fn every_text_of_a_record_is_redacted() {
        let key = "sk-abcdefghijklmnop1234567890";
        let record = Record::new(LogType::Debug, Level::Info, key, key)
            .actor(key)
            .with(key, &key)
            .with(
                "nested",
                &serde_json::json!([{"token": "abc"}, {"a": {key: 1}}]),
            );
        let columns = serde_json::to_string(&record.columns()).unwrap();
        assert!(!columns.contains("sk-abc"), "{columns}");
        assert!(!columns.contains("\"abc\""), "{columns}");
    }
}

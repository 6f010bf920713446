//! What an outside program hands in, made a record.

use serde_json::{Map, Value};

use super::{Level, LogType, Record, redact_text, redact_value};
use crate::FieldError;

/// Most bytes of one record's data and message together.
pub const RECORD_LIMIT: usize = 64 << 10;
const SERVICE_LIMIT: usize = 64;
const ACTOR_LIMIT: usize = 128;

/// Reads `log_type` and `log_data`. Of the data `level` (default `info`), `service` (default: who
/// handed it in), `actor` and `message` are texts that can be asked for later; all else is kept as
/// it is, redacted. `pointer` is where the record stands in the request.
///
/// # Errors
/// What is wrong with it, and where.
pub fn submitted(
    by: &str,
    log_type: &str,
    mut log_data: Map<String, Value>,
    pointer: &str,
) -> Result<Record, FieldError> {
    let wrong = |at: &str, detail: String| FieldError {
        pointer: format!("{pointer}{at}"),
        detail,
    };
    let Some(log_type) = LogType::parse(log_type) else {
        let names = LogType::ALL.map(LogType::as_str).join(", ");
        return Err(wrong("/log_type", format!("must be one of {names}")));
    };
    let mut text = |name: &str, limit: usize| match log_data.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= limit => Ok(Some(text)),
        Some(_) => Err(wrong(
            &format!("/log_data/{name}"),
            format!("must be a text of at most {limit} bytes"),
        )),
    };
    let level = text("level", RECORD_LIMIT)?;
    let service = text("service", SERVICE_LIMIT)?;
    let actor = text("actor", ACTOR_LIMIT)?;
    let message = text("message", RECORD_LIMIT)?.unwrap_or_default();
    let level = match level.as_deref().map(Level::parse) {
        None => Level::Info,
        Some(Some(level)) => level,
        Some(None) => {
            let names = Level::ALL.map(Level::as_str).join(", ");
            return Err(wrong("/log_data/level", format!("must be one of {names}")));
        }
    };
    let mut data = Value::Object(log_data);
    redact_value(&mut data);
    let size = message.len() + data.to_string().len();
    if size > RECORD_LIMIT {
        let detail = format!("must not be larger than {RECORD_LIMIT} bytes");
        return Err(wrong("/log_data", detail));
    }
    Ok(Record {
        log_id: crate::new_id(),
        log_type,
        level,
        service: redact_text(service.as_deref().unwrap_or(by)).into_owned(),
        actor: redact_text(actor.as_deref().unwrap_or_default()).into_owned(),
        message: redact_text(&message).into_owned(),
        data: match data {
            Value::Object(data) => data,
            _ => Map::new(),
        },
        submitted_by: by.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tried(log_type: &str, data: Value) -> Result<Record, FieldError> {
        let Value::Object(data) = data else {
            panic!("not an object")
        };
        submitted("me", log_type, data, "/records/3")
    }

    #[test]
    fn what_can_be_asked_for_is_taken_out_of_the_data() {
        let data = json!({"level": "warn", "service": "s", "actor": "a", "message": "m", "n": [1]});
        let record = tried("console", data).unwrap();
        assert_eq!(
            (record.log_type, record.level),
            (LogType::Console, Level::Warn)
        );
        assert_eq!(
            [&record.service, &record.actor, &record.message],
            ["s", "a", "m"]
        );
        assert_eq!(Value::Object(record.data), json!({"n": [1]}));
        let record = tried("debug", json!({})).unwrap();
        assert_eq!((record.level, record.service.as_str()), (Level::Info, "me"));
        assert_eq!(record.submitted_by, "me");
    }

    #[test]
    fn what_is_wrong_is_said_where_it_is() {
        for (log_type, data, pointer) in [
            ("other", json!({}), "/records/3/log_type"),
            ("Debug", json!({}), "/records/3/log_type"),
            (
                "debug",
                json!({"level": "loud"}),
                "/records/3/log_data/level",
            ),
            ("debug", json!({"level": 3}), "/records/3/log_data/level"),
            (
                "debug",
                json!({"message": {}}),
                "/records/3/log_data/message",
            ),
            (
                "debug",
                json!({"service": "s".repeat(65)}),
                "/records/3/log_data/service",
            ),
            (
                "debug",
                json!({"x": "y".repeat(RECORD_LIMIT)}),
                "/records/3/log_data",
            ),
        ] {
            assert_eq!(tried(log_type, data).unwrap_err().pointer, pointer);
        }
    }
}

//! Whether settings may be set: each by itself, and all together.

use serde_json::{Map, Value as Json, json};

use super::versions::Overrides;
use super::{Value, find, table};
use crate::{Error, FieldError};

/// The values of what is given, `None` for what is taken back; every refusal at once.
pub(super) fn parse(
    service: &str,
    given: &Map<String, Json>,
    base: &str,
) -> Result<Vec<(String, Option<Value>)>, Error> {
    let mut parsed = Vec::new();
    let mut errors = Vec::new();
    for (name, json) in given {
        let mut refuse = |name: &str, pointer: &str, detail: String| {
            let pointer = format!("{base}/{name}{pointer}");
            errors.push(FieldError { pointer, detail });
        };
        let Some(setting) = find(service, name) else {
            // A long one is no misspelt name.
            let name = if name.len() <= 64 { name } else { "?" };
            let name = name.replace('~', "~0").replace('/', "~1");
            refuse(&name, "", format!("is no setting of {service}"));
            continue;
        };
        if json.is_null() {
            parsed.push((name.clone(), None));
            continue;
        }
        match setting.parse(json) {
            Ok(value) => parsed.push((name.clone(), Some(value))),
            Err((pointer, detail)) => refuse(name, &pointer, detail),
        }
    }
    match errors.is_empty() {
        true => Ok(parsed),
        false => Err(Error::Invalid(errors)),
    }
}

/// What is fine by itself but not together.
pub(super) fn fit_together(service: &str, settings: &Overrides, base: &str) -> Result<(), Error> {
    if service != "gateway" {
        return Ok(());
    }
    let origins = settings.get(table::gateway::CORS_ALLOWED_ORIGINS.name);
    let every_origin = origins == Some(&json!(["*"]));
    let credentials = table::gateway::CORS_ALLOW_CREDENTIALS.name;
    if every_origin && settings.get(credentials) == Some(&Json::Bool(true)) {
        return Err(Error::invalid(
            format!("{base}/{credentials}"),
            "must not be true while every origin is allowed",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_refused_with_its_place_and_all_at_once() {
        let given = json!({
            "rate_limit_per_minute": "many",
            "surprise": 1,
            "a/b": 1,
            "cors_allowed_origins": ["https://a.example", "x"],
            "compression": null,
        });
        let refused = parse("gateway", given.as_object().unwrap(), "/s").unwrap_err();
        let Error::Invalid(errors) = refused else {
            panic!("{refused:?}");
        };
        let mut pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        pointers.sort_unstable();
        let wanted = [
            "/s/a~1b",
            "/s/cors_allowed_origins/1",
            "/s/rate_limit_per_minute",
            "/s/surprise",
        ];
        assert_eq!(pointers, wanted);
    }
}

//! The document.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use vivesphere_http::Access;

use crate::description::Api;
use crate::{operation, pipeline, schemas};

const ABOUT: &str = "\
Manages honest, automated accounts on X: people sign in, create bots, schedule posts; the system
publishes them, once each.

Bodies are JSON in UTF-8, names are `snake_case`, ids are UUIDv7, times are RFC 3339 in UTC ending
in `Z`. Lists are `{\"items\": […], \"next_cursor\": \"…\" | null}` with `limit` (1 to 200) and
`cursor`. Every refusal is `application/problem+json` (RFC 9457) with a stable `code`; what is not
valid is told by JSON pointers in `errors`. Fields that are not known are refused. A path that is
described answers 405 with `Allow` to a method that is not.";

/// The OpenAPI 3.1 document of these components, in the order of their paths.
///
/// # Errors
/// A sentence for each row that is not described, each description without a row, and each that
/// is not whole.
pub fn document(version: &str, apis: Vec<Api>) -> Result<Value, Vec<String>> {
    let mut errors = Vec::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut all = schemas::shared::<vivesphere_http::ProblemBody<'static>>();
    let mut tags = Vec::new();
    for mut api in apis {
        check(&api, &mut errors);
        for route in api.routes {
            let Some(described) = find(&api, route.method.as_http(), route.path) else {
                continue;
            };
            let item = paths.entry(route.path).or_default();
            if route.access == Access::Service {
                let server = json!({
                    "url": format!("http://{}.spin.internal", api.component),
                    "description": "Service chaining: reached by other components only.",
                });
                item.insert("servers".to_owned(), json!([server]));
            }
            let method = route.method.as_http().as_str().to_ascii_lowercase();
            let operation = operation::operation(&api, route, described);
            if item.insert(method, operation).is_some() {
                errors.push(format!(
                    "{:?} {} is in two tables",
                    route.method, route.path
                ));
            }
        }
        match api.schemas.definitions() {
            Ok(definitions) => all.extend(definitions),
            Err(error) => errors.push(format!("{}: {error}", api.component)),
        }
        tags.push(json!({"name": api.component, "description": api.about}));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ViveSphere",
            "version": version,
            "summary": "A self-hosted manager for honest, automated accounts on X",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Where this document is served."}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": all,
            "headers": pipeline::headers(),
            "parameters": pipeline::parameters(),
            "securitySchemes": pipeline::security_schemes(),
        },
    });
    // Whatever the order of serde_json's maps in this build: the text must not depend on it.
    sort(&mut document);
    share_responses(&mut document);
    sort(&mut document);
    Ok(document)
}

fn sort(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<String, Value> = std::mem::take(fields).into_iter().collect();
            fields.extend(sorted);
            fields.values_mut().for_each(sort);
        }
        Value::Array(items) => items.iter_mut().for_each(sort),
        _ => {}
    }
}

fn find<'a>(
    api: &'a Api,
    method: http::Method,
    path: &str,
) -> Option<&'a crate::description::Operation> {
    api.operations
        .iter()
        .find(|operation| operation.path == path && operation.method.as_http() == method)
}

/// Every row has one whole description, every description a row.
fn check(api: &Api, errors: &mut Vec<String>) {
    let component = api.component;
    for route in api.routes {
        if find(api, route.method.as_http(), route.path).is_none() {
            errors.push(format!(
                "{component}: {:?} {} is not described: add it to components/{component}/src/api.rs",
                route.method, route.path
            ));
        }
    }
    let mut seen = BTreeSet::new();
    for operation in &api.operations {
        let name = format!("{component}: {:?} {}", operation.method, operation.path);
        let has_row = api
            .routes
            .iter()
            .any(|route| route.path == operation.path && route.method == operation.method);
        if !has_row {
            errors.push(format!("{name} is described but not in the route table"));
        }
        if !operation
            .answers
            .iter()
            .any(|answer| answer.status.is_success())
        {
            errors.push(format!("{name} does not say what it gives"));
        }
        if !seen.insert(name.clone()) {
            errors.push(format!("{name} is described twice"));
        }
    }
}

/// Moves responses that several operations have word for word to `components/responses`.
fn share_responses(document: &mut Value) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    each_response(document, |_, response| {
        *counts.entry(response.to_string()).or_default() += 1;
    });
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut shared = Map::new();
    each_response(document, |status, response| {
        let text = response.to_string();
        if status < "400" || counts.get(&text).is_none_or(|count| *count < 3) {
            return;
        }
        let name = names.entry(text).or_insert_with(|| {
            let plain = response_name(status, response);
            let mut name = plain.clone();
            let mut number = 1;
            while shared.contains_key(&name) {
                number += 1;
                name = format!("{plain}{number}");
            }
            shared.insert(name.clone(), response.clone());
            name
        });
        *response = json!({"$ref": format!("#/components/responses/{name}")});
    });
    document["components"]["responses"] = Value::Object(shared);
}

/// One or two codes name a response, more do not: then its status does.
fn response_name(status: &str, response: &Value) -> String {
    let pointer = "/content/application~1problem+json/schema/allOf/1/properties/code/enum";
    let codes = response.pointer(pointer).and_then(Value::as_array);
    let words = |text: &str| -> String {
        text.split([' ', '_'])
            .map(|word| {
                let (first, rest) = word.split_at(word.len().min(1));
                first.to_ascii_uppercase() + rest
            })
            .collect()
    };
    match codes.map(Vec::as_slice) {
        Some(codes @ ([_] | [_, _])) => {
            let names: Vec<String> = codes.iter().filter_map(Value::as_str).map(words).collect();
            names.join("Or")
        }
        _ => http::StatusCode::from_bytes(status.as_bytes())
            .ok()
            .and_then(|status| status.canonical_reason())
            .map_or_else(|| format!("Status{status}"), words),
    }
}

fn each_response(document: &mut Value, mut visit: impl FnMut(&str, &mut Value)) {
    let paths = document["paths"].as_object_mut();
    for operation in paths
        .into_iter()
        .flat_map(|paths| paths.values_mut())
        .filter_map(Value::as_object_mut)
        .flat_map(|item| item.values_mut())
    {
        let responses = operation
            .get_mut("responses")
            .and_then(Value::as_object_mut);
        for (status, response) in responses.into_iter().flatten() {
            visit(status, response);
        }
    }
}

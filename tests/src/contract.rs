//! What the API's description says of an answer. Every answer that a scenario gets is held
//! against `docs/openapi.json`: its status, its type, its body; of a stream, each of its lines.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a failed unwrap or a panic is the assertion"
)]

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::build::repository;

fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let text = std::fs::read(repository().join("docs/openapi.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    })
}

/// The described path that a path is of; a literal segment wins over a parameter.
fn described(path: &str) -> Option<(&'static String, &'static Value)> {
    let fits = |template: &str| {
        let (mut wanted, mut given) = (template.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some(wanted), Some(given)) if wanted == given || wanted.starts_with('{') => {}
                _ => return false,
            }
        }
    };
    let paths = document()["paths"].as_object()?;
    paths
        .iter()
        .filter(|(template, _)| fits(template))
        .min_by_key(|(template, _)| template.matches('{').count())
}

fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => document()
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{reference} leads nowhere")),
        None => value,
    }
}

/// Holds an answer of the application against its description. An answer that is not the
/// pipeline's (it has no `x-request-id`) or whose path is not described is somebody else's.
///
/// # Panics
/// When the answer is not as described.
pub(crate) fn check(method: &str, path: &str, status: u16, headers: &HeaderMap, body: &str) {
    let Some((template, item)) = described(path) else {
        return;
    };
    if !headers.contains_key("x-request-id") || item.get("servers").is_some() {
        return;
    }
    // What is compressed or asked by a browser beforehand is the pipeline's own matter.
    if headers.contains_key("content-encoding") || (method, status) == ("OPTIONS", 204) {
        return;
    }
    let name = format!("{method} {template} {status}");
    let head_alone = method == "HEAD";
    let method = if head_alone { "GET" } else { method };
    let Some(operation) = item.get(method.to_ascii_lowercase()) else {
        // What has no route is paid for, too.
        assert!([405, 429].contains(&status), "{name} is not described");
        return;
    };
    let response = resolved(match operation["responses"].get(status.to_string()) {
        Some(response) => response,
        None => panic!("{name} is not described: {body}"),
    });
    let Some(content) = response.get("content").filter(|_| !head_alone) else {
        assert_eq!(body, "", "{name} has a body that is not described");
        return;
    };
    let kind = headers["content-type"].to_str().unwrap();
    let kind = kind.split(';').next().unwrap_or_default();
    let Some(media) = content.get(kind) else {
        panic!("{name} is of type {kind}, which is not described");
    };
    let (schema, values): (&Value, Vec<Value>) = match (media["schema"].get("x-line"), kind) {
        (Some(line), _) => {
            let lines = body.lines().map(|line| serde_json::from_str(line).unwrap());
            (line, lines.collect())
        }
        (None, kind) if kind.ends_with("json") => {
            (&media["schema"], vec![serde_json::from_str(body).unwrap()])
        }
        _ => (&media["schema"], vec![json!(body)]),
    };
    static COMPILED: OnceLock<Mutex<Compiled>> = OnceLock::new();
    let mut compiled = COMPILED.get_or_init(Mutex::default).lock().unwrap();
    let Compiled { schemas, known } = &mut *compiled;
    let index = *known
        .entry(format!("{name} {kind}"))
        .or_insert_with_key(|key| compile(key, schema, schemas));
    let result = values.iter().try_for_each(|value| {
        let valid = schemas.validate(value, index);
        valid.map_err(|error| format!("{error:#}"))
    });
    drop(compiled);
    if let Err(error) = result {
        panic!("{name} is not as described: {error}\n{body}");
    }
}

/// Schemas that were met before, by operation, status and type.
#[derive(Default)]
struct Compiled {
    schemas: Schemas,
    known: HashMap<String, SchemaIndex>,
}

fn compile(name: &str, schema: &Value, schemas: &mut Schemas) -> SchemaIndex {
    let url = format!(
        "http://contract/{}",
        name.replace(' ', "/").replace(['{', '}'], "")
    );
    let whole = json!({"allOf": [schema], "components": document()["components"]});
    let mut compiler = Compiler::new();
    compiler.set_default_draft(Draft::V2020_12);
    compiler.enable_format_assertions();
    compiler.add_resource(&url, whole).unwrap();
    compiler.compile(&url, schemas).unwrap()
}

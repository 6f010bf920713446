//! The API's description: it says everything that is there, nothing that is not, and it is served.

use std::collections::{BTreeMap, BTreeSet};

use boon::{Compiler, Draft, Schemas};
use serde_json::{Value, json};
use toml_edit::DocumentMut;
use vivesphere_http::Access;
use vivesphere_tests::app::App;
use vivesphere_tests::build::repository;

fn document() -> Value {
    let text = vivesphere_openapi::text().unwrap_or_else(|errors| panic!("{errors:#?}"));
    serde_json::from_str(&text).unwrap()
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap();
        item.iter()
            .filter(|(name, _)| *name != "servers")
            .map(move |(method, operation)| (path, method, operation))
    })
}

/// The routes of `spin.toml` that the world may call, each with its component.
fn triggers() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(repository().join("spin.toml")).unwrap();
    let manifest: DocumentMut = text.parse().unwrap();
    manifest["trigger"]["http"]
        .as_array_of_tables()
        .unwrap()
        .iter()
        .filter_map(|trigger| {
            let route = trigger["route"].as_str()?;
            let component = trigger["component"].as_str().unwrap();
            Some((route.to_owned(), component.to_owned()))
        })
        // What has no place elsewhere: it leads to no route.
        .filter(|(route, _)| route != "/...")
        .collect()
}

/// The trigger that a path goes to: the longest that fits.
fn trigger_of<'a>(triggers: &'a BTreeMap<String, String>, path: &str) -> Option<&'a String> {
    let fits = |route: &&String| match route.strip_suffix("/...") {
        Some(prefix) => path == prefix || path.starts_with(&format!("{prefix}/")),
        // What the manifest writes `:bot_id` stands for any segment.
        None => {
            path.split('/').count() == route.split('/').count()
                && path
                    .split('/')
                    .zip(route.split('/'))
                    .all(|(segment, wanted)| wanted.starts_with(':') || segment == wanted)
        }
    };
    triggers
        .keys()
        .filter(fits)
        .max_by_key(|route| (!route.ends_with("/..."), route.len()))
}

#[test]
fn the_file_is_what_the_components_say() {
    let text = vivesphere_openapi::text().unwrap_or_else(|errors| panic!("{errors:#?}"));
    let file = std::fs::read_to_string(repository().join("docs/openapi.json")).unwrap();
    assert!(
        file == text,
        "docs/openapi.json is out of date: run `cargo openapi`"
    );
}

#[test]
fn every_route_of_the_manifest_and_of_the_components_is_described_and_nothing_else_is() {
    let document = document();
    let triggers = triggers();
    let apis = vivesphere_openapi::apis();
    let described: BTreeSet<&str> = apis.iter().map(|api| api.component()).collect();
    for (route, component) in &triggers {
        assert!(
            described.contains(component.as_str()),
            "{component} ({route}) is not described: give it a src/api.rs and a line in \
             openapi/src/lib.rs"
        );
    }
    let mut left: BTreeSet<(String, String)> = operations(&document)
        .map(|(path, method, _)| (method.to_ascii_uppercase(), path.clone()))
        .collect();
    let mut used = BTreeSet::new();
    for api in &apis {
        assert!(
            triggers
                .values()
                .any(|component| component == api.component()),
            "{} is described but has no route in spin.toml",
            api.component()
        );
        for route in api.routes() {
            let operation = (route.method.as_http().to_string(), route.path.to_owned());
            assert!(left.remove(&operation), "{operation:?} is not described");
            let trigger = trigger_of(&triggers, route.path);
            if route.access == Access::Service {
                assert_eq!(trigger, None, "{operation:?} can be reached from outside");
                continue;
            }
            let trigger = trigger.unwrap_or_else(|| panic!("{operation:?} has no trigger"));
            assert_eq!(triggers[trigger], api.component(), "{operation:?}");
            used.insert(trigger.clone());
        }
    }
    assert_eq!(left, BTreeSet::new(), "described without a row");
    let all: BTreeSet<String> = triggers.into_keys().collect();
    assert_eq!(used, all, "a trigger without a described route");
}

#[test]
fn an_operation_says_who_may_call_it_and_how_it_refuses() {
    let document = document();
    let mut ids = BTreeSet::new();
    for api in vivesphere_openapi::apis() {
        for route in api.routes() {
            let method = route.method.as_http().as_str().to_ascii_lowercase();
            let operation = &document["paths"][route.path][&method];
            let name = format!("{method} {}", route.path);
            assert!(ids.insert(operation["operationId"].to_string()), "{name}");
            assert_eq!(operation["tags"][0], api.component(), "{name}");
            assert!(operation["summary"].as_str().unwrap().len() > 5, "{name}");
            let responses = operation["responses"].as_object().unwrap();
            let says = |status: &str| responses.contains_key(status);
            assert!(says("400") && says("500") && says("503"), "{name}");
            let closed = route.access != Access::Public;
            assert!(!closed || (says("401") && says("403")), "{name}");
            assert_eq!(route.access != Access::Service, says("429"), "{name}");
            assert!(!route.path.contains('{') || says("404"), "{name}");
            let json = operation["requestBody"]["content"].get("application/json");
            assert!(json.is_none() || (says("415") && says("422")), "{name}");
            let permission = match route.access {
                Access::Permission(permission) | Access::ServiceOr(permission) => {
                    let text = operation["description"].as_str().unwrap();
                    assert!(text.contains(permission.as_str()), "{name}: {text}");
                    Some(permission.as_str())
                }
                _ => None,
            };
            assert_eq!(operation["x-permission"].as_str(), permission, "{name}");
            assert_eq!(
                operation["security"].as_array().unwrap().is_empty(),
                !closed,
                "{name}"
            );
            let parameters = operation["parameters"].as_array();
            let named: BTreeSet<&str> = parameters
                .into_iter()
                .flatten()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            let wanted: BTreeSet<&str> = route
                .path
                .split('/')
                .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            assert_eq!(named, wanted, "{name}");
        }
    }
}

#[test]
fn every_schema_is_one_and_every_reference_leads_somewhere() {
    fn references(value: &Value, all: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    match value {
                        Value::String(text) if key == "$ref" => {
                            all.insert(text.clone());
                        }
                        other => references(other, all),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, all)),
            _ => {}
        }
    }
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut all = BTreeSet::new();
    references(&document, &mut all);
    for reference in &all {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let components = document["components"].as_object().unwrap();
    for kind in ["schemas", "responses", "headers", "parameters"] {
        for name in components[kind].as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(all.contains(&reference), "nobody refers to {reference}");
        }
    }
    // Compiling a schema checks it against the specification's own schema of schemas.
    let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
    compiler.set_default_draft(Draft::V2020_12);
    let url = "http://contract/openapi.json";
    compiler.add_resource(url, document.clone()).unwrap();
    for name in components["schemas"].as_object().unwrap().keys() {
        let place = format!("{url}#/components/schemas/{name}");
        if let Err(error) = compiler.compile(&place, &mut schemas) {
            panic!("{name}: {error:#}");
        }
    }
}

#[tokio::test]
async fn it_is_served_with_a_page_that_asks_nobody_else() {
    let app = App::start().await;
    let anyone = app.anonymous();
    let served = anyone.get("/api/v1/openapi.json").await;
    let file = std::fs::read_to_string(repository().join("docs/openapi.json")).unwrap();
    assert_eq!(
        served.json(200),
        serde_json::from_str::<Value>(&file).unwrap()
    );

    let page = anyone.get("/docs").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
    assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"));
    let mut bytes = page.text.len();
    assert!(!page.text.contains("style=") && !page.text.contains("<script>"));
    for (path, kind) in [
        ("/docs/page.css", "text/css; charset=utf-8"),
        ("/docs/page.js", "text/javascript; charset=utf-8"),
    ] {
        assert!(page.text.contains(path), "{path}");
        let part = anyone.get(path).await;
        assert_eq!((part.status, part.header("content-type")), (200, kind));
        let outside = part.text.replace("https://example.org/", "");
        assert!(
            !outside.contains("//cdn") && !outside.contains("http"),
            "{path}"
        );
        for risky in [
            "innerHTML",
            "eval(",
            "localStorage",
            "sessionStorage",
            "document.cookie",
        ] {
            assert!(!part.text.contains(risky), "{path} has {risky}");
        }
        bytes += part.text.len();
    }
    assert!(bytes < 60_000, "{bytes}");
}

/// What a schema is in the end: references followed, `null` left out.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#'));
        return resolved(document, target.unwrap());
    }
    let choices = schema["anyOf"].as_array().or(schema["oneOf"].as_array());
    let choice = choices.and_then(|choices| choices.iter().find(|one| one["type"] != "null"));
    choice.map_or(schema, |choice| resolved(document, choice))
}

#[tokio::test]
async fn an_object_within_a_body_is_no_list_of_its_fields() {
    let document = document();
    let app = App::start().await;
    let admin = app.admin().await;
    let mut seen = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let properties = resolved(&document, body)["properties"].as_object();
        for (name, property) in properties.into_iter().flatten() {
            let property = resolved(&document, property);
            let items = resolved(&document, &property["items"]);
            let (value, pointer) = if property.get("properties").is_some() {
                (json!([1]), format!("/{name}"))
            } else if items.get("properties").is_some() {
                (json!([[1]]), format!("/{name}/0"))
            } else {
                continue;
            };
            let path = path
                .split('/')
                .map(|segment| match segment.starts_with('{') {
                    true => "018f0000-0000-7000-8000-000000000000",
                    false => segment,
                })
                .collect::<Vec<_>>()
                .join("/");
            let method = method.to_uppercase().parse().unwrap();
            let body = json!({name: value});
            let answer = admin
                .send(method, &path, |request| request.json(&body))
                .await;
            let problem = answer.problem(422, "invalid");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{path}");
            assert_eq!(problem["errors"][0]["detail"], "must be an object");
            seen.insert(name.clone());
        }
    }
    let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
    let wanted = [
        "credentials",
        "permission",
        "records",
        "selectors",
        "settings_data",
    ];
    assert_eq!(seen, wanted);
}

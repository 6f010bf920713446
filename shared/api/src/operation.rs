//! One operation as OpenAPI has it.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value, json};
use vivesphere_http::{Access, Route};

use crate::description::{Api, Operation};
use crate::pipeline::{self, Refusal};

const PROBLEM: &str = "application/problem+json";

/// The operation object of a row and its description.
pub(crate) fn operation(api: &Api, route: &Route, described: &Operation) -> Value {
    let mut operation = Map::new();
    let mut put = |name: &str, value: Value| operation.insert(name.to_owned(), value);
    put("operationId", json!(id(route)));
    put("tags", json!([api.component]));
    put("summary", json!(described.summary));
    put("description", json!(text(route, described)));
    if let Some(permission) = pipeline::permission(route.access) {
        put("x-permission", json!(permission.as_str()));
    }
    if route.access == Access::Service {
        put("x-internal", json!(true));
    }
    put("security", pipeline::security(route.access));
    let parameters = parameters(api, route, described);
    if !parameters.is_empty() {
        put("parameters", json!(parameters));
    }
    if let Some(body) = &described.body {
        let mut schema = body.schema.clone().to_value();
        api.schemas.rename(&mut schema);
        let content: Map<String, Value> = std::iter::once(&body.content_type)
            .chain(&body.also_as)
            .map(|kind| ((*kind).to_owned(), json!({"schema": schema})))
            .collect();
        put(
            "requestBody",
            json!({"required": body.required, "content": content}),
        );
    }
    put("responses", responses(api, route, described));
    Value::Object(operation)
}

/// Method and path in one name: `post_bots_by_bot_id_pause`. Unique, since they are.
fn id(route: &Route) -> String {
    let path = route.path.strip_prefix("/api/v1").unwrap_or(route.path);
    let mut id = route.method.as_http().as_str().to_ascii_lowercase();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        let name = segment
            .strip_prefix('{')
            .and_then(|segment| segment.strip_suffix('}'));
        if name.is_some() {
            id.push_str("_by");
        }
        id.push('_');
        let plain = |letter: char| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '_'
            }
        };
        id.extend(
            name.unwrap_or(segment)
                .trim_start_matches('.')
                .chars()
                .map(plain),
        );
    }
    id
}

fn text(route: &Route, described: &Operation) -> String {
    let mut parts: Vec<String> = described
        .text
        .iter()
        .map(|text| (*text).to_owned())
        .collect();
    parts.push(match route.access {
        Access::Public => "Open to anyone.".to_owned(),
        Access::SignedIn => "For anyone who is signed in.".to_owned(),
        Access::Permission(permission) => {
            format!(
                "Needs the permission `{permission}`: {}.",
                permission.description()
            )
        }
        Access::ServiceOr(permission) => format!(
            "For the deployment's scheduler, or with the permission `{permission}`: {}.",
            permission.description()
        ),
        Access::Service => {
            "Between components only, with the service key: from outside it is not there."
                .to_owned()
        }
    });
    parts.push(pipeline::limits(route));
    if route.confidential {
        let kept = "The answer holds a secret: it is not compressed, has no tag and is not kept.";
        parts.push(kept.to_owned());
    }
    parts.join("\n\n")
}

fn parameters(api: &Api, route: &Route, described: &Operation) -> Vec<Value> {
    let mut all = Vec::new();
    for segment in route.path.split('/') {
        let Some(name) = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
        else {
            continue;
        };
        let schema = if name.ends_with("_id") || name == "id" {
            json!({"type": "string", "format": "uuid"})
        } else if name == "version" {
            json!({"type": "integer", "minimum": 1})
        } else {
            json!({"type": "string", "minLength": 1})
        };
        all.push(json!({"name": name, "in": "path", "required": true, "schema": schema}));
    }
    for query in &described.query {
        let mut query = query.clone().to_value();
        api.schemas.rename(&mut query);
        let required = query["required"].as_array().cloned().unwrap_or_default();
        let fields = query["properties"].as_object().cloned().unwrap_or_default();
        for (name, mut schema) in fields {
            without_null(&mut schema);
            let mut parameter = Map::new();
            parameter.insert("name".to_owned(), json!(name));
            parameter.insert("in".to_owned(), json!("query"));
            if let Some(text) = schema
                .as_object_mut()
                .and_then(|it| it.remove("description"))
            {
                parameter.insert("description".to_owned(), text);
            }
            if required.contains(&json!(name)) {
                parameter.insert("required".to_owned(), json!(true));
            }
            parameter.insert("schema".to_owned(), schema);
            all.push(Value::Object(parameter));
        }
    }
    if pipeline::has_tag(route) && !described.streamed {
        all.push(json!({"$ref": "#/components/parameters/IfNoneMatch"}));
    }
    if described.if_match {
        all.push(json!({"$ref": "#/components/parameters/IfMatch"}));
    }
    if pipeline::takes_key(route) {
        all.push(json!({"$ref": "#/components/parameters/IdempotencyKey"}));
    }
    all
}

/// A query has no null: what is optional is left out.
fn without_null(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else {
        return;
    };
    fields.remove("default");
    let null = json!("null");
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|kind| *kind != null);
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = fields.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(choices)) = fields.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != null);
        if let [only] = choices.as_slice() {
            let only = only.clone();
            fields.remove("anyOf");
            if let Value::Object(only) = only {
                fields.extend(only);
            }
        }
    }
}

fn responses(api: &Api, route: &Route, described: &Operation) -> Value {
    let mut by_status: BTreeMap<StatusCode, (Vec<String>, Map<String, Value>, Map<String, Value>)> =
        BTreeMap::new();
    for answer in &described.answers {
        let (texts, content, headers) = by_status.entry(answer.status).or_default();
        texts.push(answer.description.clone());
        if let Some((kind, schema)) = &answer.content {
            let mut schema = schema.clone();
            api.schemas.rename(&mut schema);
            content.insert((*kind).to_owned(), json!({"schema": schema}));
        }
        for (name, about) in &answer.headers {
            let header = json!({
                "description": about, "required": true, "schema": {"type": "string"},
            });
            headers.insert((*name).to_owned(), header);
        }
    }
    if pipeline::has_tag(route) && !described.streamed {
        let (texts, ..) = by_status.entry(StatusCode::NOT_MODIFIED).or_default();
        texts.push("`If-None-Match` named its tag: you have it already.".to_owned());
    }
    let refusals = pipeline::refusals(route, described);
    for status in refusals.iter().map(|(status, ..)| *status) {
        let of_status: Vec<&Refusal> = refusals
            .iter()
            .filter(|(other, ..)| *other == status)
            .collect();
        let (texts, content, _) = by_status.entry(status).or_default();
        if content.contains_key(PROBLEM) {
            continue;
        }
        texts.extend(
            of_status
                .iter()
                .map(|(_, code, when)| format!("`{code}`: {when}")),
        );
        let codes: Vec<&str> = of_status.iter().map(|(_, code, _)| *code).collect();
        content.insert(
            PROBLEM.to_owned(),
            json!({"schema": problem(status, &codes)}),
        );
    }
    let responses: Map<String, Value> = by_status
        .into_iter()
        .map(|(status, (texts, content, own))| {
            let mut response = json!({
                "description": texts.join("\n\n"),
                "headers": pipeline::headers_of(route, described, status),
            });
            if !own.is_empty()
                && let Some(headers) = response["headers"].as_object_mut()
            {
                headers.extend(own);
            }
            if !content.is_empty() {
                response["content"] = Value::Object(content);
            }
            (status.as_str().to_owned(), response)
        })
        .collect();
    Value::Object(responses)
}

/// A problem of this status with one of these codes.
fn problem(status: StatusCode, codes: &[&str]) -> Value {
    let mut own = json!({
        "properties": {"status": {"const": status.as_u16()}, "code": {"enum": codes}},
    });
    if codes == ["invalid"] {
        own["required"] = json!(["errors"]);
    }
    json!({"allOf": [{"$ref": "#/components/schemas/Problem"}, own]})
}

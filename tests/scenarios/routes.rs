//! Every route of every component: without a token, without the permission, with what belongs to
//! another, with what cannot be read.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, header};
use serde_json::{Value, json};
use vivesphere_http::{Access, Route};
use vivesphere_tests::app::App;
use vivesphere_tests::client::{Answer, Client};

use crate::routes_cases::{self, Body, Case, Foreign, all};

/// The rows of every component that is described, and so of every one that the manifest has a route
/// for: the scenario `openapi` fails when one is missing there.
fn routes() -> Vec<&'static Route> {
    let apis = vivesphere_openapi::apis();
    apis.iter().flat_map(|api| api.routes()).collect()
}

fn pairs() -> Vec<(&'static Route, Case)> {
    let mut cases = all();
    let mut pairs = Vec::new();
    for route in routes() {
        let position = cases.iter().position(|case| {
            case.path == route.path && case.method == route.method.as_http().as_str()
        });
        let Some(position) = position else {
            panic!("{:?} {} has no case", route.method, route.path);
        };
        pairs.push((route, cases.swap_remove(position)));
    }
    let left: Vec<_> = cases.iter().map(|case| (case.method, case.path)).collect();
    assert!(left.is_empty(), "cases without a route: {left:?}");
    pairs
}

/// A path with an id in the place of each of its parameters.
fn filled<'a>(path: &'a str, id: impl Fn(&str) -> &'a str) -> String {
    let segments = path.split('/').map(|segment| {
        let name = segment
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'));
        name.map_or(segment, &id)
    });
    segments.collect::<Vec<_>>().join("/")
}

const NOBODYS: &str = "01890000-0000-7000-8000-000000000000";

fn anywhere(path: &str) -> String {
    filled(path, |_| NOBODYS)
}

async fn send(client: &Client, case: &Case, path: &str, bot_id: &str) -> Answer {
    let method: Method = case.method.parse().unwrap();
    let path = match case.foreign {
        Foreign::Query => format!("{path}?bot_id={bot_id}"),
        _ => path.to_owned(),
    };
    client
        .send(method, &path, |request| match &case.body {
            Body::Json(body) => {
                let mut body = body.clone();
                if body.get("bot_id").is_some() {
                    body["bot_id"] = json!(bot_id);
                }
                request.json(&body)
            }
            Body::Form => request.form(&[("grant_type", "refresh_token")]),
            Body::None | Body::OptionalJson => request,
        })
        .await
}

#[test]
fn every_route_has_a_case_and_no_two_are_the_same() {
    let pairs = pairs();
    let distinct: BTreeSet<_> = pairs
        .iter()
        .map(|(_, case)| (case.method, case.path))
        .collect();
    assert_eq!(distinct.len(), pairs.len());
    for (route, _) in &pairs {
        let internal = route.path.starts_with("/internal/");
        assert_eq!(internal, route.access == Access::Service, "{}", route.path);
    }
}

#[tokio::test]
async fn without_a_token_only_public_routes_answer() {
    let app = App::start().await;
    app.admin().await;
    for (route, case) in pairs() {
        let path = anywhere(route.path);
        for token in [
            None,
            Some("nonsense"),
            Some("vs_0000000000000000"),
            Some(""),
        ] {
            let client = match token {
                None => app.anonymous(),
                Some(token) => app.anonymous().with_token(token),
            };
            let answer = send(&client, &case, &path, NOBODYS).await;
            match route.access {
                Access::Public => {
                    // What is asked may be wrong; whether one may ask is not the question.
                    let code = answer.status == 401 && answer.text.contains("missing_credentials");
                    assert!(!code || case.path.ends_with("validate"), "{}", answer.asked);
                    assert!(answer.status < 500, "{}: {}", answer.asked, answer.text);
                }
                Access::Service => assert_eq!(answer.status, 404, "{}", answer.asked),
                _ => assert_eq!(answer.any_problem()["status"], 401, "{}", answer.asked),
            }
        }
    }
}

#[tokio::test]
async fn without_the_permission_every_route_says_so() {
    let app = App::start().await;
    let admin = app.admin().await;
    let mut nobody = app.user(&admin, &[]).await;
    let mut looked_at = 0;
    for (route, case) in pairs() {
        let answer = send(&nobody, &case, &anywhere(route.path), NOBODYS).await;
        looked_at += 1;
        match route.access {
            Access::Permission(permission) | Access::ServiceOr(permission) => {
                let problem = answer.problem(403, "forbidden");
                let detail = problem["detail"].as_str().unwrap();
                assert!(
                    detail.contains(permission.as_str()),
                    "{}: {detail}",
                    answer.asked
                );
            }
            Access::Service => assert_eq!(answer.status, 404, "{}", answer.asked),
            Access::Public => {}
            Access::SignedIn => {
                assert!(
                    !matches!(answer.status, 401 | 403 | 500..),
                    "{}",
                    answer.asked
                );
            }
        }
        if case.path.ends_with("/logout") {
            assert_eq!(answer.status, 204);
            // The rest needs a session that has not been ended on the way.
            let anonymous = app.anonymous();
            nobody = anonymous.sign_in(&nobody.username, &nobody.password).await;
        }
    }
    assert_eq!(looked_at, all().len());
    nobody.get("/api/v1/auth/me").await.json(200);
}

/// Something of each kind that has an id, made by one user.
async fn belongings(admin: &Client, owner: &Client) -> BTreeMap<&'static str, String> {
    let made = async |who: &Client, path: &str, body: Value, id: &str| {
        let made = who.post(path, &body).await.json(201);
        made[id].as_str().unwrap().to_owned()
    };
    let bot = json!({"bot_name": "not yours"});
    let bot_id = made(owner, "/api/v1/bots/create", bot, "bot_id").await;
    let data = json!({"bot_id": bot_id, "data": {"a": "b"}});
    owner.post("/api/v1/botdata/store", &data).await.json(201);
    let later = json!({"text": "not yours", "scheduled_at": "2099-01-01T00:00:00Z"});
    let post_id = owner.schedule(&bot_id, &later).await;
    let persona = routes_cases::persona();
    let persona_id = made(owner, "/api/v1/personas/create", persona, "persona_id").await;
    let key = json!({"name": "not yours", "scopes": ["bots:read"]});
    let access_key_id = made(owner, "/api/v1/access-keys", key, "access_key_id").await;
    let key = json!({"provider": "openai", "label": "not yours", "key": "a-key-of-them"});
    let apikey_id = made(owner, "/api/v1/apikeys/store", key, "apikey_id").await;
    let source = routes_cases::trend_source();
    let source_id = made(admin, "/api/v1/trends/sources", source, "source_id").await;
    BTreeMap::from([
        ("bot_id", bot_id),
        ("post_id", post_id),
        ("persona_id", persona_id),
        ("access_key_id", access_key_id),
        ("apikey_id", apikey_id),
        ("user_id", owner.user_id.clone()),
        ("source_id", source_id),
        ("role", "operator".to_owned()),
        ("version", "1".to_owned()),
        // Nobody's: it is found, not made.
        ("trend_id", NOBODYS.to_owned()),
    ])
}

/// What its owner reads of everything that is theirs.
async fn seen(owner: &Client, ids: &BTreeMap<&'static str, String>) -> Vec<Value> {
    let mut seen = Vec::new();
    for (place, id) in [
        ("bots", "bot_id"),
        ("posts", "post_id"),
        ("personas", "persona_id"),
        ("access-keys", "access_key_id"),
        ("apikeys", "apikey_id"),
    ] {
        let path = format!("/api/v1/{place}/{}", ids[id]);
        seen.push(owner.get(&path).await.json(200));
    }
    let data = format!("/api/v1/botdata/retrieve?bot_id={}", ids["bot_id"]);
    seen.push(owner.get(&data).await.json(200));
    seen
}

#[tokio::test]
async fn what_belongs_to_another_is_not_there() {
    let app = App::start().await;
    let admin = app.admin().await;
    let owner = app.user(&admin, &["operator"]).await;
    let other = app.user(&admin, &["operator"]).await;
    let viewer = app.user(&admin, &["viewer"]).await;
    let ids = belongings(&admin, &owner).await;
    let bot_id = ids["bot_id"].as_str();
    let before = seen(&owner, &ids).await;
    let mut tried = BTreeSet::new();
    for (route, case) in pairs() {
        let path = filled(route.path, |name| ids[name].as_str());
        let answer = async |bot_id: &str, path: &str| send(&other, &case, path, bot_id).await;
        match case.foreign {
            Foreign::No => continue,
            _ if route.access == Access::Service => {
                let answer = answer(bot_id, &path).await;
                assert_eq!(answer.status, 404, "{}", answer.asked);
            }
            Foreign::Path | Foreign::Body | Foreign::Query => {
                let there = answer(bot_id, &path).await;
                let problem = there.problem(404, "not_found");
                // As if it had never been.
                let absent = answer(NOBODYS, &anywhere(route.path)).await;
                let mut absent = absent.problem(404, "not_found");
                absent["request_id"] = problem["request_id"].clone();
                assert_eq!(problem, absent);
            }
            Foreign::Managed => {
                answer(bot_id, &path).await.problem(403, "forbidden");
            }
            Foreign::Everybodys => {
                // Read by whoever reads such things, changed by whoever manages them.
                let readers = send(&viewer, &case, &path, bot_id).await;
                if case.method == "GET" {
                    let managers = answer(bot_id, &path).await;
                    assert_eq!(readers.status, managers.status, "{}", readers.asked);
                    assert!(matches!(readers.status, 200 | 404), "{}", readers.asked);
                } else {
                    readers.problem(403, "forbidden");
                }
            }
        }
        tried.extend(route.path.split('/').filter(|name| name.starts_with('{')));
    }
    // Every id of every path.
    let paths = routes().into_iter().flat_map(|route| route.path.split('/'));
    let parameters: BTreeSet<&str> = paths.filter(|name| name.starts_with('{')).collect();
    assert_eq!(tried, parameters);
    assert_eq!(seen(&owner, &ids).await, before);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_breaks_nothing() {
    let app = App::start().await;
    let admin = app.admin().await;
    for (route, case) in pairs() {
        if route.access == Access::Service {
            continue;
        }
        let method: Method = case.method.parse().unwrap();
        let path = anywhere(route.path);
        let bytes = async |kind: &str, body: Vec<u8>| {
            admin
                .send(method.clone(), &path, |request| {
                    request.header(header::CONTENT_TYPE, kind).body(body)
                })
                .await
        };
        let raw = async |kind: &str, body: &str| bytes(kind, body.as_bytes().to_vec()).await;
        match &case.body {
            Body::Json(_) => {
                raw("application/json", "{")
                    .await
                    .problem(400, "malformed_request");
                raw("application/json", "\u{1}")
                    .await
                    .problem(400, "malformed_request");
                raw("text/plain", "{}")
                    .await
                    .problem(415, "unsupported_media_type");
                raw("application/json", "[]").await.problem(422, "invalid");
                raw("application/json", "null")
                    .await
                    .problem(422, "invalid");
                let surprise = raw("application/json", "{\"surprise\": 1}").await;
                surprise.problem(422, "invalid");
            }
            Body::OptionalJson => {
                raw("application/json", "{")
                    .await
                    .problem(400, "malformed_request");
                raw("text/plain", "{}")
                    .await
                    .problem(415, "unsupported_media_type");
                let surprise = raw("application/json", "{\"surprise\": 1}").await;
                surprise.problem(422, "invalid");
            }
            Body::Form => {
                // OAuth 2.0 has its own form of an error (RFC 6749, section 5.2).
                let refusal = raw("application/json", "{}").await.json(400);
                assert_eq!(refusal["error"], "invalid_request");
            }
            Body::None => {}
        }
        match &case.body {
            Body::Json(_) | Body::OptionalJson => {
                let kind = "application/json";
                bytes(kind, b"{\"\xff\": 1}".to_vec())
                    .await
                    .problem(400, "malformed_request");
                let spaces = vec![b' '; route.body_limit + 1];
                bytes(kind, spaces).await.problem(413, "body_too_large");
            }
            Body::Form => {
                let kind = "application/x-www-form-urlencoded";
                let refusal = bytes(kind, b"grant_type=\xff".to_vec()).await.json(400);
                assert!(refusal["error"].is_string(), "{refusal}");
                let letters = vec![b'a'; route.body_limit + 1];
                bytes(kind, letters).await.problem(413, "body_too_large");
            }
            Body::None => {}
        }
        if let Some((query, status)) = case.bad_query {
            let path = format!("{path}?{query}");
            let answer = admin.send(method.clone(), &path, |request| request).await;
            assert_eq!(answer.any_problem()["status"], status, "{}", answer.asked);
        }
        if route.path.contains('{') {
            for id in [
                "x",
                "%00",
                "..%2f..",
                "01890000-0000-7000-8000-00000000000g",
            ] {
                let path = filled(route.path, |_| id);
                let answer = send(&admin, &case, &path, NOBODYS).await;
                answer.problem(404, "not_found");
            }
        }
    }
    admin.get("/api/v1/auth/me").await.json(200);
}

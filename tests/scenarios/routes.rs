//! Every route of every component: without a token, without the permission, with what belongs to
//! another, with what cannot be read.

use std::collections::BTreeSet;

use reqwest::{Method, header};
use serde_json::{Value, json};
use vivesphere_http::{Access, Route};
use vivesphere_tests::app::App;
use vivesphere_tests::client::{Answer, Client};

use crate::routes_cases::{self, Body, Case, Foreign, all};

fn routes() -> Vec<&'static Route> {
    [
        auth::ROUTES,
        bots::ROUTES,
        posts::ROUTES,
        botdata::ROUTES,
        personas::ROUTES,
        config::ROUTES,
        publisher::ROUTES,
        health::ROUTES,
        roles::ROUTES,
        access_keys::ROUTES,
        apikeys::ROUTES,
        logs::ROUTES,
        log_writer::ROUTES,
        audit::ROUTES,
        trends::ROUTES,
        scraper::ROUTES,
        collector::ROUTES,
        metrics::ROUTES,
        docs::ROUTES,
    ]
    .into_iter()
    .flatten()
    .collect()
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

/// A path with these ids in it; the last stands for every other id too.
fn filled(path: &str, bot_id: &str, post_id: &str, user_id: &str) -> String {
    let path = path
        .replace("{bot_id}", bot_id)
        .replace("{post_id}", post_id);
    let segments = path.split('/').map(|segment| match segment {
        segment if segment.starts_with('{') => user_id,
        segment => segment,
    });
    segments.collect::<Vec<_>>().join("/")
}

const NOBODYS: &str = "01890000-0000-7000-8000-000000000000";

fn anywhere(path: &str) -> String {
    filled(path, NOBODYS, NOBODYS, NOBODYS)
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
    let nobody = app.user(&admin, &[]).await;
    for (route, case) in pairs() {
        let answer = send(&nobody, &case, &anywhere(route.path), NOBODYS).await;
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
            let again = json!({"username": nobody.username, "password": nobody.password});
            app.anonymous()
                .post("/api/v1/auth/login", &again)
                .await
                .json(200);
            return rest_without_permission(&app, &admin).await;
        }
    }
}

/// The rest, with a session that has not been ended on the way.
async fn rest_without_permission(app: &App, admin: &Client) {
    let nobody = app.user(admin, &[]).await;
    for (route, case) in pairs() {
        if let Access::Permission(_) | Access::ServiceOr(_) = route.access {
            let answer = send(&nobody, &case, &anywhere(route.path), NOBODYS).await;
            answer.problem(403, "forbidden");
        }
    }
}

#[tokio::test]
async fn what_belongs_to_another_is_not_there() {
    let app = App::start().await;
    let admin = app.admin().await;
    let owner = app.user(&admin, &["operator"]).await;
    let other = app.user(&admin, &["operator"]).await;
    let bot = json!({"bot_name": "not yours"});
    let bot = owner.post("/api/v1/bots/create", &bot).await.json(201);
    let bot_id = bot["bot_id"].as_str().unwrap();
    let data = json!({"bot_id": bot_id, "data": {"a": "b"}});
    owner.post("/api/v1/botdata/store", &data).await.json(201);
    let persona = routes_cases::persona();
    let persona = owner
        .post("/api/v1/personas/create", &persona)
        .await
        .json(201);
    let persona_id = persona["persona_id"].as_str().unwrap();
    let later = json!({"text": "not yours", "scheduled_at": "2099-01-01T00:00:00Z"});
    let post_id = owner.schedule(bot_id, &later).await;
    let before = state(&owner, bot_id, &post_id).await;
    let mut tried = 0;
    for (route, case) in pairs() {
        if case.foreign == Foreign::No {
            continue;
        }
        tried += 1;
        let path = route.path.replace("{persona_id}", persona_id);
        let path = filled(&path, bot_id, &post_id, &owner.user_id);
        let answer = send(&other, &case, &path, bot_id).await;
        if route.access == Access::Service {
            assert_eq!(answer.status, 404, "{}", answer.asked);
            continue;
        }
        let problem = answer.problem(404, "not_found");
        // As if it had never been.
        let absent = send(&other, &case, &anywhere(route.path), NOBODYS).await;
        let mut absent = absent.problem(404, "not_found");
        absent["request_id"] = problem["request_id"].clone();
        assert_eq!(problem, absent);
    }
    assert!(tried >= 21, "{tried}");
    let persona_path = format!("/api/v1/personas/{persona_id}");
    assert_eq!(owner.get(&persona_path).await.json(200), persona);
    assert_eq!(state(&owner, bot_id, &post_id).await, before);
}

async fn state(owner: &Client, bot_id: &str, post_id: &str) -> [Value; 2] {
    [
        owner.get(&format!("/api/v1/bots/{bot_id}")).await.json(200),
        owner
            .get(&format!("/api/v1/posts/{post_id}"))
            .await
            .json(200),
    ]
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
        let raw = async |kind: &str, body: &'static str| {
            admin
                .send(method.clone(), &path, |request| {
                    request.header(header::CONTENT_TYPE, kind).body(body)
                })
                .await
        };
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
                let path = filled(route.path, id, id, id);
                let answer = send(&admin, &case, &path, NOBODYS).await;
                answer.problem(404, "not_found");
            }
        }
    }
    admin.get("/api/v1/auth/me").await.json(200);
}

//! What the gateway does to every answer: tags, encodings, web pages of other origins, refusals.

use std::io::Read as _;
use std::pin::Pin;

use hyper::body::Body as _;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use reqwest::{Method, header};
use serde_json::json;
use vivesphere_tests::app::App;
use vivesphere_tests::client::{Answer, Client};

use crate::config::{felt, set};

const LIST: &str = "/api/v1/bots/list?limit=200";

async fn with_header(client: &Client, path: &str, name: &str, value: &str) -> Answer {
    client
        .send(Method::GET, path, |request| request.header(name, value))
        .await
}

/// Ten bots: a list of several kilobytes.
async fn ten_bots(client: &Client) {
    for number in 0..10 {
        let new = json!({"bot_name": format!("bot {number}")});
        client.post("/api/v1/bots/create", &new).await.json(201);
    }
}

#[tokio::test]
async fn what_was_read_before_is_not_sent_again_until_it_changes() {
    let app = App::start().await;
    let admin = app.admin().await;
    ten_bots(&admin).await;
    let first = admin.get(LIST).await;
    first.json(200);
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("W/\"") && tag.ends_with('"'), "{tag}");
    for known in [tag.clone(), format!("\"other\", {tag}"), "*".to_owned()] {
        let again = with_header(&admin, LIST, "if-none-match", &known).await;
        assert_eq!((again.status, again.text.as_str()), (304, ""));
        assert_eq!(again.header("etag"), tag);
        assert!(!again.headers.contains_key(header::CONTENT_TYPE));
        assert!(!again.header("x-request-id").is_empty());
        assert!(!again.header("ratelimit-remaining").is_empty());
    }
    let other = with_header(&admin, LIST, "if-none-match", "\"other\"").await;
    assert_eq!(other.text, first.text);
    let new = json!({"bot_name": "one more"});
    admin.post("/api/v1/bots/create", &new).await.json(201);
    let changed = with_header(&admin, LIST, "if-none-match", &tag).await;
    assert_eq!(changed.json(200)["items"].as_array().unwrap().len(), 11);
    assert_ne!(changed.header("etag"), tag);
    // A tag opens nothing: who may not read is not told whether it has changed.
    let nobody = app.user(&admin, &[]).await;
    let refused = with_header(&nobody, LIST, "if-none-match", &tag).await;
    refused.problem(403, "forbidden");
    let refused = with_header(&app.anonymous(), LIST, "if-none-match", "*").await;
    refused.problem(401, "missing_credentials");
    // What is done is done, whatever tag comes along.
    let again = admin
        .send(Method::POST, "/api/v1/bots/create", |request| {
            let another = json!({"bot_name": "another"});
            request.header("if-none-match", "*").json(&another)
        })
        .await;
    again.json(201);
    assert_eq!(again.header("etag"), "");
}

/// The bytes as they came, and the encoding that they have.
async fn raw(app: &App, token: &str, path: &str, accepted: &str) -> (String, String, Vec<u8>) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = http
        .get(format!("{}{path}", app.base_url))
        .bearer_auth(token)
        .header(header::ACCEPT_ENCODING, accepted)
        .send()
        .await
        .unwrap();
    let text = |name: header::HeaderName| {
        let value = response.headers().get(name);
        value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    };
    let (encoding, vary) = (text(header::CONTENT_ENCODING), text(header::VARY));
    let length: usize = text(header::CONTENT_LENGTH).parse().unwrap();
    let body = response.bytes().await.unwrap().to_vec();
    assert_eq!(body.len(), length);
    (encoding, vary, body)
}

#[tokio::test]
async fn both_encodings_hold_the_same_body() {
    let app = App::start().await;
    let admin = app.admin().await;
    ten_bots(&admin).await;
    let token = admin.token.clone().unwrap();
    let plain = admin.get(LIST).await.text.into_bytes();
    assert!(plain.len() > 2048);
    for (accepted, wanted) in [
        ("gzip", "gzip"),
        ("br", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0.1, gzip", "gzip"),
        ("zstd", ""),
        ("identity", ""),
    ] {
        let (encoding, vary, body) = raw(&app, &token, LIST, accepted).await;
        assert_eq!(encoding, wanted, "{accepted}");
        assert!(vary.contains("accept-encoding"), "{vary}");
        let mut decoded = Vec::new();
        match encoding.as_str() {
            "gzip" => flate2::read::GzDecoder::new(&body[..])
                .read_to_end(&mut decoded)
                .unwrap(),
            "br" => brotli::Decompressor::new(&body[..], 4096)
                .read_to_end(&mut decoded)
                .unwrap(),
            _ => body.as_slice().read_to_end(&mut decoded).unwrap(),
        };
        assert!(decoded == plain, "{accepted}");
        if !wanted.is_empty() {
            assert!(body.len() * 2 < plain.len(), "{accepted}: {}", body.len());
        }
    }
    // A short one is not worth it.
    let (encoding, ..) = raw(&app, &token, "/api/v1/health", "br, gzip").await;
    assert_eq!(encoding, "");
    set(&admin, "gateway", json!({"compression": false})).await;
    felt("that nothing is compressed", async || {
        raw(&app, &token, LIST, "br, gzip").await.0.is_empty()
    })
    .await;
}

#[tokio::test]
async fn what_holds_a_secret_is_neither_compressed_nor_kept() {
    let app = App::start().await;
    let admin = app.admin().await;
    let bot = json!({"bot_name": "with a secret"});
    let bot = admin.post("/api/v1/bots/create", &bot).await.json(201);
    let secret = vivesphere_tests::launch::canary("kept").repeat(60);
    let data = json!({"bot_id": bot["bot_id"], "data": {"password": secret}});
    admin.post("/api/v1/botdata/store", &data).await.json(201);
    let reveal = async || {
        admin
            .send(Method::POST, "/api/v1/botdata/reveal", |request| {
                request
                    .header("idempotency-key", "revealed")
                    .header(header::ACCEPT_ENCODING, "br, gzip")
                    .json(&json!({"bot_id": bot["bot_id"]}))
            })
            .await
    };
    let revealed = reveal().await;
    assert_eq!(revealed.json(200)["data"]["password"], json!(secret));
    assert_eq!(revealed.header("content-encoding"), "");
    assert_eq!(revealed.header("etag"), "");
    let again = reveal().await;
    again.problem(409, "idempotency_answer_not_kept");
    let kept: Option<String> = app
        .database()
        .query_row("SELECT body FROM idempotency_keys", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, None);
}

const PAGE: &str = "https://page.example";

async fn preflight(client: &Client, path: &str, origin: &str) -> Answer {
    client
        .send(Method::OPTIONS, path, |request| {
            request
                .header("origin", origin)
                .header("access-control-request-method", "PATCH")
                .header("access-control-request-headers", "authorization")
        })
        .await
}

#[tokio::test]
async fn only_pages_of_the_settings_may_call() {
    let app = App::start().await;
    let admin = app.admin().await;
    let path = format!("/api/v1/bots/{}", "01890000-0000-7000-8000-000000000000");
    let allowed = |answer: &Answer| answer.header("access-control-allow-origin").to_owned();
    // At first none.
    let answer = preflight(&app.anonymous(), &path, PAGE).await;
    assert_eq!((answer.status, allowed(&answer)), (204, String::new()));
    let answer = with_header(&admin, LIST, "origin", PAGE).await;
    assert_eq!((answer.status, allowed(&answer)), (200, String::new()));

    set(&admin, "gateway", json!({"cors_allowed_origins": [PAGE]})).await;
    felt("the page", async || {
        allowed(&preflight(&app.anonymous(), &path, PAGE).await) == PAGE
    })
    .await;
    let answer = preflight(&app.anonymous(), &path, PAGE).await;
    answer.nothing();
    assert_eq!(
        answer.header("access-control-allow-methods"),
        "GET, PATCH, DELETE"
    );
    // A list is not one of its items: only its own methods are told.
    let answer = preflight(&app.anonymous(), LIST, PAGE).await;
    assert_eq!(answer.header("access-control-allow-methods"), "GET");
    let headers = answer.header("access-control-allow-headers");
    for name in [
        "authorization",
        "content-type",
        "idempotency-key",
        "if-match",
    ] {
        assert!(headers.contains(name), "{headers}");
    }
    assert_eq!(answer.header("vary"), "origin");
    // Nobody pays for a preflight, and nothing is said about credentials.
    assert_eq!(answer.header("ratelimit-limit"), "");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    let other = preflight(&app.anonymous(), &path, "https://other.example").await;
    assert_eq!((other.status, allowed(&other)), (204, String::new()));
    let nowhere = preflight(&app.anonymous(), "/api/v1/bots/x/y/z", PAGE).await;
    nowhere.problem(404, "not_found");
    // Answers and refusals can be read by the page.
    for (client, status) in [(&admin, 200), (&app.anonymous(), 401)] {
        let answer = with_header(client, LIST, "origin", PAGE).await;
        assert_eq!((answer.status, allowed(&answer).as_str()), (status, PAGE));
        assert!(answer.header("vary").contains("origin"));
        assert!(
            answer
                .header("access-control-expose-headers")
                .contains("etag")
        );
    }

    let with = json!({"cors_allow_credentials": true});
    set(&admin, "gateway", with).await;
    felt("credentials", async || {
        let answer = with_header(&admin, LIST, "origin", PAGE).await;
        answer.header("access-control-allow-credentials") == "true"
    })
    .await;
    let any = json!({"cors_allowed_origins": ["*"], "cors_allow_credentials": false});
    set(&admin, "gateway", any).await;
    felt("every page", async || {
        allowed(&with_header(&admin, LIST, "origin", "https://other.example").await) == "*"
    })
    .await;
    let answer = with_header(&admin, LIST, "origin", PAGE).await;
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}

#[tokio::test]
async fn refusals_say_which_token_or_scope_is_missing() {
    let app = App::start().await;
    let admin = app.admin().await;
    let challenge = |answer: &Answer| answer.header("www-authenticate").to_owned();
    let realm = "Bearer realm=\"vivesphere\"";
    let answer = app.anonymous().get(LIST).await;
    answer.problem(401, "missing_credentials");
    assert_eq!(challenge(&answer), realm);
    let answer = app.anonymous().with_token("nonsense").get(LIST).await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        challenge(&answer),
        format!("{realm}, error=\"invalid_token\"")
    );
    let nobody = app.user(&admin, &[]).await;
    let answer = nobody.get(LIST).await;
    answer.problem(403, "forbidden");
    let wanted = format!("{realm}, error=\"insufficient_scope\", scope=\"bots:read\"");
    assert_eq!(challenge(&answer), wanted);
    let wrong = json!({"username": "admin", "password": "not the password"});
    let answer = app.anonymous().post("/api/v1/auth/login", &wrong).await;
    answer.problem(401, "invalid_credentials");
    assert_eq!(challenge(&answer), realm);
}

#[tokio::test]
async fn a_route_takes_as_much_as_it_needs_and_never_more_than_the_settings_say() {
    let app = App::start().await;
    let admin = app.admin().await;
    let long = |length: usize| json!({"username": "admin", "password": "p".repeat(length)});
    let login = "/api/v1/auth/login";
    let answer = app.anonymous().post(login, &long(17 << 10)).await;
    let detail = answer.problem(413, "body_too_large")["detail"].clone();
    assert_eq!(detail, "The body is larger than 16 KiB.");
    let fits = app.anonymous().post(login, &long(10 << 10)).await;
    assert_ne!(fits.status, 413);
    let name = json!({"bot_name": "n".repeat(100 << 10)});
    let create = "/api/v1/bots/create";
    assert_eq!(admin.post(create, &name).await.pointer(), "/bot_name");
    set(&admin, "gateway", json!({"body_limit_bytes": 65_536})).await;
    felt("the limit", async || {
        admin.post(create, &name).await.status == 413
    })
    .await;
}

#[tokio::test]
async fn whoever_asks_for_the_head_gets_what_a_read_says_but_its_body() {
    let app = App::start().await;
    let admin = app.admin().await;
    ten_bots(&admin).await;
    let head = async |client: &Client, path: &str| {
        client.send(Method::HEAD, path, |request| request).await
    };
    let (path, anonymous) = ("/api/v1/bots/list", app.anonymous());
    let read = admin.get(path).await;
    let alone = head(&admin, path).await;
    assert_eq!((alone.status, alone.text.as_str()), (200, ""));
    for name in ["etag", "content-type", "vary", "cache-control"] {
        assert_eq!(alone.header(name), read.header(name), "{name}");
    }
    // What watches from outside often asks so.
    assert_eq!(head(&anonymous, "/api/v1/health").await.status, 200);
    assert_eq!(head(&anonymous, path).await.status, 401);
    assert_eq!(head(&anonymous, "/nowhere").await.status, 404);
    let refused = head(&admin, "/api/v1/bots/create").await;
    assert_eq!((refused.status, refused.header("allow")), (405, "POST"));
    let deleted = admin.delete("/api/v1/health").await;
    assert_eq!(
        (deleted.status, deleted.header("allow")),
        (405, "GET, HEAD")
    );
    // A read that is sent in pieces, too, and with HTTP/2, where a body would be an error.
    let pieces = head(&admin, "/api/v1/logs/export").await;
    assert_eq!(pieces.status, 200);
    // Its body is not known: a tag would be that of an empty one.
    for name in ["etag", "content-length", "content-encoding"] {
        assert_eq!(pieces.header(name), "", "{name}");
    }
    let address = app.base_url.trim_start_matches("http://");
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (executor, stream) = (TokioExecutor::new(), TokioIo::new(stream));
    let (mut http2, connection) = http2::handshake(executor, stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::head(format!("{}/api/v1/health", app.base_url));
    let answer = http2
        .send_request(request.body(String::new()).unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body();
    let mut next =
        async || std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
    while let Some(piece) = next().await {
        assert_eq!(piece.unwrap().into_data().unwrap(), "");
    }
}

#[tokio::test]
async fn what_is_nowhere_is_refused_like_everything_else() {
    let app = App::start().await;
    for client in [app.anonymous(), app.admin().await, app.service()] {
        for path in [
            "/",
            "/nowhere",
            "/api/v1",
            "/api/v1/nowhere?a=b",
            "/internal/botdata/reveal",
            // Leads to auth, whose only such path begins with `/.well-known`.
            "/nowhere/jwks.json",
        ] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                let answer = client.send(method, path, |request| request).await;
                let problem = answer.problem(404, "not_found");
                assert_eq!(problem["request_id"], answer.header("x-request-id"));
                assert_eq!(answer.header("x-content-type-options"), "nosniff");
            }
        }
    }
    let limited = app.anonymous().get("/nowhere").await;
    assert!(!limited.header("ratelimit-remaining").is_empty());
}

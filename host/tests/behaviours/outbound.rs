//! Requests that a component sends out, by WASI 0.3 and 0.2.
//! <https://spinframework.dev/v3/http-outbound>

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::raw::RawServer;
use crate::support::{App, Host, send, took};

/// Somebody to call.
async fn target() -> Host {
    App::guest("").start().await
}

/// A component that may call these.
async fn caller(allowed: &[&str]) -> Host {
    let allowed = format!("allowed_outbound_hosts = {allowed:?}");
    App::guest(&allowed).start().await
}

async fn fetch(host: &Host, url: &str) -> Value {
    host.ask("/fetch", &[("url", url)]).await.json()
}

async fn fetch_0_2(host: &Host, url: &str) -> Value {
    host.ask("/fetch-0.2", &[("url", url)]).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_host_is_called() {
    let target = target().await;
    let host = caller(&[&target.url("")]).await;
    let wanted = json!({ "status": 200, "body": "hello" });
    assert_eq!(fetch(&host, &target.url("/hello?a=b")).await, wanted);
    assert_eq!(fetch_0_2(&host, &target.url("/hello?a=b")).await, wanted);
    // An error of the other side is an answer, too.
    let answer = fetch(&host, &target.url("/nothing")).await;
    assert_eq!(answer["status"], 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_arrives_as_it_was_sent() {
    let target = target().await;
    let host = caller(&[&target.url("")]).await;
    let url = target.url("/request?a=b%20c");
    let answer = fetch(&host, &url).await;
    let request: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(request["uri"], url);
    assert_eq!(request["method"], "GET");
    let query = [("url", target.url("/echo")), ("method", "POST".to_owned())];
    let posted = host.request("POST", "/fetch").query(&query).body("a body");
    let answer = send(posted).await.json();
    assert_eq!(answer, json!({ "status": 200, "body": "a body" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_else_is_denied() {
    let target = target().await;
    let port = target.address().port();
    let url = target.url("/hello");
    for allowed in [
        vec![],
        vec![format!("https://127.0.0.1:{port}")],
        vec![format!("http://localhost:{port}")],
        vec![format!("http://127.0.0.1:{}", port ^ 1)],
        vec!["http://127.0.0.1".to_owned()],
        vec![
            "http://*.spin.internal".to_owned(),
            "http://self".to_owned(),
        ],
    ] {
        let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
        let host = caller(&allowed).await;
        let answer = fetch(&host, &url).await;
        let wanted = json!({ "error": "ErrorCode::HttpRequestDenied" });
        assert_eq!(answer, wanted, "{allowed:?}");
        assert_eq!(fetch_0_2(&host, &url).await, wanted, "{allowed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wildcards_and_ranges_allow_what_they_say() {
    let target = target().await;
    let port = target.address().port();
    for allowed in [
        "*://*:*".to_owned(),
        "http://*:*".to_owned(),
        format!("http://*:{port}"),
        "http://127.0.0.1:*".to_owned(),
        format!("*://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{}..{}", port - 1, port + 1),
    ] {
        let host = caller(&[&allowed]).await;
        let answer = fetch(&host, &target.url("/hello")).await;
        assert_eq!(answer["status"], 200, "{allowed}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_says_who_is_allowed() {
    let target = target().await;
    let host = App::guest(
        "allowed_outbound_hosts = [\"http://{{ peer }}\"]\n\
         [variables]\npeer = { required = true }",
    )
    .variable("peer", &target.address().to_string())
    .start()
    .await;
    assert_eq!(fetch(&host, &target.url("/hello")).await["status"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bare_connections_are_not_allowed() {
    let target = target().await;
    let host = caller(&["*://*:*"]).await;
    let address = target.address().to_string();
    let answer = host.ask("/connect", &[("address", &address)]).await.ok();
    assert!(answer.starts_with("refused: "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_told() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    let host = caller(&["http://*:*"]).await;
    let refused = json!({ "error": "ErrorCode::ConnectionRefused" });
    assert_eq!(fetch(&host, &url).await, refused);
    assert_eq!(fetch_0_2(&host, &url).await, refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_components_own_timeouts_hold() {
    let target = target().await;
    let host = caller(&[&target.url("")]).await;
    let began = Instant::now();
    let url = target.url("/slow?ms=10000");
    let query = [("url", url.as_str()), ("first_byte_ms", "400")];
    let answer = host.ask("/fetch", &query).await.json();
    assert_eq!(
        answer,
        json!({ "error": "ErrorCode::ConnectionReadTimeout" })
    );
    took(began, 400..8000);
    let url = target.url("/stream?count=2&ms=10000");
    let query = [("url", url.as_str()), ("between_bytes_ms", "400")];
    let answer = host.ask("/fetch", &query).await.json();
    let wanted = json!({ "status": 200, "body_error": "ErrorCode::ConnectionReadTimeout" });
    assert_eq!(answer, wanted);
    // Pauses that are each short enough may be long together.
    let url = target.url("/stream?count=4&ms=300");
    let query = [("url", url.as_str()), ("between_bytes_ms", "1000")];
    let answer = host.ask("/fetch", &query).await.json();
    assert_eq!(answer["body"], "0\n1\n2\n3\n");
}

/// A request may have an effect: it is never sent a second time.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_connection_breaks_is_not_sent_again() {
    let server = RawServer::bind().await;
    let host = caller(&["http://127.0.0.1:*"]).await;
    let path = format!("/fetch?url={}/", server.url());
    let request = host.spawn(&path);
    let mut connection = server.accept().await;
    connection.until("\r\n\r\n").await;
    drop(connection);
    let answer = request.await.unwrap().json();
    assert_eq!(
        answer,
        json!({ "error": "ErrorCode::ConnectionTerminated" })
    );
    // The next connection is the next request's: none was tried in between.
    let request = host.spawn(&format!("{path}next"));
    let mut connection = server.accept().await;
    let head = connection.until("\r\n\r\n").await;
    assert!(head.starts_with("GET /next HTTP/1.1\r\n"), "{head}");
    connection
        .send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        .await;
    assert_eq!(request.await.unwrap().json()["body"], "ok");
    // And now it is kept for another.
    let request = host.spawn(&format!("{path}kept"));
    let head = connection.until("\r\n\r\n").await;
    assert!(head.starts_with("GET /kept HTTP/1.1\r\n"), "{head}");
    connection
        .send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nnot all of it")
        .await;
    drop(connection);
    let answer = request.await.unwrap().json();
    assert_eq!(answer["status"], 200);
    assert_eq!(answer["body_error"], "ErrorCode::ConnectionTerminated");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_http_is_told() {
    let server = RawServer::bind().await;
    let host = caller(&["http://127.0.0.1:*"]).await;
    let request = host.spawn(&format!("/fetch?url={}/", server.url()));
    let mut connection = server.accept().await;
    connection.until("\r\n\r\n").await;
    connection.send("SSH-2.0-something else\r\n").await;
    let answer = request.await.unwrap().json();
    assert_eq!(answer, json!({ "error": "ErrorCode::HttpProtocolError" }));
}

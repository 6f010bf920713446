//! Calls between components of one application, without the network.
//! <https://spinframework.dev/v3/http-outbound#local-service-chaining>

use serde_json::{Value, json};

use crate::support::{App, Host, send};

/// `front` is public and may call what the test says; `back` is private, `open` is public.
async fn host(allowed: &str) -> Host {
    App::new(&format!(
        r#"
        [[trigger.http]]
        route = "/..."
        component = "front"
        [[trigger.http]]
        route = "/open/:what"
        component = "open"
        [[trigger.http]]
        route = {{ private = true }}
        component = "back"
        [component.front]
        source = "guest.wasm"
        allowed_outbound_hosts = [{allowed}]
        [component.open]
        source = "guest.wasm"
        [component.back]
        source = "guest.wasm"
        environment = {{ NAME = "back" }}
        "#
    ))
    .start()
    .await
}

async fn fetch(host: &Host, url: &str) -> Value {
    host.ask("/fetch", &[("url", url)]).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_component_is_called_by_its_id() {
    let host = host("\"http://back.spin.internal\"").await;
    let url = "http://back.spin.internal/environment?name=NAME";
    let wanted = json!({ "status": 200, "body": "back" });
    assert_eq!(fetch(&host, url).await, wanted);
    let answer = host.ask("/fetch-0.2", &[("url", url)]).await.json();
    assert_eq!(answer, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callee_sees_the_path_and_headers_of_the_call() {
    let host = host("\"http://*.spin.internal\"").await;
    let url = "http://back.spin.internal/request?a=b";
    let answer = fetch(&host, url).await;
    let request: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(request["uri"], url);
    let headers = &request["headers"];
    assert_eq!(headers["spin-full-url"], url);
    assert_eq!(headers["spin-path-info"], "/request");
    assert_eq!(headers["spin-matched-route"], "/...");
    // A component cannot make itself look like somebody else either.
    assert_eq!(headers["spin-client-addr"], "0.0.0.0:0");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_pass_both_ways() {
    let host = host("\"http://back.spin.internal\"").await;
    let query = [
        ("url", "http://back.spin.internal/echo"),
        ("method", "POST"),
    ];
    let body = "0123456789".repeat(50_000);
    let request = host.request("POST", "/fetch").query(&query);
    let answer = send(request.body(body.clone())).await.json();
    assert!(answer["body"] == body);
    let answer = fetch(&host, "http://back.spin.internal/stream?count=3&ms=50").await;
    assert_eq!(answer["body"], "0\n1\n2\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_components_are_called() {
    let denied = json!({ "error": "ErrorCode::HttpRequestDenied" });
    let host = host("\"http://open.spin.internal\"").await;
    let url = "http://back.spin.internal/hello";
    assert_eq!(fetch(&host, url).await, denied);
    let query = [("url", "http://back.spin.internal/hello")];
    assert_eq!(host.ask("/fetch-0.2", &query).await.json(), denied);
    let url = "http://open.spin.internal/hello";
    assert_eq!(fetch(&host, url).await["body"], "hello");
    let none = self::host("").await;
    assert_eq!(fetch(&none, url).await, denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_is_the_callers_to_judge() {
    let host = host("\"http://*.spin.internal\"").await;
    let answer = fetch(&host, "http://nobody.spin.internal/hello").await;
    assert_eq!(answer, json!({ "error": "ErrorCode::DestinationNotFound" }));
    let answer = fetch(&host, "http://back.spin.internal/trap").await;
    let error = answer["error"].as_str().unwrap();
    assert!(error.starts_with("ErrorCode::InternalError("), "{error}");
    let url = "http://back.spin.internal/slow?ms=10000";
    let query = [("url", url), ("first_byte_ms", "300")];
    let answer = host.ask("/fetch", &query).await.json();
    assert_eq!(
        answer,
        json!({ "error": "ErrorCode::ConnectionReadTimeout" })
    );
    assert_eq!(host.get("/hello").await.ok(), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn self_is_the_applications_own_public_routes() {
    let host = host("\"http://self\"").await;
    let answer = fetch(&host, "http://self/open/7?fixture=/request").await;
    let request: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(request["headers"]["spin-path-match-what"], "7");
    assert_eq!(request["headers"]["spin-matched-route"], "/open/:what");
    // Through the routes, a private component stays private.
    let answer = fetch(&host, "http://self/back/environment?name=NAME").await;
    assert_eq!(answer["status"], 422);
    // Whoever may call everybody may call these routes, too.
    let anybody = self::host("\"http://*:*\"").await;
    let answer = fetch(&anybody, "http://self.alt/open/7?fixture=/hello").await;
    assert_eq!(answer["body"], "hello");
}

/// Calls within a request take no turns of their own: they could wait for each other for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_does_not_wait_for_its_callers_turn() {
    let host = App::guest("allowed_outbound_hosts = [\"http://guest.spin.internal\"]")
        .options(|options| options.max_concurrent_requests = 1)
        .start()
        .await;
    let inner = "http://guest.spin.internal/fetch?url=http%3A%2F%2Fguest.spin.internal%2Fhello";
    let answer = fetch(&host, inner).await;
    let inner: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(inner, json!({ "status": 200, "body": "hello" }));
}

//! What a component learns about a request.
//! <https://spinframework.dev/v3/http-trigger#additional-request-information>

use serde_json::Value;

use crate::support::{App, Host, send};

async fn routed(route: &str) -> Host {
    App::new(&format!(
        "[[trigger.http]]\nroute = \"{route}\"\ncomponent = \"guest\"\n\
         [component.guest]\nsource = \"guest.wasm\""
    ))
    .start()
    .await
}

fn spin_headers(request: &Value) -> Vec<(&str, &str)> {
    let headers = request["headers"].as_object().unwrap();
    let of_spin = headers.iter().filter(|(name, _)| name.starts_with("spin-"));
    of_spin
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_route_and_what_matched_are_told() {
    let host = routed("/users/:Id/...").await;
    let path = "/users/7/a/b?fixture=/request&c=d";
    let request = host.get(path).await.json();
    let mut found = spin_headers(&request);
    let client = found
        .iter()
        .position(|(name, _)| *name == "spin-client-addr");
    let (_, client) = found.remove(client.unwrap());
    let client: std::net::SocketAddr = client.parse().unwrap();
    assert!(client.ip().is_loopback() && client.port() != 0);
    assert_ne!(client, host.address());
    assert_eq!(
        found,
        [
            ("spin-base-path", "/"),
            ("spin-component-route", "/users/:Id"),
            ("spin-full-url", host.url(path).as_str()),
            ("spin-matched-route", "/users/:Id/..."),
            ("spin-path-info", "/a/b"),
            ("spin-path-match-id", "7"),
            ("spin-raw-component-route", "/users/:Id/..."),
        ]
    );
    assert_eq!(request["method"], "GET");
    assert_eq!(request["uri"], host.url(path));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exact_route_leaves_no_path_info() {
    let host = routed("/request").await;
    let request = host.get("/request?fixture=/request").await.json();
    let headers = &request["headers"];
    assert_eq!(headers["spin-path-info"], "");
    assert_eq!(headers["spin-component-route"], "/request");
    assert_eq!(headers["spin-matched-route"], "/request");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_sends_under_spins_names_is_never_believed() {
    let host = routed("/...").await;
    let request = host
        .request("PUT", "/request")
        .header("spin-client-addr", "6.6.6.6:6")
        .header("Spin-Path-Match-User", "root")
        .header("spin-path-info", "/hello")
        .header("spin-full-url", "http://elsewhere/")
        .header("spinning", "stays")
        .header("x-own", "a")
        .header("x-own", "b");
    let request = send(request).await.json();
    let headers = &request["headers"];
    assert_ne!(headers["spin-client-addr"], "6.6.6.6:6");
    assert_eq!(headers["spin-path-match-user"], Value::Null);
    assert_eq!(headers["spin-path-info"], "/request");
    assert_eq!(headers["spin-full-url"], host.url("/request"));
    assert_eq!(headers["spinning"], "stays");
    assert_eq!(request["method"], "PUT");
}

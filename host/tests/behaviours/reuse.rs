//! Instances are reused, with Spin's limits: 128 requests in all, 16 at once.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::App;

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_serves_128_requests() {
    let host = App::guest("").start().await;
    let mut instances = Vec::new();
    for number in 0..300_u64 {
        let answer = host.get("/count").await.json();
        assert_eq!(answer["served"], number % 128 + 1, "request {number}");
        assert_eq!(answer["at_once"], 1);
        instances.push(answer["instance"].clone());
    }
    instances.dedup();
    assert_eq!(instances.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_serves_16_requests_at_once() {
    let host = App::guest("").start().await;
    let mut requests = Vec::new();
    for _ in 0..20 {
        requests.push(host.spawn("/count?ms=4000"));
        // Time enough to be begun.
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let mut at_once = Vec::new();
    let mut instances = BTreeSet::new();
    for request in requests {
        let answer = request.await.unwrap().json();
        at_once.push(answer["at_once"].as_u64().unwrap());
        instances.insert(answer["instance"].to_string());
    }
    let wanted: Vec<u64> = (1..=16).chain(1..=4).collect();
    assert_eq!(at_once, wanted);
    assert_eq!(instances.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_instance_goes() {
    let host = App::guest("").start().await;
    let first = host.get("/count").await.json();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let second = host.get("/count").await.json();
    assert_ne!(first["instance"], second["instance"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn components_of_one_file_do_not_share_instances() {
    let host = App::new(
        r#"
        [[trigger.http]]
        route = "/a/..."
        component = "a"
        [[trigger.http]]
        route = "/b/..."
        component = "b"
        [component.a]
        source = "guest.wasm"
        [component.b]
        source = "guest.wasm"
        "#,
    )
    .start()
    .await;
    let a = host.get("/a/count").await.json();
    let b = host.get("/b/count").await.json();
    assert_ne!(a["instance"], b["instance"]);
    assert_eq!((&a["served"], &b["served"]), (&1.into(), &1.into()));
}

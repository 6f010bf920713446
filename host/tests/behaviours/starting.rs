//! A start: components are compiled once, and what cannot run is named.

use crate::support::App;

#[tokio::test(flavor = "multi_thread")]
async fn compiled_components_are_kept() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("made when needed");
    for _start in 0..2 {
        let cache_dir = folder.clone();
        let host = App::guest("")
            .options(|options| options.cache_dir = Some(cache_dir))
            .start()
            .await;
        assert_eq!(host.get("/hello").await.ok(), "hello");
    }
    let entries = std::fs::read_dir(&folder).unwrap();
    let found: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    // The second start added none.
    assert_eq!(found.len(), 1, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_component_is_named() {
    let app = App::new(
        r#"
        [[trigger.http]]
        route = "/..."
        component = "broken"
        [component.broken]
        source = "broken.wasm"
        "#,
    );
    let refusal = app.file("broken.wasm", "no component").refusal().await;
    assert!(refusal.contains("component `broken`"), "{refusal}");
    assert!(refusal.contains("broken.wasm"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_cannot_be_read_is_named() {
    let refusal = App::guest(r#"allowed_outbound_hosts = ["example.com"]"#)
        .refusal()
        .await;
    assert!(refusal.contains("component `guest`"), "{refusal}");
    assert!(refusal.contains("`example.com` has no scheme"), "{refusal}");
}

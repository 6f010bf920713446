//! A start: components are compiled once and served as soon as they are; what cannot run is named.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use vivesphere::server;

use crate::support::pipe::Pipe;
use crate::support::{App, Caller, guest_bytes};

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
async fn a_component_that_is_waited_for_is_compiled_next_and_served_before_the_others_are() {
    let compilers = std::thread::available_parallelism().unwrap().get();
    // By their names the guest would be the last.
    let late: Vec<String> = (0..=compilers).map(|n| format!("late-n{n:03}")).collect();
    let mut manifest = String::new();
    for id in &late {
        let _ = write!(
            manifest,
            r#"
            [[trigger.http]]
            route = "/{id}"
            component = "{id}"
            [component.{id}]
            source = "a-{id}.wasm"
            "#
        );
    }
    manifest += r#"
        [[trigger.http]]
        route = "/hello"
        component = "guest"
        [component.guest]
        source = "guest.wasm"
        "#;
    let mut app = App::new(&manifest);
    for id in &late {
        app = app.file(&format!("a-{id}.wasm"), "");
    }
    let (options, folder) = app.prepared();
    let pipe = |id| Pipe::new(folder.path().join(format!("a-{id}.wasm")));
    let mut pipes: Vec<_> = late.iter().map(pipe).collect();
    let listener = TcpListener::bind(options.listen).unwrap();
    let caller = Caller::new(listener.local_addr().unwrap());
    let starting = tokio::spawn(server::start(options, listener));
    // As many as there are compilers are begun.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let waiting = caller.spawn("/hello");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!waiting.is_finished(), "no compiler is free");
    pipes.remove(0).give(guest_bytes()).await;
    assert_eq!(waiting.await.unwrap().ok(), "hello");
    assert!(!starting.is_finished(), "the others are not compiled");
    for pipe in pipes {
        pipe.give(guest_bytes()).await;
    }
    let host = starting.await.unwrap().unwrap();
    assert_eq!(caller.get("/hello").await.ok(), "hello");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_before_all_is_compiled_finishes_what_is_under_way() {
    let (options, folder) = App::guest(
        r#"
        [[trigger.http]]
        route = "/late"
        component = "late"
        [component.late]
        source = "late.wasm"
        "#,
    )
    .file("late.wasm", "")
    .prepared();
    let _pipe = Pipe::new(folder.path().join("late.wasm"));
    let listener = TcpListener::bind(options.listen).unwrap();
    let host = server::serve(options, listener).await.unwrap();
    let caller = Caller::new(host.local_addr());
    assert_eq!(caller.get("/hello").await.ok(), "hello");
    let request = caller.spawn("/slow?ms=800");
    tokio::time::sleep(Duration::from_millis(300)).await;
    host.shutdown().await;
    assert_eq!(request.await.unwrap().ok(), "slow");
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

//! Scheduled components. <https://github.com/spinframework/spin-trigger-cron>

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use vivesphere::server::run_scheduled;

use crate::support::{App, Host, eventually, took};

/// `guest` serves and shows the notes of `job`, which does what `tick` says every second.
fn app(tick: &str) -> App {
    App::guest(&format!(
        r#"
        [[trigger.cron]]
        component = "job"
        cron_expression = "* * * * * *"
        [component.job]
        source = "guest.wasm"
        key_value_stores = ["default"]
        variables = {{ tick = "{tick}" }}
        "#
    ))
}

/// The moments under which something was noted, in order, with what follows them.
async fn notes(host: &Host) -> Vec<(u64, String)> {
    let keys = host.ask("/key-value", &[("do", "keys")]).await.json();
    let parse = |key: &Value| {
        let mut words = key.as_str()?.strip_prefix("tick ")?.split(' ');
        let moment = words.next()?.parse().ok()?;
        Some((moment, words.next().unwrap_or_default().to_owned()))
    };
    let mut notes: Vec<_> = keys.as_array().unwrap().iter().filter_map(parse).collect();
    notes.sort();
    notes
}

/// Waits until there are so many.
async fn wait_for_notes(host: &Host, count: usize) -> Vec<(u64, String)> {
    eventually(|| async {
        let notes = notes(host).await;
        (notes.len() >= count).then_some(notes)
    })
    .await
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_moment_of_the_schedule_wakes_the_component_once() {
    let began = now();
    let host = app("note").start().await;
    let notes = wait_for_notes(&host, 3).await;
    let moments: Vec<u64> = notes.iter().map(|(moment, _)| *moment).collect();
    assert!(moments[0] >= began && moments[0] <= now());
    assert_eq!(moments[1..3], [moments[0] + 1, moments[0] + 2]);
    // It is told when it was due; notes under one moment would be one.
    assert_eq!(host.note(&format!("tick {}", moments[0])).await, "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_that_takes_long_is_not_overtaken() {
    let host = app("slow 1400").start().await;
    let notes = wait_for_notes(&host, 4).await;
    let at = |kind: &str| -> Vec<u64> {
        let of_kind = notes.iter().filter(|(_, noted)| noted == kind);
        of_kind.map(|(moment, _)| *moment).collect()
    };
    let (began, ended) = (at("began"), at("ended"));
    assert!(began[1] >= began[0] + 2, "{notes:?}");
    // All that began has ended, but the last perhaps.
    assert!(ended.len() + 1 >= began.len(), "{notes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_that_fails_stops_neither_the_schedule_nor_the_host() {
    let host = App::guest(
        r#"
        [[trigger.cron]]
        component = "failing"
        cron_expression = "* * * * * *"
        [[trigger.cron]]
        component = "trapping"
        cron_expression = "* * * * * *"
        [[trigger.cron]]
        component = "noting"
        cron_expression = "*/1 * * * * * *"
        [component.failing]
        source = "guest.wasm"
        [component.trapping]
        source = "guest.wasm"
        variables = { tick = "trap" }
        [component.noting]
        source = "guest.wasm"
        key_value_stores = ["default"]
        variables = { tick = "note" }
        "#,
    )
    .start()
    .await;
    wait_for_notes(&host, 3).await;
    assert_eq!(host.get("/hello").await.ok(), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_can_be_left_alone() {
    let host = app("note").options(|options| options.cron = false);
    let host = host.start().await;
    tokio::time::sleep(Duration::from_millis(2200)).await;
    assert_eq!(notes(&host).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_the_tick_that_is_under_way() {
    let host = app("slow 1500").start().await;
    wait_for_notes(&host, 1).await;
    let folder = host.stop().await;
    let file = folder.path().join(".spin/sqlite_key_value.db");
    let count = |kind: &str| -> i64 {
        let connection = rusqlite::Connection::open(&file).unwrap();
        let sql = "SELECT count(*) FROM spin_key_value WHERE key LIKE 'tick % ' || ?";
        connection.query_row(sql, [kind], |row| row.get(0)).unwrap()
    };
    let began = count("began");
    assert!(began >= 1);
    assert_eq!(count("ended"), began);
    // And none comes after.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(count("began"), began);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_component_is_woken_by_hand() {
    let (options, folder) = app("note").prepared();
    // Whether the schedules are served or not.
    let mut by_hand = options.clone();
    by_hand.cron = false;
    let began = now();
    run_scheduled(by_hand, "job").await.unwrap();
    let mut quiet = options;
    quiet.cron = false;
    let host = Host::start(quiet, folder).await;
    let notes = notes(&host).await;
    assert_eq!(notes.len(), 1);
    assert!((began..=now()).contains(&notes[0].0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_woken_by_hand_tells_why_it_failed() {
    let (options, _folder) = app("nonsense").prepared();
    let error = run_scheduled(options.clone(), "job").await.unwrap_err();
    assert_eq!(error.to_string(), "told to fail: nonsense");
    let error = run_scheduled(options, "guest").await.unwrap_err();
    assert_eq!(error.to_string(), "`guest` is no scheduled component");
    let (options, _folder) = app("trap").prepared();
    assert!(run_scheduled(options, "job").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_that_computes_without_end_is_stopped() {
    let (mut options, _folder) = app("loop").prepared();
    options.request_timeout = Some(Duration::from_millis(500));
    let began = Instant::now();
    let error = run_scheduled(options, "job").await.unwrap_err();
    took(began, 500..10_000);
    let error = format!("{error:#}");
    assert!(error.contains("computed for too long"), "{error}");
}

/// The way that Spin's cron trigger allows: HTTP of WASI 0.2 over the network.
#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_component_calls_over_http() {
    let target = App::guest("").start().await;
    let url = target.url("/hello");
    let manifest = |allowed: &str| {
        App::guest(&format!(
            r#"
            [[trigger.cron]]
            component = "job"
            cron_expression = "0 0 0 1 1 *"
            [component.job]
            source = "guest.wasm"
            key_value_stores = ["default"]
            allowed_outbound_hosts = [{allowed}]
            variables = {{ tick = "fetch {url}" }}
            "#
        ))
    };
    let (options, folder) = manifest(&format!("\"{}\"", target.url(""))).prepared();
    run_scheduled(options.clone(), "job").await.unwrap();
    let host = Host::start(options, folder).await;
    assert_eq!(host.note("fetched").await, "200 hello");
    let (options, _folder) = manifest("").prepared();
    let error = run_scheduled(options, "job").await.unwrap_err();
    assert!(error.to_string().contains("HttpRequestDenied"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_cannot_be_scheduled_stops_the_start() {
    let refusal = app("note")
        .options(|options| options.application.cron_triggers[0].expression = "* * * * *".into())
        .refusal()
        .await;
    assert!(refusal.contains("six or seven fields"), "{refusal}");
}

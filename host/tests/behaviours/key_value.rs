//! `spin:key-value` and `wasi:keyvalue`, the same on every kind of store.
//! <https://spinframework.dev/v3/kv-store-api-guide>

use serde_json::json;
use vivesphere::application::KeyValueStore;
use vivesphere_tests::redis::Redis;

use crate::support::{Answer, App, Caller, Host};

const TWO_STORES: &str = r#"key_value_stores = ["default", "other"]"#;

fn app(stores: &str) -> App {
    App::new(&format!(
        "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"guest\"\n\
         [component.guest]\nsource = \"guest.wasm\"\n{stores}"
    ))
}

async fn on_files() -> Host {
    let configured = |options: &mut vivesphere::application::Options| {
        let file = options.state_dir.with_file_name("other.db");
        let stores = &mut options.runtime_config.key_value_stores;
        stores.insert("other".to_owned(), KeyValueStore::File(file));
    };
    app(TWO_STORES).options(configured).start().await
}

/// Both stores on one server, each with a database of its own.
async fn on_redis(redis: &Redis) -> Host {
    let url = redis.url();
    let configured = move |options: &mut vivesphere::application::Options| {
        let stores = &mut options.runtime_config.key_value_stores;
        for (label, database) in [("default", 0), ("other", 1)] {
            let store = KeyValueStore::Redis(format!("{url}/{database}"));
            stores.insert(label.to_owned(), store);
        }
    };
    app(TWO_STORES).options(configured).start().await
}

async fn spin(host: &Caller, query: &[(&str, &str)]) -> Answer {
    host.ask("/key-value", query).await
}

async fn wasi(host: &Caller, query: &[(&str, &str)]) -> Answer {
    host.ask("/wasi-key-value", query).await
}

/// The two interfaces look at the same values.
async fn values_are_kept(host: &Caller) {
    let get = [("do", "get"), ("key", "a")];
    let exists = [("do", "exists"), ("key", "a")];
    assert_eq!(spin(host, &get).await.json(), json!(null));
    assert_eq!(wasi(host, &get).await.json(), json!(null));
    assert_eq!(spin(host, &exists).await.json(), json!(false));
    let set = [("do", "set"), ("key", "a"), ("value", "1")];
    spin(host, &set).await.ok();
    assert_eq!(spin(host, &get).await.json(), json!("1"));
    assert_eq!(wasi(host, &get).await.json(), json!("1"));
    let set = [("do", "set"), ("key", "a"), ("value", "ä two")];
    wasi(host, &set).await.ok();
    assert_eq!(spin(host, &get).await.json(), json!("ä two"));
    let empty = [("do", "set"), ("key", ""), ("value", "")];
    spin(host, &empty).await.ok();
    let get_empty = [("do", "get"), ("key", "")];
    assert_eq!(spin(host, &get_empty).await.json(), json!(""));
    assert_eq!(spin(host, &exists).await.json(), json!(true));
    assert_eq!(wasi(host, &exists).await.json(), json!(true));
    let keys = [("do", "keys")];
    for listed in [spin(host, &keys).await, wasi(host, &keys).await] {
        let mut listed: Vec<String> = serde_json::from_str(&listed.ok()).unwrap();
        listed.sort();
        assert_eq!(listed, ["", "a"]);
    }
    // A store of another label is another store.
    let other = [("do", "keys"), ("store", "other")];
    assert_eq!(spin(host, &other).await.json(), json!([]));
    for key in ["a", "", "never there"] {
        let delete = [("do", "delete"), ("key", key)];
        spin(host, &delete).await.ok();
        wasi(host, &delete).await.ok();
    }
    assert_eq!(spin(host, &keys).await.json(), json!([]));
    assert_eq!(wasi(host, &exists).await.json(), json!(false));
}

async fn all_keys_are_listed(host: &Caller) {
    let keys: Vec<String> = (0..300).map(|number| format!("key {number:03}")).collect();
    for key in &keys {
        let set = [("do", "set"), ("key", key.as_str()), ("value", "")];
        spin(host, &set).await.ok();
    }
    let mut listed: Vec<String> =
        serde_json::from_str(&spin(host, &[("do", "keys")]).await.ok()).unwrap();
    listed.sort();
    assert_eq!(listed, keys);
}

async fn sums_are_atomic(host: &Caller) {
    let increment = |by| wasi_increment(host.clone(), by);
    assert_eq!(increment("5").await, "5");
    assert_eq!(increment("-7").await, "-2");
    let many = (0..50).map(|_| tokio::spawn(increment("1")));
    for one in many.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    assert_eq!(increment("0").await, "48");
    let text = [("do", "set"), ("key", "text"), ("value", "not a number")];
    wasi(host, &text).await.ok();
    let refused = [("do", "increment"), ("key", "text"), ("by", "1")];
    let error = wasi(host, &refused).await.error();
    assert!(error.starts_with("Error::Other("), "{error}");
    let query = [("do", "increment"), ("by", "9223372036854775807")];
    let error = wasi(host, &query).await.error();
    assert!(error.starts_with("Error::Other("), "{error}");
    assert_eq!(increment("0").await, "48");
}

async fn wasi_increment(host: Caller, by: &'static str) -> String {
    wasi(&host, &[("do", "increment"), ("by", by)]).await.ok()
}

async fn swaps_see_what_came_between(host: &Caller) {
    let swap = [("do", "swap"), ("key", "swapped"), ("value", "first")];
    let found = wasi(host, &swap).await.json();
    assert_eq!(found, json!({ "seen": null, "swapped": true }));
    let swap = [("do", "swap"), ("key", "swapped"), ("value", "second")];
    let found = wasi(host, &swap).await.json();
    assert_eq!(found, json!({ "seen": "first", "swapped": true }));
    let swap = [
        ("do", "swap"),
        ("key", "swapped"),
        ("between", "faster"),
        ("value", "third"),
    ];
    assert_eq!(
        wasi(host, &swap).await.json(),
        json!({ "seen": "second", "swapped": false, "now": "faster", "again": true })
    );
    let get = [("do", "get"), ("key", "swapped")];
    assert_eq!(wasi(host, &get).await.json(), json!("third"));
    // Nothing there is a state that another may change, too.
    let swap = [
        ("do", "swap"),
        ("key", "fresh"),
        ("between", "faster"),
        ("value", "mine"),
    ];
    assert_eq!(
        wasi(host, &swap).await.json(),
        json!({ "seen": null, "swapped": false, "now": "faster", "again": true })
    );
}

async fn many_at_a_time(host: &Caller) {
    assert_eq!(
        wasi(host, &[("do", "many")]).await.json(),
        json!({
            "read": { "a": "1", "b": "2", "c": null },
            "left": { "a": null, "b": "2", "c": null },
        })
    );
}

/// A store that the manifest does not grant; whether there is one does not matter.
async fn access_is_denied(host: &Caller) {
    for store in ["secret", "", "Default"] {
        let query = [("do", "get"), ("store", store)];
        assert_eq!(spin(host, &query).await.error(), "Error::AccessDenied");
        assert_eq!(wasi(host, &query).await.error(), "Error::AccessDenied");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_file() {
    let host = on_files().await;
    values_are_kept(&host).await;
    sums_are_atomic(&host).await;
    swaps_see_what_came_between(&host).await;
    many_at_a_time(&host).await;
    access_is_denied(&host).await;
    let host = on_files().await;
    all_keys_are_listed(&host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_redis_server() {
    let Some(redis) = Redis::start() else {
        eprintln!("skipped: redis-server is not installed");
        return;
    };
    let host = on_redis(&redis).await;
    values_are_kept(&host).await;
    all_keys_are_listed(&host).await;
    sums_are_atomic(&host).await;
    swaps_see_what_came_between(&host).await;
    many_at_a_time(&host).await;
    access_is_denied(&host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_server_that_is_away_is_an_error_for_the_component() {
    let Some(redis) = Redis::start() else {
        eprintln!("skipped: redis-server is not installed");
        return;
    };
    let host = on_redis(&redis).await;
    let set = [("do", "set"), ("key", "a"), ("value", "1")];
    spin(&host, &set).await.ok();
    drop(redis);
    let error = spin(&host, &set).await.error();
    assert!(error.starts_with("Error::Other("), "{error}");
    let error = wasi(&host, &set).await.error();
    assert!(error.starts_with("Error::Other("), "{error}");
    assert_eq!(host.get("/hello").await.ok(), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_outlive_the_host() {
    let host = App::guest("").start().await;
    let set = [("do", "set"), ("key", "a"), ("value", "1")];
    spin(&host, &set).await.ok();
    wasi(&host, &[("do", "increment"), ("key", "n"), ("by", "3")])
        .await
        .ok();
    let folder = host.stop().await;
    let state_dir = folder.path().join(".spin");
    let again = App::guest("").options(move |options| options.state_dir = state_dir);
    let host = again.start().await;
    let get = [("do", "get"), ("key", "a")];
    assert_eq!(spin(&host, &get).await.json(), json!("1"));
    let increment = [("do", "increment"), ("key", "n"), ("by", "4")];
    assert_eq!(wasi(&host, &increment).await.ok(), "7");
}

/// Spin's file, Spin's layout: both may be started on the same state directory.
#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_laid_out_as_spins() {
    let host = App::guest("").start().await;
    let set = [("do", "set"), ("key", "a"), ("value", "1")];
    spin(&host, &set).await.ok();
    wasi(&host, &[("do", "increment"), ("key", "n"), ("by", "-3")])
        .await
        .ok();
    let folder = host.stop().await;
    let file = folder.path().join(".spin/sqlite_key_value.db");
    let connection = rusqlite::Connection::open(file).unwrap();
    let value = |key: &str| -> Vec<u8> {
        connection
            .query_row(
                "SELECT value FROM spin_key_value WHERE store = 'default' AND key = ?",
                [key],
                |row| row.get(0),
            )
            .unwrap()
    };
    assert_eq!(value("a"), b"1");
    assert_eq!(value("n"), (-3_i64).to_le_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_store_that_nobody_defines_stops_the_start() {
    let refusal = app(r#"key_value_stores = ["default", "elsewhere"]"#)
        .refusal()
        .await;
    assert!(
        refusal.contains("component `guest` is granted the key-value store `elsewhere`"),
        "{refusal}"
    );
}

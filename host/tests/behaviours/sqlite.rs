//! `spin:sqlite@3.1`. <https://spinframework.dev/v3/sqlite-api-guide>

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Answer, App, Host, eventually, took};

async fn host() -> Host {
    App::guest("").start().await
}

async fn run(host: &Host, sql: &str, parameters: &Value) -> Answer {
    let parameters = parameters.to_string();
    let query = [("sql", sql), ("parameters", parameters.as_str())];
    host.ask("/sqlite", &query).await
}

async fn run_sync(host: &Host, sql: &str, parameters: &Value) -> Answer {
    let parameters = parameters.to_string();
    let query = [("sql", sql), ("parameters", parameters.as_str())];
    host.ask("/sqlite-sync", &query).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_goes_in_and_comes_out() {
    let host = host().await;
    let sql = "SELECT ?, ?2 AS real, ?3, ?4, ?5, typeof(?1), typeof(?2), typeof(?3), \
               typeof(?4), typeof(?5)";
    let given = json!([-9_223_372_036_854_775_808_i64, 0.5, "tëxt", [0, 255], null]);
    let wanted = json!([[
        -9_223_372_036_854_775_808_i64,
        0.5,
        "tëxt",
        { "blob": [0, 255] },
        null,
        "integer",
        "real",
        "text",
        "blob",
        "null"
    ]]);
    let answer = run(&host, sql, &given).await.json();
    assert_eq!(answer["rows"], wanted);
    assert_eq!(answer["late"], Value::Null);
    assert_eq!(answer["columns"][1], "real");
    assert_eq!(answer["columns"].as_array().unwrap().len(), 10);
    assert_eq!(run_sync(&host, sql, &given).await.json()["rows"], wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_and_row_ids_are_told() {
    let host = host().await;
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);;\
               INSERT INTO t (id, name) VALUES (40, 'a'), (41, 'b'), (42, 'c')";
    let answer = run(&host, sql, &json!([])).await.json();
    assert_eq!(answer["rows"], json!([]));
    assert_eq!(answer["columns"], json!([]));
    assert_eq!(answer["last_insert_rowid"], 42);
    assert_eq!(answer["changes"], 3);
    let sql = "UPDATE t SET name = name || '!' WHERE id > ? RETURNING name";
    let answer = run_sync(&host, sql, &json!([40])).await.json();
    assert_eq!(answer["rows"], json!([["b!"], ["c!"]]));
    assert_eq!(answer["changes"], 2);
    // Each `open` is a connection of its own, on the same file.
    let sql = "SELECT name FROM t WHERE name LIKE ?";
    let answer = run(&host, sql, &json!(["%!"])).await.json();
    assert_eq!(answer["rows"], json!([["b!"], ["c!"]]));
    assert_eq!(answer["last_insert_rowid"], 0);
}

/// More rows than fit into one piece.
const NUMBERS: &str = "WITH RECURSIVE n (i) AS \
    (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) ";

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_streamed() {
    let host = host().await;
    let sql = format!("{NUMBERS}SELECT i FROM n");
    let wanted: Vec<Value> = (1..=1000).map(|number| json!([number])).collect();
    let answer = run(&host, &sql, &json!([])).await.json();
    assert_eq!(answer["rows"], Value::from(wanted.clone()));
    assert_eq!(answer["late"], Value::Null);
    let answer = run_sync(&host, &sql, &json!([])).await.json();
    assert_eq!(answer["rows"], Value::from(wanted));
    // Millions that nobody reads cost nothing, and the connection is free again.
    let endless = NUMBERS.replace("1000", "1000000000") + "SELECT i FROM n";
    let began = Instant::now();
    let answer = host.ask("/sqlite-abandoned", &[("sql", &endless)]).await;
    assert_eq!(answer.ok(), "[[Number(7)]]");
    took(began, ..5000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_comes_with_the_result() {
    let host = host().await;
    for (sql, reason) in [
        ("SELEKT 1", "syntax error"),
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("", ""),
    ] {
        let answer = run(&host, sql, &json!([])).await.json();
        assert_eq!(answer["rows"], json!([]), "{sql}");
        let late = answer["late"].as_str().unwrap_or_default();
        assert!(late.contains(reason), "{sql}: {late}");
    }
    let error = run_sync(&host, "SELEKT 1", &json!([])).await.error();
    assert!(
        error.starts_with("Error::Io(") && error.contains("syntax error"),
        "{error}"
    );
    // After rows that were good.
    let sql = format!("{NUMBERS}SELECT CASE WHEN i < 700 THEN i ELSE json('bad') END FROM n");
    let answer = run(&host, &sql, &json!([])).await.json();
    let late = answer["late"].as_str().unwrap();
    assert!(
        late.starts_with("Error::Io(") && late.contains("malformed JSON"),
        "{late}"
    );
    let rows = answer["rows"].as_array().unwrap();
    assert!(rows.len() < 700 && rows.len() >= 512, "{}", rows.len());
    // Parameters that do not fit.
    for parameters in [json!([]), json!([1, 2])] {
        let answer = run(&host, "SELECT ?", &parameters).await.json();
        let late = answer["late"].as_str().unwrap_or_default();
        assert!(late.starts_with("Error::Io("), "{parameters}: {answer}");
    }
    // A constraint, and the connection goes on.
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY);;INSERT INTO t VALUES (1)";
    run(&host, sql, &json!([])).await.ok();
    let answer = run(&host, "INSERT INTO t VALUES (1)", &json!([]))
        .await
        .json();
    let late = answer["late"].as_str().unwrap();
    assert!(late.contains("UNIQUE constraint failed: t.id"), "{late}");
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_the_connections() {
    let host = host().await;
    let sql =
        "CREATE TABLE t (id INTEGER);;BEGIN;;INSERT INTO t VALUES (1);;SELECT count(*) FROM t";
    let answer = run(&host, sql, &json!([])).await.json();
    assert_eq!(answer["rows"], json!([[1]]));
    // The connection was closed before a commit.
    let answer = run(&host, "SELECT count(*) FROM t", &json!([]))
        .await
        .json();
    assert_eq!(answer["rows"], json!([[0]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_connection_is_told_the_next_does_not_know() {
    let host = host().await;
    run(&host, "CREATE TABLE t (id INTEGER)", &json!([]))
        .await
        .ok();
    let level = run(&host, "PRAGMA synchronous", &json!([])).await.json()["rows"].clone();
    let keys = run(&host, "PRAGMA foreign_keys", &json!([])).await.json()["rows"].clone();
    // One after the other, so that a connection that is kept would be the next one's.
    for sql in [
        "PRAGMA synchronous=OFF;;INSERT INTO t VALUES (1)",
        "PRAGMA foreign_keys=OFF;;INSERT INTO t VALUES (1)",
        "CREATE TEMP TABLE own (id INTEGER);;INSERT INTO t VALUES (1)",
        "BEGIN;;INSERT INTO t VALUES (1);;SELECT 1",
    ] {
        run(&host, sql, &json!([])).await.ok();
        let answer = run(&host, "SELECT count(*) FROM t WHERE id = 2", &json!([]))
            .await
            .json();
        assert_eq!(
            (&answer["changes"], &answer["last_insert_rowid"]),
            (&json!(0), &json!(0))
        );
        let answer = run(&host, "PRAGMA synchronous", &json!([])).await.json();
        assert_eq!(answer["rows"], level, "{sql}");
        let answer = run(&host, "PRAGMA foreign_keys", &json!([])).await.json();
        assert_eq!(answer["rows"], keys, "{sql}");
        let answer = run(&host, "SELECT * FROM own", &json!([])).await.json();
        let late = answer["late"].as_str().unwrap_or_default();
        assert!(late.contains("no such table: own"), "{sql}: {late}");
    }
    let answer = run(&host, "SELECT count(*) FROM t", &json!([]))
        .await
        .json();
    assert_eq!(answer["rows"], json!([[3]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_waits_for_another() {
    let host = host().await;
    run(&host, "CREATE TABLE t (id INTEGER)", &json!([]))
        .await
        .ok();
    let writers: Vec<_> = (0..20)
        .map(|_| host.spawn("/sqlite?sql=INSERT INTO t VALUES (1)"))
        .collect();
    for writer in writers {
        assert_eq!(writer.await.unwrap().json()["late"], Value::Null);
    }
    let answer = run(&host, "SELECT count(*) FROM t", &json!([]))
        .await
        .json();
    assert_eq!(answer["rows"], json!([[20]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_granted_databases_are_opened() {
    let host = host().await;
    for database in ["other", "", "Default", "../sqlite_key_value"] {
        let query = [("sql", "SELECT 1"), ("database", database)];
        let answer = host.ask("/sqlite", &query).await;
        assert_eq!(answer.error(), "Error::AccessDenied", "{database}");
        let answer = host.ask("/sqlite-sync", &query).await;
        assert_eq!(answer.error(), "Error::AccessDenied", "{database}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_are_where_the_runtime_configuration_says() {
    let manifest = |label: &str| {
        format!(
            "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"guest\"\n\
             [component.guest]\nsource = \"guest.wasm\"\nsqlite_databases = [\"{label}\"]"
        )
    };
    let refusal = App::new(&manifest("elsewhere")).refusal().await;
    assert!(
        refusal.contains("component `guest` is granted the database `elsewhere`"),
        "{refusal}"
    );
    let host = App::new(&manifest("elsewhere"))
        .options(|options| {
            let file = options.state_dir.with_file_name("of its own.db");
            let databases = &mut options.runtime_config.sqlite_databases;
            databases.insert("elsewhere".to_owned(), file);
        })
        .start()
        .await;
    let query = [("sql", "CREATE TABLE t (id)"), ("database", "elsewhere")];
    host.ask("/sqlite", &query).await.ok();
    // Not granted, though it is there.
    host.ask("/sqlite", &[("sql", "SELECT 1")]).await.error();
    let folder = host.stop().await;
    assert!(folder.path().join("of its own.db").exists());
    assert!(!folder.path().join(".spin/sqlite_db.db").exists());
}

/// A statement may compute without giving a row. It ends with the instance that asked for it,
/// and the file can be written again.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_ends_with_its_instance() {
    let host = App::guest("")
        .options(|options| options.request_timeout = Some(Duration::from_millis(1500)))
        .start()
        .await;
    let sql = "CREATE TABLE t (id INTEGER)";
    run(&host, sql, &json!([])).await.ok();
    let endless = NUMBERS.replace("1000", "1000000000000");
    let write = format!("INSERT INTO t {endless} SELECT count(*) FROM n");
    for sql in [
        write.clone(),
        format!("SELECT * FROM ({endless} SELECT count(*) FROM n)"),
        format!("PRAGMA synchronous=OFF;;{write}"),
        format!("BEGIN;;{write}"),
    ] {
        let answer = host.ask("/sqlite", &[("sql", &sql)]).await;
        assert!(
            answer.status == 504 || answer.text.contains("interrupted"),
            "{sql}"
        );
        let write = || async {
            let answer = run(&host, "INSERT INTO t VALUES (7)", &json!([])).await;
            (answer.status == 200 && answer.json()["late"].is_null()).then_some(())
        };
        eventually(write).await;
    }
    let answer = run(&host, "SELECT id FROM t", &json!([])).await.json();
    // A write that waited for the dying one may have been cut off from its caller, not from the
    // database, and tried again.
    let rows = answer["rows"].as_array().unwrap().clone();
    assert!(
        rows.len() >= 4 && rows.iter().all(|row| *row == json!([7])),
        "{rows:?}"
    );
}

/// Wherever they are run, with one thread that serves requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn long_statements_hold_nobody_up() {
    let component = |id: &str, route: &str| {
        format!(
            "[[trigger.http]]\nroute = \"{route}\"\ncomponent = \"{id}\"\n\
             [component.{id}]\nsource = \"guest.wasm\"\nsqlite_databases = [\"default\"]\n"
        )
    };
    let manifest = component("busy", "/busy") + component("other", "/other").as_str();
    let host = App::new(&manifest).start().await;
    let ask = async |path: &str, sql: &str| {
        let query = [("fixture", "/sqlite"), ("sql", sql)];
        let answer = host.ask(path, &query).await.json();
        assert_eq!(answer["late"], Value::Null, "{sql}");
    };
    ask("/other", "CREATE TABLE t (id INTEGER)").await;
    let long = NUMBERS.replace("1000", "(SELECT max(id) FROM t)");
    let write = format!("BEGIN IMMEDIATE;;INSERT INTO t {long}SELECT 1 FROM n WHERE i = 7;;COMMIT");
    // Short at first.
    ask("/other", "INSERT INTO t VALUES (5)").await;
    ask("/busy", &write).await;
    ask("/other", "INSERT INTO t VALUES (3000000)").await;
    let read = format!("SELECT * FROM ({long}SELECT count(*) FROM n)");
    for statement in [read, write.clone(), write] {
        let began = Instant::now();
        let path = format!(
            "/busy?fixture=/sqlite&sql={}",
            statement.replace('+', "%2B")
        );
        let running: Vec<_> = (0..3).map(|_| host.spawn(&path)).collect();
        let mut slowest = Duration::ZERO;
        while !running.iter().any(tokio::task::JoinHandle::is_finished) {
            let asked = Instant::now();
            ask("/other", "SELECT 1").await;
            slowest = slowest.max(asked.elapsed());
        }
        let first = began.elapsed();
        for running in running {
            assert_eq!(running.await.unwrap().json()["late"], Value::Null);
        }
        assert!(slowest < first / 2, "{slowest:?} of {first:?}: {statement}");
    }
}

/// A statement that ends its transaction by failing is not tried again outside of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_fails_once() {
    let host = host().await;
    let table = "PRAGMA journal_mode=WAL;;CREATE TABLE t (id INTEGER PRIMARY KEY)";
    run(&host, table, &json!([])).await.ok();
    for begin in ["BEGIN", "PRAGMA synchronous=NORMAL;;BEGIN IMMEDIATE"] {
        let sql =
            format!("{begin};;INSERT INTO t VALUES (1);;INSERT OR ROLLBACK INTO t VALUES (1)");
        for answer in [
            run(&host, &sql, &json!([])).await,
            run_sync(&host, &sql, &json!([])).await,
        ] {
            assert!(
                answer.text.contains("UNIQUE constraint failed: t.id"),
                "{}",
                answer.text
            );
        }
        let answer = run(&host, "SELECT * FROM t", &json!([])).await.json();
        assert_eq!(answer["rows"], json!([]));
    }
}

/// Commits that do not wait for the disk are written back all the same, now and then.
#[tokio::test(flavor = "multi_thread")]
async fn the_write_ahead_log_stays_short() {
    let host = host().await;
    let table = "PRAGMA journal_mode=WAL;;CREATE TABLE t (data BLOB)";
    run(&host, table, &json!([])).await.ok();
    // A megabyte each, half of them as transactions.
    let insert = "INSERT INTO t VALUES (zeroblob(1000000))";
    for number in 0..40 {
        let sql = match number % 2 {
            0 => format!("PRAGMA synchronous=NORMAL;;{insert}"),
            _ => format!("PRAGMA synchronous=NORMAL;;BEGIN IMMEDIATE;;{insert};;COMMIT"),
        };
        assert_eq!(
            run(&host, &sql, &json!([])).await.json()["late"],
            Value::Null
        );
    }
    let sql = "SELECT sum(length(data)) FROM t";
    assert_eq!(
        run(&host, sql, &json!([])).await.json()["rows"],
        json!([[40_000_000]])
    );
    // The file keeps the greatest length that it has had.
    let log = host.folder().join(".spin/sqlite_db.db-wal");
    let length = std::fs::metadata(log).unwrap().len();
    assert!(length < 16_000_000, "{length}");
}

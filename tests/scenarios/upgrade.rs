//! An upgrade: a database that the release before has left behind, with data, is taken over.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rusqlite::Connection;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use vivesphere_tests::app::App;
use vivesphere_tests::build::repository;
use vivesphere_tests::fake_x::FakeX;

/// The migrations, in order: number, name, text.
fn migrations() -> Vec<(i64, String, String)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(repository().join("migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "sql"))
        .collect();
    files.sort();
    let read = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let version = name[..4].parse().unwrap();
        (version, name, std::fs::read_to_string(path).unwrap())
    };
    files.iter().map(read).collect()
}

fn texts(database: &Connection, query: &str) -> Vec<String> {
    let mut statement = database.prepare(query).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

fn columns(database: &Connection, schema: &str, table: &str) -> BTreeSet<String> {
    let query = format!("SELECT name FROM pragma_table_info('{table}', '{schema}')");
    texts(database, &query).into_iter().collect()
}

/// A database at this level, with whatever of `full`'s data has a place there.
fn at_level(level: usize, file: PathBuf, full: &str) -> usize {
    let database = Connection::open(file).unwrap();
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA foreign_keys = OFF;
             CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL,
                checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT;",
        )
        .unwrap();
    for (version, name, text) in &migrations()[..level] {
        database.execute_batch(text).unwrap();
        let digest = Sha256::digest(text.as_bytes());
        let checksum: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        database
            .execute(
                "INSERT INTO schema_migrations VALUES (?, ?, ?, 1700000000000)",
                (version, name, checksum),
            )
            .unwrap();
    }
    // What a release writes it writes past its triggers, and so is what it has left behind.
    let triggers = texts(
        &database,
        "SELECT sql FROM sqlite_schema WHERE type = 'trigger'",
    );
    for name in texts(
        &database,
        "SELECT name FROM sqlite_schema WHERE type = 'trigger'",
    ) {
        database
            .execute_batch(&format!("DROP TRIGGER {name}"))
            .unwrap();
    }
    database.execute("ATTACH ? AS whole", [full]).unwrap();
    let tables = texts(
        &database,
        "SELECT name FROM main.sqlite_schema WHERE type = 'table'
            AND name NOT LIKE 'sqlite_%' AND name <> 'schema_migrations'",
    );
    let mut copied = 0;
    for table in tables {
        let old = columns(&database, "main", &table);
        let new = columns(&database, "whole", &table);
        let both: Vec<&str> = old.intersection(&new).map(String::as_str).collect();
        if both.is_empty() {
            continue;
        }
        let both = both.join(", ");
        copied += database
            .execute(
                &format!(
                    "INSERT OR REPLACE INTO main.{table} ({both}) SELECT {both} FROM whole.{table}"
                ),
                [],
            )
            .unwrap_or_else(|error| panic!("{table}: {error}"));
    }
    for trigger in triggers {
        database.execute_batch(&trigger).unwrap();
    }
    copied
}

#[tokio::test]
async fn a_database_of_the_release_before_is_taken_over_with_all_its_data() {
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let mut before = App::start_with(&fake).await;
    let admin = before.admin().await;
    let operator = before.user(&admin, &["operator"]).await;
    let bot_id = before.bot(&operator, &account).await;
    let published = operator.schedule(&bot_id, &json!({"text": "old"})).await;
    before
        .publish_until(&operator, &published, &["published"])
        .await;
    let waiting = operator.schedule(&bot_id, &json!({"text": "due"})).await;
    let setting = json!({"settings_data": {
        "service_name": "gateway", "settings": {"rate_limit_per_minute": 5000}
    }});
    admin
        .post("/api/v1/config/update", &setting)
        .await
        .json(200);
    before.run_job("drain-logs").await;
    let audit_rows = before.number("SELECT count(*) FROM audit_log");
    before.stop().await;

    let all = migrations().len();
    let state = tempfile::tempdir().unwrap();
    let full = before.state_dir().join("sqlite_db.db");
    let copied = at_level(
        all - 1,
        state.path().join("sqlite_db.db"),
        full.to_str().unwrap(),
    );
    assert!(copied > 20, "{copied}");

    let app = App::builder()
        .beside(&before)
        .state_dir(state.path())
        .untouched()
        .start()
        .await;
    assert_eq!(
        app.number("SELECT max(version) FROM schema_migrations"),
        i64::try_from(all - 1).unwrap(),
        "nothing is migrated before it is asked"
    );
    // Who was signed in still is; who was not signs in with the same password.
    let reader = app
        .anonymous()
        .sign_in(&operator.username, &operator.password)
        .await;
    let same = app
        .anonymous()
        .with_token(operator.token.as_deref().unwrap());
    same.get("/api/v1/auth/me").await.json(200);
    assert_eq!(
        app.number("SELECT max(version) FROM schema_migrations"),
        i64::try_from(all).unwrap()
    );
    let bots = reader.get("/api/v1/bots/list").await.json(200);
    assert_eq!(bots["items"][0]["bot_id"], bot_id.as_str());
    let post = reader.get(&format!("/api/v1/posts/{published}")).await;
    let post = post.json(200);
    assert_eq!(
        (&post["state"], &post["text"]),
        (&json!("published"), &json!("old"))
    );
    assert_eq!(post["attempts"].as_array().unwrap().len(), 1);
    let admin = app.admin().await;
    let settings = admin
        .get("/api/v1/config/settings?service_name=gateway")
        .await;
    assert!(settings.json(200).to_string().contains("5000"));
    let verified = admin.get("/api/v1/audit/verify").await.json(200);
    assert_eq!(verified["intact"], true, "{verified}");
    assert!(app.number("SELECT count(*) FROM audit_log") >= audit_rows);
    for path in [
        "/api/v1/personas",
        "/api/v1/roles",
        "/api/v1/users",
        "/api/v1/logs",
    ] {
        admin.get(path).await.json(200);
    }
    // The bot's sealed credentials still open: what was due goes out, once.
    app.publish_until(&reader, &waiting, &["published"]).await;
    let texts: Vec<String> = fake
        .posts_of(&account.user_id)
        .into_iter()
        .map(|post| post.text)
        .collect();
    assert_eq!(texts, ["old", "due"]);
    let broken = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'";
    assert_eq!(app.number(broken), 0);
    assert_eq!(
        app.number("SELECT count(*) FROM pragma_foreign_key_check"),
        0
    );
}

//! Backing up what runs, and restoring it elsewhere.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;
use vivesphere_tests::command::{self, vivesphere};
use vivesphere_tests::fake_x::FakeX;
use vivesphere_tests::launch;

/// Whether there is a program to back up with.
fn on_spin() -> bool {
    let on_spin = command::program().is_none();
    if on_spin {
        eprintln!("skipped: `vivesphere backup` is a command of the embedded host");
    }
    on_spin
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn backup(app: &App, place: &Path, to: &Path) -> command::Said {
    let state_dir = text(app.state_dir());
    let arguments = ["backup", "--state-dir", state_dir, "--to", text(to)];
    vivesphere(place, &[], &arguments).await
}

async fn restore(place: &Path, from: &Path, state_dir: &Path) -> command::Said {
    let state_dir = text(state_dir);
    let arguments = ["restore", "--from", text(from), "--state-dir", state_dir];
    vivesphere(place, &[], &arguments).await
}

async fn post_ids(reader: &Client, bot_id: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/bots/{bot_id}/posts?limit=200{cursor}");
        let page = reader.get(&path).await.json(200);
        for post in page["items"].as_array().unwrap() {
            ids.insert(post["post_id"].as_str().unwrap().to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

/// Clients who wait for an answer before they ask for the next.
const CLIENTS: usize = 8;

/// 100 requests a second, as long as they are answered as fast: every third writes.
async fn load(client: Client, bot_id: String, stop: Arc<AtomicBool>) -> (usize, Vec<String>) {
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let failed = Arc::new(std::sync::Mutex::new(Vec::new()));
    let answered = Arc::new(AtomicUsize::new(0));
    let free = Arc::new(Semaphore::new(CLIENTS));
    let mut requests = tokio::task::JoinSet::new();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        let busy = free.clone().acquire_owned().await.unwrap();
        number += 1;
        let (client, bot_id) = (client.clone(), bot_id.clone());
        let (failed, answered) = (failed.clone(), answered.clone());
        requests.spawn(async move {
            let _busy = busy;
            let (answer, expected) = if number % 3 == 0 {
                let post = json!({
                    "text": format!("meanwhile {number}"), "scheduled_at": "2099-01-01T00:00:00Z"
                });
                let path = format!("/api/v1/bots/{bot_id}/posts");
                (client.post(&path, &post).await, 201)
            } else {
                (client.get("/api/v1/bots/list").await, 200)
            };
            if answer.status == expected {
                answered.fetch_add(1, Ordering::Relaxed);
            } else {
                failed.lock().unwrap().push(answer.text);
            }
        });
    }
    requests.join_all().await;
    let failed = failed.lock().unwrap().clone();
    (answered.load(Ordering::Relaxed), failed)
}

/// Rows that make the database big enough for a copy to take a while.
fn fill(app: &App, rows: usize) {
    let mut database = app.database();
    let transaction = database.transaction().unwrap();
    for number in 0..rows {
        let id = format!("filler-{number:08}");
        transaction
            .execute(
                "INSERT INTO logs VALUES (?, 'debug', 'info', 'filler', '', ?, '{}', 'system')",
                (id, "x".repeat(3000)),
            )
            .unwrap();
    }
    transaction.commit().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_is_backed_up_without_a_failed_request_and_restored_whole() {
    if on_spin() {
        return;
    }
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let app = App::start_with(&fake).await;
    let admin = app.admin().await;
    let bot_id = app.bot(&admin, &account).await;
    let secret = launch::canary("stored");
    let other = json!({"bot_name": "another"});
    let other = admin.post("/api/v1/bots/create", &other).await.json(201);
    let other = other["bot_id"].as_str().unwrap().to_owned();
    let data = json!({"bot_id": other, "data": {"password": secret}});
    admin.post("/api/v1/botdata/store", &data).await.json(201);
    let published = admin.schedule(&bot_id, &json!({"text": "before"})).await;
    app.publish_until(&admin, &published, &["published"]).await;
    for number in 0..20 {
        let post =
            json!({"text": format!("later {number}"), "scheduled_at": "2099-01-01T00:00:00Z"});
        admin.schedule(&bot_id, &post).await;
    }
    // So that the audit trail has a sealed part.
    app.run_job("drain-logs").await;
    fill(&app, 20_000);
    let before = post_ids(&admin, &bot_id).await;

    let place = tempfile::tempdir().unwrap();
    let (folder, archive) = (place.path().join("monday"), place.path().join("monday.tar"));
    let stop = Arc::new(AtomicBool::new(false));
    let loading = tokio::spawn(load(admin.clone(), bot_id.clone(), stop.clone()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let said = backup(&app, place.path(), &folder).await.done();
    backup(&app, place.path(), &archive).await.done();
    stop.store(true, Ordering::Relaxed);
    let (answered, failed) = loading.await.unwrap();
    assert_eq!(failed, [""; 0]);
    assert!(answered > 100, "{answered}");
    let after = post_ids(&admin, &bot_id).await;

    // It says what it needs, and shows no key.
    assert!(said.contains("Keep .env"), "{said}");
    let manifest = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    for secret in app.secrets() {
        assert!(!said.contains(&secret) && !manifest.contains(&secret));
    }
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let level = app.number("SELECT max(version) FROM schema_migrations");
    assert_eq!(manifest["holds"]["migration_level"], level);
    assert!(
        manifest["holds"]["audit"]["verified_rows"]
            .as_i64()
            .unwrap()
            > 5
    );
    assert!(manifest["holds"]["audit"]["broken_at"].is_null());
    let key_id = manifest["holds"]["vault_key_ids"][0].as_str().unwrap();
    assert!(said.contains(key_id), "{said}");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&archive), 0o600);
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }

    for (number, from) in [&folder, &archive].into_iter().enumerate() {
        let state_dir = place.path().join(format!("restored-{number}"));
        // With the key at hand, and without.
        let said = restore(place.path(), from, &state_dir).await.done();
        assert!(
            said.contains(&format!("Give back the vault key {key_id}")),
            "{said}"
        );
        let key = [("SPIN_VARIABLE_VAULT_KEY", app.variable("vault_key"))];
        let again = place.path().join(format!("again-{number}"));
        let arguments = ["restore", "--from", text(from), "--state-dir", text(&again)];
        let said = vivesphere(place.path(), &key, &arguments).await.done();
        assert!(said.contains("is here"), "{said}");

        let restored = App::builder()
            .beside(&app)
            .state_dir(&state_dir)
            .start()
            .await;
        assert_eq!(
            restored.number(
                "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"
            ),
            0
        );
        let journal: String = restored
            .database()
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .unwrap();
        assert_eq!(journal, "wal");
        let admin = restored.admin().await;
        let there = post_ids(&admin, &bot_id).await;
        assert!(there.is_superset(&before) && there.is_subset(&after));
        let post = admin.get(&format!("/api/v1/posts/{published}")).await;
        assert_eq!(post.json(200)["state"], "published");
        let body = json!({"bot_id": other});
        let revealed = admin.post("/api/v1/botdata/reveal", &body).await.json(200);
        assert_eq!(revealed["data"]["password"], secret);
        let verified = admin.get("/api/v1/audit/verify").await.json(200);
        assert_eq!(verified["intact"], true, "{verified}");
    }
}

#[tokio::test]
async fn nothing_is_ever_overwritten() {
    if on_spin() {
        return;
    }
    let app = App::start().await;
    app.admin().await;
    let place = tempfile::tempdir().unwrap();
    let (folder, archive) = (place.path().join("one"), place.path().join("one.tar"));
    backup(&app, place.path(), &folder).await.done();
    backup(&app, place.path(), &archive).await.done();
    for to in [&folder, &archive] {
        let said = backup(&app, place.path(), to).await;
        said.refused("never overwrites");
    }
    // The running application's own state, another's, and one that is in use but still empty.
    let said = restore(place.path(), &folder, app.state_dir()).await;
    said.refused("is not empty");
    let other = place.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("notes.txt"), "mine").unwrap();
    let said = restore(place.path(), &folder, &other).await;
    said.refused("is not empty");
    assert_eq!(std::fs::read(other.join("notes.txt")).unwrap(), b"mine");
    let empty = place.path().join("empty");
    let mut waiting = App::builder()
        .beside(&app)
        .state_dir(&empty)
        .untouched()
        .start()
        .await;
    let said = restore(place.path(), &folder, &empty).await;
    said.refused("used by a running host");
    waiting.kill();
    restore(place.path(), &folder, &empty).await.done();
    let said = backup(&app, place.path(), &place.path().join("no/such/folder")).await;
    said.refused("is not there");
    let missing = ["backup", "--state-dir", text(&other), "--to", "two"];
    let said = vivesphere(place.path(), &[], &missing).await;
    said.refused("there is no database");
    assert!(!place.path().join("two").exists());
}

#[tokio::test]
async fn a_damaged_or_newer_backup_is_refused_and_leaves_nothing() {
    if on_spin() {
        return;
    }
    let app = App::start().await;
    app.admin().await;
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("state");
    let database = "sqlite_database.default.db";
    let good = place.path().join("good");
    backup(&app, place.path(), &good).await.done();
    let archive = place.path().join("good.tar");
    backup(&app, place.path(), &archive).await.done();

    // One bit, in the folder and in the archive; an archive that was cut off.
    let bytes = std::fs::read(good.join(database)).unwrap();
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(good.join(database), &damaged).unwrap();
    let said = restore(place.path(), &good, &target).await;
    said.refused("not what was backed up");
    assert!(!target.exists());
    let packed = std::fs::read(&archive).unwrap();
    for (name, content) in [
        ("bit.tar", {
            let mut packed = packed.clone();
            let middle = packed.len() / 2;
            packed[middle] ^= 1;
            packed
        }),
        ("cut.tar", packed[..packed.len() / 2].to_owned()),
        ("none.tar", b"something else".to_vec()),
    ] {
        let from = place.path().join(name);
        std::fs::write(&from, content).unwrap();
        let said = restore(place.path(), &from, &target).await;
        assert!(!said.success, "{name}: {}", said.output);
        assert!(!target.exists(), "{name}");
    }
    // A manifest that names a file outside.
    std::fs::write(good.join(database), &bytes).unwrap();
    let manifest = std::fs::read_to_string(good.join("manifest.json")).unwrap();
    let elsewhere = manifest.replace(database, "../outside.db");
    std::fs::write(good.join("manifest.json"), elsewhere).unwrap();
    let said = restore(place.path(), &good, &target).await;
    said.refused("the manifest is damaged");
    // A file that is missing.
    std::fs::write(good.join("manifest.json"), &manifest).unwrap();
    std::fs::remove_file(good.join(database)).unwrap();
    let said = restore(place.path(), &good, &target).await;
    said.refused("missing from the backup");
    assert!(!target.exists());

    // A build from the future has been at the database.
    app.database()
        .execute(
            "INSERT INTO schema_migrations (version, name, checksum, applied_at)
                VALUES (9999, '9999_from_the_future', 'x', 0)",
            [],
        )
        .unwrap();
    let newer = place.path().join("newer");
    backup(&app, place.path(), &newer).await.done();
    let said = restore(place.path(), &newer, &target).await;
    said.refused("migration level 9999");
    // Even when its manifest is made to say otherwise.
    let manifest = std::fs::read_to_string(newer.join("manifest.json")).unwrap();
    std::fs::write(newer.join("manifest.json"), manifest.replace("9999", "1")).unwrap();
    let said = restore(place.path(), &newer, &target).await;
    said.refused("migration level 9999");
    assert!(!target.exists());
}

#[tokio::test]
async fn a_broken_audit_trail_is_told_and_still_backed_up() {
    if on_spin() {
        return;
    }
    let app = App::start().await;
    app.admin().await;
    app.run_job("drain-logs").await;
    let sealed = app.number("SELECT audit_id FROM audit_head");
    let change = "UPDATE audit_log SET actor_id = 'somebody else' WHERE audit_id = ?";
    app.database().execute(change, [sealed]).unwrap();
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("evidence");
    let said = backup(&app, place.path(), &to).await;
    let expected = format!("not as it was sealed, from row {sealed} on");
    assert!(said.errors.contains(&expected), "{}", said.errors);
    said.done();
}

#[tokio::test]
async fn files_are_found_by_the_runtime_configuration_and_servers_are_named() {
    if on_spin() {
        return;
    }
    let app = App::start().await;
    app.admin().await;
    let place = tempfile::tempdir().unwrap();
    let file = text(app.state_dir()).to_owned() + "/sqlite_db.db";
    let configuration = place.path().join("runtime.toml");
    let redis = "[key_value_store.default]\ntype = \"redis\"\nurl = \"redis://127.0.0.1:1\"\n";
    let database = format!("[sqlite_database.default]\ntype = \"spin\"\npath = \"{file}\"\n");
    std::fs::write(&configuration, format!("{database}{redis}")).unwrap();
    let to = place.path().join("backup");
    let arguments = [
        "backup",
        "--runtime-config-file",
        "runtime.toml",
        "--to",
        text(&to),
    ];
    let said = vivesphere(place.path(), &[], &arguments).await.done();
    assert!(
        said.contains("key-value store `default` is not in it"),
        "{said}"
    );
    // Restored to where another configuration has it.
    let elsewhere = place.path().join("elsewhere.toml");
    let own = "[sqlite_database.default]\ntype = \"spin\"\npath = \"data.db\"\n";
    std::fs::write(&elsewhere, own).unwrap();
    let arguments = [
        "restore",
        "--from",
        text(&to),
        "--runtime-config-file",
        "elsewhere.toml",
        "--state-dir",
        "state",
    ];
    vivesphere(place.path(), &[], &arguments).await.done();
    let database = rusqlite::Connection::open(place.path().join("data.db")).unwrap();
    let users: i64 = database
        .query_row("SELECT count(*) FROM users", [], |row| row.get(0))
        .unwrap();
    assert_eq!(users, 1);
    vivesphere(place.path(), &[], &arguments)
        .await
        .refused("never overwrites");

    std::fs::write(
        &configuration,
        "[sqlite_database.default]\ntype = \"libsql\"\nurl = \"http://127.0.0.1:1\"\ntoken = \"x\"\n",
    )
    .unwrap();
    let arguments = [
        "backup",
        "--runtime-config-file",
        "runtime.toml",
        "--to",
        "x",
    ];
    let said = vivesphere(place.path(), &[], &arguments).await;
    said.refused("that server's own tools");
}

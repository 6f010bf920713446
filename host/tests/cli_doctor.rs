//! `vivesphere doctor` finds what is missing and names the command that gets it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test"
)]

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

const MANIFEST: &str = r#"
spin_manifest_version = 2
[application]
name = "app"
[variables]
service_key = { required = true, secret = true }
[[trigger.http]]
route = "/"
component = "one"
[component.one]
source = "one.wasm"
"#;

fn doctor(folder: &Path, listen: &str, adjust: impl FnOnce(&mut Command)) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vivesphere"));
    command
        .args(["doctor", "--listen", listen])
        .current_dir(folder);
    command.env_remove("SPIN_VARIABLE_SERVICE_KEY");
    adjust(&mut command);
    let output = command.output().unwrap();
    (
        output.status.success(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spin.toml"), MANIFEST).unwrap();
    folder
}

#[track_caller]
fn contains(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in:\n{text}");
}

#[test]
fn a_place_that_only_needs_a_build_is_healthy_and_stays_untouched() {
    let folder = place();
    let (_, text) = doctor(folder.path(), "127.0.0.1:0", |_| {});
    contains(
        &text,
        "note     components: not built yet: one\n         -> vivesphere build",
    );
    contains(&text, "note     secrets: not there yet: service_key");
    contains(&text, "is writable and SQLite works there");
    contains(&text, "is free");
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["spin.toml"]);
    std::fs::write(folder.path().join("one.wasm"), "").unwrap();
    let (_, text) = doctor(folder.path(), "127.0.0.1:0", |_| {});
    contains(&text, "ok       components: every .wasm is built");
}

#[test]
fn a_machine_without_tools_is_told_how_to_get_them() {
    let folder = place();
    let (healthy, text) = doctor(folder.path(), "127.0.0.1:0", |command| {
        command.env("PATH", folder.path());
    });
    assert!(!healthy);
    contains(
        &text,
        "MISSING  toolchain: cargo is not found\n         -> curl",
    );
    contains(&text, "MISSING  target: rustc does not run here");
    contains(&text, "MISSING  C compiler: `cc` is not found");
    contains(&text, "apt install build-essential");
}

#[test]
fn exposed_and_malformed_secrets_are_missing_and_not_shown() {
    let folder = place();
    let dotenv = folder.path().join(".env");
    std::fs::write(&dotenv, "SPIN_VARIABLE_SERVICE_KEY=canary-0451\n").unwrap();
    std::fs::set_permissions(&dotenv, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (healthy, text) = doctor(folder.path(), "127.0.0.1:0", |_| {});
    assert!(!healthy);
    contains(&text, "-> chmod 600 .env");
    contains(
        &text,
        "the variable `service_key` is malformed: it must be text of at least 32 characters",
    );
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn a_taken_port_and_a_broken_manifest() {
    let folder = place();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let (healthy, text) = doctor(folder.path(), &address.to_string(), |_| {});
    assert!(!healthy);
    contains(&text, &format!("cannot listen on {address}"));
    contains(&text, &format!("sport = :{}", address.port()));
    std::fs::write(
        folder.path().join("spin.toml"),
        MANIFEST.replace("source", "sorce"),
    )
    .unwrap();
    let (healthy, text) = doctor(folder.path(), "127.0.0.1:0", |_| {});
    assert!(!healthy);
    contains(&text, "did you mean `source`?");
}

#[test]
fn a_database_that_cannot_be_read() {
    let folder = place();
    std::fs::create_dir(folder.path().join(".spin")).unwrap();
    std::fs::write(
        folder.path().join(".spin/sqlite_db.db"),
        "not a database, by far not one, not at all".repeat(40),
    )
    .unwrap();
    let (healthy, text) = doctor(folder.path(), "127.0.0.1:0", |_| {});
    assert!(!healthy);
    contains(&text, "the database cannot be read: ");
}

#[test]
fn a_state_that_lies_elsewhere_is_looked_at_there() {
    let folder = place();
    let config = "[sqlite_database.default]\ntype = \"spin\"\npath = \"data/app.db\"\n";
    std::fs::write(folder.path().join("runtime-config.toml"), config).unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/app.db"), "no database".repeat(99)).unwrap();
    let configured = |command: &mut Command| {
        command.env("RUNTIME_CONFIG_FILE", "runtime-config.toml");
    };
    let (healthy, text) = doctor(folder.path(), "127.0.0.1:0", configured);
    assert!(!healthy);
    contains(&text, "data/app.db");
    let (_, text) = doctor(folder.path(), "127.0.0.1:0", |command| {
        command.args(["--runtime-config-file", "nowhere.toml"]);
    });
    contains(&text, "MISSING  runtime configuration: cannot read");
    let (healthy, text) = doctor(folder.path(), "127.0.0.1:0", |command| {
        command.args(["--state-dir", "spin.toml"]);
    });
    assert!(!healthy);
    contains(&text, "it is not a folder");
}

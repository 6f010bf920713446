//! `vivesphere` refuses to start, says why in plain words, and shows no secret.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test"
)]

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

const MANIFEST: &str = r#"
spin_manifest_version = 2
[application]
name = "app"
[variables]
vault_key = { required = true, secret = true }
publish_max_attempts = { default = "8" }
[[trigger.http]]
route = "/"
component = "one"
[component.one]
source = "one.wasm"
variables = { key = "{{ vault_key }}" }
"#;

struct Place(tempfile::TempDir);

impl Place {
    fn new(manifest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("spin.toml"), manifest).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vivesphere"));
        command.args(arguments).current_dir(self.path());
        for (name, _) in std::env::vars() {
            if name.starts_with("SPIN_") {
                command.env_remove(name);
            }
        }
        command
    }

    #[track_caller]
    fn fails(&self, arguments: &[&str], expected: &[&str]) -> String {
        failed(self.command(arguments).output().unwrap(), expected)
    }
}

#[track_caller]
fn failed(output: Output, expected: &[&str]) -> String {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!output.status.success(), "it did not fail:\n{text}");
    for part in expected {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    text
}

const UP: &[&str] = &["up", "--listen", "127.0.0.1:0"];

#[test]
fn a_manifest_with_an_unsupported_key_names_its_line() {
    let place = Place::new(&MANIFEST.replace("source = ", "ai_models = [\"a\"]\nsource = "));
    place.fails(
        UP,
        &["error: spin.toml:12: `component.one.ai_models` is not supported"],
    );
}

#[test]
fn a_required_variable_that_cannot_be_made_up() {
    let place = Place::new(&MANIFEST.replace("vault_key", "my_key"));
    place.fails(
        UP,
        &[
            r#"no provider resolved required variable(s): [Key("my_key")]"#,
            "SPIN_VARIABLE_MY_KEY",
        ],
    );
    assert!(!place.path().join(".env").exists());
}

#[test]
fn an_undeclared_variable() {
    let place = Place::new(MANIFEST);
    let arguments = [UP, &["--variable", "valt_key=canary-0451"]].concat();
    let text = place.fails(
        &arguments,
        &["declares no such variable", "did you mean `vault_key`?"],
    );
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn a_malformed_setting_from_any_provider_is_named_and_not_shown() {
    let place = Place::new(MANIFEST);
    let expected = &["`vault_key` is malformed", "32 random bytes in base64"];
    let mut texts = Vec::new();
    texts.push(place.fails(
        &[UP, &["--variable", "vault_key=canary-0451"]].concat(),
        expected,
    ));
    let mut command = place.command(UP);
    command.env("SPIN_VARIABLE_VAULT_KEY", "canary-0451");
    texts.push(failed(command.output().unwrap(), expected));
    std::fs::write(
        place.path().join(".env"),
        "SPIN_VARIABLE_VAULT_KEY=canary-0451\n",
    )
    .unwrap();
    texts.push(place.fails(UP, expected));
    assert!(
        texts.iter().all(|text| !text.contains("canary")),
        "{texts:?}"
    );
}

#[test]
fn a_lost_vault_key_while_the_database_exists() {
    let place = Place::new(MANIFEST);
    std::fs::create_dir(place.path().join(".spin")).unwrap();
    std::fs::write(place.path().join(".spin/sqlite_db.db"), "").unwrap();
    place.fails(UP, &["`vault_key` is missing", "old key", "--state-dir"]);
    assert!(!place.path().join(".env").exists());
}

#[test]
fn secrets_that_would_land_in_a_file_others_can_read() {
    let place = Place::new(MANIFEST);
    let dotenv = place.path().join(".env");
    std::fs::write(&dotenv, "A=1\n").unwrap();
    std::fs::set_permissions(&dotenv, std::fs::Permissions::from_mode(0o644)).unwrap();
    place.fails(UP, &["chmod 600"]);
    assert_eq!(std::fs::read_to_string(&dotenv).unwrap(), "A=1\n");
}

#[test]
fn an_address_that_is_taken_or_none() {
    let place = Place::new(MANIFEST);
    let taken = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let held = TcpListener::bind(&taken).unwrap();
    place.fails(
        &["up", "--listen", &taken],
        &["cannot listen on", "--listen"],
    );
    drop(held);
    place.fails(
        &["up", "--listen", "nowhere"],
        &["an address such as 127.0.0.1:3000"],
    );
    assert!(
        !place.path().join(".env").exists(),
        "nothing is written before the address is taken"
    );
}

#[test]
fn components_that_are_not_built_and_a_build_that_fails() {
    let place = Place::new(MANIFEST);
    place.fails(UP, &["one: ", "does not exist", "up --build"]);
    assert!(
        !place.path().join(".env").exists(),
        "nothing is written before everything is there"
    );
    let failing = Place::new(&format!(
        "{MANIFEST}build.command = \"echo said-by-the-tool >&2; exit 4\"\n"
    ));
    let text = failing.fails(
        &[UP, &["--build", "--quiet"]].concat(),
        &["said-by-the-tool", "building one failed"],
    );
    assert!(!text.contains("Building"), "{text}");
    failing.fails(
        &["build"],
        &["Building one", "said-by-the-tool", "exit status: 4"],
    );
}

#[test]
fn runtime_configuration_that_is_not_supported() {
    let place = Place::new(MANIFEST);
    std::fs::write(
        place.path().join("runtime.toml"),
        "[sqlite_database.default]\ntype = \"libsql\"\n",
    )
    .unwrap();
    place.fails(
        &[UP, &["--runtime-config-file", "runtime.toml"]].concat(),
        &["runtime.toml:2: the type `libsql`"],
    );
    place.fails(
        &[UP, &["--runtime-config-file", "other.toml"]].concat(),
        &["cannot read the runtime configuration other.toml"],
    );
}

#[test]
fn a_job_of_a_component_that_is_not_scheduled() {
    let place = Place::new(MANIFEST);
    place.fails(&["job", "run", "one"], &["`one` is no scheduled component"]);
}

#[test]
fn malformed_arguments() {
    let place = Place::new(MANIFEST);
    place.fails(
        &[UP, &["--env", "novalue"]].concat(),
        &["NAME=VALUE is expected"],
    );
    place.fails(
        &[UP, &["--request-timeout", "soon"]].concat(),
        &["a time is expected"],
    );
    place.fails(
        &[UP, &["--max-instance-memory", "much"]].concat(),
        &["a number of bytes is expected"],
    );
    place.fails(
        &[UP, &["--variable", "novalue"]].concat(),
        &["--variable needs"],
    );
}

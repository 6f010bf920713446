//! `vivesphere job run` and `up --build`, as commands on a component that really runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test"
)]

mod fixture;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use fixture::guest_wasm;
use tempfile::TempDir;

/// `guest` answers requests and shows the notes of `job`, which the schedule never wakes in a test's
/// time.
fn place(tick: &str, build: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(guest_wasm(), folder.path().join("built-before.wasm")).unwrap();
    let manifest = format!(
        r#"
        spin_manifest_version = 2
        [application]
        name = "app"
        [[trigger.http]]
        route = "/..."
        component = "guest"
        [[trigger.cron]]
        component = "job"
        cron_expression = "0 0 0 1 1 *"
        [component.guest]
        source = "guest.wasm"
        key_value_stores = ["default"]
        [component.guest.build]
        command = "{build}"
        [component.job]
        source = "built-before.wasm"
        key_value_stores = ["default"]
        variables = {{ tick = "{tick}" }}
        "#
    );
    std::fs::write(folder.path().join("spin.toml"), manifest).unwrap();
    folder
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vivesphere"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("XDG_CACHE_HOME", folder.join("cache"));
    for (name, _) in std::env::vars() {
        if name.starts_with("SPIN_") || name == "RUNTIME_CONFIG_FILE" {
            command.env_remove(name);
        }
    }
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running `up`; dropping it kills it.
struct Up {
    child: Child,
    address: String,
}

impl Up {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = command(folder, &["up", "--listen", "127.0.0.1:0"])
            .args(["--disable-pooling", "--no-cron"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        // From here on it is ended, whatever comes.
        let mut up = Self {
            child,
            address: String::new(),
        };
        let mut said = String::new();
        loop {
            let before = said.len();
            assert!(
                output.read_line(&mut said).unwrap() > 0,
                "it ended:\n{said}"
            );
            if let Some((_, rest)) = said[before..].split_once("ViveSphere is ready at http://") {
                rest.split_whitespace()
                    .next()
                    .unwrap()
                    .clone_into(&mut up.address);
                return up;
            }
        }
    }

    /// The body of an answer.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

#[test]
fn a_job_that_is_run_now_does_its_work_and_says_so() {
    // `guest` is never built: only what is run must be.
    let folder = place("note", "exit 1");
    let output = run(folder.path(), &["job", "run", "job"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = text(&output.stdout);
    assert!(
        said.contains("job: done in ") && said.contains(" ms"),
        "{said}"
    );
    let quiet = run(folder.path(), &["job", "run", "job", "--quiet"]);
    assert_eq!(quiet.status.code(), Some(0), "{quiet:?}");
    assert!(
        quiet.stdout.is_empty() && quiet.stderr.is_empty(),
        "{quiet:?}"
    );

    // What it did is in the state that is served.
    let built = folder.path().join("guest.wasm");
    std::os::unix::fs::symlink(guest_wasm(), built).unwrap();
    let up = Up::start(folder.path(), &[]);
    let keys = up.get("/key-value?do=keys");
    assert!(keys.contains("tick "), "{keys}");
}

#[test]
fn a_job_that_fails_says_why_and_so_does_its_exit_code() {
    for (tick, reason) in [("fail", "told to fail: fail"), ("trap", "unreachable")] {
        let folder = place(tick, "exit 1");
        let output = run(folder.path(), &["job", "run", "job"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = text(&output.stderr);
        assert!(said.contains("job: failed after "), "{said}");
        assert!(said.contains(reason), "{reason:?} is not in {said}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}

#[test]
fn what_is_to_be_built_is_built_and_then_served() {
    let folder = place(
        "note",
        "cp built-before.wasm guest.wasm && echo again >> builds",
    );
    let builds = || std::fs::read_to_string(folder.path().join("builds")).unwrap_or_default();
    // Nothing is built unless that is asked for.
    let refused = run(folder.path(), &["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(text(&refused.stderr).contains("up --build"), "{refused:?}");
    assert_eq!(builds(), "");

    let up = Up::start(folder.path(), &["--build"]);
    assert_eq!(up.get("/hello"), "hello");
    assert_eq!(builds(), "again\n");
    drop(up);
    // It is there now; who asks for a build gets another.
    let up = Up::start(folder.path(), &[]);
    assert_eq!(up.get("/hello"), "hello");
    assert_eq!(builds(), "again\n");
    drop(up);
    let up = Up::start(folder.path(), &["--build"]);
    assert_eq!(up.get("/hello"), "hello");
    assert_eq!(builds(), "again\nagain\n");
}

//! `vivesphere up`: a first start, readiness, and stopping. The application has no component,
//! so that nothing needs to be built: every request is answered 404.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use wasm_encoder::{
    CodeSection, Component, Function, FunctionSection, Module, ModuleSection, TypeSection, ValType,
};

const MANIFEST: &str = r#"
spin_manifest_version = 2
[application]
name = "app"
[variables]
bootstrap_admin_password = { required = true, secret = true }
vault_key = { required = true, secret = true }
jobs_base_url = { default = "http://127.0.0.1:3000" }
[trigger]
"#;

struct Up {
    child: Child,
    output: BufReader<ChildStdout>,
    errors: ChildStderr,
}

impl Up {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vivesphere"))
            .args(["up", "--listen", "127.0.0.1:0", "--disable-pooling"])
            .args(arguments)
            .current_dir(folder)
            .env("XDG_CACHE_HOME", folder.join("cache"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let errors = child.stderr.take().unwrap();
        Self {
            child,
            output,
            errors,
        }
    }

    /// What is said until it is ready, and the address after "ready at".
    fn until_ready(&mut self) -> (String, String) {
        let mut said = String::new();
        loop {
            let before = said.len();
            assert!(
                self.output.read_line(&mut said).unwrap() > 0,
                "it ended:\n{said}"
            );
            if let Some((_, rest)) = said[before..].split_once("ViveSphere is ready at http://") {
                let address = rest.split_whitespace().next().unwrap().to_owned();
                return (said, address);
            }
        }
    }

    fn signal(&self, name: &str) {
        let killed = Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
    }

    /// Waits for the end and gives the exit code and what else was said.
    fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.output.read_to_string(&mut said).unwrap();
        self.errors.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spin.toml"), MANIFEST).unwrap();
    folder
}

fn status_line(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_first_start_shows_the_password_once_serves_and_stops_on_both_signals() {
    let folder = place();
    let mut up = Up::start(folder.path(), &[]);
    let (said, address) = up.until_ready();
    assert_eq!(status_line(&address), "HTTP/1.1 404 Not Found");
    let dotenv = folder.path().join(".env");
    let mode = dotenv.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&dotenv).unwrap();
    let value = |name: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("SPIN_VARIABLE_{name}=")));
        line.unwrap().to_owned()
    };
    assert_eq!(
        said.matches(&value("BOOTSTRAP_ADMIN_PASSWORD")).count(),
        1,
        "{said}"
    );
    assert!(!said.contains(&value("VAULT_KEY")));
    up.signal("-TERM");
    let (code, rest) = up.end();
    assert_eq!(code, Some(0), "{rest}");
    assert!(
        rest.contains("Stopping") && !rest.contains(&value("BOOTSTRAP_ADMIN_PASSWORD")),
        "{rest}"
    );
    let state = folder
        .path()
        .join(".spin")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(state & 0o777, 0o700);

    let mut again = Up::start(folder.path(), &[]);
    let (said, _) = again.until_ready();
    assert!(
        !said.contains("First start") && !said.contains("password"),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(&dotenv).unwrap(), text);
    again.signal("-INT");
    assert_eq!(again.end().0, Some(0));
}

/// A component that takes a compiler many seconds: a module of 50,000 functions, each of
/// 200 multiplications.
fn large_component() -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], [ValType::I32]);
    let mut function = Function::new([]);
    let mut body = function.instructions();
    body.local_get(0);
    for _ in 0..200 {
        body.local_get(0).i32_mul();
    }
    body.end();
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    for _ in 0..50_000 {
        functions.function(0);
        code.function(&function);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    let mut component = Component::new();
    component.section(&ModuleSection(&module));
    component.finish()
}

#[test]
fn who_waits_for_the_compiler_is_served_and_told_and_a_stop_does_not_wait() {
    let folder = place();
    let manifest = format!(
        "{MANIFEST}\n[[trigger.http]]\nroute = \"/large\"\ncomponent = \"large\"\n\
         [component.large]\nsource = \"large.wasm\"\n"
    );
    std::fs::write(folder.path().join("spin.toml"), manifest).unwrap();
    std::fs::write(folder.path().join("large.wasm"), large_component()).unwrap();
    let mut up = Up::start(folder.path(), &[]);
    let mut told = BufReader::new(&mut up.errors)
        .lines()
        .map(Result::unwrap)
        .skip_while(|line| !line.contains("Serving"));
    let serving = told.next().expect("it ended");
    let (_, address) = serving.split_once("http://").unwrap();
    let address = address.split_whitespace().next().unwrap();
    assert_eq!(status_line(address), "HTTP/1.1 404 Not Found");
    let progress = told.next().expect("it ended");
    assert!(progress.contains("Loaded 0 of 1 components"), "{progress}");
    drop(told);
    up.signal("-TERM");
    let (code, said) = up.end();
    // It is no HTTP component, which the host says once it is compiled.
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn quiet_says_nothing() {
    let folder = place();
    let up = Up::start(folder.path(), &["--quiet", "--state-dir", "elsewhere"]);
    // It is ready, or about to be, once its state directory is there.
    while !folder.path().join("elsewhere").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    up.signal("-TERM");
    let (code, said) = up.end();
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert!(!folder.path().join(".spin").exists());
}

#[test]
fn a_database_that_lies_elsewhere_gets_its_folder() {
    let folder = place();
    let config = "[sqlite_database.default]\ntype = \"spin\"\npath = \"data/below/app.db\"\n";
    std::fs::write(folder.path().join("runtime-config.toml"), config).unwrap();
    let mut up = Up::start(
        folder.path(),
        &["--runtime-config-file", "runtime-config.toml"],
    );
    up.until_ready();
    let data = folder.path().join("data/below").metadata().unwrap();
    assert_eq!(data.permissions().mode() & 0o777, 0o700);
    up.signal("-TERM");
    assert_eq!(up.end().0, Some(0));
}

#[test]
fn a_start_that_cannot_have_its_state_makes_no_secrets() {
    let folder = place();
    std::fs::write(folder.path().join("a-file"), "").unwrap();
    let (code, said) = Up::start(folder.path(), &["--state-dir", "a-file"]).end();
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("a-file") && !said.contains("password"),
        "{said}"
    );
    assert!(!folder.path().join(".env").exists());
}

#[test]
fn who_no_longer_reads_what_it_says_does_not_stop_it() {
    let folder = place();
    let mut up = Up::start(folder.path(), &[]);
    let (_, address) = up.until_ready();
    let Up {
        mut child,
        output,
        errors,
    } = up;
    drop((output, errors));
    assert_eq!(status_line(&address), "HTTP/1.1 404 Not Found");
    let mut half = TcpStream::connect(&address).unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n").unwrap();
    let killed = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    std::thread::sleep(std::time::Duration::from_millis(300));
    let _ = half.write_all(b"connection: close\r\n\r\n");
    drop(half);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

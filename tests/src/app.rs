//! The application as a process on a state directory of its own: started, killed, restarted.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "in a test a failed unwrap is the assertion, and a failed test shows the log"
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OwnedSemaphorePermit;

use crate::build::{self, Program};
use crate::client::{Client, Transcript};
use crate::fake_x::{Account, FakeX};
use crate::launch::{self, Builder, SECRETS};

/// How long a start may take: compiling the components for the first time takes longest.
const START: Duration = Duration::from_secs(180);

/// A running application; dropping it kills it.
pub struct App {
    /// `http://127.0.0.1:<port>`.
    pub base_url: String,
    place: TempDir,
    state_dir: PathBuf,
    runtime_config: Option<PathBuf>,
    port: u16,
    variables: BTreeMap<String, String>,
    cron: bool,
    wait: bool,
    child: Option<Child>,
    transcript: Transcript,
    _permit: Option<OwnedSemaphorePermit>,
}

impl App {
    /// Starts one with random secrets, without X and without schedules.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Starts one that calls this stand-in for X.
    pub async fn start_with(fake: &FakeX) -> Self {
        Self::builder().x(fake).start().await
    }

    /// Starts one as described.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) async fn launch(builder: Builder) -> Self {
        tokio::task::spawn_blocking(build::everything)
            .await
            .unwrap();
        let permit = match builder.permitted {
            true => Some(launch::permit().await),
            false => None,
        };
        let place = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let base_url = format!("http://127.0.0.1:{port}");
        let mut variables = builder.variables;
        for own in ["public_base_url", "jobs_base_url"] {
            variables.entry(own.to_owned()).or_insert(base_url.clone());
        }
        let mut app = Self {
            base_url,
            state_dir: builder
                .state_dir
                .unwrap_or_else(|| place.path().join("state")),
            place,
            runtime_config: builder.runtime_config,
            port,
            variables,
            cron: builder.cron,
            wait: builder.wait,
            child: None,
            transcript: Arc::new(Mutex::new(String::new())),
            _permit: permit,
        };
        app.restart().await;
        app
    }

    /// Starts it again, on the same state, port and variables; kills it first when it runs.
    pub async fn restart(&mut self) {
        self.kill();
        let program = build::everything();
        let (Program::Host(path) | Program::Spin { path, .. }) = program;
        let output = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())
            .unwrap();
        let mut command = Command::new(path);
        command
            .args(launch::arguments(
                program,
                self.place.path(),
                &self.state_dir,
                self.port,
                self.cron,
            ))
            .current_dir(self.place.path())
            .stdin(std::process::Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            // Spin starts processes of its own: a group is ended as one.
            .process_group(0);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SPIN_VARIABLE_") {
                command.env_remove(name);
            }
        }
        command.env_remove("RUNTIME_CONFIG_FILE");
        if let Some(file) = &self.runtime_config {
            command.env("RUNTIME_CONFIG_FILE", file);
        }
        for (name, value) in &self.variables {
            command.env(format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
        }
        self.child = Some(command.spawn().unwrap());
        self.wait_until_up().await;
    }

    async fn wait_until_up(&mut self) {
        let client = self.anonymous();
        let end = Instant::now() + START;
        loop {
            if let Some(status) = self
                .child
                .as_mut()
                .and_then(|child| child.try_wait().unwrap())
            {
                panic!("it ended with {status}:\n{}", self.log());
            }
            let up = if self.wait {
                client.try_status("/api/v1/health").await == Some(200)
            } else {
                tokio::net::TcpStream::connect(("127.0.0.1", self.port))
                    .await
                    .is_ok()
            };
            if up {
                return;
            }
            assert!(Instant::now() < end, "it does not start:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Gives a variable from the next start on.
    pub fn set_variable(&mut self, name: &str, value: impl ToString) {
        self.variables.insert(name.to_owned(), value.to_string());
    }

    /// The variables it starts with.
    #[must_use]
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// A variable's value.
    #[must_use]
    pub fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }

    /// The secrets that it was given.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        SECRETS
            .iter()
            .filter_map(|name| self.variables.get(*name).cloned())
            .filter(|value| !value.is_empty())
            .collect()
    }

    /// Where its state is.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// Ends it at once, wherever it is (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal("-KILL", &child);
            let _ended = child.wait();
        }
    }

    /// Asks it to stop and waits until it has (SIGTERM).
    ///
    /// # Panics
    /// When it does not stop within 40 seconds.
    pub async fn stop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        signal("-TERM", &child);
        let end = Instant::now() + Duration::from_secs(40);
        while child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "it does not stop:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn log_file(&self) -> PathBuf {
        self.place.path().join("output.txt")
    }

    /// Everything that it has written to standard output and error.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Every answer that its clients have got, with headers.
    #[must_use]
    pub fn transcript(&self) -> String {
        self.transcript.lock().unwrap().clone()
    }

    /// Its database, to look into or to break. It may run meanwhile.
    #[must_use]
    pub fn database(&self) -> rusqlite::Connection {
        let database = rusqlite::Connection::open(self.state_dir.join("sqlite_db.db")).unwrap();
        database.busy_timeout(Duration::from_secs(10)).unwrap();
        database
    }

    /// One number out of the database.
    #[must_use]
    pub fn number(&self, query: &str) -> i64 {
        self.database()
            .query_row(query, [], |row| row.get(0))
            .unwrap()
    }

    /// Whoever is waiting has waited long enough: what backs off is due now, limits of X have
    /// passed. What may still be under way is not touched.
    pub fn let_backoffs_pass(&self) {
        self.database()
            .execute_batch(
                "UPDATE posts SET next_attempt_at = 0
                    WHERE state = 'scheduled' AND next_attempt_at > 0 AND scheduled_at < 1000
                        + CAST(unixepoch('subsec') * 1000 AS INTEGER);
                 UPDATE posts SET next_attempt_at = 0
                    WHERE state = 'outcome_unknown' AND next_attempt_at > 0 AND look_failures > 0;
                 UPDATE bots SET rate_limited_until = 0;
                 UPDATE token_refreshes SET not_before = 0;",
            )
            .unwrap();
    }

    /// While nothing runs: every lease has ended, for whoever held it is dead.
    ///
    /// # Panics
    /// When it runs.
    pub fn let_leases_end(&self) {
        assert!(self.child.is_none(), "leases of a living worker do not end");
        self.database()
            .execute_batch(
                "UPDATE posts SET leased_until = 0;
                 UPDATE token_refreshes SET leased_until = 0;
                 UPDATE post_metrics SET leased_until = 0;
                 UPDATE log_drain SET leased_until = 0;",
            )
            .unwrap();
    }

    /// Somebody without a token.
    #[must_use]
    pub fn anonymous(&self) -> Client {
        Client::new(&self.base_url, self.transcript.clone())
    }

    /// Whoever holds the service key.
    #[must_use]
    pub fn service(&self) -> Client {
        self.anonymous().with_token(self.variable("service_key"))
    }

    /// The administrator of a first start, signed in.
    pub async fn admin(&self) -> Client {
        let password = self.variable("bootstrap_admin_password");
        self.anonymous().sign_in("admin", password).await
    }

    /// A new user with these roles, signed in.
    pub async fn user(&self, admin: &Client, roles: &[&str]) -> Client {
        let username = format!("user-{:08x}", rand::random::<u32>());
        let password = launch::canary("password");
        let new = json!({"username": username, "password": password, "roles": roles});
        admin.post("/api/v1/users", &new).await.json(201);
        self.anonymous().sign_in(&username, &password).await
    }

    /// A bot with the credentials of an account on X; gives its id.
    pub async fn bot(&self, owner: &Client, account: &Account) -> String {
        let new = json!({
            "bot_name": format!("bot of {}", account.username),
            "credentials": {
                "type": "oauth2",
                "access_token": account.access_token,
                "refresh_token": account.refresh_token,
            },
        });
        let bot = owner.post("/api/v1/bots/create", &new).await.json(201);
        assert_eq!(bot["status"], "active");
        bot["bot_id"].as_str().unwrap().to_owned()
    }

    /// Runs a job through its entry, with the service key; gives what it says was done.
    pub async fn run_job(&self, job: &str) -> Value {
        let path = format!("/api/v1/jobs/{job}/run?budget_seconds=5");
        self.service().post_nothing(&path).await.json(200)
    }

    /// Runs the publisher until a post is in one of these states, and gives the post.
    ///
    /// # Panics
    /// When it is not after half a minute.
    pub async fn publish_until(&self, reader: &Client, post_id: &str, states: &[&str]) -> Value {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            self.run_job("publish").await;
            let path = format!("/api/v1/posts/{post_id}");
            let post = reader.get(&path).await.json(200);
            if states.iter().any(|state| post["state"] == *state) {
                return post;
            }
            assert!(Instant::now() < end, "not {states:?}: {post:#}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn signal(name: &str, child: &Child) {
    let _status = Command::new("kill")
        .args([name, "--", &format!("-{}", child.id())])
        .stderr(std::process::Stdio::null())
        .status();
}

impl Drop for App {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let from = lines.len().saturating_sub(60);
            eprintln!(
                "the application's last words:\n{}",
                lines[from..].join("\n")
            );
        }
    }
}

//! The application as a process on a state folder of its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cargo;
use crate::load::Target;
use crate::process::Process;

/// How long a start may take: compiling the components for the first time takes longest.
const START: Duration = Duration::from_secs(180);

/// What is started, and with what.
pub(crate) struct Application {
    program: PathBuf,
    manifest: PathBuf,
    /// Whether the schedules fire.
    cron: bool,
    /// Whether what it compiles is kept apart from what is kept for this user.
    apart: bool,
    /// A path that answers 200 once it is up.
    first: &'static str,
    place: TempDir,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    variables: BTreeMap<String, String>,
    process: Option<Process>,
    http: reqwest::Client,
}

impl Application {
    /// ViveSphere on the embedded host, not started yet.
    pub(crate) fn vivesphere(x: Option<&str>, cron: bool) -> anyhow::Result<Self> {
        let manifest = cargo::repository().join("spin.toml");
        let mut application = Self::new(&cargo::host(), &manifest, "/api/v1/health")?;
        application.cron = cron;
        let key = || BASE64_STANDARD.encode(rand::random::<[u8; 32]>());
        let own = format!("http://{}", application.address);
        for (name, value) in [
            ("bootstrap_admin_password", key()),
            ("jwt_signing_key", key()),
            ("vault_key", key()),
            ("service_key", key()),
            ("public_base_url", own.clone()),
            ("jobs_base_url", own),
            ("rate_limit_per_minute", "100000000".to_owned()),
            ("x_api_base_url", x.unwrap_or("http://127.0.0.1:9").into()),
        ] {
            application.variables.insert(name.to_owned(), value);
        }
        Ok(application)
    }

    /// The bare components on some program that takes Spin's arguments, not started yet.
    pub(crate) fn bare(program: &Path) -> anyhow::Result<Self> {
        let manifest = cargo::repository().join("benchmark/spin.toml");
        Self::new(program, &manifest, "/hello")
    }

    fn new(program: &Path, manifest: &Path, first: &'static str) -> anyhow::Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        Ok(Self {
            program: program.to_owned(),
            manifest: manifest.to_owned(),
            cron: false,
            apart: false,
            first,
            place: tempfile::tempdir()?,
            address,
            variables: BTreeMap::new(),
            process: None,
            http: reqwest::Client::builder().no_proxy().build()?,
        })
    }

    /// Lets its first start compile everything.
    pub(crate) fn compile_apart(&mut self) {
        self.apart = true;
    }

    /// Ends it, starts it again on the same state, and says how long its first answer took, all
    /// components being loaded.
    pub(crate) async fn restart(&mut self) -> anyhow::Result<Duration> {
        self.process = None;
        let said_before = self.log().len();
        let output = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())?;
        let mut command = Command::new(&self.program);
        command
            .arg("up")
            .arg("--from")
            .arg(&self.manifest)
            .args(["--listen", &self.address.to_string()])
            .arg("--state-dir")
            .arg(self.place.path().join("state"))
            .current_dir(self.place.path())
            .stdout(output.try_clone()?)
            .stderr(output);
        if self.program == cargo::host() && !self.cron {
            command.arg("--no-cron");
        }
        if self.apart {
            command.arg("--cache").arg(self.place.path().join("cache"));
        }
        self.give_variables(&mut command);
        let started = Instant::now();
        self.process = Some(Process::start(&mut command)?);
        self.wait(started, said_before).await
    }

    /// Puts its variables, and no others, into the environment.
    pub(crate) fn give_variables(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SPIN_VARIABLE_") {
                command.env_remove(name);
            }
        }
        for (name, value) in &self.variables {
            command.env(format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
        }
    }

    async fn wait(&mut self, started: Instant, said_before: usize) -> anyhow::Result<Duration> {
        loop {
            let process = self.process.as_mut().context("it was not started")?;
            if let Some(status) = process.child.try_wait()? {
                bail!("it ended with {status}:\n{}", self.log());
            }
            if answers(self.address, self.first).await && self.is_loaded(said_before) {
                return Ok(started.elapsed());
            }
            ensure!(started.elapsed() < START, "it is not up:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Whether it has said that all components are loaded. Spin answers nothing before they are.
    fn is_loaded(&self, said_before: usize) -> bool {
        let ready = |said: &str| said.contains("is ready at");
        self.program != cargo::host() || self.log().get(said_before..).is_some_and(ready)
    }

    fn log_file(&self) -> PathBuf {
        self.place.path().join("output.txt")
    }

    /// All that it has written.
    fn log(&self) -> String {
        let bytes = std::fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Its resident memory in MB.
    pub(crate) fn resident(&self) -> anyhow::Result<f64> {
        self.process
            .as_ref()
            .context("it was not started")?
            .resident()
    }

    /// The process's id.
    pub(crate) fn process_id(&self) -> anyhow::Result<u32> {
        let process = self.process.as_ref().context("it was not started")?;
        Ok(process.child.id())
    }

    /// Its database; it may run meanwhile.
    pub(crate) fn database(&self) -> anyhow::Result<rusqlite::Connection> {
        let file = self.place.path().join("state/sqlite_db.db");
        let database = rusqlite::Connection::open(file)?;
        database.busy_timeout(Duration::from_secs(10))?;
        Ok(database)
    }

    /// Fills its database, which may take longer than it keeps an idle connection: the one that
    /// this program keeps has to be seen to end meanwhile, else the next request is lost on it.
    pub(crate) async fn fill(
        &self,
        fill: impl FnOnce(&mut rusqlite::Connection) -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let mut database = self.database()?;
        tokio::task::spawn_blocking(move || fill(&mut database)).await?
    }

    /// Its state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.place.path().join("state")
    }

    /// Ends it and goes on, once it is started again, with the state in this folder.
    pub(crate) fn take_state(&mut self, from: &Path) -> anyhow::Result<()> {
        self.process = None;
        std::fs::remove_dir_all(self.state())?;
        std::fs::rename(from, self.state())?;
        Ok(())
    }

    /// A folder beside its state, on the same disk.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// A load target.
    pub(crate) fn target(&self, path: &str, token: Option<&str>) -> Target {
        Target {
            address: self.address,
            path: path.to_owned(),
            paths: Vec::new(),
            token: token.map(str::to_owned),
            body: None,
        }
    }

    /// The administrator's access token.
    pub(crate) async fn sign_in(&self) -> anyhow::Result<String> {
        let password = &self.variables["bootstrap_admin_password"];
        let body = json!({"username": "admin", "password": password});
        let answer = self.post("/api/v1/auth/login", "", Some(&body)).await?;
        let token = answer["token"].as_str().context("login gave no token")?;
        Ok(token.to_owned())
    }

    /// Runs the log writer once, and gives what it says was done.
    pub(crate) async fn drain_logs(&self) -> anyhow::Result<Value> {
        let path = "/api/v1/jobs/drain-logs/run?budget_seconds=20";
        self.post(path, &self.variables["service_key"], None).await
    }

    /// `GET` that must succeed, and how long it took.
    pub(crate) async fn get(&self, path: &str, token: &str) -> anyhow::Result<(Value, Duration)> {
        let (text, time) = self.get_text(path, token).await?;
        Ok((serde_json::from_str(&text)?, time))
    }

    /// As [`Application::get`], whatever the answer is.
    pub(crate) async fn get_text(
        &self,
        path: &str,
        token: &str,
    ) -> anyhow::Result<(String, Duration)> {
        let started = Instant::now();
        let request = self.http.get(format!("http://{}{path}", self.address));
        let response = request.bearer_auth(token).send().await?;
        let status = response.status();
        let text = response.text().await?;
        let time = started.elapsed();
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok((text, time))
    }

    /// The processor time that it has used.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process_id()?))?;
        // Behind the name, which may hold anything; in ticks of a hundredth of a second (proc(5)).
        let fields = stat.rsplit_once(')').context("no name")?.1;
        let mut ticks = 0;
        for field in fields.split_whitespace().skip(11).take(2) {
            ticks += field.parse::<u64>()?;
        }
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Runs the publisher for at most this many seconds, and gives what it says was done.
    pub(crate) async fn publish(&self, budget_seconds: u32) -> anyhow::Result<Value> {
        let path = format!("/api/v1/jobs/publish/run?budget_seconds={budget_seconds}");
        self.post(&path, &self.variables["service_key"], None).await
    }

    /// `POST` that must succeed.
    pub(crate) async fn post(
        &self,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let mut request = self.http.post(format!("http://{}{path}", self.address));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }
}

/// Whether a path answers 200 on a connection of its own.
pub(crate) async fn answers(address: SocketAddr, path: &str) -> bool {
    let asked = async {
        let client = reqwest::Client::builder().no_proxy().build()?;
        client.get(format!("http://{address}{path}")).send().await
    };
    asked.await.is_ok_and(|answer| answer.status() == 200)
}

//! How an application is started: variables, arguments, the manifest that fits the program.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a failed unwrap is the assertion"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::App;
use crate::build::{Program, repository};
use crate::fake_x::FakeX;

/// The variables that hold secrets.
pub const SECRETS: [&str; 7] = [
    "bootstrap_admin_password",
    "jwt_signing_key",
    "vault_key",
    "vault_key_previous",
    "service_key",
    "x_client_secret",
    "x_app_bearer_token",
];

/// Random text that is found by its beginning wherever it leaks.
#[must_use]
pub fn canary(name: &str) -> String {
    format!("canary-{name}-{:032x}", rand::random::<u128>())
}

/// A random key of 32 bytes in base64.
#[must_use]
pub fn key() -> String {
    BASE64_STANDARD.encode(rand::random::<[u8; 32]>())
}

/// At most two applications run at once: a machine with two cores has no use for more.
pub(crate) async fn permit() -> OwnedSemaphorePermit {
    static RUNNING: std::sync::OnceLock<Arc<Semaphore>> = std::sync::OnceLock::new();
    let running = RUNNING.get_or_init(|| Arc::new(Semaphore::new(2)));
    running.clone().acquire_owned().await.unwrap()
}

/// What an application is started with.
pub struct Builder {
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) cron: bool,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) runtime_config: Option<PathBuf>,
    pub(crate) permitted: bool,
    pub(crate) wait: bool,
}

impl Default for Builder {
    fn default() -> Self {
        let random = [
            ("bootstrap_admin_password", canary("admin")),
            ("jwt_signing_key", key()),
            ("vault_key", key()),
            ("service_key", canary("service")),
            // Nobody is there: a test that needs X gives its own.
            ("x_api_base_url", "http://127.0.0.1:9".to_owned()),
            ("hacker_news_base_url", "http://127.0.0.1:9".to_owned()),
            ("anthropic_api_base_url", "http://127.0.0.1:9".to_owned()),
            ("google_api_base_url", "http://127.0.0.1:9".to_owned()),
            ("mistral_api_base_url", "http://127.0.0.1:9".to_owned()),
            ("openai_api_base_url", "http://127.0.0.1:9".to_owned()),
            ("openrouter_api_base_url", "http://127.0.0.1:9".to_owned()),
            ("rate_limit_per_minute", "1000000".to_owned()),
            ("publish_reconcile_delay_seconds", "0".to_owned()),
            ("x_request_timeout_seconds", "2".to_owned()),
            ("publish_lease_seconds", "5".to_owned()),
        ];
        Self {
            variables: random
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            cron: false,
            state_dir: None,
            runtime_config: None,
            permitted: true,
            wait: true,
        }
    }
}

impl Builder {
    /// Gives a variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl ToString) -> Self {
        self.variables.insert(name.to_owned(), value.to_string());
        self
    }

    /// Calls this stand-in instead of X.
    #[must_use]
    pub fn x(self, fake: &FakeX) -> Self {
        let settings = fake.settings();
        let authorize = format!("{}/i/oauth2/authorize", fake.base_url);
        self.variable("x_api_base_url", &fake.base_url)
            .variable("x_authorize_url", authorize)
            .variable("x_client_id", settings.client_id)
            .variable(
                "x_client_secret",
                settings.client_secret.unwrap_or_default(),
            )
            .variable("x_app_bearer_token", fake.app_token())
    }

    /// Takes sources of trends on this machine, where the tests' own servers are.
    #[must_use]
    pub fn near_sources(self) -> Self {
        self.variable("scrape_allow_private_addresses", "true")
    }

    /// Whether the schedules fire. They do not unless asked: a test runs the jobs itself.
    #[must_use]
    pub fn cron(mut self, cron: bool) -> Self {
        self.cron = cron;
        self
    }

    /// Keeps its state in this folder, which others may use too.
    #[must_use]
    pub fn state_dir(mut self, folder: &Path) -> Self {
        self.state_dir = Some(folder.to_owned());
        self
    }

    /// Gives a runtime configuration.
    #[must_use]
    pub fn runtime_config(mut self, file: &Path) -> Self {
        self.runtime_config = Some(file.to_owned());
        self
    }

    /// Runs beside another application of the same test, with the same variables and state.
    #[must_use]
    pub fn beside(mut self, other: &App) -> Self {
        self.variables = other.variables().clone();
        for own in ["public_base_url", "jobs_base_url"] {
            self.variables.remove(own);
        }
        self.state_dir = Some(other.state_dir().to_owned());
        self.permitted = false;
        self
    }

    /// Does not send a request to see whether it is up: the test's own are the first.
    #[must_use]
    pub fn untouched(mut self) -> Self {
        self.wait = false;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(self) -> App {
        App::launch(self).await
    }
}

/// The arguments after `up`, and the manifest: the unmodified one, unless Spin must be kept from
/// schedules that it has no trigger for or that the test does not want.
pub(crate) fn arguments(
    program: &Program,
    place: &Path,
    state_dir: &Path,
    port: u16,
    cron: bool,
) -> Vec<String> {
    let manifest = match program {
        Program::Spin { cron: there, .. } if !cron || !there => without_cron(place),
        _ => repository().join("spin.toml"),
    };
    let mut arguments = vec![
        "up".to_owned(),
        "--from".to_owned(),
        manifest.display().to_string(),
        "--listen".to_owned(),
        format!("127.0.0.1:{port}"),
        "--state-dir".to_owned(),
        state_dir.display().to_string(),
    ];
    if matches!(program, Program::Host(_)) && !cron {
        arguments.push("--no-cron".to_owned());
    }
    arguments
}

/// The manifest without its schedules, with absolute paths, in `place`.
fn without_cron(place: &Path) -> PathBuf {
    let repository = repository();
    let text = std::fs::read_to_string(repository.join("spin.toml")).unwrap();
    let mut manifest: toml_edit::DocumentMut = text.parse().unwrap();
    let scheduled: BTreeSet<String> = manifest["trigger"]["cron"]
        .as_array_of_tables()
        .into_iter()
        .flatten()
        .filter_map(|trigger| Some(trigger.get("component")?.as_str()?.to_owned()))
        .collect();
    manifest["trigger"].as_table_mut().unwrap().remove("cron");
    let components = manifest["component"].as_table_mut().unwrap();
    components.retain(|name, _| !scheduled.contains(name));
    for (_, component) in components.iter_mut() {
        let source = component["source"].as_str().unwrap();
        let source = repository.join(source).display().to_string();
        component["source"] = toml_edit::value(source);
    }
    let file = place.join("spin.toml");
    std::fs::write(&file, manifest.to_string()).unwrap();
    file
}

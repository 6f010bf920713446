//! From arguments to an application whose every value is known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::ApplicationArguments;
use crate::application::{Application, RuntimeConfig};
use crate::manifest::Manifest;
use crate::secrets::Generated;
use crate::state_files;
use crate::state_lock::StateLock;
use crate::variables::Providers;
use crate::{dotenv, runtime_config, secrets, variables};

/// The variable that says where the job entries are. The host fills it with the address it
/// listens on when nobody gives it.
const JOBS_BASE_URL: &str = "jobs_base_url";

/// An application that was read and checked as far as possible without the address that it
/// will listen on. No `Debug`: it holds secrets.
pub struct Prepared {
    /// The manifest.
    pub manifest: Manifest,
    /// Who gives values.
    pub providers: Providers,
    /// Where stores and databases live.
    pub runtime_config: RuntimeConfig,
    /// Where those live that the runtime configuration does not name.
    pub state_dir: PathBuf,
    /// Where compiled components are kept; `None` turns the cache off.
    pub cache_dir: Option<PathBuf>,
    dotenv: PathBuf,
    environment: BTreeMap<String, String>,
}

/// Reads the manifest and everything that gives values. Nothing is written.
///
/// # Errors
/// When something is malformed, not supported, undeclared, or missing beyond what
/// [`Prepared::generate_secrets`] can make up.
pub fn prepare(arguments: &ApplicationArguments) -> anyhow::Result<Prepared> {
    let manifest = Manifest::read(&arguments.from, arguments.profile.as_deref())?;
    let runtime = match &arguments.runtime_config_file {
        Some(file) => runtime_config::read(file)?,
        None => runtime_config::Loaded::default(),
    };
    let state_dir = match (&arguments.state_dir, runtime.state_dir) {
        (Some(state_dir), _) => std::path::absolute(state_dir)
            .with_context(|| format!("cannot locate {}", state_dir.display()))?,
        (None, Some(state_dir)) => state_dir,
        (None, None) => manifest.folder.join(".spin"),
    };
    let working_folder = std::env::current_dir().context("cannot locate the working directory")?;
    let dotenv = working_folder.join(".env");
    let providers = Providers {
        command_line: variables::from_arguments(&arguments.variables)?,
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("SPIN_VARIABLE_"))
            .collect(),
        dotenv: dotenv::read(&dotenv)?,
    };
    let cache_dir = match (&arguments.cache, arguments.disable_cache) {
        (_, true) => None,
        (Some(folder), false) => Some(
            std::path::absolute(folder)
                .with_context(|| format!("cannot locate {}", folder.display()))?,
        ),
        (None, false) => Some(default_cache_dir(&state_dir)),
    };
    let prepared = Prepared {
        manifest,
        providers,
        runtime_config: runtime.config,
        state_dir,
        cache_dir,
        dotenv,
        environment: arguments.environment.iter().cloned().collect(),
    };
    prepared
        .providers
        .check_declared(&prepared.manifest.variables)?;
    secrets::check_variables(&prepared.given_values())?;
    Ok(prepared)
}

fn default_cache_dir(state_dir: &Path) -> PathBuf {
    let folder = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    folder("XDG_CACHE_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".cache")))
        .map_or_else(|| state_dir.join("cache"), |cache| cache.join("vivesphere"))
}

impl Prepared {
    /// What is known of the variables before secrets are made and an address is bound.
    fn given_values(&self) -> BTreeMap<String, String> {
        let rows = self.manifest.variables.iter();
        rows.filter_map(|(name, variable)| {
            let value = self.providers.get(name).or(variable.default.as_deref())?;
            Some((name.clone(), value.to_owned()))
        })
        .collect()
    }

    /// The `default` database's file.
    pub fn database(&self) -> PathBuf {
        state_files::default_database(&self.state_dir, &self.runtime_config)
    }

    /// The file that holds this deployment's secrets.
    pub fn dotenv(&self) -> &Path {
        &self.dotenv
    }

    /// Refuses a start whose missing secrets cannot be made up, before anything slow.
    ///
    /// # Errors
    /// As [`secrets::plan`].
    pub fn check_secrets(&self) -> anyhow::Result<()> {
        let variables = &self.manifest.variables;
        secrets::plan(variables, &self.providers, &self.dotenv, &self.database()).map(drop)
    }

    /// Makes missing secrets up; `None` when nothing was missing.
    ///
    /// # Errors
    /// As [`secrets::generate_missing`].
    pub fn generate_secrets(&mut self) -> anyhow::Result<Option<Generated>> {
        let database = self.database();
        let variables = &self.manifest.variables;
        secrets::generate_missing(variables, &mut self.providers, &self.dotenv, &database)
    }

    /// Creates the folders of the state, private to the user, and keeps restores away from them as
    /// long as the answer is held.
    ///
    /// # Errors
    /// When one cannot be created, or is being restored.
    pub(super) fn open_state(&self) -> anyhow::Result<StateLock> {
        let folders = state_files::folders(&self.state_dir, &self.runtime_config);
        state_files::create(&folders)?;
        StateLock::shared(&folders)
    }

    /// The application with every template filled in. `base_url` is where it is reached:
    /// `jobs_base_url` points there unless somebody gives it.
    ///
    /// # Errors
    /// When a value, a component's `.wasm` or a file is missing, or a setting is malformed.
    pub fn application(&self, base_url: &str) -> anyhow::Result<Application> {
        let mut values = self.providers.resolve(&self.manifest.variables)?;
        if values.contains_key(JOBS_BASE_URL) && self.providers.get(JOBS_BASE_URL).is_none() {
            values.insert(JOBS_BASE_URL.to_owned(), base_url.to_owned());
        }
        secrets::check_variables(&values)?;
        self.manifest.application(&values, &self.environment)
    }

    /// The application reduced to one component, which need not have the others built.
    ///
    /// # Errors
    /// As [`Prepared::application`].
    pub fn application_of(&self, component: &str) -> anyhow::Result<Application> {
        let values = self.providers.resolve(&self.manifest.variables)?;
        secrets::check_variables(&values)?;
        let mut manifest = self.manifest.clone();
        manifest.http_triggers.clear();
        manifest
            .cron_triggers
            .retain(|trigger| trigger.component == component);
        manifest.application(&values, &self.environment)
    }

    /// The administrator's name, for the report of a first start.
    pub fn admin_username(&self) -> String {
        let values = self.given_values();
        values
            .get("bootstrap_admin_username")
            .map_or("admin", String::as_str)
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    const MANIFEST: &str = "spin_manifest_version = 2\n[application]\nname = \"app\"\n\
        [variables]\njobs_base_url = { default = \"http://127.0.0.1:3000\" }\n\
        [[trigger.cron]]\ncron_expression = \"* * * * * *\"\ncomponent = \"tick\"\n\
        [[trigger.http]]\nroute = \"/\"\ncomponent = \"other\"\n\
        [component.other]\nsource = \"not-built.wasm\"\n\
        [component.tick]\nsource = \"tick.wasm\"\n\
        allowed_outbound_hosts = [\"{{ jobs_base_url }}\"]\n";

    /// Prepares the manifest in a new folder with these arguments to `up`.
    fn prepared(arguments: &[&str]) -> (tempfile::TempDir, Prepared) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("spin.toml"), MANIFEST).unwrap();
        std::fs::write(folder.path().join("tick.wasm"), "").unwrap();
        let from = folder.path().to_str().unwrap();
        let line = [&["vivesphere", "up", "--from", from], arguments].concat();
        let Command::Up(arguments) = Cli::parse_from(line).command else {
            panic!("`up` was expected");
        };
        let prepared = prepare(&arguments.application).unwrap();
        (folder, prepared)
    }

    #[test]
    fn the_address_listened_on_is_where_jobs_are_unless_it_is_given() {
        let (folder, prepared) = self::prepared(&[]);
        std::fs::write(folder.path().join("not-built.wasm"), "").unwrap();
        let application = prepared.application("http://127.0.0.1:4711").unwrap();
        let hosts = &application.components["tick"].allowed_outbound_hosts;
        assert_eq!(hosts, &["http://127.0.0.1:4711"]);

        let given = ["--variable", "jobs_base_url=http://jobs.example.com"];
        let (folder, prepared) = self::prepared(&given);
        std::fs::write(folder.path().join("not-built.wasm"), "").unwrap();
        let application = prepared.application("http://127.0.0.1:4711").unwrap();
        let hosts = &application.components["tick"].allowed_outbound_hosts;
        assert_eq!(hosts, &["http://jobs.example.com"]);
    }

    #[test]
    fn one_job_needs_only_its_own_component_and_the_default_address() {
        let (_folder, prepared) = self::prepared(&[]);
        let application = prepared.application_of("tick").unwrap();
        assert_eq!(application.components.len(), 1);
        let hosts = &application.components["tick"].allowed_outbound_hosts;
        assert_eq!(hosts, &["http://127.0.0.1:3000"]);
    }

    #[test]
    fn the_state_directory_comes_from_the_flag_the_configuration_or_the_manifest() {
        let (folder, prepared) = self::prepared(&[]);
        assert_eq!(prepared.state_dir, folder.path().join(".spin"));
        assert_eq!(
            prepared.database(),
            folder.path().join(".spin/sqlite_db.db")
        );

        let configuration = folder.path().join("runtime.toml");
        let database = "[sqlite_database.default]\ntype = \"spin\"\npath = \"own.db\"\n";
        std::fs::write(
            &configuration,
            format!("state_dir = \"configured\"\n{database}"),
        )
        .unwrap();
        let file = configuration.to_str().unwrap();
        let (_other, prepared) = self::prepared(&["--runtime-config-file", file]);
        assert_eq!(prepared.state_dir, folder.path().join("configured"));
        assert_eq!(prepared.database(), folder.path().join("own.db"));

        let both = [
            "--runtime-config-file",
            file,
            "--state-dir",
            "/var/lib/flag",
        ];
        let (_other, prepared) = self::prepared(&both);
        assert_eq!(prepared.state_dir, Path::new("/var/lib/flag"));
    }

    #[test]
    fn the_cache_is_where_it_is_asked_for_or_off() {
        let (_folder, prepared) = self::prepared(&["--cache", "/var/cache/modules"]);
        assert_eq!(prepared.cache_dir, Some("/var/cache/modules".into()));
        let (_folder, prepared) = self::prepared(&["--disable-cache"]);
        assert_eq!(prepared.cache_dir, None);
    }
}

//! Spin's manifest, version 2: what this host supports is read, everything else is refused
//! with its key and line. Nothing is ignored silently.
//!
//! [`Manifest::read`] checks the file by itself; [`Manifest::application`] fills the
//! templates and finds the files once the variables' values are known.

mod component;
pub(crate) mod document;
mod files;
mod resolve;
mod trigger;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::application::{CronTrigger, HttpTrigger};
use crate::template::is_variable_name;

pub use component::{Build, Component};
pub use document::{Refusal, Refusals};
pub use files::FileMount;

use document::{Document, Section};

/// The keys of Spin's manifest that this host refuses, wherever they stand, and why.
const UNSUPPORTED: &[(&str, &str)] = &[
    (
        "targets",
        "it runs on this machine only, so remove it or check targets with `spin build`",
    ),
    ("ai_models", "there is no inference here"),
    (
        "dependencies",
        "compose the component before (for example with `wac plug`) and name the result as `source`",
    ),
    (
        "dependencies_inherit_configuration",
        "compose the component before",
    ),
    (
        "allowed_http_hosts",
        "write `allowed_outbound_hosts = [\"https://…\"]` instead",
    ),
    ("components", "compose the component before"),
    (
        "executor",
        "only components of the Spin and WASI HTTP interfaces run, found out by themselves",
    ),
    ("static_response", "serve it from a component"),
    (
        "trigger",
        "settings for a whole trigger type are given on the command line",
    ),
];

/// A manifest that was read and found well-formed; values are not filled in yet.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The file.
    pub path: PathBuf,
    /// The folder that relative paths in it start from.
    pub folder: PathBuf,
    /// `[application] name`.
    pub name: String,
    /// `[application] version`, empty when it is not given.
    pub version: String,
    /// `[variables]`, by name.
    pub variables: BTreeMap<String, Variable>,
    /// `[component.…]`, by id, those written inside a trigger included.
    pub components: BTreeMap<String, Component>,
    /// `[[trigger.http]]`, in the manifest's order.
    pub http_triggers: Vec<HttpTrigger>,
    /// `[[trigger.cron]]`, in the manifest's order.
    pub cron_triggers: Vec<CronTrigger>,
}

/// One row of `[variables]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The value when no provider gives one; `None` makes the variable required.
    pub default: Option<String>,
    /// Whether the value must not be shown.
    pub secret: bool,
    /// For people.
    pub description: Option<String>,
}

impl Manifest {
    /// Reads a manifest. `from` is the file, or the folder that holds `spin.toml`; `profile`
    /// chooses `[component.ID.profile.NAME]`.
    ///
    /// # Errors
    /// When the file cannot be read, and [`Refusals`] when it says what this host does not
    /// support or understand.
    pub fn read(from: &Path, profile: Option<&str>) -> anyhow::Result<Self> {
        let path = if from.is_dir() {
            from.join("spin.toml")
        } else {
            from.to_owned()
        };
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!(
                "cannot read the manifest {}; name it with --from FILE, or start in its folder",
                path.display()
            )
        })?;
        let path = std::path::absolute(&path)
            .with_context(|| format!("cannot locate {}", path.display()))?;
        Ok(Self::parse(text, &path, profile)?)
    }

    /// Reads a manifest's text as if it stood at the absolute `path`.
    ///
    /// # Errors
    /// [`Refusals`] when it says what this host does not support or understand.
    pub fn parse(text: String, path: &Path, profile: Option<&str>) -> Result<Self, Refusals> {
        let file = path
            .file_name()
            .map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
        let folder = path.parent().unwrap_or_else(|| Path::new("/"));
        let document = Document::parse(&file, text)?;
        let mut manifest = Self {
            path: path.to_owned(),
            folder: folder.to_owned(),
            name: String::new(),
            version: String::new(),
            variables: BTreeMap::new(),
            components: BTreeMap::new(),
            http_triggers: Vec::new(),
            cron_triggers: Vec::new(),
        };
        manifest.fill(&document.root(), profile);
        document.finish(manifest)
    }

    fn fill(&mut self, root: &Section<'_>, profile: Option<&str>) {
        if !version_is_supported(root) {
            return;
        }
        root.keys(
            &[
                "spin_manifest_version",
                "application",
                "variables",
                "trigger",
                "component",
            ],
            &[],
        );
        if let Some(application) = root
            .required("application")
            .and_then(|entry| entry.section())
        {
            self.fill_application(&application);
        }
        if let Some(variables) = root.section("variables") {
            for entry in variables.entries() {
                if !is_variable_name(entry.key) {
                    entry.refuse(format!(
                        "`{}` is no variable's name: lower_snake_case is expected, \
                         each word beginning with a letter",
                        entry.key
                    ));
                } else if let Some(variable) = entry.section().and_then(|row| variable(&row)) {
                    self.variables.insert(entry.key.to_owned(), variable);
                }
            }
        }
        let mut reader = component::Reader::new(&self.folder, &self.variables, profile);
        if let Some(components) = root.section("component") {
            for entry in components.entries() {
                component::check_id(entry.key, &entry);
                reader.read(entry.key, &entry);
            }
        }
        trigger::read(
            root,
            &mut reader,
            &mut self.http_triggers,
            &mut self.cron_triggers,
        );
        if let Some(profile) = profile
            && !reader.profile_was_found()
        {
            // As in Spin: a component without this profile runs as it is. A profile that no
            // component has is a typing mistake.
            root.refuse(1, format!("no component has a profile `{profile}`"));
        }
        self.components = reader.components;
    }

    fn fill_application(&mut self, application: &Section<'_>) {
        application.keys(
            &["name", "version", "description", "authors", "tool"],
            UNSUPPORTED,
        );
        if let Some(name) = application
            .required("name")
            .and_then(|entry| entry.string())
        {
            self.name = name.value;
        }
        self.version = application
            .string("version")
            .map(|text| text.value)
            .unwrap_or_default();
        application.string("description");
        application.strings("authors");
        application.section("tool");
    }
}

fn version_is_supported(root: &Section<'_>) -> bool {
    let Some(entry) = root.entry("spin_manifest_version") else {
        if root.entry("spin_version").is_some() {
            root.refuse(
                1,
                "this is a manifest of version 1; `spin doctor` turns it into version 2",
            );
        } else {
            root.refuse(1, "`spin_manifest_version = 2` is missing");
        }
        return false;
    };
    let supported = entry.as_integer() == Some(2);
    if !supported {
        entry.refuse("`spin_manifest_version` must be 2");
    }
    supported
}

fn variable(row: &Section<'_>) -> Option<Variable> {
    row.keys(&["required", "default", "secret", "description"], &[]);
    let required = row.boolean("required").unwrap_or(false);
    let secret = row.boolean("secret").unwrap_or(false);
    let description = row.string("description").map(|text| text.value);
    let default = match row.entry("default") {
        None => None,
        Some(entry) => Some(entry.string()?.value),
    };
    if required == default.is_some() {
        row.refuse(
            row.line,
            format!(
                "`{}` needs either `required = true` or a `default`",
                row.path()
            ),
        );
        return None;
    }
    Some(Variable {
        default,
        secret,
        description,
    })
}

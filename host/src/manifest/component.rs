//! `[component.ID]`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::document::{Entry, Section, Text};
use super::files::{self, FileMount};
use super::{UNSUPPORTED, Variable};
use crate::template::{Template, is_identifier, is_variable_name};

/// A component as the manifest describes it.
#[derive(Debug, Clone)]
pub struct Component {
    /// The `.wasm` file, absolute.
    pub source: PathBuf,
    /// `variables`, templates not filled in.
    pub variables: BTreeMap<String, Template>,
    /// `allowed_outbound_hosts`, templates not filled in.
    pub allowed_outbound_hosts: Vec<Template>,
    /// `key_value_stores`.
    pub key_value_stores: Vec<String>,
    /// `sqlite_databases`.
    pub sqlite_databases: Vec<String>,
    /// `files`.
    pub files: Vec<FileMount>,
    /// `exclude_files`.
    pub exclude_files: Vec<glob::Pattern>,
    /// `environment`.
    pub environment: BTreeMap<String, String>,
    /// `[component.ID.build]`.
    pub build: Option<Build>,
}

/// How a component is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Shell commands, run one after the other.
    pub commands: Vec<String>,
    /// Where they run, absolute.
    pub workdir: PathBuf,
}

/// Reads components and keeps them by id.
pub(super) struct Reader<'a> {
    folder: &'a Path,
    declared: &'a BTreeMap<String, Variable>,
    profile: Option<&'a str>,
    profile_found: bool,
    pub(super) components: BTreeMap<String, Component>,
    /// Every id that the manifest gives, those of refused components included: a trigger
    /// that names one must not be refused as well.
    pub(super) ids: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        folder: &'a Path,
        declared: &'a BTreeMap<String, Variable>,
        profile: Option<&'a str>,
    ) -> Self {
        Self {
            folder,
            declared,
            profile,
            profile_found: false,
            components: BTreeMap::new(),
            ids: Vec::new(),
        }
    }

    pub(super) fn profile_was_found(&self) -> bool {
        self.profile_found
    }

    /// Reads the component behind an entry, refusing what is wrong with it.
    pub(super) fn read(&mut self, id: &str, entry: &Entry<'_>) {
        if self.ids.iter().any(|known| known == id) {
            entry.refuse(format!("there are two components `{id}`"));
        }
        self.ids.push(id.to_owned());
        let Some(section) = entry.section() else {
            return;
        };
        if let Some(component) = self.component(&section) {
            self.components.insert(id.to_owned(), component);
        }
    }

    fn component(&mut self, section: &Section<'_>) -> Option<Component> {
        section.keys(
            &[
                "source",
                "description",
                "variables",
                "environment",
                "files",
                "exclude_files",
                "allowed_outbound_hosts",
                "key_value_stores",
                "sqlite_databases",
                "build",
                "tool",
                "profile",
            ],
            UNSUPPORTED,
        );
        section.string("description");
        section.section("tool");
        let profile = self.profile(section);
        // The plain source is read even if the profile has one: it must be well-formed.
        let plain = section
            .required("source")
            .and_then(|entry| self.source(&entry));
        let chosen = profile
            .as_ref()
            .and_then(|profile| profile.entry("source"))
            .map(|entry| self.source(&entry));
        let mut environment = environment(section);
        if let Some(profile) = &profile {
            environment.extend(self::environment(profile));
        }
        Some(Component {
            variables: self.variables(section),
            allowed_outbound_hosts: section
                .strings("allowed_outbound_hosts")
                .iter()
                .filter_map(|host| self.template(section, host))
                .collect(),
            key_value_stores: labels(section, "key_value_stores"),
            sqlite_databases: labels(section, "sqlite_databases"),
            files: files::mounts(section),
            exclude_files: files::exclusions(section),
            environment,
            build: self.build(section, profile.as_ref()),
            source: chosen.unwrap_or(plain)?,
        })
    }

    /// Checks every profile of the component and gives the chosen one.
    fn profile<'b>(&mut self, section: &Section<'b>) -> Option<Section<'b>> {
        let mut chosen = None;
        for entry in section.section("profile")?.entries() {
            let Some(profile) = entry.section() else {
                continue;
            };
            profile.keys(&["source", "build", "environment"], UNSUPPORTED);
            if let Some(source) = profile.entry("source") {
                self.source(&source);
            }
            environment(&profile);
            if let Some(build) = profile.section("build") {
                build.keys(
                    &["command"],
                    &[("workdir", "a profile overrides the command only")],
                );
                build.required("command").map(|command| commands(&command));
            }
            if self.profile == Some(entry.key) {
                self.profile_found = true;
                chosen = Some(profile);
            }
        }
        chosen
    }

    fn source(&self, entry: &Entry<'_>) -> Option<PathBuf> {
        if entry.is_table() {
            entry.refuse(format!(
                "`{}` as a URL or a registry's package is not supported by this host; \
                 download the component and name the file",
                entry.path
            ));
            return None;
        }
        let source = entry.string()?.value;
        if source.is_empty() {
            entry.refuse(format!("`{}` is empty", entry.path));
            return None;
        }
        Some(self.folder.join(source))
    }

    fn variables(&self, section: &Section<'_>) -> BTreeMap<String, Template> {
        let mut variables = BTreeMap::new();
        for (name, text) in section.string_map("variables") {
            if !is_variable_name(&name) {
                section.refuse(
                    text.line,
                    format!("`{name}` is no variable's name: lower_snake_case is expected"),
                );
            }
            if let Some(template) = self.template(section, &text) {
                variables.insert(name, template);
            }
        }
        variables
    }

    fn template(&self, section: &Section<'_>, text: &Text) -> Option<Template> {
        match Template::parse(&text.value) {
            Ok(template) => {
                for name in template.names() {
                    if !self.declared.contains_key(name) {
                        section.refuse(
                            text.line,
                            format!("`{{{{ {name} }}}}` is not declared in [variables]"),
                        );
                    }
                }
                Some(template)
            }
            Err(error) => {
                section.refuse(text.line, format!("malformed template: {error}"));
                None
            }
        }
    }

    fn build(&self, section: &Section<'_>, profile: Option<&Section<'_>>) -> Option<Build> {
        let build = section.section("build");
        if let Some(build) = &build {
            build.keys(&["command", "workdir", "watch"], &[]);
            build.strings("watch");
        }
        let plain = build
            .as_ref()
            .and_then(|build| build.required("command"))
            .map(|command| commands(&command));
        let chosen = profile
            .and_then(|profile| profile.section("build"))
            .and_then(|build| build.entry("command"))
            .map(|command| commands(&command));
        let workdir = build.and_then(|build| build.string("workdir"));
        Some(Build {
            commands: chosen.or(plain)?,
            workdir: workdir.map_or_else(
                || self.folder.to_owned(),
                |workdir| self.folder.join(workdir.value),
            ),
        })
    }
}

/// Refuses an id that is not kebab-case; it becomes a host name, `<id>.spin.internal`.
pub(super) fn check_id(id: &str, entry: &Entry<'_>) {
    if !is_identifier(id, '-', true) {
        entry.refuse(format!(
            "`{id}` is no component's id: kebab-case is expected, \
             each word beginning with a letter"
        ));
    }
}

fn environment(section: &Section<'_>) -> BTreeMap<String, String> {
    section
        .string_map("environment")
        .into_iter()
        .map(|(name, text)| (name, text.value))
        .collect()
}

fn commands(entry: &Entry<'_>) -> Vec<String> {
    let texts = if entry.is_array() {
        entry.elements().iter().filter_map(Entry::string).collect()
    } else {
        Vec::from_iter(entry.string())
    };
    if texts.iter().any(|text| text.value.trim().is_empty()) {
        entry.refuse(format!("`{}` holds an empty command", entry.path));
    }
    texts.into_iter().map(|text| text.value).collect()
}

/// Labels of stores and databases: kebab-case, or snake_case as older manifests have it.
fn labels(section: &Section<'_>, key: &str) -> Vec<String> {
    let mut labels = Vec::new();
    for label in section.strings(key) {
        if !is_identifier(&label.value, '-', false) && !is_identifier(&label.value, '_', false) {
            section.refuse(
                label.line,
                format!(
                    "`{}` in `{key}` is no label: kebab-case is expected",
                    label.value
                ),
            );
        } else if labels.contains(&label.value) {
            section.refuse(
                label.line,
                format!("`{}` stands twice in `{key}`", label.value),
            );
        } else {
            labels.push(label.value);
        }
    }
    labels
}

//! From the manifest to the application that runs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail};

use super::{Manifest, component, files};
use crate::application::{Application, Component};
use crate::template::Template;

impl Manifest {
    /// The application with every template filled in and every file found. `environment` is
    /// set in every component, over what the manifest says.
    ///
    /// # Errors
    /// When a value, a component's `.wasm` or a file is missing.
    pub fn application(
        &self,
        values: &BTreeMap<String, String>,
        environment: &BTreeMap<String, String>,
    ) -> anyhow::Result<Application> {
        self.check_built()?;
        let mut components = BTreeMap::new();
        for (id, component) in &self.components {
            if !self.is_triggered(id) {
                continue;
            }
            let component = self
                .component(id, component, values, environment)
                .with_context(|| format!("component `{id}`"))?;
            components.insert(id.clone(), component);
        }
        Ok(Application {
            name: self.name.clone(),
            version: self.version.clone(),
            components,
            http_triggers: self.http_triggers.clone(),
            cron_triggers: self.cron_triggers.clone(),
        })
    }

    /// Checks that the `.wasm` of every component that a trigger names is there.
    ///
    /// # Errors
    /// Names each component whose file is missing, and how to build it.
    pub fn check_built(&self) -> anyhow::Result<()> {
        let triggered = self
            .components
            .iter()
            .filter(|(id, _)| self.is_triggered(id));
        let missing: Vec<(&str, &PathBuf)> = triggered
            .filter(|(_, component)| !component.source.is_file())
            .map(|(id, component)| (id.as_str(), &component.source))
            .collect();
        if !missing.is_empty() {
            bail!(missing_message(&missing));
        }
        Ok(())
    }

    /// Whether a trigger names the component.
    pub(crate) fn is_triggered(&self, id: &str) -> bool {
        self.http_triggers
            .iter()
            .any(|trigger| trigger.component == id)
            || self
                .cron_triggers
                .iter()
                .any(|trigger| trigger.component == id)
    }

    fn component(
        &self,
        id: &str,
        component: &component::Component,
        values: &BTreeMap<String, String>,
        environment: &BTreeMap<String, String>,
    ) -> anyhow::Result<Component> {
        let mut variables = BTreeMap::new();
        let mut secret_variables = Vec::new();
        for (name, template) in &component.variables {
            variables.insert(name.clone(), render(template, values)?);
            let is_secret = |name: &str| self.variables.get(name).is_some_and(|row| row.secret);
            if template.names().any(is_secret) {
                secret_variables.push(name.clone());
            }
        }
        let mut allowed_outbound_hosts = Vec::new();
        for template in &component.allowed_outbound_hosts {
            allowed_outbound_hosts.push(render(template, values)?);
        }
        let mut merged = component.environment.clone();
        merged.extend(environment.clone());
        Ok(Component {
            id: id.to_owned(),
            source: component.source.clone(),
            variables,
            secret_variables,
            allowed_outbound_hosts,
            key_value_stores: component.key_value_stores.clone(),
            sqlite_databases: component.sqlite_databases.clone(),
            files: files::resolve(&self.folder, &component.files, &component.exclude_files)?,
            environment: merged,
        })
    }
}

fn render(template: &Template, values: &BTreeMap<String, String>) -> anyhow::Result<String> {
    template
        .render(values)
        .map_err(|name| anyhow!("the variable `{name}` has no value"))
}

fn missing_message(missing: &[(&str, &PathBuf)]) -> String {
    let mut message = "these components are not built:".to_owned();
    for (id, source) in missing {
        message.push_str(&format!("\n  {id}: {} does not exist", source.display()));
    }
    message
        .push_str("\nBuild them with `vivesphere build`, or start with `vivesphere up --build`.");
    if let Some(target) = std::env::var_os("CARGO_TARGET_DIR") {
        message.push_str(&format!(
            "\nCARGO_TARGET_DIR={} is set: cargo builds there, which may not be where the \
             manifest looks.",
            target.to_string_lossy()
        ));
    }
    message
}

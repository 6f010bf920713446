//! `--runtime-config-file`: where stores and databases really live.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::application::{KeyValueStore, RuntimeConfig};
use crate::manifest::Refusals;
use crate::manifest::document::{Document, Section};

/// Sections of Spin's runtime configuration that this host refuses, and why.
const UNSUPPORTED: &[(&str, &str)] = &[
    (
        "config_provider",
        "variables come from the command line, the environment and .env",
    ),
    (
        "variables_provider",
        "variables come from the command line, the environment and .env",
    ),
    (
        "variable_provider",
        "variables come from the command line, the environment and .env",
    ),
    ("llm_compute", "there is no inference here"),
    (
        "client_tls",
        "outbound TLS trusts the public authorities only",
    ),
    ("outbound_http", "outbound HTTP has no settings"),
    (
        "outbound_networking",
        "`allowed_outbound_hosts` in the manifest decides alone",
    ),
    ("outbound_pg", "there is no PostgreSQL interface"),
    ("outbound_mysql", "there is no MySQL interface"),
    (
        "outbound_redis",
        "there is no Redis interface for components",
    ),
];

/// A runtime configuration as its file gives it.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// Stores and databases.
    pub config: RuntimeConfig,
    /// `state_dir`, which `--state-dir` overrides.
    pub state_dir: Option<PathBuf>,
}

/// Reads a runtime configuration; relative paths start from the file's folder.
///
/// # Errors
/// When the file cannot be read, and [`Refusals`] for what this host does not support.
pub fn read(path: &Path) -> anyhow::Result<Loaded> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the runtime configuration {}", path.display()))?;
    let path =
        std::path::absolute(path).with_context(|| format!("cannot locate {}", path.display()))?;
    Ok(parse(text, &path)?)
}

/// Reads a runtime configuration's text as if it stood at the absolute `path`.
///
/// # Errors
/// [`Refusals`] for what this host does not support.
pub fn parse(text: String, path: &Path) -> Result<Loaded, Refusals> {
    let file = path
        .file_name()
        .map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    let document = Document::parse(&file, text)?;
    let mut loaded = Loaded::default();
    let root = document.root();
    root.keys(
        &["state_dir", "key_value_store", "sqlite_database"],
        UNSUPPORTED,
    );
    loaded.state_dir = root.string("state_dir").map(|text| folder.join(text.value));
    for (label, section) in labelled(&root, "key_value_store") {
        if let Some(store) = key_value_store(&label, &section, folder) {
            loaded.config.key_value_stores.insert(label, store);
        }
    }
    for (label, section) in labelled(&root, "sqlite_database") {
        if let Some(path) = sqlite_database(&label, &section, folder) {
            loaded.config.sqlite_databases.insert(label, path);
        }
    }
    document.finish(loaded)
}

fn labelled<'a>(root: &Section<'a>, key: &str) -> Vec<(String, Section<'a>)> {
    root.section(key).map_or_else(Vec::new, |section| {
        let entries = section.entries();
        let sections = entries
            .iter()
            .filter_map(|entry| Some((entry.key.to_owned(), entry.section()?)));
        sections.collect()
    })
}

fn key_value_store(label: &str, section: &Section<'_>, folder: &Path) -> Option<KeyValueStore> {
    let kind = section.required("type")?.string()?;
    match kind.value.as_str() {
        "spin" => file(label, section, folder).map(KeyValueStore::File),
        "redis" => {
            section.keys(&["type", "url"], &[]);
            let url = section.required("url")?.string()?;
            let good = url::Url::parse(&url.value)
                .is_ok_and(|url| url.scheme() == "redis" && url.has_host());
            if !good {
                section.refuse(
                    url.line,
                    format!("`{}.url` must look like redis://host:6379", section.path()),
                );
                return None;
            }
            Some(KeyValueStore::Redis(url.value))
        }
        other => {
            section.refuse(
                kind.line,
                format!(
                    "the type `{other}` of `{}` is not supported by this host; \
                     `spin` (a file) and `redis` are",
                    section.path()
                ),
            );
            None
        }
    }
}

fn sqlite_database(label: &str, section: &Section<'_>, folder: &Path) -> Option<PathBuf> {
    let kind = section.required("type")?.string()?;
    if kind.value != "spin" {
        section.refuse(
            kind.line,
            format!(
                "the type `{}` of `{}` is not supported by this host; `spin` (a file) is",
                kind.value,
                section.path()
            ),
        );
        return None;
    }
    file(label, section, folder)
}

/// The file of a store or database. `default` has a place in the state directory anyway.
fn file(label: &str, section: &Section<'_>, folder: &Path) -> Option<PathBuf> {
    section.keys(&["type", "path"], &[]);
    let path = if label == "default" {
        section.string("path")
    } else {
        section.required("path")?.string()
    };
    path.map(|text| folder.join(text.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Loaded, String> {
        parse(text.to_owned(), Path::new("/etc/app/runtime.toml"))
            .map_err(|refusals| refusals.to_string())
    }

    #[test]
    fn files_and_redis_are_read_relative_to_the_configuration() {
        let loaded = read(
            r#"
            state_dir = "state"
            [key_value_store.default]
            type = "redis"
            url = "redis://127.0.0.1:6379"
            [key_value_store.other]
            type = "spin"
            path = "other.db"
            [sqlite_database.default]
            type = "spin"
            path = "/var/lib/app.db"
            "#,
        )
        .unwrap();
        assert_eq!(loaded.state_dir, Some("/etc/app/state".into()));
        assert_eq!(
            loaded.config.sqlite_databases["default"],
            Path::new("/var/lib/app.db")
        );
        assert!(matches!(&loaded.config.key_value_stores["other"],
            KeyValueStore::File(path) if path == Path::new("/etc/app/other.db")));
        assert!(matches!(&loaded.config.key_value_stores["default"],
            KeyValueStore::Redis(url) if url == "redis://127.0.0.1:6379"));
    }

    #[test]
    fn the_default_file_may_leave_its_path_to_the_state_directory() {
        let loaded = read("[sqlite_database.default]\ntype = \"spin\"\n").unwrap();
        assert!(loaded.config.sqlite_databases.is_empty());
    }

    #[track_caller]
    fn refused(text: &str, expected: &[&str]) {
        let message = read(text).expect_err("a refusal was expected");
        for part in expected {
            assert!(message.contains(part), "{part:?} is not in {message:?}");
        }
    }

    #[test]
    fn other_kinds_of_storage_are_refused_by_name_and_line() {
        refused(
            "\n[sqlite_database.default]\ntype = \"libsql\"\nurl = \"x\"",
            &["runtime.toml:3:", "`libsql`"],
        );
        refused(
            "[key_value_store.default]\ntype = \"azure_cosmos\"",
            &["runtime.toml:2:", "`azure_cosmos`"],
        );
        refused(
            "[key_value_store.default]\ntype = \"redis\"\nurl = \"http://x\"",
            &["runtime.toml:3:", "redis://"],
        );
        refused(
            "[key_value_store.default]\ntype = \"redis\"",
            &["`url` is missing"],
        );
        refused(
            "[key_value_store.other]\ntype = \"spin\"",
            &["`path` is missing"],
        );
        refused(
            "[key_value_store.other]\npath = \"a\"",
            &["`type` is missing"],
        );
    }

    #[test]
    fn other_sections_and_mistyped_keys_are_refused() {
        refused(
            "[[config_provider]]\ntype = \"vault\"",
            &["runtime.toml:1:", "`config_provider` is not supported"],
        );
        refused(
            "[llm_compute]\ntype = \"spin\"",
            &["`llm_compute` is not supported"],
        );
        refused(
            "[sqlite_databse.default]\ntype = \"spin\"",
            &["did you mean `sqlite_database`?"],
        );
        refused(
            "[sqlite_database.default]\ntype = \"spin\"\npaht = \"a\"",
            &["runtime.toml:3:", "did you mean `path`?"],
        );
        refused("state_dir = 1", &["`state_dir` must be a string"]);
        refused("state_dir = ", &["runtime.toml:1:", "not valid TOML"]);
    }
}

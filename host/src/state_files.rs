//! The SQLite files that an application's state is made of.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::application::{KeyValueStore, RuntimeConfig};

/// The label that exists without a runtime configuration.
const DEFAULT: &str = "default";

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A database of `sqlite_databases`.
    SqliteDatabase,
    /// A store of `key_value_stores`.
    KeyValueStore,
}

impl Kind {
    /// Its section in a runtime configuration.
    pub(crate) fn section(self) -> &'static str {
        match self {
            Self::SqliteDatabase => "sqlite_database",
            Self::KeyValueStore => "key_value_store",
        }
    }
}

/// A file, by what it holds and its label.
pub(crate) type StateFiles = BTreeMap<(Kind, String), PathBuf>;

/// The `default` database's file.
pub(crate) fn default_database(state_dir: &Path, config: &RuntimeConfig) -> PathBuf {
    let configured = config.sqlite_databases.get(DEFAULT).cloned();
    configured.unwrap_or_else(|| state_dir.join("sqlite_db.db"))
}

/// The `default` store, when the runtime configuration does not say otherwise.
pub(crate) fn default_store(state_dir: &Path) -> KeyValueStore {
    KeyValueStore::File(state_dir.join("sqlite_key_value.db"))
}

/// Every file there may be. Stores that are no files are left out.
pub(crate) fn all(state_dir: &Path, config: &RuntimeConfig) -> StateFiles {
    let mut files = StateFiles::new();
    for (label, path) in &config.sqlite_databases {
        files.insert((Kind::SqliteDatabase, label.clone()), path.clone());
    }
    files.insert(
        (Kind::SqliteDatabase, DEFAULT.to_owned()),
        default_database(state_dir, config),
    );
    let mut stores = config.key_value_stores.clone();
    stores
        .entry(DEFAULT.to_owned())
        .or_insert_with(|| default_store(state_dir));
    for (label, store) in stores {
        if let KeyValueStore::File(path) = store {
            files.insert((Kind::KeyValueStore, label), path);
        }
    }
    files
}

/// The labels of the stores that a server keeps.
pub(crate) fn elsewhere(config: &RuntimeConfig) -> Vec<String> {
    let stores = config.key_value_stores.iter();
    stores
        .filter(|(_, store)| matches!(store, KeyValueStore::Redis(_)))
        .map(|(label, _)| label.clone())
        .collect()
}

/// A file and what SQLite puts beside it.
pub(crate) fn with_companions(path: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", "-journal"].map(|suffix| {
        let mut name = path.to_owned().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    })
}

/// Makes the folders that are not there yet, private to the user.
///
/// # Errors
/// When one cannot be made.
pub(crate) fn create(folders: &[PathBuf]) -> anyhow::Result<()> {
    for folder in folders {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot create the state's folder {}", folder.display()))?;
    }
    Ok(())
}

/// The folders that hold an application's state.
pub(crate) fn folders(state_dir: &Path, config: &RuntimeConfig) -> Vec<PathBuf> {
    let mut folders = vec![state_dir.to_owned()];
    for path in all(state_dir, config).values() {
        if let Some(folder) = path.parent()
            && !folders.iter().any(|known| known == folder)
        {
            folders.push(folder.to_owned());
        }
    }
    folders
}

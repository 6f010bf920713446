//! `manifest.json`: what a backup holds, with checksums.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::examine::Examination;
use crate::state_files::Kind;

/// The manifest's name in a backup.
pub(super) const NAME: &str = "manifest.json";
/// The layout of backups that this program writes and reads.
const FORMAT: u32 = 1;
/// A manifest that is longer is not one.
pub(super) const MOST_BYTES: u64 = 1 << 20;

/// What a backup holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    format: u32,
    program_version: String,
    created_at: String,
    pub(super) holds: Examination,
    pub(super) files: Vec<Entry>,
}

/// One copy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Its name in the backup.
    pub(super) name: String,
    /// What it holds.
    pub(super) kind: Kind,
    /// Under which labels the application opens it.
    pub(super) labels: Vec<String>,
    /// Bytes.
    pub(super) size: u64,
    /// In hexadecimal.
    pub(super) sha256: String,
}

/// A copy's name in a backup.
pub(super) fn file_name(kind: Kind, label: &str) -> anyhow::Result<String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if label.is_empty() || !label.chars().all(plain) {
        bail!(
            "the label `{label}` of {} cannot be a file's name",
            kind.section()
        );
    }
    Ok(format!("{}.{label}.db", kind.section()))
}

impl Manifest {
    pub(super) fn new(files: Vec<Entry>, examination: &Examination) -> Self {
        Self {
            format: FORMAT,
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            created_at: chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            holds: examination.clone(),
            files,
        }
    }

    pub(super) fn text(&self) -> anyhow::Result<String> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }

    /// Writes it into a folder.
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(NAME);
        let text = self.text()?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            })
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads one.
    ///
    /// # Errors
    /// When it is none, or of another layout, or names files that no backup of ours has.
    pub(super) fn parse(text: &[u8]) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let format: Format = serde_json::from_slice(text).context("the manifest is damaged")?;
        if format.format != FORMAT {
            bail!(
                "the backup's layout is number {}, this program reads {FORMAT}",
                format.format
            );
        }
        let manifest: Self = serde_json::from_slice(text).context("the manifest is damaged")?;
        for entry in &manifest.files {
            let label = entry.labels.first().map_or("", String::as_str);
            if file_name(entry.kind, label)? != entry.name {
                bail!(
                    "the manifest is damaged: {} is not a file's name",
                    entry.name
                );
            }
        }
        Ok(manifest)
    }

    /// When the backup was begun.
    pub(super) fn created_at(&self) -> &str {
        &self.created_at
    }
}

//! `files` of a component, as folders that an instance may read.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::TempDir;

/// What instances of one component see. A file that is granted shows nothing of its folder:
/// single files are copied when the host starts, into a folder that goes with it.
#[derive(Debug, Default)]
pub(crate) struct Files {
    copies: Option<TempDir>,
    folders: Vec<(PathBuf, String)>,
}

impl Files {
    /// Takes (host path, guest path) pairs.
    pub(crate) fn prepare(pairs: &[(PathBuf, String)]) -> anyhow::Result<Self> {
        let mut files = Self::default();
        for (host, guest) in pairs {
            if host.is_dir() {
                files.folders.push((host.clone(), guest.clone()));
                continue;
            }
            let copies = match &files.copies {
                Some(copies) => copies.path(),
                None => files.copies.insert(folder()?).path(),
            };
            copy(host, &copies.join(guest.trim_start_matches('/')))
                .with_context(|| format!("cannot copy {}", host.display()))?;
        }
        if let Some(copies) = &files.copies {
            files
                .folders
                .push((copies.path().to_owned(), "/".to_owned()));
        }
        Ok(files)
    }

    /// (Host folder, guest folder) pairs, to be opened read-only.
    pub(crate) fn folders(&self) -> &[(PathBuf, String)] {
        &self.folders
    }
}

fn folder() -> anyhow::Result<TempDir> {
    tempfile::Builder::new()
        .prefix("vivesphere-files-")
        .tempdir()
        .context("cannot make a temporary folder for the components' files")
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::copy(from, to).map(drop)
}

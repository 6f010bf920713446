//! A backup's way back into a state directory where nothing is.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::examine::{self, Examination};
use super::manifest::{Entry, Manifest};
use super::{archive, pass_on, sync_folder};
use crate::application::RuntimeConfig;
use crate::state_files::{self, Kind, StateFiles};
use crate::state_lock::StateLock;

/// What was put back.
#[derive(Debug)]
pub struct Restored {
    /// The files that are there now.
    pub files: Vec<PathBuf>,
    /// Copies that the runtime configuration has no file for: their store is on a server.
    pub left_out: Vec<String>,
    /// When the backup was made.
    pub created_at: String,
    /// What it holds.
    pub holds: Examination,
}

/// Puts a backup's files where an application with this state directory and runtime
/// configuration looks for them. Every checksum is verified before anything is written.
///
/// # Errors
/// When the backup is damaged or newer than this program, when the state directory is in use or
/// not empty, or when files cannot be written. What was written is taken away again.
pub fn restore(from: &Path, state_dir: &Path, config: &RuntimeConfig) -> anyhow::Result<Restored> {
    let manifest = archive::manifest(from)?;
    examine::check_level(manifest.holds.migration_level)?;
    let places = state_files::all(state_dir, config);
    let mut restored = Restored {
        files: Vec::new(),
        left_out: Vec::new(),
        created_at: manifest.created_at().to_owned(),
        holds: manifest.holds.clone(),
    };
    check_unused(state_dir, &places)?;
    verify(from, &manifest)?;
    let made = !state_dir.exists();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state_dir)
        .with_context(|| format!("cannot make {}", state_dir.display()))?;
    let lock = StateLock::alone(&state_files::folders(state_dir, config))?;
    // Again, now that nobody can begin to use it.
    check_unused(state_dir, &places)?;
    let placed = archive::each_file(
        from,
        &manifest,
        &mut |entry, file| match place(entry, &places)? {
            Some(path) => {
                restored.files.push(path.clone());
                put(entry, file, path)
            }
            None => {
                restored.left_out.push(entry.name.clone());
                Ok(())
            }
        },
    );
    if let Err(error) = placed {
        for path in &restored.files {
            let _ = std::fs::remove_file(path);
        }
        if made {
            let _ = std::fs::remove_dir(state_dir);
        }
        return Err(error);
    }
    sync_folder(state_dir)?;
    drop(lock);
    Ok(restored)
}

/// Refuses a state directory that holds anything, and files that are there already.
fn check_unused(state_dir: &Path, places: &StateFiles) -> anyhow::Result<()> {
    match std::fs::read_dir(state_dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                bail!(
                    "{} is not empty, and a restore never overwrites; give another --state-dir",
                    state_dir.display()
                );
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", state_dir.display()));
        }
    }
    let there = places
        .values()
        .flat_map(|path| state_files::with_companions(path))
        .find(|path| path.symlink_metadata().is_ok());
    match there {
        Some(path) => bail!(
            "{} is there already, and a restore never overwrites",
            path.display()
        ),
        None => Ok(()),
    }
}

fn verify(from: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    archive::each_file(from, manifest, &mut |entry, file| {
        compare(entry, &pass_on(file, &mut std::io::sink())?)
    })
    .context("the backup is damaged; nothing was restored")
}

fn compare(entry: &Entry, (size, sha256): &(u64, String)) -> anyhow::Result<()> {
    if *size != entry.size || *sha256 != entry.sha256 {
        bail!(
            "{} is not what was backed up: {size} bytes with SHA-256 {sha256}, where the manifest \
             has {} bytes with {}",
            entry.name,
            entry.size,
            entry.sha256
        );
    }
    Ok(())
}

/// Where a copy belongs; nothing when its store is not a file here.
fn place<'a>(entry: &Entry, places: &'a StateFiles) -> anyhow::Result<Option<&'a PathBuf>> {
    let mut found = entry
        .labels
        .iter()
        .filter_map(|label| places.get(&(entry.kind, label.clone())));
    match (found.next(), entry.kind) {
        (Some(path), _) => Ok(Some(path)),
        (None, Kind::KeyValueStore) => Ok(None),
        (None, Kind::SqliteDatabase) => bail!(
            "the runtime configuration has no [sqlite_database.{}], which the backup holds",
            entry.labels.join("], [sqlite_database.")
        ),
    }
}

fn put(entry: &Entry, file: &mut dyn std::io::Read, path: &Path) -> anyhow::Result<()> {
    let mut to = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot make {}", path.display()))?;
    let written = pass_on(file, &mut to)
        .and_then(|written| to.sync_all().map(|()| written))
        .with_context(|| format!("cannot write {}", path.display()))?;
    compare(entry, &written)?;
    examine::copy(path, &mut Examination::default())?;
    examine::check_migrations(path)
}

//! Copies of an application's SQLite files, taken while it runs, and their way back.
//!
//! A backup is a folder, or one `.tar` file with the same in it: the copies and `manifest.json`,
//! which has their checksums. Each copy is one moment of its file: it is read inside one read
//! transaction, which in WAL mode holds no writer up. The copies of two files are of two moments.

mod archive;
mod copy;
mod examine;
mod manifest;
mod pace;
mod restore;

use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use vivesphere_crypto::Digest;

pub use self::examine::Examination;
use self::manifest::{Entry, Manifest};
pub use self::restore::{Restored, restore};
use crate::application::RuntimeConfig;
use crate::state_files::{self, Kind};

/// Bytes that are read or written at a time.
const CHUNK: usize = 1 << 20;

/// What was copied.
#[derive(Debug)]
pub struct Report {
    /// Name, size in bytes and time taken of each copy.
    pub copies: Vec<(String, u64, Duration)>,
    /// What the copies hold.
    pub examination: Examination,
    /// Labels of key-value stores that lie on a server and are not in the backup.
    pub elsewhere: Vec<String>,
}

/// Whether a backup of this name is one file.
fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "tar")
}

/// Copies the files of a state to `to`: a new folder, or one new file when the name ends in
/// `.tar`. The application may run meanwhile.
///
/// # Errors
/// When there is no database, something is at `to` already, a copy does not pass its checks, or
/// files cannot be read or written. Nothing is left at `to` then.
pub fn backup(state_dir: &Path, config: &RuntimeConfig, to: &Path) -> anyhow::Result<Report> {
    check_free(to)?;
    let to = std::path::absolute(to).with_context(|| format!("cannot locate {}", to.display()))?;
    let parent = to
        .parent()
        .filter(|parent| parent.is_dir())
        .with_context(|| format!("the folder of {} is not there", to.display()))?;
    let staged = tempfile::Builder::new()
        .prefix(".vivesphere-backup-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .with_context(|| format!("cannot write in {}", parent.display()))?;
    let mut copies = Vec::new();
    let mut entries = Vec::new();
    let mut examination = Examination::default();
    let mut done: Vec<(PathBuf, usize)> = Vec::new();
    for ((kind, label), path) in state_files::all(state_dir, config) {
        if let Some((_, entry)) = done.iter().find(|(known, _)| *known == path) {
            if let Some(entry) = entries.get_mut(*entry) {
                let entry: &mut Entry = entry;
                entry.labels.push(label);
            }
            continue;
        }
        if !path.exists() {
            if kind == Kind::SqliteDatabase {
                bail!(
                    "there is no database at {}; nothing was backed up",
                    path.display()
                );
            }
            continue;
        }
        let name = manifest::file_name(kind, &label)?;
        let copied = staged.path().join(&name);
        let began = Instant::now();
        copy::online(&path, &copied)
            .with_context(|| format!("cannot back {} up", path.display()))?;
        examine::copy(&copied, &mut examination)
            .with_context(|| format!("the copy of {} is not usable", path.display()))?;
        let (size, sha256) = checksum(&copied)?;
        copies.push((name.clone(), size, began.elapsed()));
        done.push((path, entries.len()));
        entries.push(Entry {
            name,
            kind,
            labels: vec![label],
            size,
            sha256,
        });
    }
    let manifest = Manifest::new(entries, &examination);
    if is_archive(&to) {
        archive::write(&manifest, staged.path(), parent, &to)?;
    } else {
        manifest.write(staged.path())?;
        let folder = staged.keep();
        if let Err(error) = std::fs::rename(&folder, &to) {
            let _ = std::fs::remove_dir_all(&folder);
            return Err(error).with_context(|| format!("cannot write {}", to.display()));
        }
    }
    sync_folder(parent)?;
    Ok(Report {
        copies,
        examination,
        elsewhere: state_files::elsewhere(config),
    })
}

/// Refuses a target that holds anything.
fn check_free(to: &Path) -> anyhow::Result<()> {
    let Ok(found) = std::fs::symlink_metadata(to) else {
        return Ok(());
    };
    let free = found.is_dir() && !is_archive(to) && std::fs::read_dir(to)?.next().is_none();
    if !free {
        bail!(
            "{} is there already, and a backup never overwrites; give another name",
            to.display()
        );
    }
    Ok(())
}

/// Size and SHA-256 of a file.
fn checksum(path: &Path) -> anyhow::Result<(u64, String)> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    pass_on(file, &mut std::io::sink()).with_context(|| format!("cannot read {}", path.display()))
}

/// Copies bytes, and gives their number and SHA-256.
fn pass_on(mut from: impl Read, to: &mut impl Write) -> std::io::Result<(u64, String)> {
    let mut digest = Digest::default();
    let mut size = 0;
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok((size, digest.hex())),
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = buffer.get(..read).unwrap_or_default();
        digest.update(bytes);
        to.write_all(bytes)?;
        size += read as u64;
    }
}

/// Makes the names in a folder outlast a power cut.
fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("cannot sync {}", folder.display()))
}

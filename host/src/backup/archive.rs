//! A backup's files one after the other, whether it is a folder or one `.tar` file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::manifest::{self, Manifest};
use super::pace::{Pace, Paced};

/// Packs a staged backup, its manifest first, into the new file `to` (mode 0600).
pub(super) fn write(
    manifest: &Manifest,
    staged: &Path,
    parent: &Path,
    to: &Path,
) -> anyhow::Result<()> {
    let file = tempfile::Builder::new()
        .prefix(".vivesphere-backup-")
        .tempfile_in(parent)
        .with_context(|| format!("cannot write in {}", parent.display()))?;
    let pace = Pace::new(file.as_file().try_clone()?);
    let mut archive = tar::Builder::new(Paced { to: file, pace });
    let text = manifest.text()?;
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o600);
    header.set_cksum();
    archive.append_data(&mut header, manifest::NAME, text.as_bytes())?;
    for entry in &manifest.files {
        let mut file = File::open(staged.join(&entry.name))?;
        archive.append_file(&entry.name, &mut file)?;
    }
    let Paced { to: file, pace } = archive.into_inner()?;
    pace.finish()?;
    file.persist_noclobber(to)
        .map(drop)
        .with_context(|| format!("cannot write {}", to.display()))
}

/// A backup's manifest.
pub(super) fn manifest(from: &Path) -> anyhow::Result<Manifest> {
    let mut text = Vec::new();
    let named = || format!("{} is no backup", from.display());
    if from.is_dir() {
        let file = File::open(from.join(manifest::NAME)).with_context(named)?;
        file.take(manifest::MOST_BYTES).read_to_end(&mut text)?;
    } else {
        let file = File::open(from).with_context(named)?;
        let mut archive = tar::Archive::new(file);
        let first = archive.entries().with_context(named)?.next();
        let entry = first.with_context(named)?.with_context(named)?;
        if entry.path_bytes().as_ref() != manifest::NAME.as_bytes() {
            bail!("{}: its first file is not the manifest", named());
        }
        entry.take(manifest::MOST_BYTES).read_to_end(&mut text)?;
    }
    Manifest::parse(&text).with_context(named)
}

/// Calls `visit` with each file that the manifest names, which must all be there.
pub(super) fn each_file(
    from: &Path,
    manifest: &Manifest,
    visit: &mut dyn FnMut(&manifest::Entry, &mut dyn Read) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if from.is_dir() {
        for entry in &manifest.files {
            let mut file = File::open(from.join(&entry.name))
                .with_context(|| format!("{} is missing from the backup", entry.name))?;
            visit(entry, &mut file)?;
        }
        return Ok(());
    }
    let mut missing: Vec<&manifest::Entry> = manifest.files.iter().collect();
    let mut archive = tar::Archive::new(File::open(from)?);
    for packed in archive.entries()? {
        let mut packed = packed.context("the archive is damaged")?;
        let name = packed.path_bytes().into_owned();
        let known = missing
            .iter()
            .position(|entry| entry.name.as_bytes() == name);
        if let Some(known) = known {
            visit(missing.remove(known), &mut packed)?;
        }
    }
    match missing.first() {
        Some(entry) => bail!("{} is missing from the backup", entry.name),
        None => Ok(()),
    }
}

//! Components compiled once and kept in files, which are mapped, not read: what is never called
//! takes no memory, and a start is as long as it takes to map them.

use std::fs::{self, DirBuilder, File, FileTimes};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::engine;

/// Ends the names of the files, as wasmtime's own tool names them.
const EXTENSION: &str = "cwasm";
/// What nobody has mapped for this long is deleted when something is compiled.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The component of a `.wasm` file: mapped from the folder, where this engine has compiled the
/// same bytes before, else compiled, and kept there.
///
/// # Errors
/// When the file cannot be read or is no component. A folder that cannot be written only costs
/// the next start its time.
pub(crate) fn component(
    engine: &Engine,
    source: &Path,
    folder: Option<&Path>,
) -> anyhow::Result<Component> {
    let name = || source.display().to_string();
    let bytes = fs::read(source).with_context(|| format!("cannot read {}", name()))?;
    if let Some(folder) = folder {
        let kept = folder.join(file_name(engine, source, &bytes));
        if let Some(component) = map(engine, &kept) {
            return Ok(component);
        }
        let compiled = compile(engine, &bytes).with_context(|| format!("cannot use {}", name()))?;
        match keep(folder, &kept, &compiled) {
            Ok(()) => {
                if let Some(component) = map(engine, &kept) {
                    return Ok(component);
                }
            }
            Err(error) => tracing::warn!("compiled components are not kept: {error:#}"),
        }
    }
    Component::from_binary(engine, &bytes)
        .map_err(anyhow::Error::from)
        .with_context(|| format!("cannot use {}", name()))
}

/// The native code of a component, made by an engine and on a thread of its own, which end with it: both
/// keep what they needed, and what lives on between what a compiler has given back keeps all of it.
fn compile(engine: &Engine, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let compile = || anyhow::Ok(engine::compiler(engine)?.precompile_component(bytes)?);
    std::thread::scope(|scope| scope.spawn(compile).join())
        .map_err(|_| anyhow!("the compiler failed"))?
}

/// The source's name, for people, and what the code was made of and for.
fn file_name(engine: &Engine, source: &Path, bytes: &[u8]) -> String {
    let mut settings = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut settings);
    let stem = source.file_stem().unwrap_or_default().to_string_lossy();
    let digest = vivesphere_crypto::sha256_hex(bytes);
    format!("{stem}-{digest}-{:016x}.{EXTENSION}", settings.finish())
}

/// The component that was kept, unless there is none that this engine takes.
fn map(engine: &Engine, kept: &Path) -> Option<Component> {
    let file = File::open(kept).ok()?;
    let now = FileTimes::new().set_modified(SystemTime::now());
    // Only for the deletion of what is not used any more.
    let _ = file.set_times(now);
    // SAFETY: the file was written by `keep`, whole or not at all, into a folder that only this
    // user may write to, and its name says that this engine made it of these bytes; wasmtime
    // checks its version and settings again. The files are replaced by renaming, never changed.
    #[expect(
        unsafe_code,
        reason = "native code is trusted, as wasmtime's own cache trusts it"
    )]
    let component = unsafe { Component::deserialize_file(engine, kept) };
    component.ok()
}

fn keep(folder: &Path, kept: &Path, compiled: &[u8]) -> anyhow::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let file = tempfile::NamedTempFile::new_in(folder)
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    fs::write(file.path(), compiled)?;
    file.persist(kept)?;
    forget_old(folder);
    Ok(())
}

/// Deletes what is not used any more. What cannot be deleted is in nobody's way.
fn forget_old(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let is_old = |path: &PathBuf| {
        let modified = fs::metadata(path).and_then(|data| data.modified()).ok();
        let age = modified.and_then(|modified| modified.elapsed().ok());
        path.extension()
            .is_some_and(|extension| extension == EXTENSION)
            && age.is_some_and(|age| age > KEPT)
    };
    for path in entries.flatten().map(|entry| entry.path()).filter(is_old) {
        let _ = fs::remove_file(path);
    }
}

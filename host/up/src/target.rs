//! The target that components are compiled to.

use std::io;
use std::path::Path;
use std::process::Command;

/// What components are compiled to.
pub const TARGET: &str = "wasm32-wasip2";

/// Whether the toolchain of this folder can compile to [`TARGET`]; `None` when there is no
/// `rustc` to ask.
#[must_use]
pub fn has_target(folder: &Path) -> Option<bool> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .current_dir(folder)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let sysroot = String::from_utf8(output.stdout).ok()?;
    let target = Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET);
    Some(target.is_dir())
}

/// Adds [`TARGET`] to the toolchain of this folder unless it is there, and tells what is added. rustup
/// adds it by itself, since the toolchain file names it, unless it is told not to install anything.
///
/// # Errors
/// When it is missing and cannot be added, with what a person can do. Where there is no `rustc` to ask,
/// none: the build says best what is missing.
pub fn ensure_target(folder: &Path, tell: impl FnOnce(&str)) -> io::Result<()> {
    if has_target(folder) != Some(false) {
        return Ok(());
    }
    tell(&format!(
        "the Rust target {TARGET} (rustup target add {TARGET})"
    ));
    let added = Command::new("rustup")
        .args(["target", "add", TARGET])
        .current_dir(folder)
        .status()
        .map_err(|error| {
            io::Error::other(format!(
                "the Rust target {TARGET} is missing and rustup is not there to add it ({error}); \
                 install Rust from https://rustup.rs"
            ))
        })?;
    if !added.success() {
        return Err(io::Error::other(format!(
            "the Rust target {TARGET} could not be added; try: rustup target add {TARGET}"
        )));
    }
    Ok(())
}

//! The tools that building needs.

use std::path::Path;
use std::process::Command;

use vivesphere_up::{TARGET, has_target};

use super::Finding;

const INSTALL_RUST: &str = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh";

pub(super) fn examine(folder: &Path) -> Vec<Finding> {
    vec![rustup(folder), cargo(folder), target(folder), c_compiler()]
}

fn rustup(folder: &Path) -> Finding {
    match version("rustup", folder) {
        Some(version) => Finding::good(format!("rustup: {version}")),
        None => Finding::note(
            "rustup: not found; without it the toolchain is yours to keep up",
            INSTALL_RUST,
        ),
    }
}

fn cargo(folder: &Path) -> Finding {
    match version("cargo", folder) {
        Some(version) => Finding::good(format!("toolchain: {version}")),
        None if version("rustup", folder).is_some() => Finding::missing(
            "toolchain: cargo does not run here; the toolchain of rust-toolchain.toml is not installed",
            "rustup toolchain install",
        ),
        None => Finding::missing("toolchain: cargo is not found", INSTALL_RUST),
    }
}

fn target(folder: &Path) -> Finding {
    match has_target(folder) {
        Some(true) => Finding::good(format!("target: {TARGET}")),
        Some(false) => Finding::missing(
            format!("target: {TARGET} is not installed"),
            format!("rustup target add {TARGET}"),
        ),
        None => Finding::missing("target: rustc does not run here", INSTALL_RUST),
    }
}

fn c_compiler() -> Finding {
    match version("cc", Path::new(".")) {
        Some(version) => Finding::good(format!("C compiler: {version}")),
        None => Finding::missing(
            "C compiler: `cc` is not found; the host's SQLite is compiled with it",
            "apt install build-essential (Debian, Ubuntu), dnf install gcc (Fedora), \
             xcode-select --install (macOS)",
        ),
    }
}

/// The first line of `--version`, if the program runs.
fn version(program: &str, folder: &Path) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .current_dir(folder)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap_or_default().to_owned();
    output.status.success().then_some(line)
}

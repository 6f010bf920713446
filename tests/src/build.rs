//! Builds what the scenarios run: the components, and the host unless `SPIN_BIN` names another.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test that cannot build what it tests can only stop, and say why"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What runs the application.
#[derive(Debug, Clone)]
pub enum Program {
    /// The embedded host of this repository.
    Host(PathBuf),
    /// Spin, as `SPIN_BIN` names it; whether it has the cron trigger.
    Spin {
        /// The program.
        path: PathBuf,
        /// Whether its cron trigger plugin is there.
        cron: bool,
    },
}

/// The repository's root.
#[must_use]
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// Builds everything, once a process, and gives what runs it.
///
/// # Panics
/// When something cannot be built.
pub fn everything() -> &'static Program {
    static BUILT: OnceLock<Program> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = repository().join("target");
        if let Some(other) = std::env::var_os("CARGO_TARGET_DIR")
            && std::path::absolute(&other).ok() != std::path::absolute(&target).ok()
        {
            panic!(
                "CARGO_TARGET_DIR is {}, but spin.toml takes the components from target/ beside \
                 it: unset CARGO_TARGET_DIR, or set it to {}.",
                Path::new(&other).display(),
                target.display()
            );
        }
        let tell = |what: &str| eprintln!("adding {what}");
        vivesphere_up::ensure_target(&repository(), tell).expect("the target is there");
        cargo(&["components"]);
        if let Some(path) = std::env::var_os("SPIN_BIN") {
            let path = PathBuf::from(path);
            let plugins = Command::new(&path)
                .args(["plugins", "list", "--installed"])
                .output();
            let cron = plugins
                .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("cron"));
            return Program::Spin { path, cron };
        }
        // The same selection of packages as `cargo up` and `cargo test`, so that features are
        // the same and nothing is compiled twice.
        cargo(&["build", "--bin", "vivesphere"]);
        Program::Host(target.join("debug/vivesphere"))
    })
}

fn cargo(arguments: &[&str]) {
    let output = vivesphere_up::cargo()
        .args(arguments)
        .current_dir(repository())
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "cargo {} failed:\n{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

//! Building what is measured.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

/// The repository's root.
pub(crate) fn repository() -> PathBuf {
    let benchmark = Path::new(env!("CARGO_MANIFEST_DIR"));
    benchmark.parent().unwrap_or(benchmark).to_owned()
}

/// The embedded host as `cargo up` builds it.
pub(crate) fn host() -> PathBuf {
    repository().join("target/debug/vivesphere")
}

/// Builds the components, the bare ones, the host and the stand-in for X.
pub(crate) fn build_everything() -> anyhow::Result<()> {
    components()?;
    run(&[
        "build",
        "--release",
        "--target",
        "wasm32-wasip2",
        "--package",
        "benchmark-feeds",
        "--package",
        "benchmark-hello",
        "--package",
        "benchmark-storage",
    ])?;
    // The same selection of packages as `cargo up`, so that nothing is compiled twice.
    run(&["build", "--bin", "vivesphere", "--bin", "fake-x"])
}

/// Builds the components.
pub(crate) fn components() -> anyhow::Result<()> {
    vivesphere_up::ensure_target(&repository(), |what| eprintln!("adding {what}"))?;
    run(&["components"])
}

fn run(arguments: &[&str]) -> anyhow::Result<()> {
    eprintln!("cargo {}", arguments.join(" "));
    let status = vivesphere_up::cargo()
        .args(arguments)
        .arg("--quiet")
        .current_dir(repository())
        .status()
        .context("cargo does not start")?;
    ensure!(status.success(), "cargo {} failed", arguments.join(" "));
    Ok(())
}

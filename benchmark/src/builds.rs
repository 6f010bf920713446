//! How long `cargo up` takes: after a change in one component, and in a clean clone. There, how long
//! `cargo test` takes, too.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail, ensure};

use crate::application::{Application, answers};
use crate::cargo;
use crate::process::Process;
use crate::table::{Table, Wanted};

/// What is changed: a sentence of the component that is most work to compile.
const CHANGED: &str = "components/bots/src/connect.rs";
const SENTENCE: &str = "The account's owner did not agree";
const MODULE: &str = "target/wasm32-wasip2/release/bots.wasm";
const LIMIT: Duration = Duration::from_secs(30 * 60);
const TEST_LIMIT: Duration = Duration::from_secs(60 * 60);

/// A file that is put back as it was.
struct Changed {
    file: PathBuf,
    text: String,
}

impl Changed {
    /// Writes into a component what was never there before, so that cargo compiles the component and
    /// the host its module: neither has it from another time.
    fn now() -> anyhow::Result<Self> {
        let file = cargo::repository().join(CHANGED);
        let text = std::fs::read_to_string(&file)?;
        ensure!(text.contains(SENTENCE), "{CHANGED} has no {SENTENCE:?}");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let changed = text.replace(SENTENCE, &format!("{SENTENCE} at {}", now.as_nanos()));
        let kept = Self { file, text };
        std::fs::write(&kept.file, changed)?;
        Ok(kept)
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        if let Err(error) = std::fs::write(&self.file, &self.text) {
            eprintln!("{CHANGED} is not as it was: {error}");
        }
    }
}

/// A component is changed; then `cargo up` until the first answer.
pub(crate) async fn after_a_change(table: &mut Table) -> anyhow::Result<()> {
    eprintln!("cargo up after a change");
    let application = Application::vivesphere(None, false)?;
    let module = || std::fs::read(cargo::repository().join(MODULE)).context(MODULE);
    let before = module()?;
    let changed = Changed::now()?;
    let repository = cargo::repository();
    let time = tokio::select! {
        time = up(&repository, Some(&application)) => time?,
        // Put back then, too.
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    drop(changed);
    ensure!(module()? != before, "the change is not in {MODULE}");
    table.add(
        format!("`cargo up` after a change in {CHANGED}"),
        time,
        "s",
        Wanted::AtMost(30.0),
    );
    Ok(())
}

/// The last commit in a folder of its own.
fn clone_into(place: &Path) -> anyhow::Result<PathBuf> {
    let clone = place.join("clone");
    let status = Command::new("git")
        .args(["clone", "--quiet"])
        .arg(cargo::repository())
        .arg(&clone)
        .status()?;
    ensure!(status.success(), "git clone failed");
    Ok(clone)
}

/// A clean clone; then `cargo up` until the first answer. Crates come from cargo's cache.
pub(crate) async fn in_a_clean_clone(table: &mut Table) -> anyhow::Result<()> {
    eprintln!("cargo up in a clean clone");
    let place = tempfile::tempdir()?;
    let clone = clone_into(place.path())?;
    table.add(
        "`cargo up` in a clean clone, to its first answer",
        up(&clone, None).await? / 60.0,
        "min",
        Wanted::AtMost(10.0),
    );
    Ok(())
}

/// A clean clone of its own, so that nothing is built yet; then `cargo test` until it has passed.
pub(crate) async fn tests_in_a_clean_clone(table: &mut Table) -> anyhow::Result<()> {
    eprintln!("cargo test in a clean clone");
    let place = tempfile::tempdir()?;
    let clone = clone_into(place.path())?;
    let mut command = vivesphere_up::cargo();
    command
        .arg("test")
        .current_dir(&clone)
        .env_remove("CARGO_TARGET_DIR")
        // What is named there runs on the embedded host, as the wanted number says.
        .env_remove("SPIN_BIN")
        .stdout(Stdio::null());
    let started = Instant::now();
    let mut process = Process::start(&mut command)?;
    let status = loop {
        if let Some(status) = process.child.try_wait()? {
            break status;
        }
        ensure!(
            started.elapsed() < TEST_LIMIT,
            "`cargo test` takes too long"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    ensure!(status.success(), "`cargo test` ended with {status}");
    table.add(
        "`cargo test` in a clean clone",
        started.elapsed().as_secs_f64() / 60.0,
        "min",
        Wanted::AtMost(25.0),
    );
    Ok(())
}

/// Seconds from `cargo up` to its first answer.
async fn up(folder: &Path, like: Option<&Application>) -> anyhow::Result<f64> {
    let address: SocketAddr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let state = tempfile::tempdir()?;
    let mut command = vivesphere_up::cargo();
    command
        .args(["up", "--listen", &address.to_string(), "--state-dir"])
        .arg(state.path())
        .current_dir(folder)
        .env_remove("CARGO_TARGET_DIR")
        .stdout(Stdio::null());
    if let Some(like) = like {
        // So that nothing is written to `.env`.
        like.give_variables(&mut command);
    }
    let started = Instant::now();
    let mut process = Process::start(&mut command)?;
    loop {
        if answers(address, "/api/v1/health").await {
            return Ok(started.elapsed().as_secs_f64());
        }
        if let Some(status) = process.child.try_wait()? {
            bail!("`cargo up` ended with {status}");
        }
        ensure!(started.elapsed() < LIMIT, "`cargo up` takes too long");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

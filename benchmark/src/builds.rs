//! How long `cargo up` takes: after a change in one component, and in a clean clone.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{bail, ensure};

use crate::application::{Application, answers};
use crate::cargo;
use crate::process::Process;
use crate::table::{Table, Wanted};

/// What is changed: the component that is most work to compile.
const CHANGED: &str = "components/bots/src/lib.rs";
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// A file is touched; then `cargo up` until the first answer.
pub(crate) async fn after_a_change(table: &mut Table) -> anyhow::Result<()> {
    eprintln!("cargo up after a change");
    let application = Application::vivesphere(None, false)?;
    let file = std::fs::File::options()
        .append(true)
        .open(cargo::repository().join(CHANGED))?;
    file.set_modified(SystemTime::now())?;
    let time = up(&cargo::repository(), Some(&application)).await?;
    table.add(
        format!("`cargo up` after a change in {CHANGED}"),
        time,
        "s",
        Wanted::AtMost(30.0),
    );
    Ok(())
}

/// The last commit in a folder of its own; then `cargo up` until the first answer. Crates come
/// from cargo's cache.
pub(crate) async fn in_a_clean_clone(table: &mut Table) -> anyhow::Result<()> {
    eprintln!("cargo up in a clean clone");
    let place = tempfile::tempdir()?;
    let clone = place.path().join("clone");
    let status = Command::new("git")
        .args(["clone", "--quiet"])
        .arg(cargo::repository())
        .arg(&clone)
        .status()?;
    ensure!(status.success(), "git clone failed");
    table.add(
        "`cargo up` in a clean clone, to its first answer",
        up(&clone, None).await? / 60.0,
        "min",
        Wanted::AtMost(10.0),
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

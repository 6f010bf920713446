//! `cargo up`: builds the host and the components at the same time, then becomes the host.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use vivesphere_up::{cargo, ensure_target};

/// How long the host's build is alone. It downloads what is missing, and shows that; a build that is done
/// by then was done before.
const HEAD_START: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let quiet = arguments
        .iter()
        .any(|argument| argument == "--quiet" || argument == "-q");
    match build(quiet) {
        Ok(true) => {
            let error = cargo()
                .args([
                    "run",
                    "--quiet",
                    "--bin",
                    "vivesphere",
                    "--",
                    "up",
                    "--build",
                ])
                .args(arguments)
                .exec();
            failed(&error)
        }
        // Cargo has said why.
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

fn failed(error: &io::Error) -> ExitCode {
    eprintln!("error: cargo does not start: {error}");
    ExitCode::FAILURE
}

/// Whether the host is built. The components are then built as far as they can be; what failed, the
/// host tries again and shows.
fn build(quiet: bool) -> io::Result<bool> {
    let mut host = host(quiet).spawn()?;
    let started = Instant::now();
    while started.elapsed() < HEAD_START {
        if let Some(status) = host.try_wait()? {
            // It was built before. It builds the components itself, where they are seen.
            return Ok(status.success());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // What cannot be added, the host tries again and shows.
    let _ = ensure_target(Path::new("."), |what| {
        if !quiet {
            eprintln!("{:>12} {what}", "Adding");
        }
    });
    let mut components = components().spawn()?;
    let status = host.wait()?;
    if components.try_wait()?.is_none() && !quiet {
        eprintln!("{:>12} the components", "Building");
    }
    components.wait()?;
    Ok(status.success())
}

fn host(quiet: bool) -> Command {
    let mut command = cargo();
    // No `--package`: `cargo test` then finds the host built with the same features.
    command.args(["build", "--bin", "vivesphere"]);
    if quiet {
        command.arg("--quiet");
    }
    command
}

/// Builds the components in silence: the terminal is the host's.
fn components() -> Command {
    let mut command = cargo();
    command
        .args(["components", "--quiet"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

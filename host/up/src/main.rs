//! `cargo up`: builds the host and the components at the same time, then becomes the host.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ExitCode, Stdio};

use vivesphere_up::cargo;

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
    let components = components()?;
    let mut host = cargo();
    // No `--package`: `cargo test` then finds the host built with the same features.
    host.args(["build", "--bin", "vivesphere"]);
    if quiet {
        host.arg("--quiet");
    }
    let host = host.status();
    finished(components, quiet)?;
    Ok(host?.success())
}

/// Starts building the components. In silence: the terminal is the host's.
fn components() -> io::Result<Child> {
    cargo()
        .args(["components", "--quiet"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

fn finished(mut components: Child, quiet: bool) -> io::Result<()> {
    if components.try_wait()?.is_none() && !quiet {
        eprintln!("{:>12} the components", "Building");
    }
    components.wait()?;
    Ok(())
}

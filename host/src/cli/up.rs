//! `vivesphere up`.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};

use super::{UpArguments, prepare};
use crate::progress::{Progress, base_url, ready_report, secrets_report};
use crate::{build, logging};

pub(super) fn run(arguments: &UpArguments) -> anyhow::Result<ExitCode> {
    let quiet = arguments.application.quiet;
    logging::start(quiet);
    let progress = Progress::new(quiet);
    let mut prepared = prepare(&arguments.application)?;
    prepared.check_secrets()?;
    let address = address(&arguments.listen)?;
    // Asked before the build, which may take minutes; held only once it is served.
    drop(bind(address)?);
    if arguments.build {
        build::run(&prepared.manifest, &progress)?;
    }
    prepared.manifest.check_built()?;
    let listener = bind(address)?;
    let address = listener
        .local_addr()
        .context("cannot tell the address listened on")?;
    let generated = prepared.generate_secrets()?;
    if let (Some(generated), false) = (&generated, quiet) {
        print!(
            "{}",
            secrets_report(generated, &prepared.admin_username(), prepared.dotenv())
        );
    }
    prepared.create_state_dir()?;
    let application = prepared.application(Some(&base_url(address)))?;
    progress.step("Compiling", "the components for this machine");
    print!("{}", ready_report(&application, address));
    Ok(ExitCode::SUCCESS)
}

/// The address behind `--listen`: `127.0.0.1:3000`, `[::1]:3000` or `localhost:3000`.
fn address(listen: &str) -> anyhow::Result<SocketAddr> {
    listen
        .to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| anyhow!("--listen {listen}: an address such as 127.0.0.1:3000 is expected"))
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| {
        format!(
            "cannot listen on {address}; choose another address with --listen \
             (127.0.0.1:0 takes a free port)"
        )
    })
}

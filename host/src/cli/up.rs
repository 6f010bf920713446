//! `vivesphere up`.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::{ApplicationArguments, Prepared, UpArguments, prepare};
use crate::application::{Application, Options};
use crate::progress::{Progress, base_url, ready_report, secrets_report};
use crate::server::Loaded;
use crate::{build, logging, server};

/// How often a person who waits for the components is told of them.
const TOLD: Duration = Duration::from_secs(5);

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
    let _state = prepared.open_state()?;
    let generated = prepared.generate_secrets()?;
    if let (Some(generated), false) = (&generated, quiet) {
        let username = prepared.admin_username();
        say(&secrets_report(generated, &username, prepared.dotenv()));
    }
    let application = prepared.application(&base_url(address))?;
    let mut options = options(&prepared, &arguments.application, application);
    options.listen = address;
    options.request_timeout = Some(arguments.request_timeout).filter(|time| !time.is_zero());
    options.max_concurrent_requests = arguments.max_concurrent_requests;
    options.drain_timeout = arguments.drain_timeout;
    options.cron = !arguments.no_cron;
    options.pooling = !arguments.disable_pooling;
    let runtime = server::runtime()?;
    let ended = runtime.block_on(serve(options, listener, &progress));
    // A compiler that is still at work is not waited for.
    runtime.shutdown_background();
    ended
}

async fn serve(
    options: Options,
    listener: TcpListener,
    progress: &Progress,
) -> anyhow::Result<ExitCode> {
    let mut stop = Stop::new()?;
    let mut application = options.application.clone();
    if !options.cron {
        application.cron_triggers.clear();
    }
    let mut host = server::serve(options, listener).await?;
    let base = base_url(host.local_addr());
    progress.step(
        "Serving",
        &format!("{base} while the components load (the first time takes longest)"),
    );
    let loading = host.loading();
    tokio::select! {
        never = tell(progress, &loading) => match never {},
        loaded = host.loaded() => {
            loaded?;
            if !progress.is_quiet() {
                say(&ready_report(&application, host.local_addr()));
            }
            stop.asked().await;
        }
        () = stop.asked() => {}
    }
    progress.step(
        "Stopping",
        "after the requests under way (again to stop at once)",
    );
    tokio::select! {
        () = host.shutdown() => Ok(ExitCode::SUCCESS),
        () = stop.asked() => {
            progress.step("Stopped", "without waiting");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Tells now and then how far the loading is.
async fn tell(progress: &Progress, loading: &watch::Receiver<Loaded>) -> Infallible {
    loop {
        tokio::time::sleep(TOLD).await;
        let Loaded { components, of } = *loading.borrow();
        progress.step("Loaded", &format!("{components} of {of} components"));
    }
}

/// Ctrl-C, or the signal with which service managers stop a process.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Options with what `up` and `job run` share; the rest is as a single run without requests
/// needs it.
pub(super) fn options(
    prepared: &Prepared,
    arguments: &ApplicationArguments,
    application: Application,
) -> Options {
    Options {
        application,
        state_dir: prepared.state_dir.clone(),
        runtime_config: prepared.runtime_config.clone(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        request_timeout: None,
        max_instance_memory: arguments.max_instance_memory,
        max_concurrent_requests: 1,
        drain_timeout: Duration::ZERO,
        cron: true,
        cache_dir: prepared.cache_dir.clone(),
        pooling: false,
    }
}

/// Writes to standard output; a reader that left is no reason to stop serving.
fn say(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
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

//! The command line of `vivesphere`. `up` and `build` take Spin's flags.

mod backup;
mod job;
mod prepare;
mod quantity;
mod up;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::manifest::Manifest;
use crate::progress::Progress;

pub use prepare::{Prepared, prepare};

/// Runs Spin applications on this machine.
#[derive(Debug, Parser)]
#[command(name = "vivesphere", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `vivesphere` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the application.
    Up(Box<UpArguments>),
    /// Run the components' build commands.
    Build(BuildArguments),
    /// Work with the scheduled components.
    #[command(subcommand)]
    Job(JobCommand),
    /// Say what is missing on this machine, and how to get it.
    Doctor(DoctorArguments),
    /// Copy the databases and stores while they are used, with checksums.
    Backup(BackupArguments),
    /// Put a backup into an empty state directory.
    Restore(RestoreArguments),
}

/// `vivesphere job …`.
#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Fire one scheduled component now, once, and say whether it went well.
    Run(JobArguments),
}

/// Which application, and the values it gets.
#[derive(Debug, Clone, Args)]
pub struct ApplicationArguments {
    /// The manifest, or the folder that holds spin.toml.
    #[arg(short, long, value_name = "FILE", default_value = "spin.toml")]
    pub from: PathBuf,
    /// The build profile whose sources and environment are used.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// An application variable: NAME=VALUE, NAME=@FILE, @FILE.toml or @FILE.json.
    #[arg(long = "variable", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// An environment variable for every component.
    #[arg(short, long = "env", value_name = "NAME=VALUE", value_parser = environment_pair)]
    pub environment: Vec<(String, String)>,
    /// Where databases and stores are kept [default: .spin beside the manifest].
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Where databases and stores really live.
    #[arg(long, value_name = "FILE", env = "RUNTIME_CONFIG_FILE")]
    pub runtime_config_file: Option<PathBuf>,
    /// Say nothing but errors.
    #[arg(short, long)]
    pub quiet: bool,
    /// Compiled components are kept in this folder [default: the user's cache folder].
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Compile the components anew at every start.
    #[arg(long, conflicts_with = "cache")]
    pub disable_cache: bool,
    /// Memory that one instance of a component may use, in bytes or with K, M or G.
    #[arg(long, value_name = "BYTES", default_value = "128M", value_parser = quantity::bytes)]
    pub max_instance_memory: usize,
}

/// `vivesphere up`.
#[derive(Debug, Clone, Args)]
pub struct UpArguments {
    /// Which application.
    #[command(flatten)]
    pub application: ApplicationArguments,
    /// Where requests are taken; port 0 picks a free one.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "SPIN_HTTP_LISTEN_ADDR",
        default_value = "127.0.0.1:3000"
    )]
    pub listen: String,
    /// Build the components first.
    #[arg(long)]
    pub build: bool,
    /// Do not fire the scheduled components.
    #[arg(long)]
    pub no_cron: bool,
    /// A request without an answer after this time is given up (`30s`, `500ms`, `2m`; `0`
    /// waits for ever). A stream that has begun is never cut.
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = quantity::time)]
    pub request_timeout: Duration,
    /// Requests that are served at once; more wait.
    #[arg(long, value_name = "NUMBER", default_value_t = 1024, value_parser = quantity::at_least_one)]
    pub max_concurrent_requests: usize,
    /// How long a stop waits for requests that are under way.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = quantity::time)]
    pub drain_timeout: Duration,
    /// Do not reserve address space for instances ahead of time.
    #[arg(long)]
    pub disable_pooling: bool,
}

/// `vivesphere build`.
#[derive(Debug, Clone, Args)]
pub struct BuildArguments {
    /// The manifest, or the folder that holds spin.toml.
    #[arg(short, long, value_name = "FILE", default_value = "spin.toml")]
    pub from: PathBuf,
    /// The build profile whose commands are used.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Say nothing but errors.
    #[arg(short, long)]
    pub quiet: bool,
}

/// `vivesphere job run`.
#[derive(Debug, Clone, Args)]
pub struct JobArguments {
    /// The scheduled component's id.
    pub component: String,
    /// Which application. Its job entries are looked for at the variable `jobs_base_url`.
    #[command(flatten)]
    pub application: ApplicationArguments,
}

/// `vivesphere doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorArguments {
    /// The manifest, or the folder that holds spin.toml.
    #[arg(short, long, value_name = "FILE", default_value = "spin.toml")]
    pub from: PathBuf,
    /// The address that `up` would listen on.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "SPIN_HTTP_LISTEN_ADDR",
        default_value = "127.0.0.1:3000"
    )]
    pub listen: String,
    /// Where databases and stores are kept [default: .spin beside the manifest].
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Where databases and stores really live.
    #[arg(long, value_name = "FILE", env = "RUNTIME_CONFIG_FILE")]
    pub runtime_config_file: Option<PathBuf>,
}

/// `vivesphere backup`. Keys are never part of a backup.
#[derive(Debug, Clone, Args)]
pub struct BackupArguments {
    /// Where databases and stores are kept [default: .spin].
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Where databases and stores really live.
    #[arg(long, value_name = "FILE", env = "RUNTIME_CONFIG_FILE")]
    pub runtime_config_file: Option<PathBuf>,
    /// A new folder, or one new file when the name ends in `.tar`.
    #[arg(long, value_name = "FILE|DIR")]
    pub to: PathBuf,
}

/// `vivesphere restore`.
#[derive(Debug, Clone, Args)]
pub struct RestoreArguments {
    /// What `backup` wrote.
    #[arg(long, value_name = "FILE|DIR")]
    pub from: PathBuf,
    /// Where databases and stores are to be kept; must be empty [default: .spin].
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Where databases and stores really live.
    #[arg(long, value_name = "FILE", env = "RUNTIME_CONFIG_FILE")]
    pub runtime_config_file: Option<PathBuf>,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(arguments) => up::run(&arguments),
        Command::Build(arguments) => {
            let manifest = Manifest::read(&arguments.from, arguments.profile.as_deref())?;
            crate::build::run(&manifest, &Progress::new(arguments.quiet))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Job(JobCommand::Run(arguments)) => job::run(&arguments),
        Command::Backup(arguments) => backup::backup(&arguments),
        Command::Restore(arguments) => backup::restore(&arguments),
        Command::Doctor(arguments) => {
            let report = crate::doctor::examine(&crate::doctor::Asked {
                from: &arguments.from,
                listen: &arguments.listen,
                state_dir: arguments.state_dir.as_deref(),
                runtime_config: arguments.runtime_config_file.as_deref(),
                dotenv: Path::new(".env"),
            });
            print!("{report}");
            Ok(if report.is_healthy() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
    }
}

fn environment_pair(argument: &str) -> Result<(String, String), String> {
    match argument.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("NAME=VALUE is expected".to_owned()),
    }
}

//! The application's own place: built components, secrets, state, address.

use std::net::{TcpListener, ToSocketAddrs as _};
use std::path::{Path, PathBuf};

use vivesphere_variables::VARIABLES;

use super::Finding;
use crate::manifest::Manifest;
use crate::variables::Providers;
use crate::{dotenv, secrets};

/// Less free space than this stops a start sooner or later.
const LEAST_FREE_MIB: u64 = 256;
/// A build wants about this much.
const BUILD_FREE_MIB: u64 = 6 * 1024;

pub(super) fn built(manifest: &Manifest) -> Finding {
    let components = manifest
        .components
        .iter()
        .filter(|(id, _)| manifest.is_triggered(id));
    let missing: Vec<&str> = components
        .filter(|(_, component)| !component.source.is_file())
        .map(|(id, _)| id.as_str())
        .collect();
    if missing.is_empty() {
        return Finding::good("components: every .wasm is built");
    }
    // Not built is what a clean clone looks like: `up --build` changes it.
    Finding::note(
        format!("components: not built yet: {}", missing.join(", ")),
        "vivesphere build, or vivesphere up --build",
    )
}

fn state_failed(what: &str, place: &Path, error: &dyn std::fmt::Display) -> Finding {
    Finding::missing(
        format!("state: {what} {}: {error}", place.display()),
        "choose another folder with --state-dir DIR, or make this one yours",
    )
}

pub(super) fn state_folder(folder: &Path) -> Finding {
    let shown = folder.display();
    let failed = |what: &str, error: &dyn std::fmt::Display| state_failed(what, folder, error);
    if folder.exists() && !folder.is_dir() {
        return failed("there is no place for", &"it is not a folder");
    }
    let Some(existing) = nearest_existing(folder) else {
        return failed("there is no place for", &"no folder above it exists");
    };
    // SQLite itself says whether it can work there: locks fail on some network file systems.
    let probe = match tempfile_in(&existing) {
        Ok(probe) => probe,
        Err(error) => return failed("cannot write to", &error),
    };
    let opened = rusqlite::Connection::open(&probe).and_then(|connection| {
        connection
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE probe (a); DROP TABLE probe;")
    });
    for suffix in ["", "-wal", "-shm"] {
        let mut name = probe.clone().into_os_string();
        name.push(suffix);
        let _ = std::fs::remove_file(name);
    }
    if let Err(error) = opened {
        return failed("SQLite cannot work in", &error);
    }
    Finding::good(format!("state: {shown} is writable and SQLite works there"))
}

/// The database, if it is there and cannot be read.
pub(super) fn database(database: &Path) -> Option<Finding> {
    if !database.exists() {
        return None;
    }
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let looked = rusqlite::Connection::open_with_flags(database, flags)
        .and_then(|connection| connection.query_row("PRAGMA schema_version", [], |_| Ok(())));
    let error = looked.err()?;
    Some(state_failed(
        "the database cannot be read:",
        database,
        &error,
    ))
}

pub(super) fn disk(state_dir: &Path) -> Finding {
    let space = nearest_existing(state_dir).and_then(|folder| rustix::fs::statvfs(&folder).ok());
    let Some(space) = space else {
        return Finding::note("disk: free space is unknown", "df -h");
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize) / (1024 * 1024);
    let text = format!("disk: {free} MiB free at {}", state_dir.display());
    if free < LEAST_FREE_MIB {
        Finding::missing(
            text,
            format!("free at least {LEAST_FREE_MIB} MiB; cargo clean gives back what builds took"),
        )
    } else if free < BUILD_FREE_MIB {
        Finding::note(
            text,
            format!("a build from clean wants about {BUILD_FREE_MIB} MiB"),
        )
    } else {
        Finding::good(text)
    }
}

pub(super) fn secrets(manifest: &Manifest, dotenv_path: &Path, database: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    match dotenv::exposure(dotenv_path) {
        Ok(None) if dotenv_path.exists() => {
            findings.push(Finding::good("secrets: .env is private"))
        }
        Ok(None) => {}
        Ok(Some(exposure)) => findings.push(Finding::missing(
            format!("secrets: {exposure}"),
            format!("chmod 600 {}", dotenv_path.display()),
        )),
        Err(error) => findings.push(Finding::missing(
            format!("secrets: {error:#}"),
            "ls -l .env",
        )),
    }
    let dotenv = match dotenv::read(dotenv_path) {
        Ok(dotenv) => dotenv,
        Err(error) => {
            findings.push(Finding::missing(
                format!("secrets: {error:#}"),
                "correct the line",
            ));
            return findings;
        }
    };
    let providers = Providers {
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        dotenv,
        ..Providers::default()
    };
    for row in VARIABLES
        .iter()
        .filter(|row| manifest.variables.contains_key(row.name))
    {
        let Some(value) = providers.get(row.name) else {
            continue;
        };
        if let Err(malformed) = row.parse(value) {
            findings.push(Finding::missing(
                malformed.to_string(),
                format!(
                    "correct {} in the environment or in .env",
                    row.environment_name()
                ),
            ));
        }
    }
    match secrets::plan(&manifest.variables, &providers, dotenv_path, database) {
        Ok(missing) if missing.is_empty() => {
            findings.push(Finding::good(
                "secrets: every required variable has a value",
            ));
        }
        Ok(missing) => {
            let names: Vec<&str> = missing.iter().map(|row| row.name).collect();
            findings.push(Finding::note(
                format!("secrets: not there yet: {}", names.join(", ")),
                "vivesphere up makes them and writes them to .env",
            ));
        }
        Err(error) => findings.push(Finding::missing(
            format!("secrets: {error:#}"),
            "give the values as SPIN_VARIABLE_<NAME>=… in .env",
        )),
    }
    findings
}

pub(super) fn port(listen: &str) -> Finding {
    let address = listen
        .to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next());
    let Some(address) = address else {
        return Finding::missing(
            format!("address: `{listen}` is no address"),
            "give one such as --listen 127.0.0.1:3000",
        );
    };
    match TcpListener::bind(address) {
        Ok(_) => Finding::good(format!("address: {address} is free")),
        Err(error) => Finding::missing(
            format!("address: cannot listen on {address}: {error}"),
            format!(
                "see who has it with: ss -ltnp 'sport = :{}', or choose another with --listen 127.0.0.1:0",
                address.port()
            ),
        ),
    }
}

fn nearest_existing(folder: &Path) -> Option<PathBuf> {
    let folder = std::path::absolute(folder).ok()?;
    folder
        .ancestors()
        .find(|folder| folder.is_dir())
        .map(Path::to_owned)
}

/// The path of a new, empty, private file in the folder.
fn tempfile_in(folder: &Path) -> std::io::Result<PathBuf> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = folder.join(format!(".vivesphere-probe-{}.db", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)?;
    Ok(path)
}

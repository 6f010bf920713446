//! `vivesphere backup` and `vivesphere restore`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use vivesphere_crypto::{Secret, VaultKey};

use super::{BackupArguments, RestoreArguments};
use crate::application::RuntimeConfig;
use crate::backup::{self, Examination};
use crate::variables::environment_name;
use crate::{dotenv, runtime_config};

const NOT_FILES: &str = "backup and restore know SQLite files; what lies in libSQL or Redis is \
    copied with that server's own tools";

/// Where the state is.
fn state(
    state_dir: Option<&Path>,
    runtime_config_file: Option<&Path>,
) -> anyhow::Result<(PathBuf, RuntimeConfig)> {
    let loaded = match runtime_config_file {
        Some(file) => runtime_config::read(file).context(NOT_FILES)?,
        None => runtime_config::Loaded::default(),
    };
    let state_dir = match (state_dir, loaded.state_dir) {
        (Some(given), _) => given.to_owned(),
        (None, Some(configured)) => configured,
        (None, None) => PathBuf::from(".spin"),
    };
    let absolute = std::path::absolute(&state_dir)
        .with_context(|| format!("cannot locate {}", state_dir.display()))?;
    Ok((absolute, loaded.config))
}

/// How far this process stands back. The checks of a copy compute for seconds without a pause.
const NICENESS: i32 = 10;

pub(super) fn backup(arguments: &BackupArguments) -> anyhow::Result<ExitCode> {
    // What is served meanwhile goes first. Where that cannot be had, the two take turns.
    let _ = rustix::process::nice(NICENESS);
    let (state_dir, config) = state(
        arguments.state_dir.as_deref(),
        arguments.runtime_config_file.as_deref(),
    )?;
    let report = backup::backup(&state_dir, &config, &arguments.to)?;
    for (name, size, time) in &report.copies {
        let size = *size as f64 / 1e6;
        println!("{name}: {size:.1} MB in {:.1} s", time.as_secs_f64());
    }
    for label in &report.elsewhere {
        println!("The key-value store `{label}` is not in it: {NOT_FILES}.");
    }
    let found = &report.examination;
    tell_audit(found);
    println!(
        "Backed up to {} at migration level {}. Integrity and references were checked.",
        arguments.to.display(),
        found.migration_level
    );
    println!(
        "No key is in it. Keep .env, or wherever this deployment's keys are, in another place{}",
        match needed(found) {
            Some(ids) => format!(": what is sealed can only be read with the vault key {ids}."),
            None => ".".to_owned(),
        }
    );
    Ok(ExitCode::SUCCESS)
}

pub(super) fn restore(arguments: &RestoreArguments) -> anyhow::Result<ExitCode> {
    let (state_dir, config) = state(
        arguments.state_dir.as_deref(),
        arguments.runtime_config_file.as_deref(),
    )?;
    let restored = backup::restore(&arguments.from, &state_dir, &config)?;
    for file in &restored.files {
        println!("{}", file.display());
    }
    for name in &restored.left_out {
        println!("{name} was left out: its store is not a file here. {NOT_FILES}.");
    }
    tell_audit(&restored.holds);
    println!(
        "Restored as it was at {}, at migration level {}. Posts that were published after that \
         moment are still scheduled here: start with --no-cron and cancel them first.",
        restored.created_at, restored.holds.migration_level
    );
    if let Some(ids) = needed(&restored.holds) {
        println!("{}", vault_key_advice(&ids, &restored.holds)?);
    }
    Ok(ExitCode::SUCCESS)
}

fn tell_audit(found: &Examination) {
    let Some(audit) = &found.audit else { return };
    match audit.broken_at {
        None => println!(
            "The audit trail's {} sealed rows are as they were sealed; its head is {} {}.",
            audit.verified_rows, audit.head_audit_id, audit.head_hash
        ),
        Some(row) => eprintln!(
            "warning: the audit trail is not as it was sealed, from row {row} on. The copy is what \
             the database holds."
        ),
    }
}

fn needed(found: &Examination) -> Option<String> {
    let ids: Vec<&str> = found.vault_key_ids.iter().map(String::as_str).collect();
    (!ids.is_empty()).then(|| ids.join(" and "))
}

/// Whether the vault keys at hand, in the environment or `.env`, are those that are needed.
fn vault_key_advice(needed: &str, found: &Examination) -> anyhow::Result<String> {
    let dotenv = dotenv::read(Path::new(".env"))?;
    let mut here = Vec::new();
    for setting in ["vault_key", "vault_key_previous"] {
        let name = environment_name(setting);
        let value = std::env::var(&name)
            .ok()
            .or_else(|| dotenv.get(&name).cloned());
        let key = value.map(|value| VaultKey::from_base64(&Secret::new(value)));
        if let Some(Ok(key)) = key {
            here.push(key.id().to_owned());
        }
    }
    let missing: Vec<&str> = found
        .vault_key_ids
        .iter()
        .filter(|id| !here.contains(id))
        .map(String::as_str)
        .collect();
    Ok(if missing.is_empty() {
        format!("The vault key {needed}, which its sealed data needs, is here.")
    } else {
        format!(
            "Give back the vault key {} ({} or {}) before it is started: sealed data cannot be \
             read without it.",
            missing.join(" and "),
            environment_name("vault_key"),
            environment_name("vault_key_previous"),
        )
    })
}

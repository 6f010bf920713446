//! The `vivesphere` command, run as a person runs it.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a failed unwrap is the assertion"
)]

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::build::{self, Program};

/// What a command said, and whether it succeeded.
#[derive(Debug)]
pub struct Said {
    /// Exit code 0.
    pub success: bool,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

impl Said {
    /// Standard output of a command that must succeed.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn done(self) -> String {
        assert!(self.success, "{}{}", self.output, self.errors);
        self.output
    }

    /// Standard error of a command that must be refused, and must say this.
    ///
    /// # Panics
    /// When it was not, or says something else.
    #[track_caller]
    pub fn refused(self, reason: &str) {
        assert!(!self.success, "it was done: {}", self.output);
        assert!(
            self.errors.contains(reason),
            "{reason:?} is not in {}",
            self.errors
        );
    }
}

/// The embedded host's program; nothing when the scenarios run on Spin.
#[must_use]
pub fn program() -> Option<PathBuf> {
    match build::everything() {
        Program::Host(path) => Some(path.clone()),
        Program::Spin { .. } => None,
    }
}

/// Runs it in `folder` with these variables of the environment and no others of ours.
///
/// # Panics
/// When it cannot be started.
pub async fn vivesphere(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Said {
    let program = program().unwrap();
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("SPIN_") || name == "RUNTIME_CONFIG_FILE" {
            command.env_remove(name);
        }
    }
    let output = command
        .envs(environment.iter().copied())
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .unwrap();
    Said {
        success: output.status.success(),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

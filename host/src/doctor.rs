//! `vivesphere doctor`: what is missing on this machine, in plain words, and the command
//! that gets it.

mod machine;
mod place;

use std::fmt;
use std::path::Path;

use crate::manifest::Manifest;
use crate::{runtime_config, state_files};

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to do.
    Good,
    /// It works without, but somebody should know.
    Note,
    /// The application cannot be built or started like this.
    Missing,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What the check came to.
    pub verdict: Verdict,
    /// What was found.
    pub text: String,
    /// What to do about it, when there is something.
    pub remedy: Option<String>,
}

impl Finding {
    fn good(text: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Good,
            text: text.into(),
            remedy: None,
        }
    }

    fn note(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Note,
            text: text.into(),
            remedy: Some(remedy.into()),
        }
    }

    fn missing(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Missing,
            text: text.into(),
            remedy: Some(remedy.into()),
        }
    }
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report(pub Vec<Finding>);

impl Report {
    /// Whether nothing is missing.
    pub fn is_healthy(&self) -> bool {
        self.0
            .iter()
            .all(|finding| finding.verdict != Verdict::Missing)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.0 {
            let mark = match finding.verdict {
                Verdict::Good => "ok     ",
                Verdict::Note => "note   ",
                Verdict::Missing => "MISSING",
            };
            writeln!(formatter, "{mark}  {}", finding.text)?;
            if let Some(remedy) = &finding.remedy {
                writeln!(formatter, "         -> {remedy}")?;
            }
        }
        let summary = if self.is_healthy() {
            "Everything that is needed is there."
        } else {
            "Something that is needed is missing; see the lines above."
        };
        writeln!(formatter, "{summary}")
    }
}

/// What is to be looked at, as `up` would take it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The manifest, or the folder that holds `spin.toml`.
    pub from: &'a Path,
    /// The address that would be listened on.
    pub listen: &'a str,
    /// Where the state is, unless it is where it always is.
    pub state_dir: Option<&'a Path>,
    /// The runtime configuration, which may put the state elsewhere.
    pub runtime_config: Option<&'a Path>,
    /// The file of secrets.
    pub dotenv: &'a Path,
}

/// Looks at the machine and at the application. Nothing is changed.
pub fn examine(asked: &Asked<'_>) -> Report {
    let mut findings = Vec::new();
    match Manifest::read(asked.from, None) {
        Ok(manifest) => {
            findings.push(Finding::good(format!(
                "manifest: {}",
                manifest.path.display()
            )));
            findings.extend(machine::examine(&manifest.folder));
            findings.push(place::built(&manifest));
            let runtime = match asked.runtime_config.map(runtime_config::read).transpose() {
                Ok(runtime) => runtime.unwrap_or_default(),
                Err(error) => {
                    findings.push(Finding::missing(
                        format!("runtime configuration: {error:#}"),
                        "correct the file, or name another with --runtime-config-file FILE",
                    ));
                    runtime_config::Loaded::default()
                }
            };
            let state_dir = asked
                .state_dir
                .map(Path::to_owned)
                .or(runtime.state_dir)
                .unwrap_or_else(|| manifest.folder.join(".spin"));
            for folder in state_files::folders(&state_dir, &runtime.config) {
                findings.push(place::state_folder(&folder));
            }
            let database = state_files::default_database(&state_dir, &runtime.config);
            findings.extend(place::database(&database));
            let beside = database.parent().unwrap_or(&state_dir);
            findings.push(place::disk(beside));
            findings.extend(place::secrets(&manifest, asked.dotenv, &database));
        }
        Err(error) => {
            findings.push(Finding::missing(
                format!("manifest: {error:#}"),
                "correct these lines, or name the file with --from FILE",
            ));
            findings.extend(machine::examine(Path::new(".")));
        }
    }
    findings.push(place::port(asked.listen));
    Report(findings)
}

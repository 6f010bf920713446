//! `vivesphere doctor`: what is missing on this machine, in plain words, and the command
//! that gets it.

mod machine;
mod place;

use std::fmt;
use std::path::Path;

use crate::manifest::Manifest;

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

/// Looks at the machine and at the application. Nothing is changed.
pub fn examine(from: &Path, listen: &str, state_dir: Option<&Path>, dotenv: &Path) -> Report {
    let mut findings = Vec::new();
    match Manifest::read(from, None) {
        Ok(manifest) => {
            findings.push(Finding::good(format!(
                "manifest: {}",
                manifest.path.display()
            )));
            findings.extend(machine::examine(&manifest.folder));
            findings.push(place::built(&manifest));
            let default = manifest.folder.join(".spin");
            let state_dir = state_dir.unwrap_or(&default);
            findings.push(place::state_dir(state_dir));
            findings.push(place::disk(state_dir));
            findings.extend(place::secrets(&manifest, dotenv, state_dir));
        }
        Err(error) => {
            findings.push(Finding::missing(
                format!("manifest: {error:#}"),
                "correct these lines, or name the file with --from FILE",
            ));
            findings.extend(machine::examine(Path::new(".")));
        }
    }
    findings.push(place::port(listen));
    Report(findings)
}

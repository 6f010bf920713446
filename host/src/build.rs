//! `vivesphere build` and `up --build`: runs the components' build commands.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, bail};

use crate::manifest::Manifest;
use crate::progress::Progress;

/// Runs every component's build commands; a command that several components share, in the
/// same folder, runs once.
///
/// # Errors
/// When a command cannot be started or fails, or the target cannot be added.
pub fn run(manifest: &Manifest, progress: &Progress) -> anyhow::Result<()> {
    let steps = steps(manifest);
    if steps.is_empty() {
        progress.step("Building", "nothing: no component has a build command");
        return Ok(());
    }
    if steps.iter().any(|step| step.command.contains("cargo")) {
        vivesphere_up::ensure_target(&manifest.folder, |what| progress.step("Adding", what))?;
    }
    for step in &steps {
        progress.step(
            "Building",
            &format!("{} ({})", step.components.join(", "), step.command),
        );
        shell(step, progress)?;
    }
    Ok(())
}

/// One command that is to run once.
#[derive(Debug, PartialEq, Eq)]
struct Step<'a> {
    command: &'a str,
    workdir: &'a Path,
    components: Vec<&'a str>,
}

fn steps(manifest: &Manifest) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for (id, component) in &manifest.components {
        let Some(build) = &component.build else {
            continue;
        };
        for command in &build.commands {
            let same =
                |step: &&mut Step<'_>| step.command == command && step.workdir == build.workdir;
            if let Some(step) = steps.iter_mut().find(same) {
                step.components.push(id);
            } else {
                steps.push(Step {
                    command,
                    workdir: &build.workdir,
                    components: vec![id],
                });
            }
        }
    }
    steps
}

fn shell(step: &Step<'_>, progress: &Progress) -> anyhow::Result<()> {
    let mut command = Command::new("sh");
    command.args(["-c", step.command]).current_dir(step.workdir);
    vivesphere_up::without_this_package(&mut command);
    let started = || {
        format!(
            "cannot run `{}` in {}",
            step.command,
            step.workdir.display()
        )
    };
    let status = if progress.is_quiet() {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().with_context(started)?;
        if !status.success() {
            eprint!(
                "{}{}",
                String::from_utf8_lossy(&stdout),
                String::from_utf8_lossy(&stderr)
            );
        }
        status
    } else {
        command
            .stdin(Stdio::null())
            .status()
            .with_context(started)?
    };
    if !status.success() {
        bail!(
            "building {} failed: `{}` ended with {status}",
            step.components.join(", "),
            step.command
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(folder: &Path, components: &str) -> Manifest {
        let text = format!(
            "spin_manifest_version = 2\n[application]\nname = \"a\"\n[trigger]\n{components}"
        );
        Manifest::parse(text, &folder.join("spin.toml"), None).unwrap()
    }

    #[test]
    fn a_shared_command_runs_once_and_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        let manifest = manifest(
            folder.path(),
            r#"
            [component.one]
            source = "one.wasm"
            build.command = "echo built >> log"
            [component.two]
            source = "two.wasm"
            build.command = ["echo built >> log", "echo second >> log"]
            [component.three]
            source = "three.wasm"
            build = { command = "echo built >> log", workdir = "sub" }
            [component.four]
            source = "four.wasm"
            "#,
        );
        run(&manifest, &Progress::new(true)).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("log"), "built\nsecond\n");
        assert_eq!(read("sub/log"), "built\n");
    }

    #[test]
    fn a_failing_command_stops_the_build_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = manifest(
            folder.path(),
            "[component.one]\nsource = \"one.wasm\"\nbuild.command = [\"exit 3\", \"touch late\"]\n",
        );
        let error = run(&manifest, &Progress::new(true))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("building one failed") && error.contains("`exit 3`"),
            "{error}"
        );
        assert!(!folder.path().join("late").exists());
    }
}

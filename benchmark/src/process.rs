//! A process that is ended with its whole group when it is dropped.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

/// A started process.
#[derive(Debug)]
pub(crate) struct Process {
    /// The process.
    pub(crate) child: Child,
}

impl Process {
    /// Starts it, in a group of its own.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} does not start", command.get_program().display()))?;
        Ok(Self { child })
    }

    /// Its resident memory in MB (10⁶ bytes), as the kernel counts it.
    pub(crate) fn resident(&self) -> anyhow::Result<f64> {
        resident(self.child.id())
    }
}

/// A process's resident memory in MB (10⁶ bytes).
pub(crate) fn resident(id: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let kibibytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|value| value.split_whitespace().next())
        .context("the kernel does not say how much memory is resident")?
        .parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ended = Command::new("kill")
            .args(["-KILL", "--", &group])
            .stderr(Stdio::null())
            .status();
        let _ended = self.child.wait();
    }
}

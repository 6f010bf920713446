//! Cargo, started from a program that cargo started, and the target that it needs.

mod target;

use std::process::Command;

pub use target::{TARGET, ensure_target, has_target};

/// Cargo, without what the cargo that started this process says of its package.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    without_this_package(&mut command);
    command
}

/// Takes from a command's environment what cargo, when it started this process, said of its package.
/// Build scripts that watch such variables would see a change and build everything again, here and the
/// next time elsewhere.
pub fn without_this_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else {
            continue;
        };
        let describes_package = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
        ]
        .iter()
        .any(|prefix| text.starts_with(prefix));
        if describes_package || matches!(text, "CARGO_PRIMARY_PACKAGE" | "OUT_DIR") {
            command.env_remove(&name);
        }
    }
}

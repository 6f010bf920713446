//! The components' files.

use anyhow::Context as _;

use crate::cargo;
use crate::table::{Table, Wanted};

const COMPONENTS: [&str; 6] = [
    "auth",
    "bots",
    "botdata",
    "publisher",
    "scheduler",
    "health",
];

/// Each in MB (10⁶ bytes).
pub(crate) fn measure(table: &mut Table) -> anyhow::Result<()> {
    let folder = cargo::repository().join("target/wasm32-wasip2/release");
    for name in COMPONENTS {
        let file = folder.join(format!("{name}.wasm"));
        let bytes = std::fs::metadata(&file)
            .with_context(|| file.display().to_string())?
            .len();
        let megabytes = bytes as f64 / 1e6;
        table.add(format!("{name}.wasm"), megabytes, "MB", Wanted::AtMost(1.5));
    }
    Ok(())
}

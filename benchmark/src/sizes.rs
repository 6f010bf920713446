//! The components' files.

use anyhow::ensure;

use crate::cargo;
use crate::table::{Table, Wanted};

/// Each in MB (10⁶ bytes), the largest first.
pub(crate) fn measure(table: &mut Table) -> anyhow::Result<()> {
    let folder = cargo::repository().join("target/wasm32-wasip2/release");
    let mut files = Vec::new();
    for component in std::fs::read_dir(cargo::repository().join("components"))? {
        let name = component?.file_name().to_string_lossy().replace('-', "_");
        let name = format!("{name}.wasm");
        let file = folder.join(&name);
        // Some folders are several components.
        if let Ok(found) = std::fs::metadata(&file) {
            files.push((found.len() as f64 / 1e6, name));
        }
    }
    files.sort_by(|a, b| b.0.total_cmp(&a.0));
    ensure!(files.len() > 10, "no components in {}", folder.display());
    for (megabytes, name) in files {
        table.add(name, megabytes, "MB", Wanted::AtMost(1.5));
    }
    Ok(())
}

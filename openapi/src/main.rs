//! Writes `docs/openapi.json`.

use std::path::Path;

use anyhow::{Context as _, anyhow};

fn main() -> anyhow::Result<()> {
    let text = vivesphere_openapi::text().map_err(|errors| anyhow!(errors.join("\n")))?;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}

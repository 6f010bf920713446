//! Embeds the numbers, names and texts of `migrations/`, so that `restore` can tell a database
//! that is newer than this program.

use std::fmt::Write as _;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../migrations");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(stem) = name.strip_suffix(".sql") {
            names.push(stem.to_owned());
        }
    }
    names.sort();
    let mut list = String::from("&[\n");
    for name in names {
        let version: i64 = name.split('_').next().unwrap_or_default().parse()?;
        let file = folder.join(format!("{name}.sql"));
        writeln!(list, "    ({version}, include_str!({file:?})),")?;
    }
    list.push_str("]\n");
    let out = Path::new(&std::env::var("OUT_DIR")?).join("migrations.rs");
    std::fs::write(out, list)?;
    println!("cargo::rerun-if-changed={}", folder.display());
    Ok(())
}

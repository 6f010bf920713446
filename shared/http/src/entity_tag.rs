//! Tags of what was read, so that nothing is sent twice (RFC 9110, sections 8.8.3 and 13.1.2).

use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::quality::FixedState;
use http::{HeaderMap, HeaderValue, header};

/// The tag of a body. Weak, for the same tag stands for the body in every encoding. It tells
/// versions of one thing apart; nobody's safety rests on it, so it is not a cryptographic hash.
pub(crate) fn of(body: &[u8]) -> Option<HeaderValue> {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write(body);
    let hash = hasher.finish();
    HeaderValue::try_from(format!("W/\"{hash:016x}-{:x}\"", body.len())).ok()
}

/// Whether the client has the body of this tag already.
pub(crate) fn is_known(request: &HeaderMap, tag: &HeaderValue) -> bool {
    let Ok(tag) = tag.to_str().map(opaque) else {
        return false;
    };
    let lines = request.get_all(header::IF_NONE_MATCH).into_iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .any(|known| known == "*" || opaque(known) == tag)
}

/// The weak comparison looks at the part in quotes only.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_by_its_quoted_part() {
        let tag = of(b"body").expect("a tag");
        assert_ne!(Some(&tag), of(b"Body").as_ref());
        let text = tag.to_str().expect("text").to_owned();
        let strong = opaque(&text).to_owned();
        for (given, wanted) in [
            (text.clone(), true),
            (strong.clone(), true),
            (format!("\"other\", {text}"), true),
            ("*".to_owned(), true),
            ("\"other\"".to_owned(), false),
            (strong.replace('"', ""), false),
            (String::new(), false),
        ] {
            let value = HeaderValue::try_from(&given).expect("a header");
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, value)]);
            assert_eq!(is_known(&headers, &tag), wanted, "{given}");
        }
        assert!(!is_known(&HeaderMap::new(), &tag));
    }
}

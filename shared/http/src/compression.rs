//! Which encoding an answer gets (RFC 9110, section 12.5.3), and the encoding itself.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};

use crate::brotli_encoder;

/// A body below this is not worth it: it fits a packet, and an encoder has its own costs.
const LEAST: usize = 1024;
/// A level at which an answer of some kilobytes costs well below a millisecond.
const GZIP_LEVEL: u32 = 4;

/// An encoding that a client accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The client's favourite of ours; brotli where it likes both alike, `None` where it accepts
    /// neither or prefers the answer as it is.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let mut weights = [None; 4];
        let lines = headers.get_all(header::ACCEPT_ENCODING).into_iter();
        for coding in lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
        {
            let mut parts = coding.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let slot = match name.to_ascii_lowercase().as_str() {
                "br" => 0,
                "gzip" | "x-gzip" => 1,
                "identity" => 2,
                "*" => 3,
                _ => continue,
            };
            weights[slot] = Some(parts.find_map(weight).unwrap_or(1000));
        }
        let [brotli, gzip, identity, any] = weights;
        let brotli = brotli.or(any).unwrap_or(0);
        let gzip = gzip.or(any).unwrap_or(0);
        let (best, encoding) = if brotli >= gzip {
            (brotli, Self::Brotli)
        } else {
            (gzip, Self::Gzip)
        };
        (best > 0 && best >= identity.unwrap_or(0)).then_some(encoding)
    }
}

/// Thousandths of `q=0.5`; what cannot be read is as if it were not there.
fn weight(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    // `0`, `1`, and up to three decimals (RFC 9110, section 12.4.2).
    let (whole, decimals) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{decimals:0<3}").parse::<u16>().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// Whether bodies of this type shrink at all: text does, images and archives do not.
pub(crate) fn is_compressible(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default()
        .trim();
    !headers.contains_key(header::CONTENT_ENCODING)
        && (kind.starts_with("text/")
            || kind.ends_with("json")
            || kind.ends_with("yaml")
            || kind.ends_with("javascript")
            || kind == "image/svg+xml")
}

/// Encodes a body and says so in its headers, where it is long enough and gets shorter.
pub(crate) fn encode(body: Bytes, encoding: Encoding, headers: &mut HeaderMap) -> Bytes {
    if body.len() < LEAST {
        return body;
    }
    let encoded = match encoding {
        Encoding::Brotli => brotli_encoder::compress(&body),
        Encoding::Gzip => gzip(&body),
    };
    match encoded {
        Some(encoded) if encoded.len() < body.len() => {
            let name = HeaderValue::from_static(encoding.as_str());
            headers.insert(header::CONTENT_ENCODING, name);
            Bytes::from(encoded)
        }
        _ => body,
    }
}

fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn accepted(text: &'static str) -> Option<Encoding> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(text));
        Encoding::accepted(&headers)
    }

    #[test]
    fn the_client_decides() {
        use Encoding::{Brotli, Gzip};
        for (text, wanted) in [
            ("", None),
            ("identity", None),
            ("deflate, zstd", None),
            ("gzip", Some(Gzip)),
            ("GZIP", Some(Gzip)),
            ("gzip, deflate, br", Some(Brotli)),
            ("gzip;q=1.0, br;q=0.5", Some(Gzip)),
            ("br;q=0, gzip", Some(Gzip)),
            ("gzip;q=0", None),
            ("*", Some(Brotli)),
            ("*;q=0", None),
            ("br;q=0, *", Some(Gzip)),
            ("identity;q=1, gzip;q=0.5", None),
            ("gzip;q=nonsense", Some(Gzip)),
        ] {
            assert_eq!(accepted(text), wanted, "{text}");
        }
        assert_eq!(Encoding::accepted(&HeaderMap::new()), None);
    }

    #[test]
    fn short_bodies_stay_as_they_are_and_long_ones_come_back_whole() {
        let mut headers = HeaderMap::new();
        let short = Bytes::from("a".repeat(LEAST - 1));
        assert_eq!(encode(short.clone(), Encoding::Gzip, &mut headers), short);
        assert!(headers.is_empty());
        let long = Bytes::from("a long body ".repeat(100));
        let encoded = encode(long.clone(), Encoding::Gzip, &mut headers);
        assert_eq!(headers[header::CONTENT_ENCODING], "gzip");
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&encoded[..])
            .read_to_end(&mut back)
            .expect("well-formed gzip");
        assert_eq!(back, long);
    }

    #[test]
    fn text_shrinks_and_what_is_encoded_already_does_not() {
        for (kind, wanted) in [
            ("application/json", true),
            ("application/problem+json", true),
            ("application/x-ndjson", true),
            ("text/html; charset=utf-8", true),
            ("application/yaml", true),
            ("image/png", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(is_compressible(&headers), wanted, "{kind}");
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
            assert!(!is_compressible(&headers));
        }
    }
}

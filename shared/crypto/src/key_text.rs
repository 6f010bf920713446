//! Keys as a deployment writes them: 32 bytes in base64.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Why a configured key cannot be used. Says nothing of the key itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is not base64.
    #[error("must be 32 bytes in base64, but it is not base64")]
    NotBase64,
    /// The text decodes to another length than the 32 bytes of a key.
    #[error("must be 32 bytes in base64, but it has {0} bytes")]
    WrongLength(usize),
    /// The bytes are not a key of this kind, such as a public key that is no point of the curve.
    #[error("is not a usable key")]
    Unusable,
}

const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);

/// Reads 32 bytes from `text`: base64 in the standard or the URL-safe alphabet (RFC 4648), with or
/// without padding, surrounding white space ignored.
///
/// # Errors
/// [`KeyError::NotBase64`] and [`KeyError::WrongLength`].
pub fn decode(text: &Secret<String>) -> Result<Secret<[u8; 32]>, KeyError> {
    let trimmed = text.expose().trim();
    let engine = if trimmed.contains(['-', '_']) {
        &URL_SAFE
    } else {
        &STANDARD
    };
    let decoded = Zeroizing::new(engine.decode(trimmed).map_err(|_| KeyError::NotBase64)?);
    <[u8; 32]>::try_from(decoded.as_slice())
        .map(Secret::new)
        .map_err(|_| KeyError::WrongLength(decoded.len()))
}

#[cfg(test)]
mod tests {
    use base64::prelude::*;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reads_every_spelling(bytes: [u8; 32]) {
            for text in [
                BASE64_STANDARD.encode(bytes),
                BASE64_STANDARD_NO_PAD.encode(bytes),
                BASE64_URL_SAFE.encode(bytes),
                format!("  {}\n", BASE64_URL_SAFE_NO_PAD.encode(bytes)),
            ] {
                let key = decode(&Secret::new(text)).unwrap_or_else(|error| panic!("{error}"));
                prop_assert_eq!(key.expose(), &bytes);
            }
        }

        #[test]
        fn refuses_other_lengths(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assume!(bytes.len() != 32);
            let error = decode(&Secret::new(BASE64_STANDARD.encode(&bytes))).err();
            prop_assert_eq!(error, Some(KeyError::WrongLength(bytes.len())));
        }

        #[test]
        fn never_panics(text: String) {
            let _ = decode(&Secret::new(text));
        }
    }

    #[test]
    fn refuses_what_is_not_base64() {
        assert_eq!(
            decode(&Secret::new("not a key!".to_owned())).err(),
            Some(KeyError::NotBase64)
        );
    }
}

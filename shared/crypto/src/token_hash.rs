//! What is stored in a bearer token's place.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use sha2::{Digest, Sha256};

use crate::constant_time;

/// The SHA-256 of a random token: enough to recognise it, useless for signing in.
///
/// A type of its own, so that a query cannot be given the token where it wants the hash. An
/// unsalted fast hash is right here and only here: tokens have at least 128 bits of entropy, so
/// there is nothing to guess; passwords go to [`crate::password`].
#[derive(Debug, Clone, Copy, Eq, PartialOrd, Ord)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of `token`'s bytes.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Reads what [`TokenHash::hex`] wrote; nothing for any other text.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let &[high, low] = pair else { return None };
            *byte = nibble(high)? << 4 | nibble(low)?;
        }
        Some(Self(bytes))
    }

    /// The raw 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hexadecimal digits, as stored.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// 43 characters of base64url without padding.
    #[must_use]
    pub fn base64url(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        constant_time::eq(&self.0, &other.0)
    }
}

impl std::hash::Hash for TokenHash {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// `bytes` in lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    bytes
        .iter()
        .flat_map(|byte| {
            [
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]
        })
        .collect()
}

/// The SHA-256 of `bytes` in lower-case hexadecimal: a fingerprint of what is not secret, such as
/// a request body or a migration.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// FIPS 180-2, appendix B.1.
    #[test]
    fn is_sha_256() {
        let hash = TokenHash::of("abc");
        assert_eq!(
            hash.hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            hash.base64url(),
            "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
        );
        assert_eq!(hash.hex(), sha256_hex(b"abc"));
    }

    proptest! {
        #[test]
        fn hex_comes_back(token: String) {
            let hash = TokenHash::of(&token);
            prop_assert_eq!(TokenHash::from_hex(&hash.hex()), Some(hash));
        }

        #[test]
        fn other_text_is_refused(text: String) {
            prop_assume!(text.len() != 64);
            prop_assert_eq!(TokenHash::from_hex(&text), None);
        }

        #[test]
        fn upper_case_and_other_characters_are_refused(text in "[0-9a-fA-Z]{63}[g-zA-Z]") {
            prop_assert_eq!(TokenHash::from_hex(&text), None);
        }
    }
}

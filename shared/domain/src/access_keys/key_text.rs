//! The text of an access key: `vs_`, then the key's id, its secret and a checksum, all in letters
//! and digits of a fixed number, so that a double click selects it and a scanner finds it.
//!
//! | characters | what |
//! |---|---|
//! | 3 | `vs_` |
//! | 22 | the id, 128 bits in base62 |
//! | 43 | the secret, 256 random bits |
//! | 6 | CRC-32 of everything before, in base62 |
//!
//! The checksum is no protection: it tells a mistyped or made-up text from a key without asking
//! the database.

use vivesphere_crypto::{Secret, TokenHash, random};

use crate::Error;

/// How every key begins.
pub const PREFIX: &str = "vs_";

const ID_DIGITS: usize = 22;
const SECRET_DIGITS: usize = 43;
const CHECKSUM_DIGITS: usize = 6;
const LENGTH: usize = PREFIX.len() + ID_DIGITS + SECRET_DIGITS + CHECKSUM_DIGITS;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key as its holder has it.
pub struct KeyText {
    access_key_id: String,
    secret: Secret<String>,
}

impl KeyText {
    /// A new secret for the key of this id.
    ///
    /// # Errors
    /// [`Error::Internal`] when there is no randomness.
    pub fn generate(access_key_id: &str) -> Result<Self, Error> {
        let secret = random::alphanumeric(SECRET_DIGITS)
            .map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            secret,
        })
    }

    /// Reads what [`KeyText::text`] wrote; nothing for any other text, a mistyped one above all.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != LENGTH || !text.is_ascii() {
            return None;
        }
        let (checked, checksum) = text.split_at(LENGTH - CHECKSUM_DIGITS);
        if read(checksum)? != u128::from(crc32fast::hash(checked.as_bytes())) {
            return None;
        }
        let (id, secret) = checked.strip_prefix(PREFIX)?.split_at(ID_DIGITS);
        let id = uuid::Uuid::from_u128(read(id)?).to_string();
        Self::of_parts(&id, secret)
    }

    /// Reads an id and a secret that were sent apart (RFC 6749, section 2.3.1). Whoever sends the
    /// whole text in the secret's place means the same.
    #[must_use]
    pub fn of_parts(access_key_id: &str, secret: &str) -> Option<Self> {
        let access_key_id = crate::parse_id(access_key_id)?;
        if secret.starts_with(PREFIX) && secret.len() == LENGTH {
            return Self::parse(secret).filter(|key| key.access_key_id == access_key_id);
        }
        let fits = secret.len() == SECRET_DIGITS
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
        fits.then(|| Self {
            access_key_id,
            secret: Secret::new(secret.to_owned()),
        })
    }

    /// The key's id.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The secret alone: the `client_secret` beside the id as `client_id`.
    #[must_use]
    pub fn secret(&self) -> &Secret<String> {
        &self.secret
    }

    /// What is stored in the secret's place. A fast hash without salt is right for it: the secret
    /// is 256 random bits, so there is nothing to guess that a slow hash would make dearer, and
    /// no two keys share one; and it is computed at every request.
    #[must_use]
    pub fn secret_hash(&self) -> TokenHash {
        TokenHash::of(self.secret.expose())
    }

    /// The whole text, to be shown once.
    #[must_use]
    pub fn text(&self) -> Secret<String> {
        let id = uuid::Uuid::try_parse(&self.access_key_id).unwrap_or_default();
        let mut text = String::with_capacity(LENGTH);
        text.push_str(PREFIX);
        write(&mut text, id.as_u128(), ID_DIGITS);
        text.push_str(self.secret.expose());
        let checksum = crc32fast::hash(text.as_bytes());
        write(&mut text, checksum.into(), CHECKSUM_DIGITS);
        Secret::new(text)
    }
}

/// A number in base62, the highest digit first.
fn write(text: &mut String, number: u128, digits: usize) {
    let mut rest = number;
    let mut written = Vec::with_capacity(digits);
    for _ in 0..digits {
        // Below 62 it fits whatever the machine's word is.
        written.push(char::from(DIGITS[(rest % 62) as usize]));
        rest /= 62;
    }
    text.extend(written.into_iter().rev());
}

/// The number of base62 digits; nothing for other characters or a number that is too large.
fn read(text: &str) -> Option<u128> {
    text.bytes().try_fold(0u128, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            b'a'..=b'z' => byte - b'a' + 36,
            _ => return None,
        };
        number.checked_mul(62)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(id: u128, secret: &str) -> KeyText {
        KeyText::of_parts(&uuid::Uuid::from_u128(id).to_string(), secret).unwrap()
    }

    #[test]
    fn a_key_has_the_documented_form() {
        let id = crate::new_id();
        let key = KeyText::generate(&id).unwrap();
        let text = key.text();
        assert_eq!(text.expose().len(), 74);
        assert!(text.expose().starts_with("vs_"));
        assert!(
            text.expose()[3..]
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric())
        );
        let read = KeyText::parse(text.expose()).unwrap();
        assert_eq!(read.access_key_id(), id);
        assert_eq!(read.secret().expose(), key.secret().expose());
        // The id and the whole text, as a client that knows only the text would send them.
        assert!(KeyText::of_parts(&id, text.expose()).is_some());
        assert!(KeyText::of_parts(&crate::new_id(), text.expose()).is_none());
    }

    /// Written down once: keys that are out must be read by every later build. The text was made
    /// by another program from the table above.
    #[test]
    fn the_form_does_not_change() {
        let secret = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg";
        let text = key(0x0198_0000_0000_7000_8000_0000_0000_0001, secret).text();
        let written = "vs_030SIrlgK2uSz8fODRD9Rh0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg0Nhm3a";
        assert_eq!(text.expose(), written);
        assert!(KeyText::parse(written).is_some());
    }

    /// The check value of CRC-32/ISO-HDLC, which GitHub's tokens use too.
    #[test]
    fn is_crc_32() {
        assert_eq!(crc32fast::hash(b"123456789"), 0xCBF4_3926);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(id: u128, secret in "[0-9A-Za-z]{43}") {
            let read = KeyText::parse(key(id, &secret).text().expose()).unwrap();
            prop_assert_eq!(read.access_key_id(), uuid::Uuid::from_u128(id).to_string());
            prop_assert_eq!(read.secret().expose(), &secret);
        }

        #[test]
        fn one_wrong_character_is_noticed(id: u128, secret in "[0-9A-Za-z]{43}", place in 0usize..74, other in "[ -~]") {
            let text = key(id, &secret).text();
            let mut mistyped = text.expose().clone();
            mistyped.replace_range(place..=place, &other);
            prop_assume!(mistyped != *text.expose());
            prop_assert!(KeyText::parse(&mistyped).is_none());
        }

        #[test]
        fn two_exchanged_characters_are_noticed(id: u128, secret in "[0-9A-Za-z]{43}", place in 0usize..73) {
            let text = key(id, &secret).text();
            let mut bytes = text.expose().clone().into_bytes();
            bytes.swap(place, place + 1);
            let mistyped = String::from_utf8(bytes).unwrap();
            prop_assume!(mistyped != *text.expose());
            prop_assert!(KeyText::parse(&mistyped).is_none());
        }

        #[test]
        fn a_part_of_a_key_is_none(id: u128, secret in "[0-9A-Za-z]{43}", from in 0usize..74, to in 0usize..=74) {
            prop_assume!(from < to && (from, to) != (0, 74));
            let text = key(id, &secret).text();
            prop_assert!(KeyText::parse(&text.expose()[from..to]).is_none());
        }

        #[test]
        fn nothing_panics(text: String, id: String) {
            let _ = KeyText::parse(&text);
            let _ = KeyText::parse(&format!("vs_{text}"));
            let _ = KeyText::of_parts(&id, &text);
        }

        #[test]
        fn an_id_too_large_for_128_bits_is_refused(secret in "[0-9A-Za-z]{43}") {
            let mut text = format!("vs_{}{secret}", "z".repeat(22));
            let checksum = crc32fast::hash(text.as_bytes());
            write(&mut text, checksum.into(), CHECKSUM_DIGITS);
            prop_assert!(KeyText::parse(&text).is_none());
        }
    }
}

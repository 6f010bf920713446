//! Envelope encryption: each record under a random key of its own, that key under the vault key.
//!
//! AES-256-GCM (NIST SP 800-38D) throughout, with random 96-bit nonces. A data key seals exactly
//! one payload, and the vault key only ever wraps data keys, so the bound on random nonces (2^32
//! messages a key) is out of reach.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::Zeroizing;

use crate::associated_data::associated_data;
use crate::hmac;
use crate::key_text::{self, KeyError};
use crate::random::{self, RandomError};
use crate::secret::Secret;
use crate::token_hash::{hex, sha256_hex};

/// The one algorithm that is sealed with, as stored and as shown to callers.
pub const ALGORITHM: &str = "AES-256-GCM";
/// Length of a nonce in bytes.
pub const NONCE_LENGTH: usize = 12;

const WRAP_CONTEXT: &[u8] = b"vivesphere envelope data key v1";
const PAYLOAD_CONTEXT: &[u8] = b"vivesphere envelope payload v1";

/// Why something could not be sealed or opened. Never says what was inside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The record was sealed under a vault key that this deployment does not have.
    #[error("sealed under the vault key {0}, which is not configured")]
    UnknownKey(String),
    /// The record names another algorithm than [`ALGORITHM`].
    #[error("sealed with an algorithm that is not supported")]
    UnknownAlgorithm,
    /// The record, or what it is bound to, is not what was sealed.
    #[error("the sealed data was altered, or belongs to another record")]
    Tampered,
    /// The payload is longer than AES-GCM can seal.
    #[error("the data is too long to be sealed")]
    TooLong,
    /// No randomness for a key or a nonce.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// The key that wraps the data keys: 32 bytes that a deployment keeps.
pub struct VaultKey {
    key: Secret<[u8; 32]>,
    id: String,
}

impl VaultKey {
    /// Takes a key from 32 bytes.
    #[must_use]
    pub fn new(key: Secret<[u8; 32]>) -> Self {
        let derived = hmac::derive(key.expose(), "vivesphere vault key id v1", b"");
        let mut id = sha256_hex(derived.expose());
        id.truncate(16);
        Self { key, id }
    }

    /// Reads a key as it is configured: 32 bytes in base64.
    ///
    /// # Errors
    /// [`KeyError`] when the text is something else.
    pub fn from_base64(text: &Secret<String>) -> Result<Self, KeyError> {
        key_text::decode(text).map(Self::new)
    }

    /// The key's public name, stored with each record: 16 hexadecimal digits of a one-way
    /// derivation that serves no other purpose, so it tells nothing about the key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(self.key.expose().into())
    }
}

/// A sealed record, column by column. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// [`VaultKey::id`] of the key that wraps the data key.
    pub key_id: String,
    /// [`ALGORITHM`].
    pub algorithm: String,
    /// The data key under the vault key, tag included: 48 bytes.
    pub wrapped_key: Vec<u8>,
    /// The nonce of `wrapped_key`: 12 bytes.
    pub wrap_nonce: Vec<u8>,
    /// The nonce of `ciphertext`: 12 bytes.
    pub nonce: Vec<u8>,
    /// The payload under the data key, tag included.
    pub ciphertext: Vec<u8>,
}

/// Seals and opens records under the current vault key, and opens those of the previous one while
/// a rotation runs.
pub struct Vault {
    current: VaultKey,
    previous: Option<VaultKey>,
}

impl Vault {
    /// A vault that seals with `current` and opens with both.
    #[must_use]
    pub const fn new(current: VaultKey, previous: Option<VaultKey>) -> Self {
        Self { current, previous }
    }

    /// [`VaultKey::id`] of the key that new records are sealed under.
    #[must_use]
    pub fn current_key_id(&self) -> &str {
        self.current.id()
    }

    /// Seals `plaintext` under a new random data key, bound to `bound_to`: the same bytes must be
    /// given to open it. Build them with [`associated_data`] from whatever makes the record this
    /// one and no other (bot id, version), so that rows cannot be swapped or rolled back.
    ///
    /// # Errors
    /// [`EnvelopeError::Random`], and [`EnvelopeError::TooLong`] above 64 GiB.
    pub fn seal(&self, plaintext: &[u8], bound_to: &[u8]) -> Result<Sealed, EnvelopeError> {
        let data_key = Zeroizing::new(random::bytes::<32>()?);
        let wrap_nonce = random::bytes::<NONCE_LENGTH>()?;
        let nonce = random::bytes::<NONCE_LENGTH>()?;
        let key_id = self.current.id.clone();
        let wrapped_key = encrypt(
            &self.current.cipher(),
            wrap_nonce,
            data_key.as_slice(),
            &context(WRAP_CONTEXT, &key_id, bound_to),
        )?;
        let ciphertext = encrypt(
            &Aes256Gcm::new((&*data_key).into()),
            nonce,
            plaintext,
            &context(PAYLOAD_CONTEXT, &key_id, bound_to),
        )?;
        Ok(Sealed {
            key_id,
            algorithm: ALGORITHM.to_owned(),
            wrapped_key,
            wrap_nonce: wrap_nonce.to_vec(),
            nonce: nonce.to_vec(),
            ciphertext,
        })
    }

    /// Opens what [`Vault::seal`] made with the same `bound_to`.
    ///
    /// # Errors
    /// [`EnvelopeError::UnknownKey`] when neither key has the record's id,
    /// [`EnvelopeError::UnknownAlgorithm`], and [`EnvelopeError::Tampered`] for any other
    /// difference.
    pub fn open(&self, sealed: &Sealed, bound_to: &[u8]) -> Result<Secret<Vec<u8>>, EnvelopeError> {
        if sealed.algorithm != ALGORITHM {
            return Err(EnvelopeError::UnknownAlgorithm);
        }
        let vault_key = [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|key| key.id == sealed.key_id)
            .ok_or_else(|| EnvelopeError::UnknownKey(shown_key_id(&sealed.key_id)))?;
        let data_key = decrypt(
            &vault_key.cipher(),
            &sealed.wrap_nonce,
            &sealed.wrapped_key,
            &context(WRAP_CONTEXT, &sealed.key_id, bound_to),
        )?;
        let cipher =
            Aes256Gcm::new_from_slice(data_key.expose()).map_err(|_| EnvelopeError::Tampered)?;
        decrypt(
            &cipher,
            &sealed.nonce,
            &sealed.ciphertext,
            &context(PAYLOAD_CONTEXT, &sealed.key_id, bound_to),
        )
    }

    /// Whether the record is not yet under the current vault key.
    #[must_use]
    pub fn needs_rotation(&self, sealed: &Sealed) -> bool {
        sealed.key_id != self.current.id
    }

    /// Opens a record bound to `bound_to_old` and seals it anew under the current vault key, a new
    /// data key and new nonces, bound to `bound_to_new` (the same bytes, unless the version that
    /// they name moves on).
    ///
    /// # Errors
    /// Those of [`Vault::open`] and [`Vault::seal`].
    pub fn rewrap(
        &self,
        sealed: &Sealed,
        bound_to_old: &[u8],
        bound_to_new: &[u8],
    ) -> Result<Sealed, EnvelopeError> {
        let plaintext = self.open(sealed, bound_to_old)?;
        self.seal(plaintext.expose(), bound_to_new)
    }
}

/// What is authenticated beside the text itself: what it is for, under which key and how it was
/// sealed, and what the caller binds it to.
fn context(purpose: &[u8], key_id: &str, bound_to: &[u8]) -> Vec<u8> {
    associated_data(&[purpose, ALGORITHM.as_bytes(), key_id.as_bytes(), bound_to])
}

fn encrypt(
    cipher: &Aes256Gcm,
    nonce: [u8; NONCE_LENGTH],
    msg: &[u8],
    aad: &[u8],
) -> Result<Vec<u8>, EnvelopeError> {
    cipher
        .encrypt(&Nonce::from(nonce), Payload { msg, aad })
        .map_err(|_| EnvelopeError::TooLong)
}

fn decrypt(
    cipher: &Aes256Gcm,
    nonce: &[u8],
    msg: &[u8],
    aad: &[u8],
) -> Result<Secret<Vec<u8>>, EnvelopeError> {
    let nonce: [u8; NONCE_LENGTH] = nonce.try_into().map_err(|_| EnvelopeError::Tampered)?;
    cipher
        .decrypt(&Nonce::from(nonce), Payload { msg, aad })
        .map(Secret::new)
        .map_err(|_| EnvelopeError::Tampered)
}

/// The id as an error may show it: what is stored might have been overwritten with anything.
fn shown_key_id(stored: &str) -> String {
    let well_formed = stored.len() == 16 && stored.bytes().all(|byte| byte.is_ascii_hexdigit());
    if well_formed {
        stored.to_owned()
    } else {
        format!(
            "(malformed, hexadecimal {})",
            hex(&stored.as_bytes()[..stored.len().min(8)])
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn vault(current: u8, previous: Option<u8>) -> Vault {
        let key = |byte| VaultKey::new(Secret::new([byte; 32]));
        Vault::new(key(current), previous.map(key))
    }

    /// `sealed` with bit number `position` (counted over all its fields) flipped.
    fn with_flipped_bit(sealed: &Sealed, position: usize) -> Sealed {
        let mut altered = sealed.clone();
        let fields: [&mut [u8]; 4] = [
            &mut altered.wrapped_key,
            &mut altered.wrap_nonce,
            &mut altered.nonce,
            &mut altered.ciphertext,
        ];
        let mut bytes: Vec<&mut u8> = fields.into_iter().flat_map(<[u8]>::iter_mut).collect();
        let count = bytes.len() * 8;
        let bit = position % count;
        *bytes[bit / 8] ^= 1 << (bit % 8);
        drop(bytes);
        altered
    }

    #[test]
    fn a_key_has_a_stable_public_name() {
        let text = Secret::new("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned());
        let key = VaultKey::from_base64(&text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(key.id().len(), 16);
        assert!(key.id().bytes().all(|byte| byte.is_ascii_hexdigit()));
        let other = VaultKey::new(Secret::new([7; 32]));
        assert_ne!(key.id(), other.id());
    }

    #[test]
    fn every_seal_has_fresh_keys_and_nonces() {
        let vault = vault(1, None);
        let mut seen = HashSet::new();
        for _ in 0..200 {
            let sealed = vault.seal(b"the same", b"the same").unwrap();
            assert!(seen.insert(sealed.wrap_nonce));
            assert!(seen.insert(sealed.nonce));
            assert!(seen.insert(sealed.wrapped_key));
            assert!(seen.insert(sealed.ciphertext));
        }
    }

    #[test]
    fn another_algorithm_is_refused() {
        let vault = vault(1, None);
        let mut sealed = vault.seal(b"x", b"").unwrap();
        sealed.algorithm = "none".to_owned();
        assert_eq!(
            vault.open(&sealed, b"").err(),
            Some(EnvelopeError::UnknownAlgorithm)
        );
    }

    #[test]
    fn renaming_the_key_does_not_open_it() {
        let both = vault(2, Some(1));
        let mut sealed = vault(1, None).seal(b"x", b"").unwrap();
        sealed.key_id = both.current_key_id().to_owned();
        assert_eq!(both.open(&sealed, b"").err(), Some(EnvelopeError::Tampered));
    }

    proptest! {
        #[test]
        fn what_was_sealed_comes_back(payload: Vec<u8>, bound_to: Vec<u8>) {
            let vault = vault(1, None);
            let sealed = vault.seal(&payload, &bound_to)?;
            prop_assert_eq!(&sealed.algorithm, "AES-256-GCM");
            prop_assert_eq!(sealed.ciphertext.len(), payload.len() + 16);
            prop_assert!(!vault.needs_rotation(&sealed));
            let opened = vault.open(&sealed, &bound_to)?;
            prop_assert_eq!(opened.expose(), &payload);
        }

        #[test]
        fn any_flipped_bit_is_noticed(payload: Vec<u8>, position: usize) {
            let vault = vault(1, None);
            let sealed = vault.seal(&payload, b"bot 1")?;
            let altered = with_flipped_bit(&sealed, position);
            prop_assert_ne!(&altered, &sealed);
            prop_assert_eq!(vault.open(&altered, b"bot 1").err(), Some(EnvelopeError::Tampered));
        }

        #[test]
        fn any_missing_or_added_byte_is_noticed(payload: Vec<u8>, field in 0usize..4, add: bool) {
            let vault = vault(1, None);
            let mut altered = vault.seal(&payload, b"bot 1")?;
            let bytes = match field {
                0 => &mut altered.wrapped_key,
                1 => &mut altered.wrap_nonce,
                2 => &mut altered.nonce,
                _ => &mut altered.ciphertext,
            };
            if add { bytes.push(0) } else { bytes.pop(); }
            prop_assert_eq!(vault.open(&altered, b"bot 1").err(), Some(EnvelopeError::Tampered));
        }

        #[test]
        fn it_opens_for_nothing_else(payload: Vec<u8>, one: Vec<u8>, other: Vec<u8>) {
            prop_assume!(one != other);
            let vault = vault(1, None);
            let sealed = vault.seal(&payload, &one)?;
            prop_assert_eq!(vault.open(&sealed, &other).err(), Some(EnvelopeError::Tampered));
        }

        #[test]
        fn the_parts_of_two_records_do_not_mix(one: Vec<u8>, other: Vec<u8>) {
            let vault = vault(1, None);
            let first = vault.seal(&one, b"same")?;
            let mut second = vault.seal(&other, b"same")?;
            second.ciphertext = first.ciphertext;
            second.nonce = first.nonce;
            prop_assert_eq!(vault.open(&second, b"same").err(), Some(EnvelopeError::Tampered));
        }

        #[test]
        fn rotation_keeps_the_content_and_then_the_old_key_can_go(payload: Vec<u8>, old: Vec<u8>, new: Vec<u8>) {
            let before = vault(1, None).seal(&payload, &old)?;
            let during = vault(2, Some(1));
            prop_assert!(during.needs_rotation(&before));
            let after = during.rewrap(&before, &old, &new)?;
            let finished = vault(2, None);
            prop_assert!(!finished.needs_rotation(&after));
            let opened = finished.open(&after, &new)?;
            prop_assert_eq!(opened.expose(), &payload);
            prop_assert_eq!(
                finished.open(&before, &old).err(),
                Some(EnvelopeError::UnknownKey(before.key_id))
            );
        }

        #[test]
        fn nothing_stored_can_panic(
            key_id: String, wrapped_key: Vec<u8>, wrap_nonce: Vec<u8>, nonce: Vec<u8>, ciphertext: Vec<u8>, right_key: bool,
        ) {
            let vault = vault(1, None);
            let key_id = if right_key { vault.current_key_id().to_owned() } else { key_id };
            let sealed = Sealed { key_id, algorithm: ALGORITHM.to_owned(), wrapped_key, wrap_nonce, nonce, ciphertext };
            prop_assert!(vault.open(&sealed, b"").is_err());
        }
    }
}

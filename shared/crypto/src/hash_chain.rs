//! A chain of hashes: each entry's hash covers the hash before it.

use sha2::{Digest, Sha256};

use crate::token_hash::{TokenHash, hex};

/// The SHA-256 at one place of a chain. It is no secret: whoever noted it can tell later whether
/// anything up to that place was changed, removed, added or put in another order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHash([u8; 32]);

impl ChainHash {
    /// What stands before the first entry: 32 zero bytes.
    pub const GENESIS: Self = Self([0; 32]);

    /// The hash of the next entry: SHA-256 over this hash's 32 bytes and then the entry's.
    #[must_use]
    pub fn next(&self, entry: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        hasher.update(entry);
        Self(hasher.finalize().into())
    }

    /// 64 lower-case hexadecimal digits, as stored.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// Reads what [`ChainHash::hex`] wrote; nothing for any other text.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        TokenHash::from_hex(text).map(|hash| Self(*hash.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sha256_hex;

    #[test]
    fn an_entry_is_hashed_after_the_hash_before_it() {
        let first = ChainHash::GENESIS.next(b"abc");
        assert_eq!(first.hex(), sha256_hex(&[&[0; 32][..], b"abc"].concat()));
        let second = first.next(b"");
        assert_eq!(second.hex(), sha256_hex(&first.0));
    }

    proptest! {
        #[test]
        fn hex_comes_back(entry: Vec<u8>) {
            let hash = ChainHash::GENESIS.next(&entry);
            prop_assert_eq!(ChainHash::from_hex(&hash.hex()), Some(hash));
        }

        #[test]
        fn other_entries_or_another_order_give_another_hash(one: Vec<u8>, other: Vec<u8>) {
            prop_assume!(one != other);
            let hash = |entries: [&[u8]; 2]| {
                entries.iter().fold(ChainHash::GENESIS, |hash, entry| hash.next(entry))
            };
            prop_assert_ne!(hash([&one, &other]), hash([&other, &one]));
            prop_assert_ne!(ChainHash::GENESIS.next(&one), ChainHash::GENESIS.next(&other));
        }
    }
}

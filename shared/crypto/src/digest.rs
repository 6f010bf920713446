//! SHA-256 of what is too long to be held in memory.

use sha2::{Digest as _, Sha256};

use crate::token_hash::hex;

/// A SHA-256 under way: bytes go in piece by piece.
#[derive(Debug, Clone, Default)]
pub struct Digest(Sha256);

impl Digest {
    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn hex(self) -> String {
        hex(&self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_gives(pieces: Vec<Vec<u8>>) {
            let mut digest = Digest::default();
            pieces.iter().for_each(|piece| digest.update(piece));
            prop_assert_eq!(digest.hex(), crate::sha256_hex(&pieces.concat()));
        }
    }
}

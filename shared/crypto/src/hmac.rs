//! HMAC-SHA256 (RFC 2104) and keys derived with it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::associated_data::associated_data;
use crate::secret::Secret;

/// The HMAC-SHA256 of `message` under `key`. Compare results with [`crate::constant_time::eq`].
#[must_use]
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    // RFC 2104 takes keys of any length: `new_from_slice` cannot fail for HMAC. Should a later
    // version think otherwise, the key is folded into one block by the RFC's own rule.
    let mut mac = Hmac::<Sha256>::new_from_slice(key)
        .unwrap_or_else(|_| Hmac::<Sha256>::new(&block_of(key).into()));
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// A key of its own for one purpose: HMAC-SHA256 under `key` of the canonical encoding of `label`
/// and `data`. Different labels give unrelated results, so one key may serve several purposes.
#[must_use]
pub fn derive(key: &[u8], label: &str, data: &[u8]) -> Secret<[u8; 32]> {
    Secret::new(hmac_sha256(
        key,
        &associated_data(&[label.as_bytes(), data]),
    ))
}

/// RFC 2104, section 2: a key longer than a block is hashed first, a shorter one is followed by
/// zeros.
fn block_of(key: &[u8]) -> [u8; 64] {
    let mut block = [0; 64];
    if key.len() <= block.len() {
        for (target, byte) in block.iter_mut().zip(key) {
            *target = *byte;
        }
    } else {
        let digest: [u8; 32] = <Sha256 as sha2::Digest>::digest(key).into();
        for (target, byte) in block.iter_mut().zip(digest) {
            *target = byte;
        }
    }
    block
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secret;
    use crate::token_hash::hex;

    /// RFC 4231, test cases 1, 2 and 6 (a key longer than a block).
    #[test]
    fn agrees_with_the_rfc() {
        assert_eq!(
            hex(&hmac_sha256(&[0x0b; 20], b"Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            hex(&hmac_sha256(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(&hmac_sha256(
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            )),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    proptest! {
        #[test]
        fn any_key_and_any_message_will_do(key: Vec<u8>, message: Vec<u8>) {
            let folded = hmac_sha256(&block_of(&key), &message);
            prop_assert_eq!(hmac_sha256(&key, &message), folded);
        }

        #[test]
        fn labels_separate(key: [u8; 32], data: Vec<u8>) {
            let one = derive(&key, "one", &data);
            prop_assert!(secret::eq(&one, &derive(&key, "one", &data)));
            prop_assert!(!secret::eq(&one, &derive(&key, "two", &data)));
        }
    }
}

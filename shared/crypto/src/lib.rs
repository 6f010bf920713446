//! Every cryptographic operation of ViveSphere, and with `tokens`, the crate below it, the only one
//! that imports cryptographic libraries: a reviewer reads this folder and has read all of it.
//!
//! The modules know nothing of HTTP, of the database or of the product's nouns. Nothing here
//! prints a secret: [`Secret`] has neither `Debug` nor `Display` nor `Serialize`, and no error
//! carries key material, plain text or a token.

pub mod associated_data;
pub mod constant_time;
pub mod digest;
pub mod envelope;
pub mod hash_chain;
pub mod hmac;
pub mod key_text;
pub mod password;
pub mod pkce;
pub mod random;
pub mod secret;
pub mod service_key;
pub mod token_hash;

pub use associated_data::associated_data;
pub use digest::Digest;
pub use envelope::{EnvelopeError, Sealed, Vault, VaultKey};
pub use hash_chain::ChainHash;
pub use key_text::KeyError;
pub use password::PasswordError;
pub use random::RandomError;
pub use secret::{Secret, SecretString};
pub use service_key::{is_service_key, service_authorization};
pub use token_hash::{TokenHash, sha256_hex};

/// Bytes in base64 (RFC 4648, section 4), as ciphertext is shown.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    BASE64_STANDARD.encode(bytes)
}

/// What [`base64()`] wrote, or what a client sends so; nothing for any other text.
#[must_use]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    BASE64_STANDARD.decode(text).ok()
}

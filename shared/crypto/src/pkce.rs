//! Proof key for code exchange (RFC 7636), method S256.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use sha2::{Digest, Sha256};

use crate::hmac;
use crate::secret::Secret;

/// The code verifier that belongs to `state`: 43 characters (RFC 7636, section 4.1), derived from
/// `key` so that it need not be stored between the redirect and the callback.
#[must_use]
pub fn verifier(key: &[u8], state: &str) -> Secret<String> {
    let derived = hmac::derive(key, "pkce code verifier", state.as_bytes());
    Secret::new(BASE64_URL_SAFE_NO_PAD.encode(derived.expose()))
}

/// The code challenge that is sent with the redirect (RFC 7636, section 4.2, `S256`).
#[must_use]
pub fn challenge(verifier: &Secret<String>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secret;

    /// RFC 7636, appendix B.
    #[test]
    fn challenge_agrees_with_the_rfc() {
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        assert_eq!(
            challenge(&verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    proptest! {
        #[test]
        fn verifier_is_stable_and_well_formed(key: [u8; 32], state: String) {
            let one = verifier(&key, &state);
            prop_assert!(secret::eq(&one, &verifier(&key, &state)));
            prop_assert_eq!(one.expose().len(), 43);
            prop_assert!(one.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)));
            let other = verifier(&key, &(state + "x"));
            prop_assert!(!secret::eq(&one, &other));
        }
    }
}

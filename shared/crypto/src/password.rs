//! Passwords, hashed with Argon2id (RFC 9106) and kept as PHC strings.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::secret::Secret;
use crate::token_hash::hex;

/// Memory for one hash in KiB: the first choice of the OWASP Password Storage Cheat Sheet
/// (19 MiB, two passes, one lane). It is also what bounds how many may run at once.
pub const MEMORY_KIB: u32 = 19_456;
/// Passes over that memory.
pub const PASSES: u32 = 2;
/// Lanes. More than one would only help with threads.
pub const LANES: u32 = 1;
/// The longest password in bytes that is looked at; a longer one is never right. Keeps a caller
/// from having a megabyte hashed.
pub const MAX_BYTES: usize = vivesphere_variables::PASSWORD_BYTES;

/// The most memory in KiB that a stored hash may ask for: what was stored by mistake or by
/// somebody else must not stop the instance.
const MAX_STORED_MEMORY_KIB: u32 = 65_536;
const MAX_STORED_PASSES: u32 = 10;

/// A well-formed hash of today's cost whose password nobody knows: its output is thirty-two bytes
/// that came from no password.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$dml2ZXNwaGVyZS1kdW1teQ$\
                     AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// Why a password could be neither hashed nor checked. A wrong password is not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Longer than [`MAX_BYTES`].
    #[error("the password is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// The stored text is not a PHC string of Argon2 within bounds.
    #[error("the stored password hash is malformed")]
    MalformedHash,
    /// The hash could not be computed: no memory or no randomness.
    #[error("the password hash could not be computed")]
    Failed,
}

/// Hashes `password` with a fresh random salt into a PHC string (`$argon2id$v=19$…`). Takes about
/// 40 ms and 19 MiB.
///
/// # Errors
/// [`PasswordError::TooLong`], or [`PasswordError::Failed`] without memory or randomness.
pub fn hash(password: &Secret<String>) -> Result<String, PasswordError> {
    if password.expose().len() > MAX_BYTES {
        return Err(PasswordError::TooLong);
    }
    let hash = hasher()?
        .hash_password(password.expose().as_bytes())
        .map_err(|_| PasswordError::Failed)?;
    Ok(hash.to_string())
}

/// A digest, in hexadecimal digits, of what holds a password among what can be guessed: as slow as
/// [`hash`], and the same for the same salt of at least eight bytes.
///
/// # Errors
/// [`PasswordError::Failed`] without memory.
pub fn digest(text: &[u8], salt: &[u8]) -> Result<String, PasswordError> {
    let mut output = [0; 32];
    hasher()?
        .hash_password_into(text, salt, &mut output)
        .map_err(|_| PasswordError::Failed)?;
    Ok(hex(&output))
}

/// Whether `password` is the one behind the PHC string `stored`. The string's own costs are used,
/// so hashes of an earlier choice keep working; see [`needs_rehash`].
///
/// # Errors
/// [`PasswordError::MalformedHash`] when `stored` cannot be used, [`PasswordError::Failed`]
/// without memory.
pub fn verify(password: &Secret<String>, stored: &str) -> Result<bool, PasswordError> {
    let parsed = PasswordHash::new(stored).map_err(|_| PasswordError::MalformedHash)?;
    let params = Params::try_from(&parsed).map_err(|_| PasswordError::MalformedHash)?;
    if params.m_cost() > MAX_STORED_MEMORY_KIB
        || params.t_cost() > MAX_STORED_PASSES
        || parsed.salt.is_none()
        || parsed.hash.is_none()
    {
        return Err(PasswordError::MalformedHash);
    }
    if password.expose().len() > MAX_BYTES {
        return Ok(false);
    }
    match hasher()?.verify_password(password.expose().as_bytes(), &parsed) {
        Ok(()) => Ok(true),
        Err(password_hash::Error::PasswordInvalid) => Ok(false),
        Err(password_hash::Error::Algorithm | password_hash::Error::Version) => {
            Err(PasswordError::MalformedHash)
        }
        Err(_) => Err(PasswordError::Failed),
    }
}

/// Checks `password` for a user who may not exist: without a stored hash, one that nobody can
/// match is checked instead, so that both answers take the same time (OWASP Authentication Cheat
/// Sheet, "user enumeration").
///
/// # Errors
/// As [`verify`].
pub fn verify_or_dummy(
    password: &Secret<String>,
    stored: Option<&str>,
) -> Result<bool, PasswordError> {
    let matches = verify(password, stored.unwrap_or(dummy_hash()))?;
    Ok(matches && stored.is_some())
}

/// A PHC string of today's cost that no known password matches, for [`verify_or_dummy`].
#[must_use]
pub const fn dummy_hash() -> &'static str {
    DUMMY
}

/// Whether `stored` was made with other costs than today's, and should be made anew at the next
/// successful sign-in. A string that cannot be read needs it too.
#[must_use]
pub fn needs_rehash(stored: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(stored) else {
        return true;
    };
    let Ok(params) = Params::try_from(&parsed) else {
        return true;
    };
    parsed.algorithm.as_str() != Algorithm::Argon2id.as_str()
        || parsed.version != Some(Version::V0x13.into())
        || (params.m_cost(), params.t_cost(), params.p_cost()) != (MEMORY_KIB, PASSES, LANES)
}

fn hasher() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordError::Failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn the_right_password_and_no_other() {
        let stored = hash(&secret("correct horse battery staple")).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify(&secret("correct horse battery staple"), &stored).unwrap());
        assert!(!verify(&secret("correct horse battery stapl"), &stored).unwrap());
        assert!(!verify(&secret(""), &stored).unwrap());
        assert!(!needs_rehash(&stored));
    }

    #[test]
    fn each_hash_has_its_own_salt() {
        let password = secret("the same password");
        assert_ne!(hash(&password).unwrap(), hash(&password).unwrap());
    }

    #[test]
    fn an_unknown_user_is_checked_at_full_cost_and_refused() {
        assert!(!verify(&secret("anything"), dummy_hash()).unwrap());
        assert!(!verify_or_dummy(&secret("anything"), None).unwrap());
        assert!(!needs_rehash(dummy_hash()));
    }

    #[test]
    fn earlier_costs_still_verify_and_ask_for_a_rehash() {
        let cheap = Argon2::new(
            Algorithm::Argon2id,
            Version::V0x13,
            Params::new(64, 1, 1, None).unwrap(),
        );
        let stored = cheap.hash_password(b"old password").unwrap().to_string();
        assert!(verify(&secret("old password"), &stored).unwrap());
        assert!(!verify(&secret("new password"), &stored).unwrap());
        assert!(needs_rehash(&stored));
    }

    #[test]
    fn unusable_hashes_are_errors_and_not_wrong_passwords() {
        for stored in [
            "",
            "plain text",
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$argon2id$v=19$m=4194304,t=2,p=1$dml2ZXNwaGVyZS1kdW1teQ$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            "$scrypt$ln=17,r=8,p=1$dml2ZXNwaGVyZS1kdW1teQ$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        ] {
            assert_eq!(
                verify(&secret("x"), stored),
                Err(PasswordError::MalformedHash),
                "{stored}"
            );
        }
    }

    #[test]
    fn a_digest_is_of_the_text_and_the_salt() {
        let one = digest(b"text", &[1; 32]);
        assert_eq!(one, digest(b"text", &[1; 32]));
        assert_ne!(one, digest(b"text", &[2; 32]));
        assert_ne!(one, digest(b"test", &[1; 32]));
        assert_eq!(one.map(|digits| digits.len()), Ok(64));
    }

    #[test]
    fn a_very_long_password_is_refused_unhashed() {
        let long = Secret::new("x".repeat(MAX_BYTES + 1));
        assert_eq!(hash(&long), Err(PasswordError::TooLong));
        assert_eq!(verify(&long, dummy_hash()), Ok(false));
    }

    proptest! {
        #[test]
        fn nothing_stored_can_panic(stored in "(\\$argon2(id|i|d))?(\\$v=[0-9]{1,3})?(\\$m=[0-9]{0,9},t=[0-9]{0,3},p=[0-9]{0,3})?.{0,40}") {
            prop_assume!(Params::try_from(&match PasswordHash::new(&stored) {
                Ok(parsed) => parsed,
                Err(_) => return Ok(()),
            }).map_or(true, |params| params.m_cost() > MAX_STORED_MEMORY_KIB));
            prop_assert_eq!(verify(&secret("x"), &stored), Err(PasswordError::MalformedHash));
        }
    }
}

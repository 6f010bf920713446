//! Randomness from the operating system.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The system could give no randomness. Nothing can be done but to fail the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no randomness")]
pub struct RandomError;

/// Fills a new array from the system's generator.
///
/// # Errors
/// [`RandomError`] when the system refuses.
pub fn bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut buffer = [0; N];
    getrandom::fill(&mut buffer).map_err(|_| RandomError)?;
    Ok(buffer)
}

/// A random number, evenly distributed over all 64-bit values.
///
/// # Errors
/// [`RandomError`] when the system refuses.
pub fn number() -> Result<u64, RandomError> {
    bytes().map(u64::from_le_bytes)
}

/// A bearer token: `prefix`, then `length` random bytes in base64url without padding. The prefix
/// (`vs_…`) lets people and secret scanners recognise one; 32 bytes are beyond guessing.
///
/// Store its [`crate::TokenHash`], never the token.
///
/// # Errors
/// [`RandomError`] when the system refuses.
pub fn token(prefix: &str, length: usize) -> Result<Secret<String>, RandomError> {
    let mut random = Zeroizing::new(vec![0; length]);
    getrandom::fill(&mut random).map_err(|_| RandomError)?;
    let mut text = String::with_capacity(prefix.len() + length.div_ceil(3) * 4);
    text.push_str(prefix);
    BASE64_URL_SAFE_NO_PAD.encode_string(random.as_slice(), &mut text);
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn tokens_have_the_prefix_and_the_entropy_asked_for() {
        let token = token("vs_", 32).unwrap();
        let random = token.expose().strip_prefix("vs_").unwrap();
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(random).unwrap().len(), 32);
    }

    #[test]
    fn nothing_repeats() {
        let tokens: HashSet<String> = (0..1000)
            .map(|_| token("", 16).unwrap().expose().clone())
            .collect();
        assert_eq!(tokens.len(), 1000);
        let numbers: HashSet<u64> = (0..1000).map(|_| number().unwrap()).collect();
        assert_eq!(numbers.len(), 1000);
    }
}

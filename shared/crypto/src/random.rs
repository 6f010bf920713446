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

/// Random letters and digits (base62), evenly distributed: log2(62), that is 5.95 bits each. For
/// secrets that a double click should select as a whole.
///
/// # Errors
/// [`RandomError`] when the system refuses.
pub fn alphanumeric(length: usize) -> Result<Secret<String>, RandomError> {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    // The largest multiple of 62 that a byte can be: what is above would favour the first digits.
    const EVEN: u8 = 248;
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let random = Zeroizing::new(bytes::<64>()?);
        let digits = random.iter().filter(|byte| **byte < EVEN);
        let wanted = length - text.len();
        text.extend(
            digits
                .take(wanted)
                .map(|byte| char::from(DIGITS[usize::from(byte % 62)])),
        );
    }
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

    #[test]
    fn letters_and_digits_are_even() {
        for length in [0, 1, 43, 200] {
            assert_eq!(alphanumeric(length).unwrap().expose().len(), length);
        }
        let mut counts = [0u32; 128];
        for byte in alphanumeric(62_000).unwrap().expose().bytes() {
            counts[usize::from(byte)] += 1;
        }
        for (byte, count) in counts.into_iter().enumerate() {
            let digit = u8::try_from(byte).unwrap().is_ascii_alphanumeric();
            // A thousand of each, with six standard deviations either way.
            assert!(
                if digit {
                    (800..1200).contains(&count)
                } else {
                    count == 0
                },
                "{byte} {count}"
            );
        }
    }
}

//! Signature verdicts remembered, for tokens that come again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use vivesphere_crypto::TokenHash;

use crate::token::{Claims, Verdict, Verifier, judge_time};

/// The number of tokens that are remembered unless told otherwise; about half a megabyte.
pub const DEFAULT_CAPACITY: usize = 1024;

/// Remembers which tokens carry a right signature and what they say, keyed by the token's
/// SHA-256. Made to be a `static`:
///
/// ```
/// static VERDICTS: vivesphere_tokens::VerdictCache = vivesphere_tokens::VerdictCache::new();
/// ```
///
/// It holds only what is true for everyone and for ever: that a key signed these bytes. The time
/// is judged at each look, a key that the verifier no longer knows is refused at once, and
/// revocation is not its business. Failures are not remembered: made-up tokens would push out the
/// real ones.
///
/// It never holds more than its capacity. Entries live in two halves; when the newer is full, the
/// older is dropped and the newer takes its place, so what is used stays.
pub struct VerdictCache {
    capacity: usize,
    halves: Mutex<Halves>,
}

struct Halves {
    newer: BTreeMap<TokenHash, Entry>,
    older: BTreeMap<TokenHash, Entry>,
}

#[derive(Clone)]
struct Entry {
    kid: String,
    claims: Claims,
}

impl VerdictCache {
    /// An empty cache of [`DEFAULT_CAPACITY`].
    #[must_use]
    pub const fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }

    /// An empty cache that remembers at most `capacity` tokens; below two it remembers none.
    #[must_use]
    pub const fn with_capacity(capacity: usize) -> Self {
        Self {
            capacity,
            halves: Mutex::new(Halves {
                newer: BTreeMap::new(),
                older: BTreeMap::new(),
            }),
        }
    }

    /// Judges `token` at `now` (Unix seconds) as [`Verifier::verify`] would, without the signature
    /// check if it was done before.
    #[must_use]
    pub fn verify(&self, verifier: &Verifier, token: &str, now: i64) -> Verdict {
        let hash = TokenHash::of(token);
        if let Some(entry) = self.look_up(&hash) {
            if verifier.key(&entry.kid).is_none() {
                return Verdict::UnknownKey;
            }
            return judge_time(entry.claims, now);
        }
        let signed = match verifier.signed(token) {
            Ok(signed) => signed,
            Err(verdict) => return verdict,
        };
        let verdict = judge_time(signed.claims.clone(), now);
        if matches!(verdict, Verdict::Valid(_)) {
            self.remember(
                hash,
                Entry {
                    kid: signed.kid,
                    claims: signed.claims,
                },
            );
        }
        verdict
    }

    /// How many tokens are remembered now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.with(|halves| halves.newer.len() + halves.older.len())
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn look_up(&self, hash: &TokenHash) -> Option<Entry> {
        if let Some(entry) = self.with(|halves| halves.newer.get(hash).cloned()) {
            return Some(entry);
        }
        let entry = self.with(|halves| halves.older.remove(hash))?;
        self.remember(*hash, entry.clone());
        Some(entry)
    }

    fn remember(&self, hash: TokenHash, entry: Entry) {
        let half = self.capacity / 2;
        if half == 0 {
            return;
        }
        self.with(|halves| {
            if halves.newer.len() >= half && !halves.newer.contains_key(&hash) {
                halves.older = std::mem::take(&mut halves.newer);
            }
            halves.newer.insert(hash, entry);
        });
    }

    /// A poisoned lock is used all the same: each change leaves the halves whole.
    fn with<T>(&self, use_halves: impl FnOnce(&mut Halves) -> T) -> T {
        use_halves(&mut self.halves.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for VerdictCache {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, Engine};
    use proptest::prelude::*;

    use super::*;
    use crate::token::SigningKey;
    use vivesphere_crypto::Secret;

    const NOW: i64 = 1_800_000_000;

    fn key(byte: u8) -> SigningKey {
        let seed = Secret::new(BASE64_STANDARD.encode([byte; 32]));
        SigningKey::from_seed_base64(&seed).unwrap_or_else(|error| panic!("{error}"))
    }

    fn verifier(byte: u8) -> Verifier {
        Verifier::new(vec![key(byte).public_key().clone()])
    }

    fn token(number: usize) -> String {
        let claims = Claims {
            subject: format!("user-{number}"),
            session_id: "s".to_owned(),
            token_id: number.to_string(),
            issued_at: NOW,
            not_before: None,
            expires_at: NOW + 900,
        };
        let token = key(1).issue(&claims);
        token
            .unwrap_or_else(|error| panic!("{error}"))
            .expose()
            .clone()
    }

    #[test]
    fn a_remembered_token_still_expires() {
        let cache = VerdictCache::new();
        let token = token(1);
        for _ in 0..2 {
            assert!(matches!(
                cache.verify(&verifier(1), &token, NOW),
                Verdict::Valid(_)
            ));
        }
        assert_eq!(cache.len(), 1);
        assert!(matches!(
            cache.verify(&verifier(1), &token, NOW + 930),
            Verdict::Expired(_)
        ));
    }

    #[test]
    fn a_withdrawn_key_is_refused_at_once() {
        let cache = VerdictCache::new();
        let token = token(1);
        assert!(matches!(
            cache.verify(&verifier(1), &token, NOW),
            Verdict::Valid(_)
        ));
        assert_eq!(cache.verify(&verifier(2), &token, NOW), Verdict::UnknownKey);
    }

    #[test]
    fn failures_are_not_remembered() {
        let cache = VerdictCache::new();
        let token = token(1);
        assert_eq!(cache.verify(&verifier(2), &token, NOW), Verdict::UnknownKey);
        assert_eq!(
            cache.verify(&verifier(1), "made up", NOW),
            Verdict::Malformed
        );
        assert!(cache.is_empty());
    }

    #[test]
    fn what_is_used_stays() {
        let cache = VerdictCache::with_capacity(8);
        let verifier = verifier(1);
        let used = token(0);
        for number in 1..40 {
            assert!(matches!(
                cache.verify(&verifier, &used, NOW),
                Verdict::Valid(_)
            ));
            let _ = cache.verify(&verifier, &token(number), NOW);
        }
        assert!(cache.look_up(&TokenHash::of(&used)).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn agrees_with_the_verifier_and_never_grows(
            capacity in 0usize..6,
            looks in prop::collection::vec((0usize..10, -100i64..2000), 0..40),
        ) {
            let cache = VerdictCache::with_capacity(capacity);
            let verifier = verifier(1);
            for (number, offset) in looks {
                let token = token(number);
                let direct = verifier.verify(&token, NOW + offset);
                prop_assert_eq!(cache.verify(&verifier, &token, NOW + offset), direct);
                prop_assert!(cache.len() <= capacity);
            }
        }
    }
}

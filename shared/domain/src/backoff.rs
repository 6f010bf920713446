//! How long to wait before the next attempt.
//!
//! Randomness is a parameter, an evenly distributed `u64` such as `vivesphere_crypto::random`
//! gives, so that the rules are pure and can be tested.

use std::time::Duration;

/// The longest addition to a rate limit's own waiting time.
pub const MAX_RATE_LIMIT_JITTER: Duration = Duration::from_secs(5);

/// Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS
/// Architecture Blog, 2015): the delay is drawn evenly from nothing to a bound that doubles with
/// each attempt, which spreads out those that failed together better than a fixed part would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The bound after the first failure.
    pub base: Duration,
    /// What the bound never exceeds.
    pub cap: Duration,
}

impl Default for Backoff {
    /// From 5 seconds to 15 minutes.
    fn default() -> Self {
        Self {
            base: Duration::from_secs(5),
            cap: Duration::from_secs(15 * 60),
        }
    }
}

impl Backoff {
    /// The longest delay after `failures` failures before this one: `base` doubled that often, at
    /// most `cap`.
    #[must_use]
    pub fn bound(&self, failures: u32) -> Duration {
        let factor = 2_u32.checked_pow(failures).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }

    /// The delay in whole milliseconds, from nothing to [`Backoff::bound`], both included.
    #[must_use]
    pub fn delay(&self, failures: u32, random: u64) -> Duration {
        up_to(self.bound(failures), random)
    }
}

/// How long to wait out a rate limit that is lifted in `until_reset`: that long, and up to a
/// tenth more (at most [`MAX_RATE_LIMIT_JITTER`]) so that not everyone is back in the same
/// instant.
#[must_use]
pub fn rate_limit_wait(until_reset: Duration, random: u64) -> Duration {
    let jitter = (until_reset / 10).min(MAX_RATE_LIMIT_JITTER);
    until_reset.saturating_add(up_to(jitter, random))
}

/// A whole number of milliseconds from nothing to `bound`, both included, as even as `random` is.
fn up_to(bound: Duration, random: u64) -> Duration {
    let milliseconds = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
    let scaled = ((u128::from(milliseconds) + 1) * u128::from(random)) >> 64;
    Duration::from_millis(u64::try_from(scaled).unwrap_or(milliseconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubles_up_to_the_cap() {
        let seconds: Vec<u64> = (0..10)
            .map(|failures| Backoff::default().bound(failures).as_secs())
            .collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
    }

    #[test]
    fn reaches_both_ends() {
        let backoff = Backoff::default();
        assert_eq!(backoff.delay(3, 0), Duration::ZERO);
        assert_eq!(backoff.delay(3, u64::MAX), Duration::from_secs(40));
        assert_eq!(backoff.delay(3, u64::MAX / 2), Duration::from_secs(20));
    }

    #[test]
    fn a_rate_limit_is_waited_out_in_full() {
        let wait = |seconds, random| rate_limit_wait(Duration::from_secs(seconds), random);
        assert_eq!(wait(20, 0), Duration::from_secs(20));
        assert_eq!(wait(20, u64::MAX), Duration::from_secs(22));
        assert_eq!(wait(900, u64::MAX), Duration::from_secs(905));
        assert_eq!(wait(0, u64::MAX), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn is_never_above_the_bound_and_never_panics(
            base: Duration, cap: Duration, failures: u32, random: u64,
        ) {
            let backoff = Backoff { base, cap };
            prop_assert!(backoff.delay(failures, random) <= backoff.bound(failures));
            prop_assert!(backoff.bound(failures) <= cap);
        }

        #[test]
        fn more_failures_never_shorten_the_wait(failures in 0u32..100, random: u64) {
            let backoff = Backoff::default();
            prop_assert!(backoff.bound(failures) <= backoff.bound(failures + 1));
            prop_assert!(backoff.delay(failures, random) <= backoff.delay(failures + 1, random));
        }

        #[test]
        fn jitter_is_a_tenth_and_at_most_five_seconds(until_reset: Duration, random: u64) {
            let wait = rate_limit_wait(until_reset, random);
            prop_assert!(wait >= until_reset);
            prop_assert!(wait - until_reset <= MAX_RATE_LIMIT_JITTER);
            prop_assert!(wait - until_reset <= until_reset / 10);
        }

        #[test]
        fn is_drawn_evenly(randoms in prop::collection::vec(any::<u64>(), 2000)) {
            let sum: u128 = randoms.iter().map(|random| Backoff::default().delay(0, *random).as_millis()).sum();
            let mean = sum / 2000;
            prop_assert!((2200..2800).contains(&mean), "{mean}");
        }
    }
}

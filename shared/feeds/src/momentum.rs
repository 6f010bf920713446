//! How much a topic is on the rise. The formula and what it promises stand in `docs/TRENDS.md`.
//!
//! Each sighting has a weight. Two sums of weights forget at different speeds: the short one
//! halves in a half-life `h`, the long one in `8 h`. Divided by their mean memory (`h / ln 2`)
//! they are rates, in weight an hour. With the short rate `s` and the long rate `l`
//!
//! ```text
//! momentum = s · s / (s + l)
//! ```
//!
//! A topic that is seen as often as ever has `s = l` and half its rate; one that begins has a `l`
//! of an eighth of `s` and nearly its whole rate; one that nobody sees any more has a `s` that
//! forgets faster than `l` and goes to nothing.

/// How many short half-lives the long one is.
pub const LONG: f64 = 8.0;

/// Below this a momentum is nothing: it would only be scored for ever.
pub const NOTHING: f64 = 0.001;

/// The most that one sighting may weigh.
pub const MOST: f64 = 100.0;

const HOUR: f64 = 3_600_000.0;

/// How fast the short sum forgets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HalfLife {
    hours: f64,
}

impl HalfLife {
    /// Of whole minutes, from 1 up.
    #[must_use]
    pub fn of_minutes(minutes: u32) -> Self {
        Self {
            hours: f64::from(minutes.max(1)) / 60.0,
        }
    }
}

/// The two sums, as of a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Strength {
    /// The sum that forgets fast.
    pub short: f64,
    /// The sum that forgets slowly.
    pub long: f64,
    /// Unix milliseconds.
    pub at: i64,
}

impl Strength {
    /// What is left of it at `now`. Time that runs backwards changes nothing.
    #[must_use]
    pub fn decayed(self, half_life: HalfLife, now: i64) -> Self {
        let hours = now.saturating_sub(self.at).max(0) as f64 / HOUR;
        let halvings = hours / half_life.hours;
        Self {
            short: finite(self.short) * (-halvings).exp2(),
            long: finite(self.long) * (-halvings / LONG).exp2(),
            at: self.at.max(now),
        }
    }

    /// With one more sighting at `now`.
    #[must_use]
    pub fn seen(self, half_life: HalfLife, weight: f64, now: i64) -> Self {
        let weight = finite(weight).min(MOST);
        let before = self.decayed(half_life, now);
        Self {
            short: before.short + weight,
            long: before.long + weight,
            at: before.at,
        }
    }

    /// The score at `now`: never negative, never anything but a number.
    #[must_use]
    pub fn momentum(self, half_life: HalfLife, now: i64) -> f64 {
        let left = self.decayed(half_life, now);
        let rate = std::f64::consts::LN_2 / half_life.hours;
        let (short, long) = (left.short * rate, left.long * rate / LONG);
        if short <= 0.0 {
            return 0.0;
        }
        // Written so that neither very small nor very large rates leave the numbers there are.
        let momentum = finite(short / (1.0 + long / short));
        if momentum < NOTHING { 0.0 } else { momentum }
    }
}

/// A number as it may be added up: what is not one, or negative, is nothing.
fn finite(number: f64) -> f64 {
    if number.is_finite() && number > 0.0 {
        number.min(1e12)
    } else {
        0.0
    }
}

/// What a sighting weighs: the source's own weight, and up to four times that for an item of which
/// the source says there is much (`1 + log10(1 + volume) / 2`: 100 doubles it, a million makes
/// four).
#[must_use]
pub fn weight_of(source: f64, volume: Option<u64>) -> f64 {
    let volume = volume.unwrap_or(0) as f64;
    let factor = (1.0 + (1.0 + volume).log10() / 2.0).min(4.0);
    (finite(source) * factor).min(MOST)
}

/// The part of a sighting that an item is worth which a ranking shows again: an hour on the list is
/// one sighting, however often it is looked at.
#[must_use]
pub fn still_listed(milliseconds_since_last: i64) -> f64 {
    (milliseconds_since_last.max(0) as f64 / HOUR).min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOURLY: fn() -> HalfLife = || HalfLife::of_minutes(60);

    #[test]
    fn the_start_of_something_scores_higher_than_more_of_the_same() {
        let half_life = HOURLY();
        let hour = 3_600_000;
        let mut steady = Strength::default();
        for number in 0..200 {
            steady = steady.seen(half_life, 1.0, number * hour);
        }
        let now = 199 * hour;
        let mut rising = Strength::default();
        for _ in 0..2 {
            rising = rising.seen(half_life, 1.0, now);
        }
        let (steady, rising) = (
            steady.momentum(half_life, now),
            rising.momentum(half_life, now),
        );
        // At its newest sighting the short sum of a steady topic is 2 and the long one 12.05:
        // s = 1.386, l = 1.044. Of a topic seen twice now s = 1.386, l = 0.173.
        assert!((steady - 0.791).abs() < 0.005, "{steady}");
        assert!((rising - 1.232).abs() < 0.005, "{rising}");
    }

    #[test]
    fn weights_follow_volume_slowly() {
        assert!((weight_of(1.0, None) - 1.0).abs() < 1e-9);
        assert!((weight_of(1.0, Some(99)) - 2.0).abs() < 1e-9);
        assert!((weight_of(2.0, Some(u64::MAX)) - 8.0).abs() < 1e-9);
        assert_eq!(weight_of(f64::NAN, Some(5)), 0.0);
        assert_eq!(weight_of(-1.0, None), 0.0);
        assert!((still_listed(1_800_000) - 0.5).abs() < 1e-9);
        assert_eq!(still_listed(-5), 0.0);
        assert_eq!(still_listed(i64::MAX), 1.0);
    }

    fn any_strength() -> impl Strategy<Value = Strength> {
        (any::<f64>(), any::<f64>(), any::<i64>()).prop_map(|(short, long, at)| Strength {
            short,
            long,
            at,
        })
    }

    proptest! {
        #[test]
        fn it_is_always_a_number(strength in any_strength(), minutes: u32, weight: f64, now: i64) {
            let half_life = HalfLife::of_minutes(minutes);
            let score = strength.seen(half_life, weight, now).momentum(half_life, now);
            prop_assert!(score.is_finite() && score >= 0.0, "{}", score);
        }

        #[test]
        fn one_more_sighting_now_never_lowers_it(
            past in prop::collection::vec((0i64..400_000_000, 0.01f64..50.0), 0..40),
            weight in 0.01f64..50.0, minutes in 1u32..2_000,
        ) {
            let half_life = HalfLife::of_minutes(minutes);
            let mut past = past;
            past.sort_by_key(|(at, _)| *at);
            let strength = past.iter().fold(Strength::default(), |so_far, (at, weight)| {
                so_far.seen(half_life, *weight, *at)
            });
            let now = 400_000_000;
            let before = strength.momentum(half_life, now);
            let after = strength.seen(half_life, weight, now).momentum(half_life, now);
            prop_assert!(after >= before, "{} then {}", before, after);
        }

        #[test]
        fn unseen_it_falls_to_nothing(weights in prop::collection::vec(0.01f64..50.0, 1..40), minutes in 1u32..2_000) {
            let half_life = HalfLife::of_minutes(minutes);
            let strength = weights.iter().fold(Strength::default(), |so_far, weight| {
                so_far.seen(half_life, *weight, 0)
            });
            let step = i64::from(minutes) * 60_000;
            let mut last = strength.momentum(half_life, 0);
            for number in 1..60 {
                let score = strength.momentum(half_life, number * step);
                prop_assert!(score <= last);
                last = score;
            }
            prop_assert_eq!(last, 0.0);
        }

        #[test]
        fn decaying_in_steps_is_decaying_at_once(short in 0.0f64..1e6, long in 0.0f64..1e6, one in 0i64..1_000_000_000, two in 0i64..1_000_000_000) {
            let half_life = HOURLY();
            let strength = Strength { short, long, at: 0 };
            let steps = strength.decayed(half_life, one).decayed(half_life, one + two);
            let once = strength.decayed(half_life, one + two);
            prop_assert!((steps.short - once.short).abs() <= 1e-6 * (1.0 + once.short));
            prop_assert!((steps.long - once.long).abs() <= 1e-6 * (1.0 + once.long));
        }
    }
}

//! When a post's counts are read: densely while it is young, ever more thinly later.
//!
//! A post is read when it is 15 minutes, 1 hour, 6 hours, 1 day, 3 days, 7 days and 30 days old:
//! seven times in all, and most of them on the day when most happens. A reading that comes late,
//! for want of a budget or of X, takes the place of those that should have been before it: the next
//! one follows from the post's age at that moment. So what there is no money for is left out, and
//! nothing piles up.

use crate::Instant;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The ages at which a post is read, in milliseconds.
pub const OFFSETS: [i64; 7] = [15 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY, 30 * DAY];

/// When a post is read next; nothing when it has been read for the last time.
#[must_use]
pub fn next_reading_at(published_at: Instant, now: Instant) -> Option<Instant> {
    let age = now.millis_since(published_at);
    let offset = OFFSETS.into_iter().find(|offset| *offset > age)?;
    Some(published_at.plus_millis(offset))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_reading_is_followed_by_the_next_and_the_last_by_none() {
        let published = Instant::from_unix_seconds(1_800_000_000);
        let mut now = published;
        for offset in OFFSETS {
            let next = next_reading_at(published, now).unwrap();
            assert_eq!(next.millis_since(published), offset);
            now = next;
        }
        assert_eq!(next_reading_at(published, now), None);
    }

    #[test]
    fn the_intervals_never_grow_shorter() {
        let intervals: Vec<i64> = OFFSETS.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(intervals.is_sorted(), "{intervals:?}");
    }

    proptest! {
        #[test]
        fn a_late_reading_skips_what_it_replaces(age in -DAY..60 * DAY) {
            let published = Instant::from_unix_seconds(1_800_000_000);
            let now = published.plus_millis(age);
            match next_reading_at(published, now) {
                Some(next) => prop_assert!(next > now),
                None => prop_assert!(age >= 30 * DAY),
            }
        }
    }
}

//! Throttling of sign-in: 10 failures in 15 minutes for a name or an address.

use vivesphere_db::{Database, Transaction, params};

use crate::{Error, Instant};

/// How long a failure counts.
pub(crate) const WINDOW_MILLISECONDS: i64 = 15 * 60_000;
/// Failures after which nothing is tried any more.
const FAILURES: usize = 10;
/// What of a name is kept. No user's name is longer; what a stranger types may be.
const NAME_CHARACTERS: usize = 64;

const TENTH_NEWEST: &str = "SELECT failed_at FROM login_failures
    WHERE subject = ? AND failed_at > ? ORDER BY failed_at DESC LIMIT 1 OFFSET 9";
const _: () = assert!(FAILURES == 10, "the statement above skips nine");

/// Whose failures are counted: the name's, whatever its case, and the address's if it is known.
fn subjects(username: &str, address: &str) -> Vec<String> {
    let name: String = username
        .to_lowercase()
        .chars()
        .take(NAME_CHARACTERS)
        .collect();
    let mut subjects = vec![format!("name:{name}")];
    if !address.is_empty() {
        subjects.push(format!("address:{address}"));
    }
    subjects
}

/// Seconds to wait, given the tenth newest failure; nothing when there may be another try.
fn wait_seconds(tenth_newest: Option<i64>, now: i64) -> Option<u64> {
    let wait = tenth_newest?.saturating_add(WINDOW_MILLISECONDS) - now;
    // The upper bound matters only when the clock was set back.
    (wait > 0).then(|| {
        wait.min(WINDOW_MILLISECONDS)
            .unsigned_abs()
            .div_ceil(1000)
            .max(1)
    })
}

fn refuse(tenth_newest: Option<i64>, now: i64) -> Result<(), Error> {
    match wait_seconds(tenth_newest, now) {
        None => Ok(()),
        Some(retry_after_seconds) => Err(Error::TooMany {
            code: "too_many_attempts",
            detail: "Too many failed sign-ins; wait before trying again.".to_owned(),
            retry_after_seconds,
        }),
    }
}

/// Refuses when the name or the address has failed too often: before the password is looked at,
/// so that a refusal costs nothing.
///
/// # Errors
/// [`Error::TooMany`] `too_many_attempts`; storage.
pub async fn check(db: &Database, username: &str, address: &str) -> Result<(), Error> {
    let now = Instant::now().unix_millis();
    for subject in subjects(username, address) {
        let tenth = db
            .query_optional(TENTH_NEWEST, params![subject, now - WINDOW_MILLISECONDS])
            .await?;
        refuse(tenth, now)?;
    }
    Ok(())
}

/// As [`check`], under the write lock and before the verdict on a password is told or noted:
/// of any number of guesses made at the same time, ten get an answer.
pub(crate) async fn check_in(
    transaction: &Transaction,
    username: &str,
    address: &str,
) -> Result<(), Error> {
    let now = Instant::now().unix_millis();
    for subject in subjects(username, address) {
        let tenth = transaction
            .query_optional(TENTH_NEWEST, params![subject, now - WINDOW_MILLISECONDS])
            .await?;
        refuse(tenth, now)?;
    }
    Ok(())
}

/// Notes a failure of the name and of the address.
pub(crate) async fn note(
    transaction: &Transaction,
    username: &str,
    address: &str,
) -> Result<(), Error> {
    let now = Instant::now().unix_millis();
    for subject in subjects(username, address) {
        transaction
            .execute(
                "INSERT INTO login_failures (subject, failed_at) VALUES (?, ?)",
                params![subject, now],
            )
            .await?;
    }
    Ok(())
}

/// Forgets the failures of a name that has shown its password. Those of the address stay: else
/// a password of one's own would buy ten more guesses at others'.
pub(crate) async fn forget(transaction: &Transaction, username: &str) -> Result<(), Error> {
    for subject in subjects(username, "") {
        transaction
            .execute(
                "DELETE FROM login_failures WHERE subject = ?",
                params![subject],
            )
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    /// As the statement has it: the tenth newest of those within the window.
    fn tenth_newest(failures: &[i64], now: i64) -> Option<i64> {
        let mut within: Vec<i64> = failures
            .iter()
            .copied()
            .filter(|at| *at > now - WINDOW_MILLISECONDS)
            .collect();
        within.sort_unstable_by(|left, right| right.cmp(left));
        within.get(FAILURES - 1).copied()
    }

    #[test]
    fn a_name_is_one_subject_whatever_its_case_and_length() {
        assert_eq!(subjects("Ann", "::1"), subjects("aNN", "::1"));
        assert_eq!(subjects("ann", ""), ["name:ann"]);
        let long = subjects(&"ß".repeat(1 << 20), "");
        assert!(long.iter().all(|subject| subject.len() < 300));
        // A name that looks like an address is not that address.
        assert_ne!(subjects("address:::1", "")[0], subjects("x", "::1")[1]);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out_for_longer_than_the_window() {
        assert_eq!(wait_seconds(Some(NOW + 86_400_000), NOW), Some(900));
    }

    proptest! {
        #[test]
        fn ten_failures_in_the_window_and_no_fewer_refuse(
            ages in proptest::collection::vec(0..2 * WINDOW_MILLISECONDS, 0..30),
        ) {
            let failures: Vec<i64> = ages.iter().map(|age| NOW - age).collect();
            let recent = ages.iter().filter(|age| **age < WINDOW_MILLISECONDS).count();
            let wait = wait_seconds(tenth_newest(&failures, NOW), NOW);
            prop_assert_eq!(wait.is_some(), recent >= FAILURES);
            if let Some(seconds) = wait {
                prop_assert!((1..=900).contains(&seconds));
                // Who waits as told gets a try, and not a second earlier than needed.
                let later = NOW + i64::try_from(seconds).unwrap() * 1000;
                prop_assert_eq!(wait_seconds(tenth_newest(&failures, later), later), None);
                let earlier = later - 1001;
                prop_assert!(wait_seconds(tenth_newest(&failures, earlier), earlier).is_some());
            }
        }
    }
}

//! How many passwords are hashed at the same time. One Argon2id hash takes 19 MiB and 40 ms, an
//! instance does one at a time, and a host starts more instances when more requests come. Whoever
//! signs in is a stranger, so without a limit across instances strangers could fill the memory.

use vivesphere_db::{Database, params};

use crate::{Error, Instant, new_id};

/// The most that may be under way, in all instances together: two instances' worth of requests.
const MOST: i64 = 32;
/// How long one counts whose instance was stopped before it could say that it is done. Far longer
/// than all that an instance has accepted take one after the other.
const MILLISECONDS: i64 = 10_000;

// A row that ends later than a new one would is from before the clock was set back.
const TAKE: &str = "INSERT INTO password_checks (password_check_id, ends_at)
    SELECT ?1, ?2 + ?3
    WHERE (SELECT count(*) FROM password_checks
           WHERE ends_at > ?2 AND ends_at <= ?2 + ?3) < ?4
    RETURNING 1";
const GIVE_BACK: &str = "DELETE FROM password_checks
    WHERE password_check_id = ?1 OR ends_at <= ?2 OR ends_at > ?2 + ?3";

/// Does `work`, which hashes passwords, as one of those that may be under way.
///
/// # Errors
/// [`Error::TooMany`] `too_many_sign_ins`, before anything is hashed; what `work` says; storage.
pub(crate) async fn within<T>(
    db: &Database,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let id = new_id();
    let now = Instant::now().unix_millis();
    let taken: Option<i64> = db
        .query_optional(TAKE, params![id.as_str(), now, MILLISECONDS, MOST])
        .await?;
    if taken.is_none() {
        return Err(Error::TooMany {
            code: "too_many_sign_ins",
            detail: "Many passwords are being checked at this moment; try again in a second."
                .to_owned(),
            retry_after_seconds: 1,
        });
    }
    let done = work();
    let now = Instant::now().unix_millis();
    db.execute(GIVE_BACK, params![id.as_str(), now, MILLISECONDS])
        .await?;
    done
}

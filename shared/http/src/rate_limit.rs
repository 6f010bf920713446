//! The clients' budgets, shared by all instances without a write per request.
//!
//! A client has so many tokens for each minute of the clock and each class of routes. They are
//! counted in the database, from which an instance leases them in blocks and spends them from its
//! memory. A token is counted before it is spent, so all instances together never admit more than
//! the limit, and a restart forgets nothing; only of limits over a thousand an instance that knows
//! that there is enough left may spend a 256th while it is asking for more. What an instance has leased
//! and does not spend within the minute is lost to the client, so blocks are small where that would be
//! felt: a block is at most a quarter of what this instance has spent for the client in this minute,
//! and an eighth of what is left. Of large limits the next block is asked for before the last one is
//! spent, and a new instance reads how much is left, which is cheap: so requests seldom wait for a
//! write before the limit is near.

mod lease;

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use vivesphere_db::{Database, Row, params};
use vivesphere_domain::Instant;

use self::lease::Lease;
use crate::RouteClass;

/// Milliseconds of a window.
const WINDOW: i64 = 60_000;
/// Clients remembered by one instance; more start over, which costs a database write each.
const REMEMBERED: usize = 1024;
/// How often a request looks whether another one's question is answered, and how many times before
/// it asks for itself.
const POLL_INTERVAL: Duration = Duration::from_millis(1);
const POLLS: u32 = 1000;

/// What is left for the client; becomes the `RateLimit-*` headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) limit: i64,
    pub(crate) remaining: i64,
    /// Seconds to the end of the window, at least 1.
    pub(crate) reset: i64,
    pub(crate) allowed: bool,
}

thread_local! {
    static LEASES: RefCell<HashMap<String, Lease>> = RefCell::new(HashMap::new());
}

fn with_lease<R: Default>(
    client: &str,
    window_start: i64,
    limit: i64,
    mut run: impl FnMut(&mut Lease) -> R,
) -> R {
    let mut result = R::default();
    visit(client, window_start, limit, &mut |lease| {
        result = run(lease);
    });
    result
}

/// Compiled once for all that is done with a lease: the map is most of it.
fn visit(client: &str, window_start: i64, limit: i64, run: &mut dyn FnMut(&mut Lease)) {
    LEASES.with_borrow_mut(|leases| {
        // Nearly always it is known: only who is new costs a copy of the name.
        if let Some(lease) = leases.get_mut(client) {
            if lease.follows(window_start) {
                // A request that has waited past the end of its minute: the others have a lease of the
                // next one, whose tokens they would lose.
                return run(&mut Lease::new(window_start, limit));
            }
            // Under another limit the tokens in hand are not worth what they were.
            if !lease.is_of(window_start, limit) {
                *lease = Lease::new(window_start, limit);
            }
            return run(lease);
        }
        if leases.len() >= REMEMBERED {
            leases.clear();
        }
        let lease = leases.entry(client.to_owned());
        run(lease.or_insert_with(|| Lease::new(window_start, limit)));
    });
}

/// The name under which a client's requests of one class are counted.
pub(crate) fn purse(class: RouteClass, client: &str) -> String {
    let class = match class {
        RouteClass::Read => "read",
        RouteClass::Write => "write",
        RouteClass::SignIn => "sign_in",
        RouteClass::Probe => "probe",
    };
    [class, "/", client].concat()
}

/// Where the window begins that a request is paid from: its own minute, or the next one where this
/// instance has begun with that before the clock was set back a little.
fn window_of(purse: &str, now: i64) -> i64 {
    let window_start = now - now.rem_euclid(WINDOW);
    LEASES.with_borrow(|leases| {
        let lease = leases.get(purse);
        let follows = lease.is_some_and(|lease| lease.follows(window_start));
        window_start + if follows { WINDOW } else { 0 }
    })
}

fn reset(window_start: i64, now: i64) -> i64 {
    (window_start + WINDOW - now + 999) / 1000
}

/// The budget of a purse that this instance knows to be spent.
pub(crate) fn spent(purse: &str, limit: i64, now: Instant) -> Option<Budget> {
    let now = now.unix_millis();
    let window_start = window_of(purse, now);
    let spent = LEASES.with_borrow(|leases| {
        let lease = leases.get(purse);
        lease.is_some_and(|lease| lease.is_of(window_start, limit) && lease.is_spent())
    });
    spent.then(|| Budget {
        limit,
        remaining: 0,
        reset: reset(window_start, now),
        allowed: false,
    })
}

/// Spends one token of a purse.
pub(crate) async fn spend(
    db: &Database,
    purse: &str,
    limit: i64,
    now: Instant,
) -> Result<Budget, vivesphere_db::Error> {
    let now = now.unix_millis();
    let window_start = window_of(purse, now);
    let budget = |(allowed, remaining)| Budget {
        limit,
        remaining,
        reset: reset(window_start, now),
        allowed,
    };
    if with_lease(purse, window_start, limit, |lease| lease.is_to_look()) {
        let used = counted(db, purse, window_start).await?;
        with_lease(purse, window_start, limit, |lease| lease.looked(used));
    }
    for _ in 0..POLLS {
        if !with_lease(purse, window_start, limit, |lease| lease.waits()) {
            break;
        }
        spin_sdk::time::sleep(POLL_INTERVAL).await;
    }
    let (known, more) = with_lease(purse, window_start, limit, |lease| {
        let known = lease.spend().or_else(|| lease.spend_on_credit());
        let more = match known {
            Some(_) => lease.ahead(),
            None => Some(lease.next_block()),
        };
        lease.asking |= more.is_some();
        (known, more)
    });
    match (known, more) {
        (Some(known), None) => Ok(budget(known)),
        (Some(known), Some(block)) => {
            let (db, purse) = (*db, purse.to_owned());
            spin_sdk::wasip3::spawn(async move {
                let counted = count(&db, &purse, window_start, limit, block).await;
                if let Err(error) = &counted {
                    crate::access_log::failed("no requests are leased", &error.to_string());
                }
                LEASES.with_borrow_mut(|leases| {
                    let lease = leases.get_mut(&purse);
                    // In another window, or under another limit, they are worth nothing.
                    let lease = lease.filter(|lease| lease.is_of(window_start, limit));
                    if let Some(lease) = lease {
                        lease.settle(block, counted.ok());
                    }
                });
            });
            Ok(budget(known))
        }
        (None, block) => {
            let block = block.unwrap_or(1);
            let counted = count(db, purse, window_start, limit, block).await;
            let spent = with_lease(purse, window_start, limit, |lease| {
                lease.settle(block, counted.as_ref().ok().copied());
                lease.spend().unwrap_or((false, 0))
            });
            counted.map(|_| budget(spent))
        }
    }
}

/// How many of a window's tokens are counted in the database.
async fn counted(
    db: &Database,
    purse: &str,
    window_start: i64,
) -> Result<i64, vivesphere_db::Error> {
    let used = db
        .query_optional(
            "SELECT used FROM rate_limits
             WHERE client = ?1 AND window_start BETWEEN ?2 AND ?2 + ?3",
            params![purse, window_start, WINDOW],
        )
        .await?;
    Ok(used.unwrap_or(0))
}

/// Counts a block in the database: how many of the limit are counted then. What lies above the
/// limit was never granted. A window that began later is another instance's, whose clock is ahead;
/// it is not taken back. One that begins later than the next is nobody's: a clock was wrong, and its
/// clients would be locked out until that time comes.
async fn count(
    db: &Database,
    purse: &str,
    window_start: i64,
    limit: i64,
    block: i64,
) -> Result<i64, vivesphere_db::Error> {
    let row: Option<Row> = db
        .query_optional(
            "INSERT INTO rate_limits (client, window_start, used) VALUES (?1, ?2, ?3)
             ON CONFLICT (client) DO UPDATE SET
                used = CASE WHEN window_start BETWEEN ?2 AND ?2 + ?5
                    THEN min(used + ?3, ?4 + ?3) ELSE ?3 END,
                window_start = CASE WHEN window_start BETWEEN ?2 AND ?2 + ?5
                    THEN window_start ELSE ?2 END
             RETURNING used",
            params![purse, window_start, block, limit, WINDOW],
        )
        .await?;
    row.map_or(Ok(limit + block), |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(window_start: i64) -> i64 {
        with_lease("somebody", window_start, 100, |lease| {
            lease.spend().map_or(-1, |(_, left)| left)
        })
    }

    #[test]
    fn a_request_of_the_minute_before_takes_nothing_of_the_next() {
        let minute = 10 * WINDOW;
        with_lease("somebody", minute, 100, |lease| lease.settle(8, Some(8)));
        assert_eq!(held(minute), 99);
        // It began before the minute ended and is counted now: it has to ask for itself.
        assert_eq!(held(minute - WINDOW), -1);
        assert_eq!(held(minute), 98);
        // One that begins while the clock is a little back is paid from what is there.
        assert_eq!(window_of("somebody", minute - 1), minute);
        assert_eq!(window_of("somebody", minute + 1), minute);
        assert_eq!(window_of("somebody", minute + WINDOW), minute + WINDOW);
        // A clock that was set back further makes a new beginning.
        assert_eq!(
            window_of("somebody", minute - WINDOW - 1),
            minute - 2 * WINDOW
        );
        assert_eq!(held(minute - 2 * WINDOW), -1);
        assert_eq!(held(minute), -1);
    }

    #[test]
    fn what_is_spent_is_known_without_asking() {
        let now = Instant::now();
        let window_start = window_of("another", now.unix_millis());
        let settle = |used| {
            with_lease("another", window_start, 100, |lease| {
                lease.settle(1, Some(used));
            });
        };
        assert_eq!(spent("another", 100, now), None);
        settle(99);
        assert_eq!(spent("another", 100, now), None);
        settle(101);
        assert_eq!(spent("another", 100, now), None, "one is held");
        with_lease("another", window_start, 100, |lease| lease.spend());
        let budget = spent("another", 100, now).expect("it is spent");
        assert!(!budget.allowed && budget.remaining == 0);
        assert_eq!(spent("another", 101, now), None, "under another limit");
    }
}

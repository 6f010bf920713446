//! The clients' budgets, shared by all instances without a write per request.
//!
//! A client has so many tokens for each minute of the clock and each class of routes. They are
//! counted in the database, from which an instance leases them in blocks and spends them from its
//! memory. A token is counted before it is spent, so all instances together never admit more than
//! the limit, and a restart forgets nothing; only of limits over a thousand an instance that was
//! granted some of a window may spend a 256th while it is asking for more. What an instance has leased
//! and does not spend within the minute is lost to the client, so blocks are small where that would be
//! felt: a block is at most a quarter of what this instance has spent for the client in this minute,
//! and an eighth of what is left. Of large limits the next block is asked for before the last one is
//! spent, so that only an instance's first requests wait for the write.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use vivesphere_db::{Database, Row, params};
use vivesphere_domain::Instant;

use crate::RouteClass;

/// Milliseconds of a window.
const WINDOW: i64 = 60_000;
/// Clients remembered by one instance; more start over, which costs a database write each.
const REMEMBERED: usize = 1024;
/// Of a large limit one block is this share at once: losing it is not felt.
const SHARE: i64 = 256;
/// Limits of which less than this may be spent on credit give none.
const LEAST_CREDIT: i64 = 4;
/// Blocks smaller than this are not asked for early.
const LEAST_AHEAD: i64 = 8;
/// Most tokens of a block.
const BLOCK: i64 = 64;
/// Requests that an instance serves in its life (Spin's default).
const LIFE: i64 = 128;
/// How often a request looks whether another one's question is answered, and how many times before
/// it asks for itself.
const LOOK: Duration = Duration::from_millis(1);
const LOOKS: u32 = 1000;

/// What is left for the client; becomes the `RateLimit-*` headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) limit: i64,
    pub(crate) remaining: i64,
    /// Seconds to the end of the window, at least 1.
    pub(crate) reset: i64,
    pub(crate) allowed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lease {
    window_start: i64,
    limit: i64,
    /// Tokens in this instance's hands.
    held: i64,
    /// Tokens that nobody had leased when this instance last asked.
    untaken: i64,
    /// Tokens that this instance has spent.
    spent: i64,
    /// Whether a request of this instance is asking the database for more.
    asking: bool,
    /// Whether the database has granted anything in this window.
    granted: bool,
    /// Tokens spent meanwhile on what it will bring.
    credit: i64,
}

impl Lease {
    fn new(window_start: i64, limit: i64) -> Self {
        Self {
            window_start,
            limit,
            held: 0,
            untaken: limit,
            spent: 0,
            asking: false,
            granted: false,
            credit: 0,
        }
    }

    /// What may be spent while another request of this instance asks: else all that come in that
    /// moment would ask, each for itself. Small limits, where it would be felt, give no credit.
    fn most_credit(&self) -> i64 {
        match (self.limit / SHARE).min(BLOCK) {
            most if most < LEAST_CREDIT => 0,
            most => most,
        }
    }

    /// Whether a request had better wait for the answer to another's question: nothing is known of
    /// this window yet, and new instances must not admit what all the others together may not.
    fn waits(&self) -> bool {
        self.asking && !self.granted && self.most_credit() > 0
    }

    /// Admits a request while another one of this instance asks.
    fn spend_on_credit(&mut self) -> Option<(bool, i64)> {
        let most = self.most_credit();
        if !self.asking || !self.granted || self.credit >= most || self.untaken <= most {
            return None;
        }
        self.credit += 1;
        self.spent += 1;
        Some((true, self.untaken))
    }

    /// Whether a request is admitted and what is left; `None` when the database has to be asked.
    fn spend(&mut self) -> Option<(bool, i64)> {
        if self.held > 0 {
            self.held -= 1;
            self.spent += 1;
            return Some((true, self.held + self.untaken));
        }
        (self.untaken == 0).then_some((false, 0))
    }

    /// How many tokens to lease before those in hand are spent, if any. Not of small limits, where
    /// what is leased too early would be felt, and no more than the instance can spend.
    fn ahead(&self) -> Option<i64> {
        let block = self.next_block();
        let early = block >= LEAST_AHEAD && self.held <= block / 2;
        (early && !self.asking && self.spent + self.held < LIFE).then_some(block)
    }

    /// How many tokens to lease next.
    fn next_block(&self) -> i64 {
        (self.spent / 4)
            .max(self.limit / SHARE)
            .min(self.untaken / 8)
            .clamp(1, BLOCK)
    }

    fn is_of(&self, window_start: i64, limit: i64) -> bool {
        self.window_start == window_start && self.limit == limit
    }

    /// Ends the asking, with what was counted if it could be.
    fn settle(&mut self, block: i64, used: Option<i64>) {
        self.asking = false;
        if let Some(used) = used {
            self.leased(block, used);
        }
    }

    /// Takes in what was asked for, after the database has counted it: `used` of the limit, this
    /// block included.
    fn leased(&mut self, block: i64, used: i64) {
        // Other requests of this instance may have leased meanwhile: theirs stays.
        let granted = (self.limit - (used - block)).clamp(0, block);
        self.granted |= granted > 0;
        self.held += granted;
        self.held = (self.held - self.credit).max(0);
        self.credit = 0;
        self.untaken = (self.limit - used).max(0);
    }
}

thread_local! {
    static LEASES: RefCell<HashMap<String, Lease>> = RefCell::new(HashMap::new());
}

fn with_lease<R>(
    client: &str,
    window_start: i64,
    limit: i64,
    run: impl FnOnce(&mut Lease) -> R,
) -> R {
    LEASES.with_borrow_mut(|leases| {
        if leases.len() >= REMEMBERED && !leases.contains_key(client) {
            leases.clear();
        }
        let lease = leases
            .entry(client.to_owned())
            .or_insert_with(|| Lease::new(window_start, limit));
        // Under another limit the tokens in hand are not worth what they were.
        if !lease.is_of(window_start, limit) {
            *lease = Lease::new(window_start, limit);
        }
        run(lease)
    })
}

/// The name under which a client's requests of one class are counted.
pub(crate) fn purse(class: RouteClass, client: &str) -> String {
    let class = match class {
        RouteClass::Read => "read",
        RouteClass::Write => "write",
        RouteClass::SignIn => "sign_in",
        RouteClass::Probe => "probe",
    };
    format!("{class}/{client}")
}

/// Spends one token of a purse.
pub(crate) async fn spend(
    db: &Database,
    purse: &str,
    limit: i64,
    now: Instant,
) -> Result<Budget, vivesphere_db::Error> {
    let now = now.unix_millis();
    let window_start = now - now.rem_euclid(WINDOW);
    let budget = |(allowed, remaining)| Budget {
        limit,
        remaining,
        reset: (window_start + WINDOW - now + 999) / 1000,
        allowed,
    };
    for _ in 0..LOOKS {
        if !with_lease(purse, window_start, limit, |lease| lease.waits()) {
            break;
        }
        spin_sdk::time::sleep(LOOK).await;
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

/// Counts a block in the database: how many of the limit are counted then. What lies above the
/// limit was never granted. A window that began later is another instance's, whose clock is ahead;
/// it is not taken back.
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
                used = CASE WHEN window_start >= excluded.window_start
                    THEN min(used + excluded.used, ?4 + excluded.used) ELSE excluded.used END,
                window_start = max(window_start, excluded.window_start)
             RETURNING used",
            params![purse, window_start, block, limit],
        )
        .await?;
    row.map_or(Ok(limit + block), |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the statement above does.
    fn counted(used: &mut i64, block: i64, limit: i64) -> i64 {
        *used = (*used + block).min(limit + block);
        *used
    }

    /// Sends requests to instances in the given order; gives admissions and writes.
    fn run(limit: i64, instances: usize, order: &[usize]) -> (i64, i64) {
        let mut used = 0;
        let mut leases = vec![Lease::new(0, limit); instances];
        let (mut admitted, mut writes) = (0, 0);
        for instance in order {
            let lease = &mut leases[instance % instances];
            let allowed = lease.spend().unwrap_or_else(|| {
                let block = lease.next_block();
                writes += 1;
                lease.settle(block, Some(counted(&mut used, block, limit)));
                lease.spend().unwrap_or((false, 0))
            });
            admitted += i64::from(allowed.0);
            if let Some(block) = lease.ahead() {
                writes += 1;
                lease.settle(block, Some(counted(&mut used, block, limit)));
            }
        }
        (admitted, writes)
    }

    #[test]
    fn one_instance_admits_the_limit_with_less_than_half_of_the_writes() {
        let order = vec![0; 200];
        let (admitted, writes) = run(100, 1, &order);
        assert_eq!(admitted, 100);
        assert!(writes < 50, "{writes}");
        // With a large limit it is a write in 64.
        let (admitted, writes) = run(100_000, 1, &vec![0; 3200]);
        assert_eq!((admitted, writes), (3200, 50));
    }

    #[test]
    fn a_new_instance_gives_no_credit_on_what_others_have_spent() {
        let limit = 100_000;
        let mut lease = Lease::new(0, limit);
        assert_eq!(lease.spend(), None);
        lease.asking = true;
        assert!(lease.waits());
        assert_eq!(lease.spend_on_credit(), None);
        lease.settle(32, Some(limit + 32));
        assert!(!lease.waits());
        assert_eq!(lease.spend(), Some((false, 0)));
        // One that was granted some gives a little, and not near the limit.
        let mut lease = Lease::new(0, limit);
        lease.asking = true;
        lease.settle(1, Some(1));
        assert!(lease.spend().is_some_and(|(allowed, _)| allowed));
        lease.asking = true;
        assert!(lease.spend_on_credit().is_some());
        lease.settle(32, Some(limit - 10));
        lease.held = 0;
        lease.asking = true;
        assert_eq!(lease.spend_on_credit(), None);
    }

    #[test]
    fn eight_instances_in_turn_admit_the_limit() {
        let order: Vec<usize> = (0..400).collect();
        assert_eq!(run(100, 8, &order).0, 100);
        let order: Vec<usize> = (0..4000).collect();
        assert_eq!(run(1000, 8, &order).0, 1000);
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit_and_little_less(
            limit in 1_i64..3000,
            instances in 1_usize..9,
            order in prop::collection::vec(0_usize..8, 0..6000),
        ) {
            let (admitted, _) = run(limit, instances, &order);
            prop_assert!(admitted <= limit);
            let asked = order.len() as i64;
            // A fifth of what an instance took may lie in its hands when it is not asked again.
            prop_assert!(admitted * 5 >= limit.min(asked) * 4 - 5, "{} of {}", admitted, limit);
        }
    }
}

//! What one instance has of a client's tokens, and when it asks for more.

/// Of a large limit one block is this share at once: losing it is not felt.
const SHARE: i64 = 256;
/// Limits of which less than this may be spent on credit give none.
const LEAST_CREDIT: i64 = 4;
/// A new instance gives credit while more than this share of the limit is left.
const PLENTY: i64 = 8;
/// Blocks smaller than this are not asked for early.
const LEAST_AHEAD: i64 = 8;
/// Most tokens of a block.
const BLOCK: i64 = 64;
/// Requests that an instance serves in its life (Spin's default).
const LIFE: i64 = 128;

/// Of one window of one client, in one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    window_start: i64,
    limit: i64,
    /// Tokens in this instance's hands.
    held: i64,
    /// Tokens that nobody had leased when this instance last looked.
    untaken: i64,
    /// Tokens that this instance has spent.
    spent: i64,
    /// Whether a request of this instance is asking the database for more.
    pub(super) asking: bool,
    /// Whether it has looked at what is counted.
    looked: bool,
    /// Whether the database has granted anything in this window, or had plenty left.
    trusted: bool,
    /// Tokens spent meanwhile on what it will bring.
    credit: i64,
}

impl Lease {
    pub(super) fn new(window_start: i64, limit: i64) -> Self {
        Self {
            window_start,
            limit,
            held: 0,
            untaken: limit,
            spent: 0,
            asking: false,
            looked: false,
            trusted: false,
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
    pub(super) fn waits(&self) -> bool {
        self.asking && !self.trusted && self.most_credit() > 0
    }

    /// Whether it had better look at what the others have left before it asks for anything.
    pub(super) fn is_to_look(&self) -> bool {
        !self.looked && self.most_credit() > 0
    }

    /// Takes in what a look has found: how many tokens are counted.
    pub(super) fn looked(&mut self, used: i64) {
        self.looked = true;
        self.untaken = self.untaken.min(self.limit - used).max(0);
        self.trusted |= self.untaken > self.limit / PLENTY;
    }

    /// Admits a request before its token is counted: while another one asks, or when the instance has
    /// just looked. At other times what it knows of the others is old.
    pub(super) fn spend_on_credit(&mut self) -> Option<(bool, i64)> {
        let most = self.most_credit();
        let known = self.trusted && (self.asking || self.spent == 0);
        if !known || self.credit >= most || self.untaken <= most {
            return None;
        }
        self.credit += 1;
        self.spent += 1;
        Some((true, self.untaken))
    }

    /// Whether a request is admitted and what is left; `None` when the database has to be asked.
    pub(super) fn spend(&mut self) -> Option<(bool, i64)> {
        if self.held > 0 {
            self.held -= 1;
            self.spent += 1;
            return Some((true, self.held + self.untaken));
        }
        (self.untaken == 0).then_some((false, 0))
    }

    /// How many tokens to lease after a request was admitted, if any: what was given on credit is
    /// counted, and the next block is asked for before the last one is spent. The latter not of small
    /// limits, where what is leased too early would be felt, and no more than the instance can spend.
    pub(super) fn ahead(&self) -> Option<i64> {
        let block = self.next_block();
        let early = block >= LEAST_AHEAD && self.held <= block / 2 && self.spent + self.held < LIFE;
        (!self.asking && (early || self.credit > 0)).then_some(block)
    }

    /// How many tokens to lease next.
    pub(super) fn next_block(&self) -> i64 {
        (self.spent / 4)
            .max(self.limit / SHARE)
            .min(self.untaken / 8)
            .clamp(1, BLOCK)
    }

    /// Whether nothing is left, neither here nor in the database.
    pub(super) fn is_spent(&self) -> bool {
        self.held == 0 && self.untaken == 0
    }

    /// Whether it is of the window after this one.
    pub(super) fn follows(&self, window_start: i64) -> bool {
        self.window_start == window_start + super::WINDOW
    }

    pub(super) fn is_of(&self, window_start: i64, limit: i64) -> bool {
        self.window_start == window_start && self.limit == limit
    }

    /// Ends the asking, with what was counted if it could be.
    pub(super) fn settle(&mut self, block: i64, used: Option<i64>) {
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
        self.trusted |= granted > 0;
        self.held += granted;
        self.held = (self.held - self.credit).max(0);
        self.credit = 0;
        self.untaken = (self.limit - used).max(0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// What the statement above does.
    fn count(used: &mut i64, block: i64, limit: i64) -> i64 {
        *used = (*used + block).min(limit + block);
        *used
    }

    /// Sends requests to instances in the given order; an instance that asks has its answer so many
    /// requests later, and the requests that would wait for it come again then. Gives admissions
    /// and writes.
    fn run(limit: i64, instances: usize, order: &[usize], later: usize) -> (i64, i64) {
        let mut used = 0;
        let mut leases = vec![Lease::new(0, limit); instances];
        let mut questions = VecDeque::new();
        let (mut admitted, mut writes) = (0, 0);
        for (at, instance) in order
            .iter()
            .map(|instance| instance % instances)
            .enumerate()
        {
            while let Some((_, asked, block)) =
                questions.pop_front_if(|(due, _, _): &mut (usize, usize, i64)| *due <= at)
            {
                let lease: &mut Lease = &mut leases[asked];
                lease.settle(block, Some(count(&mut used, block, limit)));
            }
            let lease = &mut leases[instance];
            if lease.is_to_look() {
                lease.looked(used);
            }
            if lease.waits() {
                continue;
            }
            let known = lease.spend().or_else(|| lease.spend_on_credit());
            let allowed = known.unwrap_or_else(|| {
                let block = lease.next_block();
                writes += 1;
                lease.settle(block, Some(count(&mut used, block, limit)));
                lease.spend().unwrap_or((false, 0))
            });
            admitted += i64::from(allowed.0);
            if let Some(block) = lease.ahead() {
                writes += 1;
                lease.asking = true;
                questions.push_back((at + later, instance, block));
            }
        }
        (admitted, writes)
    }

    #[test]
    fn one_instance_admits_the_limit_with_less_than_half_of_the_writes() {
        let order = vec![0; 200];
        let (admitted, writes) = run(100, 1, &order, 0);
        assert_eq!(admitted, 100);
        assert!(writes < 50, "{writes}");
        // With a large limit it is a write in 64.
        let (admitted, writes) = run(100_000, 1, &vec![0; 3200], 0);
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
    fn a_new_instance_that_finds_plenty_makes_no_request_wait() {
        let limit = 100_000;
        let mut lease = Lease::new(0, limit);
        assert!(lease.is_to_look());
        lease.looked(limit / 2);
        assert!(lease.spend_on_credit().is_some_and(|(allowed, _)| allowed));
        assert!(!lease.is_to_look());
        assert!(lease.ahead().is_some(), "what was given is counted");
        lease.asking = true;
        assert!(!lease.waits());
        assert_eq!(lease.ahead(), None);
        assert!(lease.spend_on_credit().is_some());
        lease.settle(64, Some(limit / 2 + 64));
        assert_eq!((lease.held, lease.credit), (62, 0));
        // Near the limit it asks first, and beyond it it need not ask.
        let mut lease = Lease::new(0, limit);
        lease.looked(limit - limit / 8);
        assert_eq!(lease.spend().or(lease.spend_on_credit()), None);
        lease.looked(limit + 5);
        assert_eq!(lease.spend(), Some((false, 0)));
        // A small limit is always asked for: a credit would be felt.
        assert!(!Lease::new(0, 1_000).is_to_look());
    }

    #[test]
    fn eight_instances_in_turn_admit_the_limit() {
        let order: Vec<usize> = (0..400).collect();
        assert_eq!(run(100, 8, &order, 0).0, 100);
        let order: Vec<usize> = (0..4000).collect();
        assert_eq!(run(1000, 8, &order, 0).0, 1000);
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit_and_little_less(
            limit in 1_i64..3000,
            instances in 1_usize..9,
            order in prop::collection::vec(0_usize..8, 0..6000),
        ) {
            let (admitted, _) = run(limit, instances, &order, 0);
            prop_assert!(admitted <= limit);
            let asked = order.len() as i64;
            // A fifth of what an instance took may lie in its hands when it is not asked again.
            prop_assert!(admitted * 5 >= limit.min(asked) * 4 - 5, "{} of {}", admitted, limit);
        }

        #[test]
        fn slow_answers_admit_a_256th_for_each_instance_at_most(
            limit in 1_i64..6000,
            instances in 1_usize..9,
            later in 1_usize..300,
            order in prop::collection::vec(0_usize..8, 0..9000),
        ) {
            let (admitted, _) = run(limit, instances, &order, later);
            let more = instances as i64 * (limit / SHARE);
            prop_assert!(admitted <= limit + more, "{} of {}", admitted, limit);
        }
    }
}

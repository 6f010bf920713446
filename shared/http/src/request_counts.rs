//! Requests, counted in the instance's memory and added to the database in batches.
//!
//! A request costs a look through a short list; a write costs what a request does, so there is one
//! for up to [`BATCH`] requests: the one that fills the batch writes it, beside its answer, in one
//! statement. What does not fill a batch is written by the first request after a write, when it has
//! waited for [`WAIT`]. The waiting keeps the instance alive, so nothing is lost when it ends as it
//! should: Spin's instances end after 128 requests, which is when the batch is full. What an instance
//! that is killed, or that traps, loses is bounded: at most [`BATCH`] requests, or those of the last
//! second.
//!
//! The waiting looks every [`POLL_INTERVAL`] whether there is anything left to wait for, since one task cannot
//! wake another; an instance that has served all of its requests would otherwise stay for a second.

use std::cell::RefCell;
use std::time::Duration;

use http::Method;
use vivesphere_db::Database;
use vivesphere_domain::counters::{self, Count, Counter};
use vivesphere_domain::{Error, Instant};

/// Requests that are written together at most.
const BATCH: u32 = 128;
/// How long a request is known to the instance alone.
const WAIT: Duration = Duration::from_secs(1);
/// How often it is looked whether another request has written meanwhile.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// The label of what no row of the route table answers.
const UNMATCHED: &str = "unmatched";

/// Requests of one series in one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    method: &'static str,
    route: &'static str,
    status: u16,
    bucket: usize,
    events: u64,
    microseconds: u64,
}

/// What is not written yet.
#[derive(Debug, Default)]
struct Pending {
    entries: Vec<Entry>,
    requests: u32,
    /// Whether a request is waiting to write it.
    waiting: bool,
}

impl Pending {
    fn add(&mut self, more: Entry) {
        // A component has few routes: a list is shorter than any hash.
        let same = self.entries.iter_mut().find(|entry| {
            entry.bucket == more.bucket
                && entry.status == more.status
                && entry.route == more.route
                && entry.method == more.method
        });
        match same {
            Some(entry) => {
                entry.events += more.events;
                entry.microseconds += more.microseconds;
            }
            None => self.entries.push(more),
        }
    }

    fn take(&mut self) -> Vec<Entry> {
        self.requests = 0;
        std::mem::take(&mut self.entries)
    }
}

thread_local! {
    // True for everyone: how often what was answered. Nothing of a request or a user.
    static PENDING: RefCell<Pending> = RefCell::default();
}

/// Counts a request that has been answered.
pub(crate) fn count(method: &Method, route: &'static str, status: u16, duration: Duration) {
    let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let mut full = Vec::new();
    let waits = PENDING.with_borrow_mut(|pending| {
        pending.add(Entry {
            method: name(method),
            route: if route.is_empty() { UNMATCHED } else { route },
            status,
            bucket: Counter::Requests.bucket(microseconds),
            events: 1,
            microseconds,
        });
        pending.requests += 1;
        if pending.requests >= BATCH {
            full = pending.take();
        }
        !std::mem::replace(&mut pending.waiting, true)
    });
    if waits {
        spin_sdk::wasip3::spawn(write_later());
    }
    if !full.is_empty() {
        spin_sdk::wasip3::spawn(write_or_keep(full));
    }
}

/// The methods that a client may make up are one.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::PUT => "PUT",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

async fn write_later() {
    let mut waited = Duration::ZERO;
    let taken = loop {
        spin_sdk::time::sleep(POLL_INTERVAL).await;
        waited += POLL_INTERVAL;
        let taken = PENDING.with_borrow_mut(|pending| {
            let over = waited >= WAIT || pending.requests == 0;
            // The next request begins to wait anew.
            pending.waiting = !over;
            over.then(|| pending.take())
        });
        if let Some(taken) = taken {
            break taken;
        }
    };
    write_or_keep(taken).await;
}

/// Writes; what cannot be written now is written with the next.
async fn write_or_keep(taken: Vec<Entry>) {
    if let Err(error) = write(&taken).await {
        crate::access_log::failed("requests are counted later", &error.to_string());
        PENDING.with_borrow_mut(|pending| taken.into_iter().for_each(|entry| pending.add(entry)));
    }
}

async fn write(entries: &[Entry]) -> Result<(), Error> {
    let now = Instant::now();
    let counts: Vec<Count> = entries
        .iter()
        .map(|entry| Count {
            counter: Counter::Requests,
            labels: format!("{} {} {}", entry.method, entry.route, entry.status),
            bucket: entry.bucket,
            events: entry.events,
            microseconds: entry.microseconds,
            last_at: now,
        })
        .collect();
    counters::add(&Database::open().await?, &counts).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(route: &'static str, status: u16, events: u64) -> Entry {
        Entry {
            method: "GET",
            route,
            status,
            bucket: 0,
            events,
            microseconds: 10 * events,
        }
    }

    #[test]
    fn the_same_is_added_up_and_the_rest_is_told_apart() {
        let mut pending = Pending::default();
        for more in [
            entry("/a", 200, 1),
            entry("/a", 404, 1),
            entry("/a", 200, 2),
            entry("/b", 200, 1),
        ] {
            pending.add(more);
        }
        assert_eq!(
            pending.entries,
            [
                entry("/a", 200, 3),
                entry("/a", 404, 1),
                entry("/b", 200, 1)
            ]
        );
    }

    #[test]
    fn a_made_up_method_makes_no_series() {
        assert_eq!(name(&Method::from_bytes(b"SURPRISE").unwrap()), "other");
        assert_eq!(name(&Method::PATCH), "PATCH");
    }
}

//! One commit for what arrives at the same time.
//!
//! Up to 16 requests share an instance. The first to come writes, as soon as the others that have
//! begun are here too, or after two milliseconds; those that come meanwhile wait, and when it is done
//! one of them writes for all of them. Each waits for the commit that holds its own records, so an
//! answer still means that they are kept. Nothing of a request stays behind: its records are gone
//! with its answer.
//!
//! A request cannot wake another by a Rust waker: each is a task of its own of the component model.
//! A stream of the component model within the instance can, so each waiting request reads from one.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::thread::LocalKey;
use std::time::Duration;

use futures::future::select;
use spin_sdk::wasip3::wit_bindgen::StreamWriter;
use spin_sdk::wasip3::wit_stream;
use vivesphere_db::Database;
use vivesphere_domain::logs::{self, Submission, Verdict};
use vivesphere_http::Problem;

/// Most records of one commit, besides those of the request that makes it: nobody waits long for
/// the write lock.
const RECORDS: usize = 2000;
/// How long who writes waits for requests that have begun: a commit costs more than their records,
/// but a body may take its time.
const PATIENCE: Duration = Duration::from_millis(2);

/// A request whose records wait for the next commit.
struct Waiting {
    records: Rc<Submission>,
    told: StreamWriter<u8>,
}

/// What a waiting request is told, as a byte.
const QUEUED: u8 = 0;
const FULL: u8 = 1;
const FAILED: u8 = 2;
/// Nobody writes any more: it is to write for all.
const LEAD: u8 = 3;
/// What who is about to write is told.
const GATHERED: u8 = 4;

thread_local! {
    static WAITING: RefCell<Vec<Waiting>> = const { RefCell::new(Vec::new()) };
    /// Whether a request of this instance is writing.
    static LED: Cell<bool> = const { Cell::new(false) };
    /// Requests of this instance that have begun, and those of them whose records are here.
    static UNDER_WAY: Cell<usize> = const { Cell::new(0) };
    static HERE: Cell<usize> = const { Cell::new(0) };
    /// Tells who is about to write that everybody is here.
    static GATHERING: RefCell<Option<StreamWriter<u8>>> = const { RefCell::new(None) };
}

/// One of those who are counted, for as long as it lives.
pub(crate) struct Counted(&'static LocalKey<Cell<usize>>);

impl Counted {
    fn among(counted: &'static LocalKey<Cell<usize>>) -> Self {
        counted.set(counted.get() + 1);
        Self(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A request of this instance, of any route: it may have records, so who writes waits a little.
#[cfg(target_arch = "wasm32")]
pub(crate) fn under_way() -> Counted {
    Counted::among(&UNDER_WAY)
}

fn everybody_is_here() -> bool {
    HERE.get() >= UNDER_WAY.get()
}

/// While it lives, its holder writes. Dropped before its time, it lets go of all who wait: they see
/// the end of their stream and begin again.
struct Lead {
    over: bool,
}

impl Lead {
    fn take() -> Option<Self> {
        (!LED.replace(true)).then_some(Self { over: false })
    }

    /// Waits for those who have begun.
    async fn gather(&self) {
        if everybody_is_here() {
            return;
        }
        let (told, mut hears) = wit_stream::new::<u8>();
        GATHERING.set(Some(told));
        let patience = pin!(spin_sdk::time::sleep(PATIENCE));
        select(pin!(hears.next()), patience).await;
        GATHERING.take();
    }

    /// Hands over to one of those who wait, or lets go.
    async fn pass_on(mut self) {
        loop {
            let next =
                WAITING.with_borrow_mut(|waiting| (!waiting.is_empty()).then(|| waiting.remove(0)));
            let Some(next) = next else {
                self.over = true;
                LED.set(false);
                return;
            };
            // From here on it is the other's, unless the other is gone.
            if tell(next.told, LEAD).await {
                self.over = true;
                return;
            }
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if !self.over {
            LED.set(false);
            WAITING.take();
        }
    }
}

/// Whether it was heard.
async fn tell(mut told: StreamWriter<u8>, what: u8) -> bool {
    told.write_all(vec![what]).await.is_empty()
}

/// Puts records into the log queue, and returns when they are committed.
pub(crate) async fn submit(db: Database, records: Submission) -> Result<(), Problem> {
    let records = Rc::new(records);
    let _here = Counted::among(&HERE);
    loop {
        if let Some(lead) = Lead::take() {
            return write(db, lead, records).await;
        }
        let (told, mut hears) = wit_stream::new::<u8>();
        let waiting = Waiting {
            records: records.clone(),
            told,
        };
        WAITING.with_borrow_mut(|all| all.push(waiting));
        if everybody_is_here()
            && let Some(gathering) = GATHERING.take()
        {
            tell(gathering, GATHERED).await;
        }
        match hears.next().await {
            Some(QUEUED) => return Ok(()),
            Some(FULL) => return Err(full()),
            Some(LEAD) => return write(db, Lead { over: false }, records).await,
            Some(_) => return Err(failed()),
            // Whoever wrote is gone. A record that was committed all the same keeps its id, and
            // is one record in the end.
            None => {}
        }
    }
}

/// Writes for itself and for those who wait.
async fn write(db: Database, lead: Lead, own: Rc<Submission>) -> Result<(), Problem> {
    lead.gather().await;
    let others = take_waiting();
    let submissions: Vec<Rc<Submission>> = [&own]
        .into_iter()
        .chain(others.iter().map(|waiting| &waiting.records))
        .cloned()
        .collect();
    let verdicts = logs::submit(&db, &submissions).await;
    let mut told = others.into_iter();
    let result = match verdicts {
        Ok(verdicts) => {
            let mut verdicts = verdicts.into_iter();
            let own = verdicts.next();
            for (waiting, verdict) in told.zip(verdicts) {
                let what = if verdict == Verdict::Queued {
                    QUEUED
                } else {
                    FULL
                };
                tell(waiting.told, what).await;
            }
            match own {
                Some(Verdict::Queued) => Ok(()),
                _ => Err(full()),
            }
        }
        Err(error) => {
            for waiting in told.by_ref() {
                tell(waiting.told, FAILED).await;
            }
            Err(error.into())
        }
    };
    lead.pass_on().await;
    result
}

fn take_waiting() -> Vec<Waiting> {
    WAITING.with_borrow_mut(|waiting| {
        let mut count = 0;
        let fits = |one: &&Waiting| {
            count += one.records.len();
            count <= RECORDS
        };
        let end = waiting.iter().take_while(fits).count();
        waiting.drain(..end).collect()
    })
}

fn full() -> Problem {
    Problem::unavailable(
        "log_queue_full",
        "The log queue is full of records that are at least as important.",
        1,
    )
}

fn failed() -> Problem {
    Problem::unavailable(
        "storage_unavailable",
        "The database does not answer right now.",
        1,
    )
}

//! Logs: what was done, and how it went, in four categories.
//!
//! A [`Record`] is redacted when it is made, and only records can be queued: nothing gets around
//! it. [`submit`] and [`hand_over`] put records into a bounded queue with one small write; the log
//! writer's [`drain`] sorts them into the logs later, seals the audit trail on the way and tells of
//! each of its rows in `user_activity`, and deletes what is older than [`retention`].

mod drain;
mod names;
mod queue;
mod read;
mod record;
mod redaction;
mod retention;
mod submitted;

pub use drain::{Drained, drain};
pub use names::{Level, LogType};
pub use queue::{QUEUE_LIMIT, Submission, Verdict, hand_over, queue_limit, submit};
pub use read::{Entry, Filter, Stats, list, page_of, stats};
pub use record::{Loggable, Record};
pub use redaction::{REDACTED, is_secret_name, redact_text, redact_value};
pub use retention::{default_retention, retention};
pub use submitted::{RECORD_LIMIT, submitted};

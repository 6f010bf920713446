//! The fake's time: the real one, moved on by tests.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SecondsFormat, Utc};

/// Milliseconds between 1970 and the first snowflake id (<https://docs.x.com/fundamentals/x-ids>).
const SNOWFLAKE_EPOCH: i64 = 1_288_834_974_657;

#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: AtomicI64,
}

impl Clock {
    /// Unix milliseconds.
    pub(crate) fn now(&self) -> i64 {
        Utc::now().timestamp_millis() + self.ahead.load(Ordering::Relaxed)
    }

    pub(crate) fn advance(&self, milliseconds: i64) {
        self.ahead.fetch_add(milliseconds, Ordering::Relaxed);
    }
}

/// The first id of a millisecond; the lower 22 bits count within it.
pub(crate) fn snowflake(now: i64) -> u64 {
    u64::try_from(now - SNOWFLAKE_EPOCH).unwrap_or_default() << 22
}

/// RFC 3339 in UTC with milliseconds, as X writes times.
pub(crate) fn rfc3339(milliseconds: i64) -> String {
    DateTime::from_timestamp_millis(milliseconds)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

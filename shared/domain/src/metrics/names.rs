//! The one table of what is exported. The exposition, `docs/METRICS.md` and the checks of the
//! dashboard and the alert rules come from it.

/// What Prometheus takes a metric for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only rises.
    Counter,
    /// It rises and falls.
    Gauge,
    /// Durations in buckets: `_bucket`, `_sum` and `_count`.
    Histogram,
}

impl Kind {
    /// The exposition's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The labels, in order.
    pub labels: &'static [&'static str],
    /// One sentence without a full stop.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($name:ident: $kind:ident $text:literal [$($label:literal),*] $help:literal;)+) => {
        /// A row each.
        pub mod table {
            use super::{Kind, Metric};

            $(#[doc = $help]
            pub static $name: Metric = Metric {
                name: $text,
                kind: Kind::$kind,
                labels: &[$($label),*],
                help: $help,
            };)+
        }

        /// Every metric, in the order of the exposition.
        pub const METRICS: &[&Metric] = &[$(&table::$name),+];
    };
}

metrics! {
    BUILD: Gauge "vivesphere_build_info" ["version", "migration"]
        "Always 1; the labels say which build answers, and the number of its last migration";

    REQUESTS: Counter "vivesphere_http_requests_total" ["method", "route", "status"]
        "Requests that were answered, by the route's pattern; what has no route is `unmatched`";
    REQUEST_DURATION: Histogram "vivesphere_http_request_duration_seconds" ["method", "route"]
        "How long requests took inside of the component, until the answer's head was ready";
    LAST_SUCCESS: Gauge "vivesphere_worker_last_success_timestamp_seconds" ["worker"]
        "When a worker's job entry last answered 200, in Unix time";

    POSTS: Gauge "vivesphere_posts" ["state"]
        "Posts by state";
    POSTS_DUE: Gauge "vivesphere_posts_due" []
        "Scheduled posts whose moment has come, whatever holds them up; at most 10000";
    OLDEST_DUE: Gauge "vivesphere_posts_due_oldest_seconds" []
        "How long the oldest post that could be taken now has been due: one that no limit, no hours, no pause and no post before it hold up; 0 when none is";
    DEAD_LETTERS: Gauge "vivesphere_posts_dead_letters" []
        "Posts of the bots there are that only a person moves on: failed, or with an outcome that nobody could find out";
    BOTS: Gauge "vivesphere_bots" ["status"]
        "Bots by status";
    BOTS_LIMITED: Gauge "vivesphere_bots_rate_limited" []
        "Bots that wait because X answered 429";

    ATTEMPTS: Counter "vivesphere_publish_attempts_total" ["outcome", "code"]
        "Calls to publish by outcome (sent, refused, unknown, deferred) and stable code";
    ATTEMPT_DURATION: Histogram "vivesphere_publish_attempt_duration_seconds" []
        "From the claim of a post to its written outcome, of attempts that were ended by their own worker";
    RECONCILIATIONS: Counter "vivesphere_publish_reconciliations_total" ["result"]
        "Looks for posts whose outcome was unknown: found, absent or unclear";
    TOKEN_REFRESHES: Counter "vivesphere_token_refreshes_total" ["result"]
        "Refreshes of bots' tokens: refreshed, refused (a person has to connect again) or failed (tried again)";

    X_REMAINING: Gauge "vivesphere_x_rate_limit_remaining" ["endpoint", "span"]
        "Calls that X has left to the bot that has least, by its last answers";
    X_QUOTA: Gauge "vivesphere_x_rate_limit_quota" ["endpoint", "span"]
        "Calls that X allows in a span, to that bot";
    SPENT: Counter "vivesphere_x_spent_dollars_total" ["purpose"]
        "What X is owed by its price list since the beginning";
    SPENT_TODAY: Gauge "vivesphere_x_spent_today_dollars" ["purpose"]
        "Of that, on the current day (UTC)";
    X_RESOURCES: Counter "vivesphere_x_billed_resources_total" ["purpose"]
        "Posts and accounts that were made or read at a price";

    READINGS: Counter "vivesphere_post_readings_total" ["result"]
        "Readings of posts' public counts: read, missing (X does not show the post) or failed";
    READINGS_DUE: Gauge "vivesphere_post_readings_due" []
        "Posts whose counts should have been read by now; at most 10000";
    READING_BUDGET: Gauge "vivesphere_post_readings_daily_budget_dollars" []
        "What may be spent on readings on one day";
    COLLECTOR_STOPPED: Gauge "vivesphere_collector_stopped" ["code"]
        "1 while nobody reads counts because X said so; the code says why";

    TREND_SOURCES: Gauge "vivesphere_trend_sources" ["status"]
        "Sources of trends by their health: new, ok, failing, stopped or disabled";

    LOG_QUEUE: Gauge "vivesphere_log_queue_records" ["log_type"]
        "Log records that wait to be sorted";
    LOG_DRAINED: Counter "vivesphere_log_records_total" ["log_type"]
        "Log records that were kept";
    LOG_DROPPED: Counter "vivesphere_log_records_dropped_total" ["log_type"]
        "Log records that found no room in the queue";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_follow_prometheus_and_differ() {
        let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        let plain = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        for metric in METRICS {
            let name = metric.name;
            assert!(name.starts_with("vivesphere_") && plain(name), "{name}");
            assert_eq!(
                name.ends_with("_total"),
                metric.kind == Kind::Counter,
                "{name}"
            );
            // `job` and `instance` are what Prometheus puts on whatever it scrapes.
            let own = |label: &&str| plain(label) && !["job", "instance", "le"].contains(label);
            assert!(metric.labels.iter().all(own), "{name}");
            assert!(!metric.help.is_empty() && !metric.help.ends_with('.'));
            assert!(!metric.help.contains(['\n', '\\']), "{name}");
        }
    }
}

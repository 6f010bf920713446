//! The closed table. A setting stands here when a component reads it, and not before.

use super::schema::{Fallback, Kind, Setting};

/// Every setting there is, in the order of the documentation.
pub const SETTINGS: &[&Setting] = &[
    &gateway::RATE_LIMIT_ENABLED,
    &gateway::RATE_LIMIT_PER_MINUTE,
    &gateway::WRITE_RATE_LIMIT_PER_MINUTE,
    &gateway::SIGN_IN_RATE_LIMIT_PER_MINUTE,
    &gateway::BODY_LIMIT_BYTES,
    &gateway::COMPRESSION,
    &gateway::CORS_ALLOWED_ORIGINS,
    &gateway::CORS_ALLOW_CREDENTIALS,
    &gateway::TRUSTED_PROXIES,
    &posts::APPROVAL_REQUIRED,
    &posts::APPROVAL_DEADLINE_SECONDS,
    &publisher::PUBLISHING_WINDOWS,
    &publisher::DAILY_POST_LIMIT,
    &publisher::PUBLISH_MAX_ATTEMPTS,
    &publisher::PUBLISH_RECONCILE_DELAY_SECONDS,
    &publisher::PUBLISH_LEASE_SECONDS,
    &logs::RETENTION_DAYS_USER_ACTIVITY,
    &logs::RETENTION_DAYS_DEBUG,
    &logs::RETENTION_DAYS_TERMINAL,
    &logs::RETENTION_DAYS_CONSOLE,
    &trends::SCRAPE_INTERVAL_SECONDS,
    &trends::HOST_SPACING_SECONDS,
    &trends::MOMENTUM_HALF_LIFE_MINUTES,
    &trends::RETENTION_DAYS_ITEMS,
    &trends::RETENTION_DAYS_SERIES,
    &collector::METRICS_DAILY_BUDGET_MICRO_DOLLARS,
    &collector::POST_READ_MICRO_DOLLARS,
    &collector::CURRENT_FIELD_NAMES,
];

const PLAIN: Setting = Setting {
    service: "",
    name: "",
    kind: Kind::Boolean,
    unit: None,
    variable: None,
    fallback: Fallback::Nothing,
    secret: false,
    description: "",
};

/// What every component does with a request before its own part begins.
pub mod gateway {
    use super::{Fallback, Kind, PLAIN, Setting};

    const GATEWAY: Setting = Setting {
        service: "gateway",
        ..PLAIN
    };
    const PER_MINUTE: Setting = Setting {
        kind: Kind::Integer {
            minimum: 1,
            maximum: 1_000_000_000,
        },
        unit: Some("requests per minute"),
        ..GATEWAY
    };

    /// Whether requests are counted at all.
    pub static RATE_LIMIT_ENABLED: Setting = Setting {
        name: "rate_limit_enabled",
        kind: Kind::Boolean,
        fallback: Fallback::Boolean(true),
        description: "Whether the clients' requests are counted and limited.",
        ..GATEWAY
    };
    /// The budget of reads, and of the other classes while they have none of their own.
    pub static RATE_LIMIT_PER_MINUTE: Setting = Setting {
        name: "rate_limit_per_minute",
        variable: Some("rate_limit_per_minute"),
        fallback: Fallback::Integer(100),
        description: "Requests that read which one client may make in a minute.",
        ..PER_MINUTE
    };
    /// The budget of what changes something.
    pub static WRITE_RATE_LIMIT_PER_MINUTE: Setting = Setting {
        name: "write_rate_limit_per_minute",
        fallback: Fallback::SameAs("rate_limit_per_minute"),
        description: "Requests that change something which one client may make in a minute.",
        ..PER_MINUTE
    };
    /// The budget of signing in and of getting tokens.
    pub static SIGN_IN_RATE_LIMIT_PER_MINUTE: Setting = Setting {
        name: "sign_in_rate_limit_per_minute",
        fallback: Fallback::SameAs("rate_limit_per_minute"),
        description: "Requests for tokens which one address may make in a minute.",
        ..PER_MINUTE
    };
    /// What no request's body exceeds, whatever its route would take.
    pub static BODY_LIMIT_BYTES: Setting = Setting {
        name: "body_limit_bytes",
        kind: Kind::Integer {
            minimum: 16 << 10,
            maximum: 1 << 20,
        },
        unit: Some("bytes"),
        fallback: Fallback::Integer(1 << 20),
        description: "Largest body of a request; a route may take less.",
        ..GATEWAY
    };
    /// Whether answers are compressed for clients that ask for it.
    pub static COMPRESSION: Setting = Setting {
        name: "compression",
        kind: Kind::Boolean,
        fallback: Fallback::Boolean(true),
        description: "Whether answers are compressed for clients that accept it.",
        ..GATEWAY
    };
    /// Which web pages may call the API from a browser.
    pub static CORS_ALLOWED_ORIGINS: Setting = Setting {
        name: "cors_allowed_origins",
        kind: Kind::Origins,
        fallback: Fallback::Nothing,
        description: "Origins whose pages may call the API from a browser; * is every one.",
        ..GATEWAY
    };
    /// Whether those pages may send cookies and the like.
    pub static CORS_ALLOW_CREDENTIALS: Setting = Setting {
        name: "cors_allow_credentials",
        kind: Kind::Boolean,
        fallback: Fallback::Boolean(false),
        description: "Whether browsers send their own credentials along; never with *.",
        ..GATEWAY
    };
    /// Who may say from where a request comes.
    pub static TRUSTED_PROXIES: Setting = Setting {
        name: "trusted_proxies",
        kind: Kind::Networks,
        fallback: Fallback::Nothing,
        description: "Addresses and networks of the reverse proxies in front; theirs is the word on a \
                      client's address (X-Forwarded-For).",
        ..GATEWAY
    };
}

/// Which posts a person must approve, and by when.
pub mod posts {
    use super::{Fallback, Kind, PLAIN, Setting};

    const POSTS: Setting = Setting {
        service: "posts",
        ..PLAIN
    };

    /// Whether no post goes out unseen.
    pub static APPROVAL_REQUIRED: Setting = Setting {
        name: "approval_required",
        kind: Kind::Boolean,
        fallback: Fallback::Boolean(false),
        description: "Whether every new or changed post must be approved by a person.",
        ..POSTS
    };
    /// How long a request for approval may wait.
    pub static APPROVAL_DEADLINE_SECONDS: Setting = Setting {
        name: "approval_deadline_seconds",
        kind: Kind::Integer {
            minimum: 60,
            maximum: 2_592_000,
        },
        unit: Some("seconds"),
        fallback: Fallback::Integer(86_400),
        description: "How long a post waits for approval before it becomes a draft again.",
        ..POSTS
    };
}

/// How posts go out.
pub mod publisher {
    use super::{Fallback, Kind, PLAIN, Setting};

    const PUBLISHER: Setting = Setting {
        service: "publisher",
        ..PLAIN
    };

    /// When posts go out.
    pub static PUBLISHING_WINDOWS: Setting = Setting {
        name: "publishing_windows",
        kind: Kind::PublishingWindows,
        fallback: Fallback::Nothing,
        description: "Hours of the week, by the bot's own clock, in which its posts go out; \
                      others wait for the next window. None is always.",
        ..PUBLISHER
    };
    /// What no bot exceeds, whatever its own limit.
    pub static DAILY_POST_LIMIT: Setting = Setting {
        name: "daily_post_limit",
        kind: Kind::Integer {
            minimum: 1,
            maximum: 2400,
        },
        unit: Some("posts in 24 hours"),
        fallback: Fallback::Integer(2400),
        description: "Posts of one bot in 24 hours; a bot's own limit may be lower.",
        ..PUBLISHER
    };
    /// When a post is given up.
    pub static PUBLISH_MAX_ATTEMPTS: Setting = Setting {
        name: "publish_max_attempts",
        kind: Kind::Integer {
            minimum: 1,
            maximum: 100,
        },
        unit: Some("attempts"),
        variable: Some("publish_max_attempts"),
        fallback: Fallback::Integer(8),
        description: "Attempts at publishing one post before it fails for good.",
        ..PUBLISHER
    };
    /// When a call without an outcome is looked for.
    pub static PUBLISH_RECONCILE_DELAY_SECONDS: Setting = Setting {
        name: "publish_reconcile_delay_seconds",
        kind: Kind::Integer {
            minimum: 0,
            maximum: 3600,
        },
        unit: Some("seconds"),
        variable: Some("publish_reconcile_delay_seconds"),
        fallback: Fallback::Integer(30),
        description: "Wait before looking whether a post with unknown outcome exists.",
        ..PUBLISHER
    };
    /// How long a claimed post is a worker's.
    pub static PUBLISH_LEASE_SECONDS: Setting = Setting {
        name: "publish_lease_seconds",
        kind: Kind::Integer {
            minimum: 1,
            maximum: 3600,
        },
        unit: Some("seconds"),
        variable: Some("publish_lease_seconds"),
        fallback: Fallback::Integer(60),
        description: "How long a worker holds a claimed post.",
        ..PUBLISHER
    };
}

/// How long log records are kept, by category.
pub mod logs {
    use super::{Fallback, Kind, PLAIN, Setting};

    const RETENTION: Setting = Setting {
        service: "logs",
        kind: Kind::Integer {
            minimum: 1,
            maximum: 3650,
        },
        unit: Some("days"),
        ..PLAIN
    };

    /// Of `user_activity`.
    pub static RETENTION_DAYS_USER_ACTIVITY: Setting = Setting {
        name: "retention_days_user_activity",
        fallback: Fallback::Integer(365),
        description: "How long records of what people did are kept.",
        ..RETENTION
    };
    /// Of `debug`.
    pub static RETENTION_DAYS_DEBUG: Setting = Setting {
        name: "retention_days_debug",
        fallback: Fallback::Integer(7),
        description: "How long debug records are kept.",
        ..RETENTION
    };
    /// Of `terminal`.
    pub static RETENTION_DAYS_TERMINAL: Setting = Setting {
        name: "retention_days_terminal",
        fallback: Fallback::Integer(30),
        description: "How long terminal records are kept.",
        ..RETENTION
    };
    /// Of `console`.
    pub static RETENTION_DAYS_CONSOLE: Setting = Setting {
        name: "retention_days_console",
        fallback: Fallback::Integer(30),
        description: "How long console records are kept.",
        ..RETENTION
    };
}

/// How topics are looked for and kept.
pub mod trends {
    use super::{Fallback, Kind, PLAIN, Setting};

    const TRENDS: Setting = Setting {
        service: "trends",
        ..PLAIN
    };
    const RETENTION: Setting = Setting {
        kind: Kind::Integer {
            minimum: 1,
            maximum: 3650,
        },
        unit: Some("days"),
        ..TRENDS
    };

    /// How often a source is fetched that has no interval of its own.
    pub static SCRAPE_INTERVAL_SECONDS: Setting = Setting {
        name: "scrape_interval_seconds",
        kind: Kind::Integer {
            minimum: 60,
            maximum: 86_400,
        },
        unit: Some("seconds"),
        fallback: Fallback::Integer(1800),
        description: "How often a source is fetched that has no interval of its own.",
        ..TRENDS
    };
    /// How far apart requests to one server are.
    pub static HOST_SPACING_SECONDS: Setting = Setting {
        name: "host_spacing_seconds",
        kind: Kind::Integer {
            minimum: 1,
            maximum: 3600,
        },
        unit: Some("seconds"),
        fallback: Fallback::Integer(5),
        description: "Seconds between two requests to one server; its crawl delay may be longer.",
        ..TRENDS
    };
    /// How fast a topic's momentum forgets.
    pub static MOMENTUM_HALF_LIFE_MINUTES: Setting = Setting {
        name: "momentum_half_life_minutes",
        kind: Kind::Integer {
            minimum: 5,
            maximum: 10_080,
        },
        unit: Some("minutes"),
        fallback: Fallback::Integer(60),
        description: "Time in which the momentum of a topic halves that nobody sees any more.",
        ..TRENDS
    };
    /// How long items are kept.
    pub static RETENTION_DAYS_ITEMS: Setting = Setting {
        name: "retention_days_items",
        fallback: Fallback::Integer(30),
        description: "How long an item is kept after it was last seen.",
        ..RETENTION
    };
    /// How long time series are kept.
    pub static RETENTION_DAYS_SERIES: Setting = Setting {
        name: "retention_days_series",
        fallback: Fallback::Integer(90),
        description: "How long the time series of topics are kept.",
        ..RETENTION
    };
}

/// How the public counts of posts are read.
pub mod collector {
    use super::{Fallback, Kind, PLAIN, Setting};
    use crate::x_spending::price;

    const COLLECTOR: Setting = Setting {
        service: "collector",
        ..PLAIN
    };

    /// What readings may cost.
    pub static METRICS_DAILY_BUDGET_MICRO_DOLLARS: Setting = Setting {
        name: "metrics_daily_budget_micro_dollars",
        kind: Kind::Integer {
            minimum: 0,
            maximum: 1_000_000_000,
        },
        unit: Some("millionths of a dollar"),
        fallback: Fallback::Integer(1_000_000),
        description: "What reading posts' counts may cost on one day (UTC); 0 reads none.",
        ..COLLECTOR
    };
    /// What X takes for reading one post.
    pub static POST_READ_MICRO_DOLLARS: Setting = Setting {
        name: "post_read_micro_dollars",
        kind: Kind::Integer {
            minimum: 1,
            maximum: 1_000_000,
        },
        unit: Some("millionths of a dollar"),
        fallback: Fallback::Integer(price::POST_READ),
        description: "What X takes for a post that is read: 5000 by its list, 1000 where the bot's \
                      account owns the developer application.",
        ..COLLECTOR
    };
    /// Which names X is asked with.
    pub static CURRENT_FIELD_NAMES: Setting = Setting {
        name: "current_field_names",
        kind: Kind::Boolean,
        fallback: Fallback::Boolean(false),
        description: "Whether X is asked with post.fields instead of tweet.fields; answers are \
                      understood in both vocabularies.",
        ..COLLECTOR
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::settings::find;

    #[test]
    fn every_setting_has_a_name_of_its_own_and_a_default_that_it_accepts() {
        let names: BTreeSet<_> = SETTINGS.iter().map(|s| (s.service, s.name)).collect();
        assert_eq!(names.len(), SETTINGS.len());
        for setting in SETTINGS {
            assert!(!setting.description.is_empty(), "{}", setting.name);
            match (setting.fallback, setting.fallback_value()) {
                (Fallback::SameAs(other), None) => {
                    let other = find(setting.service, other).unwrap();
                    assert_eq!(other.kind, setting.kind);
                    assert!(other.fallback_value().is_some());
                }
                (_, Some(value)) => assert_eq!(setting.parse(&value.to_json()), Ok(value)),
                (_, None) => panic!("{} has no default", setting.name),
            }
        }
    }

    #[test]
    fn no_setting_is_a_secret_as_long_as_none_is_sealed() {
        // Settings lie in the database as they are. A secret one has to go through the vault
        // first, as the bots' credentials do.
        assert!(SETTINGS.iter().all(|setting| !setting.secret));
    }
}

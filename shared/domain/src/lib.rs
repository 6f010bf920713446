//! The rules of each noun, then the SQL of that noun, one file a noun. It knows no HTTP.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a test fails by panicking"
    )
)]

pub mod access_keys;
pub mod apikeys;
pub mod audit;
pub mod backoff;
pub mod botdata;
pub mod bots;
pub mod collector_stop;
pub mod counters;
mod error;
pub mod expiry;
pub mod health;
pub mod idempotency_keys;
pub mod login_failures;
pub mod logs;
pub mod metrics;
pub mod oauth_states;
mod page;
mod password_checks;
pub mod permissions;
pub mod personas;
pub mod post_metrics;
pub mod post_state;
pub mod posts;
mod principal;
pub mod publishing;
pub mod roles;
mod schema;
pub mod sessions;
pub mod settings;
pub mod signing_keys;
mod tables;
pub mod time_zone;
pub mod token_refreshes;
pub mod trends;
pub mod users;
pub mod weighted_length;
pub mod x_rate_limits;
pub mod x_spending;

pub use audit::Actor;
pub use error::{Error, FieldError};
pub use page::{Listed, Page};
pub use principal::{Principal, PrincipalKind, Scope};
pub use time_zone::Instant;

/// A new id: UUIDv7, which sorts by age.
#[must_use]
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// The canonical form of an id, or `None` for text that cannot be one. A path with such text
/// names nothing, so callers answer not found.
#[must_use]
pub fn parse_id(text: &str) -> Option<String> {
    uuid::Uuid::try_parse(text).ok().map(|id| id.to_string())
}

//! What a rule can say no with. It knows no HTTP; `shared/http` maps it once.

use schemars::JsonSchema;
use serde::Serialize;

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldError {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong, for people.
    pub detail: String,
}

/// A refusal or a failure of the domain.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Absent, or not visible to who asks: the two look the same.
    #[error("not found")]
    NotFound,
    /// Visible, but not allowed; the text says what is missing.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// Visible, but not allowed for a reason that programs can tell from a missing permission.
    #[error("forbidden {code}: {detail}")]
    ForbiddenAs {
        /// Stable, snake_case.
        code: &'static str,
        /// For people.
        detail: String,
    },
    /// The request's values are not valid.
    #[error("invalid: {0:?}")]
    Invalid(Vec<FieldError>),
    /// The thing's state does not allow it.
    #[error("conflict {code}: {detail}")]
    Conflict {
        /// Stable, snake_case.
        code: &'static str,
        /// For people.
        detail: String,
    },
    /// The version asked for is not the current one.
    #[error("stale version, current is {current}")]
    StaleVersion {
        /// The current version.
        current: i64,
    },
    /// Too many tries.
    #[error("too many {code}")]
    TooMany {
        /// Stable, snake_case.
        code: &'static str,
        /// For people.
        detail: String,
        /// Seconds until trying again can help.
        retry_after_seconds: u64,
    },
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] vivesphere_db::Error),
    /// Something that should not happen; the text is for the log.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    /// One invalid field.
    #[must_use]
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError {
            pointer: pointer.into(),
            detail: detail.into(),
        }])
    }

    /// A conflict.
    #[must_use]
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict {
            code,
            detail: detail.into(),
        }
    }
}

//! Errors as `application/problem+json` (RFC 9457).

use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use vivesphere_config::Misconfigured;
use vivesphere_domain::Error;
pub use vivesphere_domain::FieldError;

/// An error as the client sees it. It never holds SQL, a path, a stack or a secret: what went
/// wrong inside goes to the log through [`Problem::internal`].
#[derive(Debug)]
pub struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
    pub(crate) errors: Vec<FieldError>,
    /// Seconds, for `Retry-After`.
    pub(crate) retry_after: Option<u64>,
    /// `WWW-Authenticate`, RFC 6750.
    pub(crate) challenge: Option<String>,
    /// `Allow`, for 405.
    pub(crate) allow: Option<String>,
    /// For the log only.
    pub(crate) cause: Option<String>,
}

/// What is sent of a problem (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemBody<'a> {
    /// `urn:vivesphere:problem:` and the code.
    r#type: String,
    /// The status in words.
    title: &'a str,
    /// The status.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// What is wrong, for people.
    detail: &'a str,
    /// What is wrong, for programs: it stays the same.
    #[schemars(regex(pattern = "^[a-z][a-z0-9_]*$"))]
    code: &'a str,
    /// As in the header `x-request-id`.
    request_id: &'a str,
    /// What is not valid, one by one.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
}

impl Problem {
    /// A problem with a stable snake_case `code` and a sentence for people.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            challenge: None,
            allow: None,
            cause: None,
        }
    }

    /// 400: the request cannot be read.
    #[must_use]
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_request", detail)
    }

    /// 401 with the challenge of RFC 6750, section 3.
    #[must_use]
    pub fn unauthorized(code: &'static str, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, code, detail);
        // Whoever sent no token is told no error; a name and a password are no token.
        let without_token = ["missing_credentials", "invalid_credentials"];
        problem.challenge = Some(if without_token.contains(&code) {
            "Bearer realm=\"vivesphere\"".to_owned()
        } else {
            "Bearer realm=\"vivesphere\", error=\"invalid_token\"".to_owned()
        });
        problem
    }

    /// 403 with the challenge of RFC 6750, section 3.1: who asks is known, and lacks a permission.
    #[must_use]
    pub fn insufficient_scope(permission: &str) -> Self {
        let mut problem = Self::forbidden(format!("This needs the permission `{permission}`."));
        problem.challenge = Some(format!(
            "Bearer realm=\"vivesphere\", error=\"insufficient_scope\", scope=\"{permission}\""
        ));
        problem
    }

    /// 403: known, but not allowed.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404: absent, or not yours.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "There is nothing here, or it is not yours.",
        )
    }

    /// 422: readable, but not valid.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let mut problem = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            "The request can be read but is not valid.",
        );
        problem.errors = errors;
        problem
    }

    /// 503 with `Retry-After`: something this depends on is not there now.
    #[must_use]
    pub fn unavailable(code: &'static str, detail: impl Into<String>, retry_after: u64) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
        problem.retry_after = Some(retry_after);
        problem
    }

    /// 500; the cause is logged, not shown.
    #[must_use]
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        let mut problem = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "Something went wrong here. The request id finds it in the log.",
        );
        problem.cause = Some(cause.to_string());
        problem
    }

    /// Adds what the log should show and the client should not.
    #[must_use]
    pub fn caused_by(mut self, cause: impl std::fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Adds `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn body(&self, request_id: &str) -> Vec<u8> {
        let body = ProblemBody {
            r#type: format!("urn:vivesphere:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            request_id,
            errors: &self.errors,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

/// The one place where the domain's errors become HTTP.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(),
            Error::Forbidden(detail) => Self::forbidden(detail),
            Error::ForbiddenAs { code, detail } => Self::new(StatusCode::FORBIDDEN, code, detail),
            Error::Invalid(errors) => Self::invalid(errors),
            Error::Conflict { code, detail } => Self::new(StatusCode::CONFLICT, code, detail),
            Error::StaleVersion { current } => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "stale_version",
                format!("It has changed since: the version is {current} now."),
            ),
            Error::TooMany {
                code,
                detail,
                retry_after_seconds,
            } => Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail)
                .retry_after(retry_after_seconds),
            Error::Storage(cause) => storage(cause),
            Error::Internal(cause) => Self::internal(cause),
        }
    }
}

impl From<vivesphere_db::Error> for Problem {
    fn from(error: vivesphere_db::Error) -> Self {
        storage(error)
    }
}

/// When to come back to a deployment whose database is of another build: people are needed.
const OTHER_BUILD_RETRY_SECONDS: u64 = 300;

fn storage(cause: vivesphere_db::Error) -> Problem {
    match cause {
        // A row that the domain has not foreseen: trying again gives the same.
        vivesphere_db::Error::Column { .. } | vivesphere_db::Error::Constraint(_) => {
            Problem::internal(cause)
        }
        // Another build has written it: it lasts until somebody starts the right one.
        vivesphere_db::Error::Migration { .. } => Problem::unavailable(
            "storage_unavailable",
            "The database belongs to another version of this program.",
            OTHER_BUILD_RETRY_SECONDS,
        )
        .caused_by(cause),
        vivesphere_db::Error::Busy(_) | vivesphere_db::Error::Unavailable(_) => {
            Problem::unavailable(
                "storage_unavailable",
                "The database does not answer right now.",
                1,
            )
            .caused_by(cause)
        }
    }
}

impl From<Misconfigured> for Problem {
    fn from(error: Misconfigured) -> Self {
        Self::unavailable(
            "misconfigured",
            format!(
                "This deployment's setting `{}` is missing or malformed.",
                error.name
            ),
            60,
        )
        .caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use vivesphere_db::Error;

    use super::*;

    #[test]
    fn only_what_may_pass_by_itself_is_worth_another_try() {
        let migration = Error::Migration {
            version: 9,
            reason: "it is newer".to_owned(),
        };
        for (error, status, retry_after) in [
            (Error::Busy(String::new()), 503, Some(1)),
            (Error::Unavailable(String::new()), 503, Some(1)),
            (Error::Constraint(String::new()), 500, None),
            (Error::Column { column: 1 }, 500, None),
            (migration, 503, Some(OTHER_BUILD_RETRY_SECONDS)),
        ] {
            let problem = Problem::from(error);
            assert_eq!(
                (problem.status.as_u16(), problem.retry_after),
                (status, retry_after)
            );
            assert!(problem.cause.is_some(), "the log says why");
        }
    }
}

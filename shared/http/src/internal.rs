//! Calls from one component to another, by service chaining with the service key.

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use serde::{Serialize, de::DeserializeOwned};
use vivesphere_config as config;

use crate::Problem;

/// Most bytes of another component's answer.
const ANSWER_LIMIT: usize = 1 << 20;

/// Why a call between components gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The component answered with an error: its status and stable code.
    #[error("{component} answered {status} {code}")]
    Refused {
        /// The component asked.
        component: &'static str,
        /// Its status.
        status: StatusCode,
        /// Its problem's `code`, empty when it gave none.
        code: String,
        /// Its `Retry-After`, in seconds.
        retry_after: Option<u64>,
    },
    /// It could not be asked, or its answer could not be read.
    #[error("{component} could not be asked: {reason}")]
    Unreachable {
        /// The component asked.
        component: &'static str,
        /// For the log.
        reason: String,
    },
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::unavailable(
            "component_unavailable",
            "A part of this deployment does not answer right now.",
            1,
        )
        .caused_by(error)
    }
}

/// Posts JSON to `path` of a component and reads its JSON answer.
///
/// # Errors
/// [`Error`], as it says.
pub async fn post<T: DeserializeOwned>(
    component: &'static str,
    path: &str,
    body: &impl Serialize,
    request_id: &str,
) -> Result<T, Error> {
    let unreachable = |reason: String| Error::Unreachable { component, reason };
    let key = config::secret_text("service_key")
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    let body = serde_json::to_vec(body).map_err(|error| unreachable(error.to_string()))?;
    let request = Request::post(format!("http://{component}.spin.internal{path}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-request-id", request_id)
        .header(
            header::AUTHORIZATION,
            vivesphere_crypto::service_authorization(key)
                .expose()
                .as_str(),
        )
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| unreachable(error.to_string()))?;
    let response = spin_sdk::http::send(request)
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    let status = response.status();
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|seconds| seconds.to_str().ok()?.parse().ok());
    let answer = Limited::new(response.into_body(), ANSWER_LIMIT)
        .collect()
        .await
        .map_err(|error| unreachable(error.to_string()))?
        .to_bytes();
    if status.is_success() {
        let answer: &[u8] = if answer.is_empty() { b"null" } else { &answer };
        return serde_json::from_slice(answer).map_err(|error| unreachable(error.to_string()));
    }
    #[derive(serde::Deserialize)]
    struct Refusal {
        code: String,
    }
    let code = serde_json::from_slice::<Refusal>(&answer).map_or(String::new(), |body| body.code);
    Err(Error::Refused {
        component,
        status,
        code,
        retry_after,
    })
}

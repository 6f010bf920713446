//! Asking a provider whether it takes a key. Only the status of its answer is looked at.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use vivesphere_config as config;
use vivesphere_crypto::Secret;
use vivesphere_domain::apikeys::{Check, CheckResult, Shown};
use vivesphere_http::Problem;
use vivesphere_x_api::{SpinTransport, Transport as _};

/// Somebody waits for the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What was found out.
pub(crate) struct Found {
    pub(crate) result: CheckResult,
    /// The status of the provider's answer, if there was one.
    pub(crate) http_status: Option<u16>,
    /// For people.
    pub(crate) detail: &'static str,
}

impl Found {
    pub(crate) fn not_checkable() -> Self {
        Self {
            result: CheckResult::NotCheckable,
            http_status: None,
            detail: "There is no harmless call by which this provider would tell.",
        }
    }
}

/// Makes the provider's harmless call with the key. A provider that is not reached is an answer
/// too: nothing is known of the key.
///
/// # Errors
/// When the provider's address is misconfigured, or the key cannot be sent.
pub(crate) async fn ask(check: &Check, key: &Secret<String>) -> Result<Found, Problem> {
    let base = config::url(check.base_url).await?;
    let url = format!("{}{}", base.as_str().trim_end_matches('/'), check.path);
    let mut request = Request::get(url).header(header::ACCEPT, "application/json");
    request = match check.shown {
        Shown::Bearer => request.header(header::AUTHORIZATION, format!("Bearer {}", key.expose())),
        Shown::Header(name) => request.header(name, key.expose()),
    };
    if let Some((name, value)) = check.also {
        request = request.header(name, value);
    }
    // The builder's own words could repeat the key.
    let request = request
        .body(Bytes::new())
        .map_err(|_| Problem::internal("the call to the provider could not be built"))?;
    let Ok(answer) = SpinTransport.send(request, TIMEOUT).await else {
        return Ok(Found {
            result: CheckResult::Unknown,
            http_status: None,
            detail: "The provider was not reached.",
        });
    };
    let status = answer.status.as_u16();
    let result = check.judge(status);
    Ok(Found {
        result,
        http_status: Some(status),
        detail: match result {
            CheckResult::Valid => "The provider takes the key.",
            CheckResult::Refused => "The provider does not take the key.",
            CheckResult::Unknown | CheckResult::NotCheckable => {
                "The provider's answer says nothing of the key."
            }
        },
    })
}

//! What this component's routes take and give, for the API's description.

use vivesphere_api::Api;
use vivesphere_http::StatusCode;

use crate::{ROUTES, wire};

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new("health", "Whether the deployment works.", ROUTES);
    api.get("/api/v1/health", "See whether it is alive")
        .gives::<wire::Alive>();
    api.get("/api/v1/health/ready", "See whether it does its work")
        .gives::<wire::Readiness>()
        .answers::<wire::Readiness>(
            StatusCode::SERVICE_UNAVAILABLE,
            "Work is due that is not being done.",
        );
    api.get("/api/v1/health/detailed", "See the state of each part")
        .gives::<wire::Detailed>();
    api
}

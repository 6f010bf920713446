//! What this component's routes take and give, for the API's description.

use vivesphere_api::Api;
use vivesphere_http::RunQuery;

use crate::{ROUTES, wire};

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "log-writer",
        "The worker that sorts logs and seals the audit trail.",
        ROUTES,
    );
    api.post(
        "/api/v1/jobs/drain-logs/run",
        "Sort the log queue, seal the audit trail, delete what is old",
    )
    .text("A worker's job entry; the scheduler calls it.")
    .query::<RunQuery>()
    .gives::<wire::RunBody>();
    api
}

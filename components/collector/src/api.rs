//! What this component's routes take and give, for the API's description.

use vivesphere_api::Api;
use vivesphere_http::RunQuery;

use crate::{ROUTES, wire};

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "collector",
        "The worker that reads the public counts of published posts.",
        ROUTES,
    );
    api.post(
        "/api/v1/jobs/collect/run",
        "Read the counts that are due, within the day's budget",
    )
    .text("A worker's job entry; the scheduler calls it every minute.")
    .query::<RunQuery>()
    .gives::<wire::RunBody>();
    api
}

//! What this component's routes take and give, for the API's description.

use vivesphere_api::Api;
use vivesphere_http::RunQuery;

use crate::{ROUTES, job};

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "publisher",
        "The worker that publishes what is due.",
        ROUTES,
    );
    api.post(
        "/api/v1/jobs/publish/run",
        "Publish what is due and look for what is in doubt",
    )
    .text("A worker's job entry; the scheduler calls it every five seconds.")
    .query::<RunQuery>()
    .gives::<job::Done>();
    api
}

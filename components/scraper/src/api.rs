//! What this component's routes take and give, for the API's description.

use vivesphere_api::Api;

use crate::{ROUTES, wire};

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "scraper",
        "The worker that fetches the sources of trends.",
        ROUTES,
    );
    api.post(
        "/api/v1/jobs/scrape/run",
        "Fetch the sources of trends that are due",
    )
    .text("A worker's job entry; the scheduler calls it. Overlapping calls are harmless.")
    .query::<wire::RunQuery>()
    .gives::<wire::RunBody>();
    api
}

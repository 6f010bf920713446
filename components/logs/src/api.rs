//! What this component's routes take and give, for the API's description.

use vivesphere_api::Api;
use vivesphere_http::{List, StatusCode};

use crate::{ROUTES, wire};

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "logs",
        "Logs: handed in by programs, looked into by people.",
        ROUTES,
    );
    api.post("/api/v1/logs/submit", "Hand in log records")
        .text(
            "One record as `log_type` and `log_data`, or up to 1000 as `records`. They are kept \
             when it answers, and can be found once the worker has sorted them.",
        )
        .json::<wire::Submit>()
        .answers::<wire::Answered>(
            StatusCode::ACCEPTED,
            "Kept. One id for one record; ids in the records' order for `records`.",
        )
        .problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "log_queue_full",
            "The queue is full of records that are at least as important.",
        );
    api.get("/api/v1/logs", "List log records, the newest first")
        .paged::<wire::LogQuery>()
        .gives::<List<wire::LogBody>>();
    api.get("/api/v1/logs/export", "Export log records, one a line")
        .text("All that fits the filter, read while it is sent; `limit` is not heeded.")
        .paged::<wire::LogQuery>()
        .gives_lines::<wire::LogBody>("application/x-ndjson");
    api.get(
        "/api/v1/logs/stats",
        "See how full the queue is and what became of records",
    )
    .gives::<wire::StatsBody>();
    api
}

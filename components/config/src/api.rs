//! What this component's routes take and give, for the API's description.

use vivesphere_api::Api;
use vivesphere_http::{List, StatusCode};

use crate::{ROUTES, wire};

/// 412 for a `version` in the body that is not there any more.
const STALE: (StatusCode, &str, &str) = (
    StatusCode::PRECONDITION_FAILED,
    "stale_version",
    "It has changed since that version.",
);

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "config",
        "Settings: typed by one closed table, versioned, felt everywhere within seconds.",
        ROUTES,
    );
    let (status, code, when) = STALE;
    api.get("/api/v1/config/settings", "See the settings that hold")
        .text("Of one service, or of all in one page. A secret's value is never shown.")
        .query::<wire::ServiceQuery>()
        .gives::<wire::SettingsBody>()
        .not_found();
    api.post("/api/v1/config/update", "Change a service's settings")
        .text(
            "All of them or none. null takes a setting back to its default. The version that it \
             was made on is `version`, or `If-Match`.",
        )
        .json::<wire::UpdateRequest>()
        .if_match()
        .gives::<wire::ServiceSettings>()
        .problem(status, code, when);
    api.get("/api/v1/config/history", "List a service's versions")
        .paged::<wire::HistoryQuery>()
        .gives::<List<wire::VersionBody>>()
        .not_found();
    api.get(
        "/api/v1/config/diff",
        "See what changed between two versions",
    )
    .query::<wire::DiffQuery>()
    .gives::<wire::Diff>()
    .not_found();
    api.post(
        "/api/v1/config/rollback",
        "Set everything as it was in a version",
    )
    .text("It is a version of its own.")
    .json::<wire::RollbackRequest>()
    .if_match()
    .gives::<wire::ServiceSettings>()
    .conflict(
        "version_not_valid",
        "That version holds what would be refused today.",
    )
    .problem(status, code, when);
    api.get("/api/v1/config/schema", "See which settings there are")
        .text("Of one service, or of all, in one page.")
        .query::<wire::ServiceQuery>()
        .gives::<List<wire::ServiceSchema>>()
        .not_found();
    api
}

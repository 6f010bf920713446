//! What this component's routes take and give, for the API's description.

use vivesphere_api::Api;
use vivesphere_http::List;

use crate::{ROUTES, wire};

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "audit",
        "The audit trail, and whether it is intact.",
        ROUTES,
    );
    api.get("/api/v1/audit", "List what was done, the newest first")
        .paged::<wire::AuditQuery>()
        .gives::<List<wire::AuditBody>>();
    api.get(
        "/api/v1/audit/verify",
        "Walk along the chain and see whether it is intact",
    )
    .text(
        "It stops when its time is over: `complete` is false then, and `walked_to` is where to \
         go on from.",
    )
    .query::<wire::VerifyQuery>()
    .gives::<wire::VerificationBody>();
    api
}

//! What this component's routes take and give, for the API's description.

use vivesphere_api::Api;
use vivesphere_http::{RunQuery, StatusCode};

use crate::{ROUTES, wire};

const DAMAGED: &str = "The envelope does not open: it is not what was stored.";

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "botdata",
        "The vault: sealed data of bots, sealed keys of providers.",
        ROUTES,
    );
    for path in ["/api/v1/botdata/store", "/internal/botdata/store"] {
        api.post(
            path,
            "Seal and store a bot's data in place of what was there",
        )
        .json::<wire::Store>()
        .creates::<wire::Stored>()
        .not_found()
        .problem(
            StatusCode::PRECONDITION_FAILED,
            "stale_version",
            "Another version than the expected one is there.",
        );
    }
    api.get(
        "/api/v1/botdata/retrieve",
        "Fetch a bot's data, still sealed",
    )
    .query::<wire::Which>()
    .gives::<wire::Sealed>()
    .not_found();
    for path in ["/api/v1/botdata/reveal", "/internal/botdata/reveal"] {
        api.post(path, "See a bot's data in plain text")
            .text("Each use is audited.")
            .json::<wire::Which>()
            .gives::<wire::Revealed>()
            .not_found()
            .conflict("sealed_data_damaged", DAMAGED);
    }
    api.post(
        "/internal/botdata/apikeys/seal",
        "Seal a provider's key for an id and version",
    )
    .json::<wire::ToSeal>()
    .gives::<wire::SealedKey>()
    .not_found();
    api.post(
        "/internal/botdata/apikeys/open",
        "See a stored key of a provider in plain text",
    )
    .json::<wire::ToOpen>()
    .gives::<wire::OpenedKey<'_>>()
    .not_found()
    .conflict("sealed_data_damaged", DAMAGED);
    api.post(
        "/api/v1/jobs/rotate-keys/run",
        "Seal anew what an older vault key has sealed",
    )
    .text("A worker's job entry; the scheduler calls it every hour.")
    .query::<RunQuery>()
    .gives::<wire::Rotated>()
    .conflict("sealed_data_damaged", DAMAGED);
    api
}

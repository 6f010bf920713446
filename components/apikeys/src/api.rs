//! What this component's routes take and give, for the API's description.

use vivesphere_api::Api;
use vivesphere_http::{List, StatusCode};

use crate::{ROUTES, wire};

/// 503 when the vault does not answer.
const VAULT: (StatusCode, &str, &str) = (
    StatusCode::SERVICE_UNAVAILABLE,
    "component_unavailable",
    "A part of this deployment does not answer right now.",
);

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "apikeys",
        "Keys of other providers: sealed when they come in, never shown again.",
        ROUTES,
    );
    let (status, code, when) = VAULT;
    api.post("/api/v1/apikeys/store", "Store a provider's key")
        .json::<wire::NewApikey>()
        .creates::<wire::ApikeyBody>()
        .conflict(
            "label_taken",
            "Another key of this provider has this label.",
        )
        .conflict(
            "too_many_apikeys",
            "You have as many keys as you can have: delete one first.",
        )
        .problem(status, code, when);
    api.get("/api/v1/apikeys/providers", "List the providers")
        .text("The closed table, whole: it is one page.")
        .gives::<List<wire::ProviderBody>>();
    api.get("/api/v1/apikeys", "List your keys of providers")
        .paged::<wire::ListQuery>()
        .gives::<List<wire::ApikeyBody>>();
    api.get("/api/v1/apikeys/{apikey_id}", "See a provider's key")
        .text("Its last four characters, not the key.")
        .gives::<wire::ApikeyBody>();
    api.delete("/api/v1/apikeys/{apikey_id}", "Delete a provider's key")
        .if_match()
        .gives_nothing();
    api.post(
        "/api/v1/apikeys/{apikey_id}/rotate",
        "Replace a provider's key",
    )
    .json::<wire::Replacement>()
    .if_match()
    .gives::<wire::ApikeyBody>()
    .problem(status, code, when);
    api.post(
        "/api/v1/apikeys/{apikey_id}/check",
        "Ask the provider whether it takes the key",
    )
    .text("One harmless call. A provider that is not reached is an answer, too: `unknown`.")
    .gives::<wire::CheckBody>()
    .conflict(
        "sealed_data_damaged",
        "The stored key does not open: store it again.",
    )
    .problem(
        StatusCode::PRECONDITION_FAILED,
        "stale_version",
        "It was rotated while the provider was asked.",
    )
    .problem(status, code, when);
    api
}

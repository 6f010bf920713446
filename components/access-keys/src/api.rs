//! What this component's routes take and give, for the API's description.

use vivesphere_api::Api;
use vivesphere_http::List;

use crate::{ROUTES, wire};

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "access-keys",
        "Access keys to this API, for programs.",
        ROUTES,
    );
    api.post("/api/v1/access-keys", "Make an access key")
        .text(
            "The one answer that shows the key. A key never makes keys. The answer that is given \
             again for the same `Idempotency-Key` shows null in place of the secret.",
        )
        .json::<wire::NewAccessKey>()
        .creates::<wire::CreatedBody<'_>>()
        .conflict(
            "too_many_access_keys",
            "You have as many keys as you can have: delete one first.",
        );
    api.get("/api/v1/access-keys", "List access keys")
        .paged::<wire::ListQuery>()
        .gives::<List<wire::AccessKeyBody>>();
    api.get("/api/v1/access-keys/{access_key_id}", "See an access key")
        .gives::<wire::AccessKeyBody>();
    api.delete(
        "/api/v1/access-keys/{access_key_id}",
        "Revoke an access key",
    )
    .text("It and the tokens made with it are dead at once everywhere.")
    .gives_nothing();
    api
}

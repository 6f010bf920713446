//! The one list of components whose routes make the API, and its document's text.

use vivesphere_api::Api;

/// Every component that answers requests, described. A component of `spin.toml` that is missing
/// here fails the scenario `openapi`.
#[must_use]
pub fn apis() -> Vec<Api> {
    vec![
        auth::api::describe(),
        bots::api::describe(),
        posts::api::describe(),
        botdata::api::describe(),
        publisher::api::describe(),
        health::api::describe(),
        config::api::describe(),
        personas::api::describe(),
        roles::api::describe(),
        access_keys::api::describe(),
        apikeys::api::describe(),
        logs::api::describe(),
        log_writer::api::describe(),
        audit::api::describe(),
        trends::api::describe(),
        scraper::api::describe(),
        collector::api::describe(),
        metrics::api::describe(),
        docs::api::describe(),
    ]
}

/// The document as `docs/openapi.json` has it.
///
/// # Errors
/// What is not described, or described wrongly: a sentence each.
pub fn text() -> Result<String, Vec<String>> {
    let document = vivesphere_api::document(env!("CARGO_PKG_VERSION"), apis())?;
    match serde_json::to_string_pretty(&document) {
        Ok(text) => Ok(text + "\n"),
        Err(error) => Err(vec![error.to_string()]),
    }
}

//! What this component's routes give, for the API's description.

use serde_json::json;
use vivesphere_api::Api;
use vivesphere_http::StatusCode;

use crate::ROUTES;

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "docs",
        "This description, for programs and for people.",
        ROUTES,
    );
    api.get("/api/v1/openapi.json", "Get this document")
        .content(
            StatusCode::OK,
            "OpenAPI 3.1.",
            "application/json",
            json!({"type": "object", "required": ["openapi", "info", "paths", "components"]}),
        );
    api.get("/docs", "See this document as a page")
        .gives_text("text/html");
    api.get("/docs/page.css", "The page's style")
        .gives_text("text/css");
    api.get("/docs/page.js", "The page's script")
        .gives_text("text/javascript");
    api
}

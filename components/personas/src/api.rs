//! What this component's routes take and give, for the API's description.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use vivesphere_api::Api;
use vivesphere_http::{List, NoFilter, StatusCode};

use crate::{ROUTES, wire};

const NAME_TAKEN: &str = "Another persona of yours has this name.";
const YAML: &str = "application/yaml";

/// A [`wire::PersonaDocument`] as it is written: fields that may be left out when it is read are
/// there.
struct PersonaExport;

impl JsonSchema for PersonaExport {
    fn schema_name() -> Cow<'static, str> {
        "PersonaExport".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        wire::PersonaDocument::json_schema(generator)
    }
}

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "personas",
        "Personas: as whom bots write, with every version that they had.",
        ROUTES,
    );
    personas(&mut api);
    versions(&mut api);
    api
}

fn personas(api: &mut Api) {
    api.post("/api/v1/personas/create", "Create a persona")
        .json::<wire::PersonaDocument>()
        .creates::<wire::PersonaBody>()
        .conflict("persona_name_taken", NAME_TAKEN);
    api.post(
        "/api/v1/personas/import",
        "Create a persona from an exported one",
    )
    .text("As JSON, or as YAML of 256 KiB at most.")
    .json::<wire::PersonaDocument>()
    .also_as(YAML)
    .creates::<wire::PersonaBody>()
    .conflict("persona_name_taken", NAME_TAKEN);
    api.get("/api/v1/personas", "List personas")
        .paged::<wire::PersonaQuery>()
        .gives::<List<wire::PersonaBody>>();
    api.get("/api/v1/personas/{persona_id}", "See a persona")
        .gives::<wire::PersonaBody>();
    api.patch("/api/v1/personas/{persona_id}", "Change a persona")
        .text("A field that is left out stays. Each change is a version.")
        .json::<wire::PersonaPatch>()
        .if_match()
        .gives::<wire::PersonaBody>()
        .conflict("persona_name_taken", NAME_TAKEN)
        .conflict(
            "duplicate_purpose",
            "A bot would have the same purpose, language and region as another.",
        );
    api.delete("/api/v1/personas/{persona_id}", "Delete a persona")
        .if_match()
        .gives_nothing()
        .conflict("persona_in_use", "A bot writes as this persona.");
}

fn versions(api: &mut Api) {
    api.get(
        "/api/v1/personas/{persona_id}/versions",
        "List a persona's versions",
    )
    .paged::<NoFilter>()
    .gives::<List<wire::PersonaVersionBody>>();
    api.get(
        "/api/v1/personas/{persona_id}/versions/{version}",
        "See a persona as it was",
    )
    .gives::<wire::PersonaVersionBody>();
    api.post(
        "/api/v1/personas/{persona_id}/preview",
        "See the prompt that a writing agent gets",
    )
    .text("It publishes nothing and calls no model.")
    .optional_json::<wire::PreviewRequest>()
    .gives::<wire::Preview>();
    api.get(
        "/api/v1/personas/{persona_id}/export",
        "Get a persona as a file",
    )
    .text("What `import` takes.")
    .query::<wire::ExportQuery>()
    .gives::<PersonaExport>()
    .content(
        StatusCode::OK,
        "With `format=yaml` the same as YAML.",
        YAML,
        serde_json::json!({"type": "string"}),
    )
    .header("content-disposition", "A name for the file.");
}

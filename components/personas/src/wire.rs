//! The JSON of this component.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vivesphere_domain::Instant;
use vivesphere_domain::personas::{
    PURPOSE, Persona, PersonaChange, PersonaFields, PersonaFilter, PersonaVersion, Rule,
};

/// What a persona is made of: the body of `create` and `import`, and what an export is.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonaDocument {
    pub(crate) name: String,
    /// What its bot is for; its interests, or its name, when left out. No two bots have the same one
    /// in one language and region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) purpose: Option<String>,
    pub(crate) tone: String,
    #[serde(default)]
    pub(crate) interests: Vec<String>,
    pub(crate) language: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    #[serde(default)]
    pub(crate) style_rules: Vec<String>,
    #[serde(default)]
    pub(crate) banned_terms: Vec<String>,
    pub(crate) disclosure: String,
}

impl From<PersonaDocument> for PersonaFields {
    fn from(document: PersonaDocument) -> Self {
        let purpose = document.purpose.unwrap_or_else(|| {
            let interests = document.interests.join(", ");
            let purpose = match interests.is_empty() {
                true => &document.name,
                false => &interests,
            };
            purpose.chars().take(PURPOSE).collect()
        });
        Self {
            name: document.name,
            purpose,
            tone: document.tone,
            interests: document.interests,
            language: document.language,
            region: document.region,
            style_rules: document.style_rules,
            banned_terms: document.banned_terms,
            disclosure: document.disclosure,
        }
    }
}

impl From<PersonaFields> for PersonaDocument {
    fn from(fields: PersonaFields) -> Self {
        Self {
            name: fields.name,
            purpose: Some(fields.purpose),
            tone: fields.tone,
            interests: fields.interests,
            language: fields.language,
            region: fields.region,
            style_rules: fields.style_rules,
            banned_terms: fields.banned_terms,
            disclosure: fields.disclosure,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonaPatch {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    purpose: Option<String>,
    #[serde(default)]
    tone: Option<String>,
    #[serde(default)]
    interests: Option<Vec<String>>,
    #[serde(default)]
    language: Option<String>,
    /// `null` takes the region away, a missing field leaves it.
    #[serde(default, deserialize_with = "vivesphere_http::given")]
    region: Option<Option<String>>,
    #[serde(default)]
    style_rules: Option<Vec<String>>,
    #[serde(default)]
    banned_terms: Option<Vec<String>>,
    #[serde(default)]
    disclosure: Option<String>,
}

impl From<PersonaPatch> for PersonaChange {
    fn from(patch: PersonaPatch) -> Self {
        Self {
            name: patch.name,
            purpose: patch.purpose,
            tone: patch.tone,
            interests: patch.interests,
            language: patch.language,
            region: patch.region,
            style_rules: patch.style_rules,
            banned_terms: patch.banned_terms,
            disclosure: patch.disclosure,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonaQuery {
    #[serde(default)]
    user_id: Option<String>,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    region: Option<String>,
}

impl From<PersonaQuery> for PersonaFilter {
    fn from(query: PersonaQuery) -> Self {
        Self {
            owner_id: query.user_id,
            language: query.language,
            region: query.region,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportQuery {
    #[serde(default)]
    pub(crate) format: Option<ExportFormat>,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExportFormat {
    #[default]
    Json,
    Yaml,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewRequest {
    #[serde(default)]
    pub(crate) task: Option<String>,
    #[serde(default)]
    pub(crate) topic: Option<String>,
}

// Without a doc comment: it would be taken for that of the bodies it stands in.
#[derive(Serialize, JsonSchema)]
struct FieldsBody {
    name: String,
    purpose: String,
    tone: String,
    interests: Vec<String>,
    language: String,
    region: Option<String>,
    style_rules: Vec<String>,
    banned_terms: Vec<String>,
    disclosure: String,
}

impl From<PersonaFields> for FieldsBody {
    fn from(fields: PersonaFields) -> Self {
        Self {
            name: fields.name,
            purpose: fields.purpose,
            tone: fields.tone,
            interests: fields.interests,
            language: fields.language,
            region: fields.region,
            style_rules: fields.style_rules,
            banned_terms: fields.banned_terms,
            disclosure: fields.disclosure,
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct PersonaBody {
    #[schemars(extend("format" = "uuid"))]
    persona_id: String,
    #[schemars(extend("format" = "uuid"))]
    owner_id: String,
    #[serde(flatten)]
    fields: FieldsBody,
    bot_ids: Vec<String>,
    version: i64,
    created_at: Instant,
    updated_at: Instant,
}

impl From<Persona> for PersonaBody {
    fn from(persona: Persona) -> Self {
        Self {
            persona_id: persona.persona_id,
            owner_id: persona.owner_id,
            fields: persona.fields.into(),
            bot_ids: persona.bot_ids,
            version: persona.version,
            created_at: persona.created_at,
            updated_at: persona.updated_at,
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct PersonaVersionBody {
    version: i64,
    #[serde(flatten)]
    fields: FieldsBody,
    changed_by: String,
    changed_at: Instant,
}

impl From<PersonaVersion> for PersonaVersionBody {
    fn from(version: PersonaVersion) -> Self {
        Self {
            version: version.version,
            fields: version.fields.into(),
            changed_by: version.changed_by,
            changed_at: version.changed_at,
        }
    }
}

/// The prompt that a writing agent gets, and what its text will be held to.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Preview {
    #[schemars(extend("format" = "uuid"))]
    pub(crate) persona_id: String,
    pub(crate) version: i64,
    pub(crate) prompt: String,
    pub(crate) language: String,
    pub(crate) region: Option<String>,
    pub(crate) banned_terms: Vec<String>,
    pub(crate) disclosure: String,
    /// As X counts it.
    pub(crate) max_weighted_length: u32,
    pub(crate) rules: Vec<PreviewRule>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct PreviewRule {
    rule: &'static str,
    source: &'static str,
    enforced: bool,
    detail: &'static str,
}

impl From<Rule> for PreviewRule {
    fn from(rule: Rule) -> Self {
        Self {
            rule: rule.rule,
            source: rule.source,
            enforced: rule.enforced,
            detail: rule.detail,
        }
    }
}

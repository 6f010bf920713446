//! The JSON of this component.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use vivesphere_domain::Instant;
use vivesphere_domain::settings::{Change, Fallback, Kind, Setting, Version};
use vivesphere_http::List;
use vivesphere_http::Object;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceQuery {
    #[serde(default)]
    pub(crate) service_name: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    pub(crate) service_name: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffQuery {
    pub(crate) service_name: String,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateRequest {
    pub(crate) settings_data: Object<SettingsData>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsData {
    pub(crate) service_name: String,
    /// What is set; `null` takes a setting back to its default.
    pub(crate) settings: Map<String, Json>,
    /// The version on which the change was made.
    #[serde(default)]
    pub(crate) version: Option<i64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollbackRequest {
    pub(crate) service_name: String,
    pub(crate) to_version: i64,
    /// The version on which the rollback was decided.
    #[serde(default)]
    pub(crate) version: Option<i64>,
}

/// Where a setting's value comes from.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    Set,
    Variable,
    Default,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ServiceSettings {
    pub(crate) service_name: &'static str,
    pub(crate) version: i64,
    /// The value of every setting that is no secret.
    pub(crate) settings: BTreeMap<&'static str, Json>,
    pub(crate) sources: BTreeMap<&'static str, Source>,
    pub(crate) updated_at: Option<Instant>,
    pub(crate) updated_by: Option<Principal>,
}

/// One service's, when it was named; else every service's.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum SettingsBody {
    One(ServiceSettings),
    All(List<ServiceSettings>),
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Principal {
    kind: String,
    id: String,
}

impl Principal {
    pub(crate) fn of(version: &Version) -> Option<Self> {
        version.changed_at.map(|_| Self {
            kind: version.actor_kind.clone(),
            id: version.actor_id.clone(),
        })
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ChangeBody {
    name: String,
    /// `null` is the default.
    from: Option<Json>,
    to: Option<Json>,
}

impl From<Change> for ChangeBody {
    fn from(change: Change) -> Self {
        Self {
            name: change.name,
            from: change.from,
            to: change.to,
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct VersionBody {
    service_name: String,
    version: i64,
    action: String,
    rolled_back_to: Option<i64>,
    changes: Vec<ChangeBody>,
    changed_at: Option<Instant>,
    changed_by: Option<Principal>,
    request_id: String,
}

impl From<Version> for VersionBody {
    fn from(version: Version) -> Self {
        Self {
            changes: version
                .changes()
                .into_iter()
                .map(ChangeBody::from)
                .collect(),
            changed_by: Principal::of(&version),
            service_name: version.service,
            version: version.version,
            action: version.action,
            rolled_back_to: version.rolled_back_to,
            changed_at: version.changed_at,
            request_id: version.request_id,
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Diff {
    pub(crate) service_name: String,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) changes: Vec<ChangeBody>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ServiceSchema {
    pub(crate) service_name: &'static str,
    pub(crate) settings: Vec<SettingSchema>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct SettingSchema {
    name: &'static str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<i64>,
    /// Missing where the default is another setting's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_from_setting: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_from_variable: Option<&'static str>,
    secret: bool,
    description: &'static str,
}

impl From<&'static Setting> for SettingSchema {
    fn from(setting: &'static Setting) -> Self {
        let (minimum, maximum) = match setting.kind {
            Kind::Integer { minimum, maximum } => (Some(minimum), Some(maximum)),
            _ => (None, None),
        };
        Self {
            name: setting.name,
            r#type: setting.kind.as_str(),
            unit: setting.unit,
            minimum,
            maximum,
            default: setting.fallback_value().map(|value| value.to_json()),
            default_from_setting: match setting.fallback {
                Fallback::SameAs(name) => Some(name),
                _ => None,
            },
            default_from_variable: setting.variable,
            secret: setting.secret,
            description: setting.description,
        }
    }
}

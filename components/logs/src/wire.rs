//! The JSON of this component.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vivesphere_domain::Instant;
use vivesphere_domain::logs::Entry;
use vivesphere_http::Object;

/// One record (`log_type` and `log_data`), or several (`records`).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Submit {
    #[serde(default)]
    pub(crate) log_type: Option<String>,
    #[serde(default)]
    pub(crate) log_data: Option<Map<String, Value>>,
    #[serde(default)]
    pub(crate) records: Option<Vec<Object<SubmitRecord>>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubmitRecord {
    pub(crate) log_type: String,
    pub(crate) log_data: Map<String, Value>,
}

/// Ids of what was handed in.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Answered {
    /// The answer to one record.
    One { log_id: String },
    /// The answer to several, in their order.
    Several { log_ids: Vec<String> },
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogQuery {
    #[serde(default)]
    pub(crate) log_type: Option<String>,
    #[serde(default)]
    pub(crate) level: Option<String>,
    #[serde(default)]
    pub(crate) service: Option<String>,
    #[serde(default)]
    pub(crate) actor: Option<String>,
    #[serde(default)]
    pub(crate) from: Option<String>,
    #[serde(default)]
    pub(crate) to: Option<String>,
    #[serde(default)]
    pub(crate) text: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct LogBody {
    #[schemars(extend("format" = "uuid"))]
    log_id: String,
    log_type: String,
    level: String,
    service: String,
    actor: Option<String>,
    message: String,
    data: Value,
    logged_at: Instant,
    submitted_by: String,
}

impl From<Entry> for LogBody {
    fn from(entry: Entry) -> Self {
        Self {
            log_id: entry.log_id,
            log_type: entry.log_type,
            level: entry.level,
            service: entry.service,
            actor: entry.actor,
            message: entry.message,
            data: entry.data,
            logged_at: entry.logged_at,
            submitted_by: entry.submitted_by,
        }
    }
}

/// Numbers by category.
pub(crate) type ByType<T> = BTreeMap<&'static str, T>;

#[derive(Serialize, JsonSchema)]
pub(crate) struct StatsBody {
    pub(crate) queue_limit: usize,
    pub(crate) queued: ByType<i64>,
    pub(crate) oldest_queued_ms: Option<i64>,
    pub(crate) drained: ByType<i64>,
    pub(crate) dropped: ByType<i64>,
    pub(crate) deleted: ByType<i64>,
    pub(crate) retention_days: ByType<u32>,
}

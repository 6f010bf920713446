//! The JSON of this component.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vivesphere_domain::Instant;
use vivesphere_domain::audit::{Place, Reason, Row};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditQuery {
    #[serde(default)]
    pub(crate) subject_id: Option<String>,
    #[serde(default)]
    pub(crate) actor_id: Option<String>,
    #[serde(default)]
    pub(crate) action: Option<String>,
    #[serde(default)]
    pub(crate) from: Option<String>,
    #[serde(default)]
    pub(crate) to: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct AuditBody {
    audit_id: i64,
    occurred_at: Instant,
    actor_kind: String,
    actor_id: String,
    action: String,
    subject_id: String,
    detail: Value,
    request_id: String,
    hash: Option<String>,
}

impl From<Row> for AuditBody {
    fn from(row: Row) -> Self {
        Self {
            audit_id: row.audit_id,
            occurred_at: Instant::from_unix_millis(row.occurred_at),
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            action: row.action,
            subject_id: row.subject_id,
            detail: serde_json::from_str(&row.detail).unwrap_or_default(),
            request_id: row.request_id,
            hash: row.hash,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyQuery {
    #[serde(default)]
    pub(crate) from_audit_id: Option<i64>,
    #[serde(default)]
    pub(crate) from_hash: Option<String>,
    /// Seconds that the run may take, 55 at most.
    #[serde(default)]
    pub(crate) budget_seconds: Option<u32>,
}

/// What a walk along the chain found.
#[derive(Serialize, JsonSchema)]
pub(crate) struct VerificationBody {
    pub(crate) intact: bool,
    pub(crate) complete: bool,
    pub(crate) verified_rows: i64,
    pub(crate) unsealed_rows: i64,
    pub(crate) first_broken: Option<BrokenBody>,
    pub(crate) walked_to: PlaceBody,
    pub(crate) head: PlaceBody,
    pub(crate) duration_ms: i64,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct BrokenBody {
    pub(crate) audit_id: i64,
    pub(crate) reason: Reason,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct PlaceBody {
    audit_id: i64,
    hash: String,
}

impl From<Place> for PlaceBody {
    fn from(place: Place) -> Self {
        Self {
            audit_id: place.audit_id,
            hash: place.hash.hex(),
        }
    }
}

//! The JSON of this component.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// Numbers by category.
pub(crate) type ByType<T> = BTreeMap<&'static str, T>;

/// What a run has done.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RunBody {
    /// Another run was under way, and nothing was done.
    pub(crate) busy: bool,
    pub(crate) drained: ByType<usize>,
    pub(crate) sealed: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audit_head: Option<HeadBody>,
    pub(crate) deleted: ByType<usize>,
    /// Since the beginning.
    pub(crate) dropped: ByType<i64>,
    pub(crate) remaining: i64,
    pub(crate) duration_ms: i64,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct HeadBody {
    pub(crate) audit_id: i64,
    pub(crate) hash: String,
}

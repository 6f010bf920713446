//! The JSON of this component.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunQuery {
    /// Seconds in which the run begins to fetch: 8 when left out, 55 at most.
    #[serde(default)]
    pub(crate) budget_seconds: Option<u32>,
}

/// What a run has done.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct RunBody {
    /// Sources that it took on.
    pub(crate) claimed: usize,
    /// Sources that had something to read.
    pub(crate) fetched: usize,
    /// Sources that had nothing new (304).
    pub(crate) unchanged: usize,
    /// Sources that failed and are tried again later.
    pub(crate) failed: usize,
    /// Sources whose server is to be left alone for now.
    pub(crate) postponed: usize,
    /// Sources that are gone for good (410).
    pub(crate) stopped: usize,
    pub(crate) new_items: i64,
    pub(crate) new_topics: i64,
    /// Topics that were scored anew.
    pub(crate) scored: usize,
    /// Rows whose time was over.
    pub(crate) deleted: usize,
    /// Sources that are due still.
    pub(crate) remaining: i64,
    pub(crate) duration_ms: i64,
}

//! The JSON of this component.

use schemars::JsonSchema;
use serde::Serialize;
use vivesphere_domain::Instant;

/// What a run has done.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct RunBody {
    /// Calls to X.
    pub(crate) calls: usize,
    /// Posts whose counts are new.
    pub(crate) read: usize,
    /// Posts that X does not show.
    pub(crate) missing: usize,
    /// Posts that could not be read now.
    pub(crate) failed: usize,
    /// Something is due that the day's budget does not pay for.
    pub(crate) budget_exhausted: bool,
    /// Why nobody reads at this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stopped: Option<StopBody>,
    pub(crate) duration_ms: i64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StopBody {
    /// Then it is tried again.
    pub(crate) until: Instant,
    pub(crate) code: String,
    pub(crate) detail: String,
}

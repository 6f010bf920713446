//! The JSON of this component.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
pub(crate) struct Alive {
    /// `ok`.
    pub(crate) status: &'static str,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Readiness {
    #[schemars(extend("enum" = ["ready", "not_ready"]))]
    pub(crate) status: &'static str,
    /// Why it is not ready, as stable codes.
    pub(crate) reasons: Vec<&'static str>,
    pub(crate) database_writable: bool,
    /// How long the oldest post that could go out now has been due.
    pub(crate) oldest_due_post_seconds: Option<i64>,
    /// By job: how long ago its worker last looked for work.
    pub(crate) seconds_since_last_claim: BTreeMap<String, i64>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Detailed {
    #[serde(flatten)]
    pub(crate) readiness: Readiness,
    /// By state.
    pub(crate) posts: BTreeMap<String, i64>,
    /// By status.
    pub(crate) bots: BTreeMap<String, i64>,
    /// The number of the last migration.
    pub(crate) migration: usize,
    pub(crate) version: &'static str,
    pub(crate) sqlite_version: Option<String>,
}

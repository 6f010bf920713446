//! The JSON of this component.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    pub(crate) bot_id: String,
    pub(crate) data: BTreeMap<String, String>,
    /// Only stored when this is the version that is there; 0 means none.
    #[serde(default)]
    pub(crate) expected_version: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    pub(crate) bot_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    #[serde(default)]
    pub(crate) budget_seconds: Option<u32>,
}

//! Settings that are changed while the system runs: one closed table of what there is
//! ([`table`]), what a value may look like ([`Kind`]), and the versions that were stored.
//!
//! One rule says which value holds, everywhere: what was set here, else the deployment's variable
//! of that setting where it has one, else the table's default.

mod networks;
mod publishing_windows;
mod schema;
pub mod table;
mod validation;
mod versions;

pub use networks::Network;
pub use publishing_windows::{PublishingWindow, PublishingWindows};
pub use schema::{Fallback, Kind, Setting, Value};
pub use versions::{
    Change, Overrides, Version, at_version, change_number, changes, current, every_current,
    history, roll_back, update,
};

/// The services that have settings, in the order of the table.
#[must_use]
pub fn services() -> Vec<&'static str> {
    let mut services: Vec<&'static str> = Vec::new();
    for setting in table::SETTINGS {
        if !services.contains(&setting.service) {
            services.push(setting.service);
        }
    }
    services
}

/// The settings of a service; empty when there is no such service.
pub fn of_service(service: &str) -> impl Iterator<Item = &'static Setting> {
    table::SETTINGS
        .iter()
        .copied()
        .filter(move |setting| setting.service == service)
}

/// A setting by its name.
#[must_use]
pub fn find(service: &str, name: &str) -> Option<&'static Setting> {
    of_service(service).find(|setting| setting.name == name)
}

//! `spin:variables@3`: what the manifest gives the component, and nothing else.

use wasmtime::component::Accessor;

use super::bindings::spin::variables::variables::{Error, Host, HostWithStore};
use crate::instance::{Guest, GuestData};

impl Host for Guest {}

impl<T: Send> HostWithStore<T> for GuestData {
    async fn get(
        accessor: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, Error>> {
        Ok(accessor.with(|mut access| lookup(access.get(), &name)))
    }
}

fn lookup(guest: &Guest, name: &str) -> Result<String, Error> {
    if !can_be_a_name(name) {
        return Err(Error::InvalidName(name.to_owned()));
    }
    guest
        .grants
        .component
        .variables
        .get(name)
        .cloned()
        .ok_or_else(|| Error::Undefined(name.to_owned()))
}

/// As Spin has it: lower-case letters, digits and single underscores between them, a letter
/// first.
fn can_be_a_name(name: &str) -> bool {
    let fits = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .split('_')
            .all(|word| !word.is_empty() && word.bytes().all(fits))
}

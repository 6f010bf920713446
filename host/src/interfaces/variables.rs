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
    let valid = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    if !valid {
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

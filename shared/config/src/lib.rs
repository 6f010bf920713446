//! The settings that a deployment gives to ViveSphere: one closed table of names, kinds,
//! defaults and limits, read by the host when it starts and by the components when they run.
//!
//! - [`SETTINGS`] is the table; [`Setting::parse`] turns text into a [`Value`] or says what
//!   the text must look like, never repeating the text itself.
//! - [`Secret`] holds what must not print.
//! - `integer`, `text`, `url`, `key`, … (feature `guest`) read one setting inside a
//!   component. Only variables that `spin.toml` grants to the component resolve.
//!
//! `spin.toml`'s `[variables]` repeats names, defaults and secret flags, because Spin reads
//! them from there; a test of this crate fails when the two differ.

#[cfg(feature = "guest")]
mod guest;
mod secret;
mod setting;
mod table;

#[cfg(feature = "guest")]
pub use guest::{
    Misconfigured, boolean, integer, key, optional_key, optional_secret_text, optional_text,
    origin, secret_text, text, url,
};
pub use secret::Secret;
pub use setting::{Kind, Malformed, Setting, Value};
pub use table::{SETTINGS, setting};

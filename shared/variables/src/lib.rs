//! The variables that a deployment gives to ViveSphere: one closed table of names, kinds,
//! defaults and limits, read by the host when it starts and by the components when they run.
//!
//! - [`VARIABLES`] is the table; [`Variable::parse`] turns text into a [`Value`] or says what
//!   the text must look like, never repeating the text itself.
//! - [`Secret`] holds what must not print.
//!
//! `spin.toml`'s `[variables]` repeats names, defaults and secret flags, because Spin reads
//! them from there; a test of this crate fails when the two differ.

mod secret;
mod table;
mod variable;

pub use secret::Secret;
pub use table::{VARIABLES, variable};
pub use variable::{Kind, Malformed, PASSWORD_BYTES, Value, Variable};

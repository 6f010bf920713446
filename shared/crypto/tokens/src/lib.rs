//! Access tokens: signed by `auth`, verified by every component.
//!
//! A part of `crypto` that is a crate of its own: what signs them brings some fifty crates along,
//! which whoever only needs a checksum or an envelope does not have to build.

pub mod public_key;
pub mod token;
pub mod verdict_cache;

pub use public_key::{JwkSet, PublicKey};
pub use token::{Claims, SigningKey, TokenError, Verdict, Verifier};
pub use verdict_cache::VerdictCache;

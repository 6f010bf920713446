//! What the routes say about themselves, and the OpenAPI 3.1 document made of it.
//!
//! Natively only: no component's `.wasm` has any of this in it. A component describes each row of
//! its route table once, in `api.rs`: a sentence, the types of its `wire.rs`, the codes it may
//! refuse with. The rest follows from the row (who may call it, its parameters) and from the
//! pipeline that all routes share ([`mod@pipeline`]).

mod description;
mod document;
mod operation;
pub mod pipeline;
mod schemas;

pub use description::{Api, Description};
pub use document::document;

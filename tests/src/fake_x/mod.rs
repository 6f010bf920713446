//! A stand-in for X: the API v2, OAuth 2.0 and, under `/__test/`, what tests need to steer it.
//!
//! It answers as X's documentation says and, where that is silent, as was reported; what nobody
//! knows is a field of [`Settings`]. It keeps what was really posted ([`FakeX::posts_of`]) and
//! every request ([`FakeX::requests`]), so that a test counts effects instead of trusting
//! answers. [`Fault`]s break it in the ways that X and the network break, before or after a post
//! is stored.
//!
//! In a test: `FakeX::start().await`. As a process of its own: `cargo run --bin fake-x`, steered
//! over HTTP with the same calls.

mod api;
mod authorization;
mod call;
pub mod caller;
mod clock;
mod control;
mod fake;
mod faults;
mod holding;
mod limits;
mod oauth;
mod posts;
mod problems;
mod record;
mod reply;
mod server;
mod settings;
mod state;
mod text;
mod timeline;

pub use call::Endpoint;
pub use fake::{Control, FakeX, NewUser, Options, UserChange};
pub use faults::{Fault, FaultRule, When};
pub use limits::{Limit, Limits};
pub use record::Recorded;
pub use settings::{Names, RefreshAnswer, Settings};
pub use state::{Account, PostedPost};

//! The X API v2, as a component needs it: posts, the own timeline, trends, OAuth 2.0.
//!
//! The crate knows X's forms and nothing of the product: no database, no policy, no retries. Each
//! call sends one request and says what became of it.
//!
//! - [`Client`] builds requests and reads answers; [`Transport`] carries them, and
//!   [`SpinTransport`] is the one that components use.
//! - Creating a post has no idempotency key on X, so [`CreateOutcome`] keeps apart what is
//!   certainly not posted, what is posted, and what nobody knows ([`CreateOutcome::Unknown`]).
//!   The unknown is settled by reading the timeline and [`matches`].
//! - Refresh tokens are single use, so [`TokenError`] keeps apart a grant that is dead, an
//!   application that is misconfigured and an answer that was lost.
//!
//! Each outcome has a stable `snake_case` [`code`](CreateOutcome::code) for the database, and a
//! detail that is cut short and never holds a token.
//!
//! Sources: <https://docs.x.com/x-api>, its OpenAPI description 2.167, RFC 6749, RFC 7009,
//! RFC 7636, RFC 9209. What X does not document is read tolerantly.

mod answer;
mod call;
mod client;
mod code;
mod oauth;
mod outcome;
mod post;
mod problem;
mod rate_limit;
mod reconcile;
mod spin_transport;
mod token;
mod transport;
mod trends;
mod wire;

pub use call::{CallError, Lookup, Page, TimelineQuery};
pub use client::Client;
pub use oauth::{AuthorizeRequest, REQUIRED_SCOPES, authorize_url, code_challenge};
pub use outcome::{
    CreateOutcome, Created, Deleted, LimitScope, NewPost, NotSent, RateLimited, Refusal, Unknown,
};
pub use post::{
    Entities, NonPublicMetrics, Note, Post, PublicMetrics, Reference, UrlEntity, User, Vocabulary,
};
pub use rate_limit::{RateLimits, Window};
pub use reconcile::{matches, matches_text};
pub use spin_transport::SpinTransport;
pub use token::{App, TokenError, Tokens};
pub use transport::{Answer, Transport, TransportError};
pub use trends::{Trend, Trends};

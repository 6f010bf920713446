//! What is read of the open web, and what it says about topics: documents into items, items into
//! topics, sightings into momentum. Everything here is a pure function; nothing is fetched or kept.
//!
//! What is read was written by strangers. Every reader has hard limits ([`limits`]), knows no
//! external entity and expands none, gives plain text without markup, and leaves an error instead
//! of a panic, so that the next document works.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a test fails by panicking"
    )
)]

pub mod address;
mod date;
mod decode;
mod document;
mod feed;
mod hacker_news;
mod json_feed;
pub mod limits;
pub mod momentum;
mod page;
mod references;
pub mod robots;
pub mod text;
pub mod title;
pub mod topics;
pub mod web_address;
mod x_trends;
mod xml_feed;

pub use document::{Document, Item, News, ReadError};
pub use feed::feed;
pub use hacker_news::{hacker_news_item, hacker_news_list};
pub use page::{SelectorError, Selectors, page};
pub use x_trends::x_trends;

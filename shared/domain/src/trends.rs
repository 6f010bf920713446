//! Trends: topics that sources show, how each fares, and the sources themselves.
//!
//! They are research for people. Nothing here or anywhere leads from a topic to a post: X's rules
//! do not allow automated posts about trends.

mod fetches;
mod hosts;
mod read;
mod sightings;
mod source_changes;
mod source_fields;
mod sources;
mod upkeep;

pub use fetches::{Claimed, Failure, Fetched, Validators, claim, fail, fetched, postpone, stop};
pub use hosts::{KnownRobots, Slot, keep_robots, reserve, robots};
pub use read::{Order, Point, Trend, TrendFilter, TrendItem, TrendSource, get, history, list};
pub use sightings::{Recorded, known_items, known_topics, record};
pub use source_changes::{create, delete, request_scrape, update};
pub use source_fields::{
    HackerNewsList, Kind, PagePermission, PageSelectors, SourceChange, SourceFields, Target,
};
pub use sources::{
    Health, Source, SourceFilter, due, get as get_source, list as list_sources, sources_by_status,
};
pub use upkeep::{Kept, Upkeep, upkeep};

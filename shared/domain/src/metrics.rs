//! What the deployment tells of itself: the table of names, the numbers behind them, and the text
//! that Prometheus reads.

mod exposition;
mod names;
mod overview;
mod snapshot;

pub use exposition::CONTENT_TYPE;
pub use names::{Kind, METRICS, Metric, table};
pub use overview::{Overview, overview};
pub use snapshot::{Budget, text};

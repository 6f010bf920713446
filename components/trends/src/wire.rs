//! The JSON of this component.

mod sources;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vivesphere_domain::Instant;
use vivesphere_domain::trends::{Order, Point, Trend, TrendFilter, TrendItem, TrendSource};

pub(crate) use sources::{NewSource, ScrapeBody, SourceBody, SourcePatch, SourceQuery};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrendQuery {
    /// BCP 47; regions are left out of the comparison.
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    category: Option<String>,
    /// A source's id.
    #[serde(default)]
    source_id: Option<String>,
    /// Seen then or later.
    #[serde(default)]
    since: Option<String>,
    /// Words of the title, in this order.
    #[serde(default)]
    text: Option<String>,
    /// By momentum when left out.
    #[serde(default)]
    order: Option<OrderName>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OrderName {
    Momentum,
    Newest,
}

impl From<TrendQuery> for TrendFilter {
    fn from(query: TrendQuery) -> Self {
        Self {
            language: query.language,
            category: query.category,
            source_id: query.source_id,
            since: query.since,
            text: query.text,
            order: match query.order {
                None | Some(OrderName::Momentum) => Order::Momentum,
                Some(OrderName::Newest) => Order::Newest,
            },
        }
    }
}

/// A topic.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TrendBody {
    #[schemars(extend("format" = "uuid"))]
    trend_id: String,
    /// Plain text, as a stranger wrote it.
    title: String,
    language: Option<String>,
    category: Option<String>,
    /// How much it is on the rise: 0 for what nobody sees any more.
    momentum: f64,
    /// As of when.
    scored_at: Instant,
    /// Items that belong to it, since the beginning.
    sightings: i64,
    first_seen_at: Instant,
    last_seen_at: Instant,
    sources: Vec<TrendSourceBody>,
}

impl From<Trend> for TrendBody {
    fn from(trend: Trend) -> Self {
        Self {
            trend_id: trend.trend_id,
            title: trend.title,
            language: trend.language,
            category: trend.category,
            momentum: trend.momentum,
            scored_at: trend.scored_at,
            sightings: trend.sightings,
            first_seen_at: trend.first_seen_at,
            last_seen_at: trend.last_seen_at,
            sources: trend
                .sources
                .into_iter()
                .map(TrendSourceBody::from)
                .collect(),
        }
    }
}

/// A source that shows a topic.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TrendSourceBody {
    #[schemars(extend("format" = "uuid"))]
    source_id: String,
    name: String,
    /// Items of it that are kept.
    items: i64,
}

impl From<TrendSource> for TrendSourceBody {
    fn from(source: TrendSource) -> Self {
        Self {
            source_id: source.source_id,
            name: source.name,
            items: source.items,
        }
    }
}

/// A topic with its items, the latest first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TrendDetail {
    #[serde(flatten)]
    pub(crate) trend: TrendBody,
    /// 50 at most.
    pub(crate) items: Vec<TrendItemBody>,
}

/// What a source showed.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TrendItemBody {
    #[schemars(extend("format" = "uuid"))]
    item_id: String,
    #[schemars(extend("format" = "uuid"))]
    source_id: String,
    title: String,
    /// An excerpt; may be empty.
    summary: String,
    url: Option<String>,
    /// In the source's own measure: posts, searches, points.
    volume: Option<i64>,
    /// Articles that it names.
    news: Vec<NewsBody>,
    published_at: Option<Instant>,
    first_seen_at: Instant,
    last_seen_at: Instant,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct NewsBody {
    title: String,
    url: Option<String>,
    source: Option<String>,
}

impl From<TrendItem> for TrendItemBody {
    fn from(item: TrendItem) -> Self {
        let news = item.news.into_iter().map(|news| NewsBody {
            title: news.title,
            url: news.url,
            source: news.source,
        });
        Self {
            item_id: item.item_id,
            source_id: item.source_id,
            title: item.title,
            summary: item.summary,
            url: item.url,
            volume: item.volume,
            news: news.collect(),
            published_at: item.published_at,
            first_seen_at: item.first_seen_at,
            last_seen_at: item.last_seen_at,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    /// Points from then on.
    #[serde(default)]
    pub(crate) since: Option<String>,
}

/// A topic's time series, the oldest first. A time in which nobody saw it has no point.
#[derive(Serialize, JsonSchema)]
pub(crate) struct History {
    #[schemars(extend("format" = "uuid"))]
    pub(crate) trend_id: String,
    pub(crate) seconds_of_a_point: u32,
    /// The latest thousand.
    pub(crate) items: Vec<PointBody>,
    /// Always null: it is one page.
    pub(crate) next_cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct PointBody {
    began_at: Instant,
    /// Items that were new in it.
    sightings: i64,
    /// What all sightings in it weighed together.
    weight: f64,
    /// After the last of them.
    momentum: f64,
}

impl From<Point> for PointBody {
    fn from(point: Point) -> Self {
        Self {
            began_at: point.began_at,
            sightings: point.sightings,
            weight: point.weight,
            momentum: point.momentum,
        }
    }
}

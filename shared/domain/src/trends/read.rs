//! Topics, as people look at them.

use vivesphere_db::{Database, Row, params};
use vivesphere_feeds::News;
use vivesphere_feeds::title::title_key;

use crate::{Error, Instant, Listed, Page, parse_id, time_zone};

/// Items of a topic that are shown with it.
const ITEMS: i64 = 50;
/// Points of a time series: a quarter of an hour each, so ten days of an unbroken one.
const POINTS: i64 = 1_000;

/// A topic.
#[derive(Debug, Clone)]
pub struct Trend {
    /// Its id.
    pub trend_id: String,
    /// The title of the first item.
    pub title: String,
    /// BCP 47, without region; nothing when nobody said.
    pub language: Option<String>,
    /// In lower case.
    pub category: Option<String>,
    /// How much it is on the rise (`docs/TRENDS.md`).
    pub momentum: f64,
    /// As of when.
    pub scored_at: Instant,
    /// Items that belong to it, since the beginning.
    pub sightings: i64,
    /// When it was first seen.
    pub first_seen_at: Instant,
    /// When it was last seen.
    pub last_seen_at: Instant,
    /// Who shows it.
    pub sources: Vec<TrendSource>,
}

/// A source that shows a topic.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct TrendSource {
    /// The source.
    pub source_id: String,
    /// Its name.
    pub name: String,
    /// Items of it in this topic that are kept.
    pub items: i64,
}

/// An item of a topic.
#[derive(Debug, Clone)]
pub struct TrendItem {
    /// Its id.
    pub item_id: String,
    /// Its source.
    pub source_id: String,
    /// Plain text.
    pub title: String,
    /// Plain text, an excerpt.
    pub summary: String,
    /// Where it is.
    pub url: Option<String>,
    /// In the source's own measure.
    pub volume: Option<i64>,
    /// Articles that it names.
    pub news: Vec<News>,
    /// As it says.
    pub published_at: Option<Instant>,
    /// When it was first seen.
    pub first_seen_at: Instant,
    /// When it was last seen.
    pub last_seen_at: Instant,
}

/// A quarter of an hour of a topic.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// When it began.
    pub began_at: Instant,
    /// Items that were new in it.
    pub sightings: i64,
    /// What the sightings in it weighed together.
    pub weight: f64,
    /// After the last of them.
    pub momentum: f64,
}

/// In which order topics come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The highest momentum first.
    #[default]
    Momentum,
    /// The ones first seen last first.
    Newest,
}

/// What a list of topics is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct TrendFilter {
    /// BCP 47; regions are left out of the comparison.
    pub language: Option<String>,
    /// Exactly, but for the case of A to Z.
    pub category: Option<String>,
    /// A source's id.
    pub source_id: Option<String>,
    /// RFC 3339: seen then or later.
    pub since: Option<String>,
    /// Words that stand in the title, in this order.
    pub text: Option<String>,
    /// The order.
    pub order: Order,
}

const COLUMNS: &str = "r.trend_id, r.title, r.language, r.category, r.momentum, r.scored_at,
    r.sightings, r.first_seen_at, r.last_seen_at,
    (SELECT json_group_array(json_object('source_id', source_id, 'name', name, 'items', items))
     FROM (SELECT i.source_id, s.name, count(*) AS items
           FROM trend_topic_items t JOIN trend_items i USING (item_id)
           JOIN trend_sources s ON s.source_id = i.source_id
           WHERE t.trend_id = r.trend_id GROUP BY i.source_id ORDER BY i.source_id))";

fn trend(row: &Row) -> Result<Trend, Error> {
    let language = row.text(2)?;
    let sources = serde_json::from_str(row.get(9)?)
        .map_err(|error| Error::Internal(format!("a trend's sources: {error}")))?;
    Ok(Trend {
        trend_id: row.text(0)?,
        title: row.text(1)?,
        language: (!language.is_empty()).then_some(language),
        category: row.text_optional(3)?,
        momentum: row.get(4)?,
        scored_at: Instant::from_unix_millis(row.get(5)?),
        sightings: row.get(6)?,
        first_seen_at: Instant::from_unix_millis(row.get(7)?),
        last_seen_at: Instant::from_unix_millis(row.get(8)?),
        sources,
    })
}

/// A page of topics. By momentum a topic may move while one turns the pages.
///
/// # Errors
/// [`Error::Invalid`]; storage.
pub async fn list(
    db: &Database,
    filter: &TrendFilter,
    page: &Page,
) -> Result<Listed<Trend>, Error> {
    let since = match &filter.since {
        Some(text) => Some(
            time_zone::parse_instant(text)
                .map_err(|error| Error::invalid("/since", error.to_string()))?
                .unix_millis(),
        ),
        None => None,
    };
    let source_id = match &filter.source_id {
        Some(text) => {
            let detail = "must be a source's id";
            Some(parse_id(text).ok_or_else(|| Error::invalid("/source_id", detail))?)
        }
        None => None,
    };
    let language = filter.language.as_deref().map(|language| {
        let primary = language.split('-').next().unwrap_or_default();
        primary.to_ascii_lowercase()
    });
    // A key's words stand between spaces: what is looked for begins where a word does.
    let text = filter.text.as_deref().map(title_key);
    if text.as_deref() == Some("") {
        return Err(Error::invalid("/text", "must hold a letter or a number"));
    }
    let text = text.map(|key| format!(" {key}"));
    let (after, order) = match filter.order {
        Order::Momentum => (
            "(r.momentum, r.trend_id) < (SELECT momentum, trend_id FROM trends WHERE trend_id = ?6)",
            "r.momentum DESC, r.trend_id DESC",
        ),
        Order::Newest => ("r.trend_id < ?6", "r.trend_id DESC"),
    };
    let rows: Vec<Row> = db
        .query(
            &format!(
                "SELECT {COLUMNS} FROM trends r
                 WHERE (?1 IS NULL OR r.language = ?1)
                    AND (?2 IS NULL OR lower(r.category) = lower(?2))
                    AND (?3 IS NULL OR EXISTS (
                        SELECT 1 FROM trend_topic_items t JOIN trend_items i USING (item_id)
                        WHERE t.trend_id = r.trend_id AND i.source_id = ?3))
                    AND (?4 IS NULL OR r.last_seen_at >= ?4)
                    AND (?5 IS NULL OR instr(' ' || r.topic_key, ?5) > 0)
                    AND (?6 IS NULL OR {after})
                 ORDER BY {order} LIMIT ?7"
            ),
            params![
                language,
                filter.category.clone(),
                source_id,
                since,
                text,
                page.after.clone(),
                page.rows()
            ],
        )
        .await?;
    let trends = rows.iter().map(trend).collect::<Result<Vec<_>, _>>()?;
    Ok(page.cut(trends, |trend: &Trend| &trend.trend_id))
}

/// A topic, and its items, the latest first.
///
/// # Errors
/// [`Error::NotFound`]; storage.
pub async fn get(db: &Database, trend_id: &str) -> Result<(Trend, Vec<TrendItem>), Error> {
    let row: Option<Row> = db
        .query_optional(
            &format!("SELECT {COLUMNS} FROM trends r WHERE r.trend_id = ?"),
            params![trend_id],
        )
        .await?;
    let trend = trend(&row.ok_or(Error::NotFound)?)?;
    let rows: Vec<Row> = db
        .query(
            "SELECT i.item_id, i.source_id, i.title, i.summary, i.url, i.volume, i.news,
                i.published_at, i.first_seen_at, i.last_seen_at
             FROM trend_topic_items t JOIN trend_items i USING (item_id)
             WHERE t.trend_id = ? ORDER BY i.last_seen_at DESC, i.item_id DESC LIMIT ?",
            params![trend_id, ITEMS],
        )
        .await?;
    let items = rows.iter().map(item).collect::<Result<_, _>>()?;
    Ok((trend, items))
}

fn item(row: &Row) -> Result<TrendItem, Error> {
    let published_at: Option<i64> = row.get_optional(7)?;
    let news = match row.get_optional::<&str>(6)? {
        Some(json) => serde_json::from_str(json)
            .map_err(|error| Error::Internal(format!("a trend's news: {error}")))?,
        None => Vec::new(),
    };
    Ok(TrendItem {
        item_id: row.text(0)?,
        source_id: row.text(1)?,
        title: row.text(2)?,
        summary: row.text(3)?,
        url: row.text_optional(4)?,
        volume: row.get_optional(5)?,
        news,
        published_at: published_at.map(Instant::from_unix_millis),
        first_seen_at: Instant::from_unix_millis(row.get(8)?),
        last_seen_at: Instant::from_unix_millis(row.get(9)?),
    })
}

/// A topic's time series, the oldest first: of what is kept the latest thousand points. A quarter
/// of an hour in which nobody saw it has none.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`]; storage.
pub async fn history(
    db: &Database,
    trend_id: &str,
    since: Option<&str>,
) -> Result<Vec<Point>, Error> {
    let since = match since {
        Some(text) => time_zone::parse_instant(text)
            .map_err(|error| Error::invalid("/since", error.to_string()))?
            .unix_millis(),
        None => i64::MIN,
    };
    let there: Option<i64> = db
        .query_optional("SELECT 1 FROM trends WHERE trend_id = ?", params![trend_id])
        .await?;
    if there.is_none() {
        return Err(Error::NotFound);
    }
    let rows: Vec<Row> = db
        .query(
            "SELECT began_at, sightings, weight, momentum FROM trend_points
             WHERE trend_id = ? AND began_at >= ? ORDER BY began_at DESC LIMIT ?",
            params![trend_id, since, POINTS],
        )
        .await?;
    rows.iter()
        .rev()
        .map(|row| {
            Ok(Point {
                began_at: Instant::from_unix_millis(row.get(0)?),
                sightings: row.get(1)?,
                weight: row.get(2)?,
                momentum: row.get(3)?,
            })
        })
        .collect()
}

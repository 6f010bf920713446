//! What a document showed, written down: items, their topics, and what each sighting counts.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use url::Url;
use vivesphere_db::{Database, Row, Transaction, params};
use vivesphere_feeds::momentum::{self, HalfLife, Strength};
use vivesphere_feeds::title::title_key;
use vivesphere_feeds::topics::Topics;
use vivesphere_feeds::{Document, Item, web_address};

use super::fetches::Claimed;
use crate::{Error, Instant, new_id};

/// Topics that a new item is compared with: those that were seen lately, the latest first.
const COMPARED: i64 = 5_000;
const COMPARED_FOR_MILLISECONDS: i64 = 2 * 86_400_000;
/// Milliseconds of a point of the time series.
pub(super) const QUARTER: i64 = 900_000;

/// What came of a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Items that had not been seen before.
    pub new_items: i64,
    /// Topics that had not been seen before.
    pub new_topics: i64,
}

/// The topics that new items are compared with, as they are now.
///
/// # Errors
/// Storage.
pub async fn known_topics(db: &Database) -> Result<Topics, Error> {
    let since = Instant::now().unix_millis() - COMPARED_FOR_MILLISECONDS;
    let rows: Vec<Row> = db
        .query(
            "SELECT trend_id, topic_key, language FROM trends WHERE last_seen_at >= ?
             ORDER BY last_seen_at DESC LIMIT ?",
            params![since, COMPARED],
        )
        .await?;
    let mut topics = Topics::default();
    for row in &rows {
        topics.add(row.get(0)?, row.get(1)?, row.get(2)?);
    }
    Ok(topics)
}

/// Those of a source's items that are known, by key: the title, and how much there was of it.
///
/// # Errors
/// Storage.
pub async fn known_items(
    db: &Database,
    source_id: &str,
    keys: &[String],
) -> Result<HashMap<String, (String, Option<u64>)>, Error> {
    let rows: Vec<Row> = db
        .query(
            "SELECT item_key, title, volume FROM trend_items
             WHERE source_id = ? AND item_key IN (SELECT value FROM json_each(?))",
            params![source_id, Value::from(keys).to_string()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let volume: Option<i64> = row.get_optional(2)?;
            let volume = volume.and_then(|volume| u64::try_from(volume).ok());
            Ok((row.text(0)?, (row.text(1)?, volume)))
        })
        .collect()
}

/// An item on its way into the database.
struct Seen<'a> {
    item: &'a Item,
    topic_key: String,
    url_key: Option<String>,
    language: String,
    category: Option<String>,
    /// Its id, topic, and when it was last seen, if it was.
    known: Option<(String, String, i64)>,
}

/// What is added to one topic.
struct Addition {
    title: String,
    topic_key: String,
    language: String,
    category: Option<String>,
    is_new: bool,
    sightings: i64,
    weight: f64,
}

/// Writes down what a document showed, in the transaction that settles its fetch.
///
/// An item that is new counts once. One that was seen before counts again only in a ranking, for
/// the time since (see `feeds::momentum::still_listed`).
///
/// # Errors
/// Storage.
pub async fn record(
    transaction: &Transaction,
    topics: &mut Topics,
    claimed: &Claimed,
    document: &Document,
    half_life: HalfLife,
    at: Instant,
) -> Result<Recorded, Error> {
    let now = at.unix_millis();
    let mut seen = prepared(claimed, document);
    find_known(transaction, topics, claimed, &mut seen).await?;
    let mut recorded = Recorded::default();
    let (mut new, mut again) = (Vec::new(), Vec::new());
    let mut additions: HashMap<String, Addition> = HashMap::new();
    for seen in &seen {
        let full = momentum::weight_of(claimed.weight, seen.item.volume);
        let (trend_id, is_new, sightings, weight) = match &seen.known {
            Some((item_id, trend_id, last_seen_at)) => {
                again.push(json!([item_id, volume_of(seen.item)]));
                if !document.ranking {
                    continue;
                }
                let part = momentum::still_listed(now - last_seen_at);
                (trend_id.clone(), false, 0, full * part)
            }
            None => {
                let found = topics
                    .find(&seen.topic_key, &seen.language, seen.url_key.as_deref())
                    .map(str::to_owned);
                let is_new = found.is_none();
                let trend_id = found.unwrap_or_else(|| {
                    let trend_id = new_id();
                    topics.add(&trend_id, &seen.topic_key, &seen.language);
                    trend_id
                });
                if let Some(url_key) = &seen.url_key {
                    topics.add_url(url_key, &trend_id);
                }
                new.push(row_of(seen, &trend_id));
                recorded.new_items += 1;
                recorded.new_topics += i64::from(is_new);
                (trend_id, is_new, 1, full)
            }
        };
        let addition = additions.entry(trend_id).or_insert_with(|| Addition {
            title: seen.item.title.clone(),
            topic_key: seen.topic_key.clone(),
            language: seen.language.clone(),
            category: seen.category.clone(),
            is_new,
            sightings: 0,
            weight: 0.0,
        });
        addition.sightings += sightings;
        addition.weight += weight;
    }
    write_items(transaction, claimed, &new, &again, now).await?;
    write_topics(transaction, &additions, half_life, now).await?;
    Ok(recorded)
}

/// How much there is of an item, as the database can hold it.
fn volume_of(item: &Item) -> Option<i64> {
    item.volume
        .map(|volume| i64::try_from(volume).unwrap_or(i64::MAX))
}

fn prepared<'a>(claimed: &Claimed, document: &'a Document) -> Vec<Seen<'a>> {
    let mut keys = HashSet::new();
    let items = document.items.iter().filter_map(|item| {
        let topic_key = title_key(&item.title);
        // A title of signs alone names no topic. Of two that are one to us the first counts: X lists
        // a topic and its hashtag beside each other.
        (!topic_key.is_empty() && keys.insert(item.key.as_str())).then(|| Seen {
            item,
            topic_key,
            url_key: item
                .url
                .as_deref()
                // A trend's address is that of an article about it, which may be about another.
                .filter(|_| item.news.is_empty())
                .and_then(|url| Url::parse(url).ok())
                .map(|url| web_address::url_key(&url)),
            language: claimed
                .language
                .clone()
                .or_else(|| item.language.clone())
                .or_else(|| document.language.clone())
                .map(|language| primary(&language))
                .unwrap_or_default(),
            category: claimed.category.clone().or_else(|| item.category.clone()),
            known: None,
        })
    });
    items.collect()
}

/// The language without its region: `en-GB` and `en-US` speak of the same topics.
fn primary(language: &str) -> String {
    let end = language.find('-').unwrap_or(language.len());
    language.get(..end).unwrap_or_default().to_ascii_lowercase()
}

/// Looks for what is there already: items of this source, topics of these keys, stories of these
/// addresses.
async fn find_known(
    transaction: &Transaction,
    topics: &mut Topics,
    claimed: &Claimed,
    seen: &mut [Seen<'_>],
) -> Result<(), Error> {
    let list = |values: Vec<&str>| Value::from(values).to_string();
    let rows: Vec<Row> = transaction
        .query(
            "SELECT i.item_key, i.item_id, t.trend_id, i.last_seen_at
             FROM trend_items i JOIN trend_topic_items t USING (item_id)
             WHERE i.source_id = ? AND i.item_key IN (SELECT value FROM json_each(?))",
            params![
                claimed.source_id.as_str(),
                list(seen.iter().map(|seen| seen.item.key.as_str()).collect())
            ],
        )
        .await?;
    let mut known = HashMap::new();
    for row in &rows {
        known.insert(row.text(0)?, (row.text(1)?, row.text(2)?, row.get(3)?));
    }
    for seen in seen.iter_mut() {
        seen.known = known.remove(&seen.item.key);
    }
    let keys = seen.iter().map(|seen| seen.topic_key.as_str()).collect();
    let rows: Vec<Row> = transaction
        .query(
            "SELECT trend_id, topic_key, language FROM trends
             WHERE topic_key IN (SELECT value FROM json_each(?))",
            params![list(keys)],
        )
        .await?;
    for row in &rows {
        // Of another worker, or from longer ago.
        let (key, language) = (row.get(1)?, row.get(2)?);
        if topics.find(key, language, None) != Some(row.get(0)?) {
            topics.add(row.get(0)?, key, language);
        }
    }
    let urls = seen
        .iter()
        .filter_map(|seen| seen.url_key.as_deref())
        .collect();
    let rows: Vec<Row> = transaction
        .query(
            "SELECT i.url_key, t.trend_id, r.topic_key, r.language
             FROM trend_items i JOIN trend_topic_items t USING (item_id)
             JOIN trends r USING (trend_id)
             WHERE i.url_key IN (SELECT value FROM json_each(?))",
            params![list(urls)],
        )
        .await?;
    for row in &rows {
        let (url_key, trend_id) = (row.get(0)?, row.get(1)?);
        if topics.find(row.get(2)?, row.get(3)?, None) != Some(trend_id) {
            topics.add(trend_id, row.get(2)?, row.get(3)?);
        }
        topics.add_url(url_key, trend_id);
    }
    Ok(())
}

fn row_of(seen: &Seen<'_>, trend_id: &str) -> Value {
    let item = seen.item;
    let news = (!item.news.is_empty()).then(|| json!(item.news).to_string());
    json!([
        new_id(),
        item.key,
        item.title,
        item.summary,
        item.url,
        seen.url_key,
        volume_of(item),
        news,
        item.published_at,
        trend_id,
    ])
}

async fn write_items(
    transaction: &Transaction,
    claimed: &Claimed,
    new: &[Value],
    again: &[Value],
    now: i64,
) -> Result<(), Error> {
    if !new.is_empty() {
        let rows = Value::from(new).to_string();
        transaction
            .execute(
                "INSERT INTO trend_items (item_id, source_id, item_key, title, summary, url,
                    url_key, volume, news, published_at, first_seen_at, last_seen_at)
                 SELECT value ->> 0, ?2, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
                    value ->> 5, value ->> 6, value ->> 7, value ->> 8, ?3, ?3
                 FROM json_each(?1)",
                params![rows.as_str(), claimed.source_id.as_str(), now],
            )
            .await?;
        transaction
            .execute(
                "INSERT INTO trend_topic_items (trend_id, item_id)
                 SELECT value ->> 9, value ->> 0 FROM json_each(?)",
                params![rows],
            )
            .await?;
    }
    if !again.is_empty() {
        transaction
            .execute(
                "UPDATE trend_items SET last_seen_at = ?2, volume = coalesce(seen.volume, trend_items.volume)
                 FROM (SELECT value ->> 0 AS item_id, value ->> 1 AS volume FROM json_each(?1)) AS seen
                 WHERE trend_items.item_id = seen.item_id",
                params![Value::from(again).to_string(), now],
            )
            .await?;
    }
    Ok(())
}

async fn write_topics(
    transaction: &Transaction,
    additions: &HashMap<String, Addition>,
    half_life: HalfLife,
    now: i64,
) -> Result<(), Error> {
    if additions.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = additions.keys().map(String::as_str).collect();
    let rows: Vec<Row> = transaction
        .query(
            "SELECT trend_id, short_strength, long_strength, strength_at FROM trends
             WHERE trend_id IN (SELECT value FROM json_each(?))",
            params![Value::from(ids).to_string()],
        )
        .await?;
    let mut strengths = HashMap::new();
    for row in &rows {
        let strength = Strength {
            short: row.get(1)?,
            long: row.get(2)?,
            at: row.get(3)?,
        };
        strengths.insert(row.text(0)?, strength);
    }
    let mut written = Vec::with_capacity(additions.len());
    for (trend_id, addition) in additions {
        let before = strengths.get(trend_id).copied().unwrap_or_default();
        let after = before.seen(half_life, addition.weight, now);
        let momentum = after.momentum(half_life, now);
        written.push(json!([
            trend_id,
            addition.topic_key,
            addition.title,
            addition.language,
            addition.category,
            addition.sightings,
            after.short,
            after.long,
            momentum,
            addition.weight,
            addition.is_new,
        ]));
    }
    let written = Value::from(written).to_string();
    transaction
        .execute(
            "INSERT INTO trends (trend_id, topic_key, title, language, category, first_seen_at,
                last_seen_at, sightings, short_strength, long_strength, strength_at, momentum,
                scored_at)
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, ?2, ?2,
                value ->> 5, value ->> 6, value ->> 7, ?2, value ->> 8, ?2
             FROM json_each(?1) WHERE TRUE
             ON CONFLICT (trend_id) DO UPDATE SET last_seen_at = excluded.last_seen_at,
                category = coalesce(trends.category, excluded.category),
                sightings = trends.sightings + excluded.sightings,
                short_strength = excluded.short_strength, long_strength = excluded.long_strength,
                strength_at = excluded.strength_at, momentum = excluded.momentum,
                scored_at = excluded.scored_at",
            params![written.as_str(), now],
        )
        .await?;
    transaction
        .execute(
            "INSERT INTO trend_points (trend_id, began_at, sightings, weight, momentum)
             SELECT value ->> 0, ?2, value ->> 5, value ->> 9, value ->> 8
             FROM json_each(?1) WHERE TRUE
             ON CONFLICT (trend_id, began_at) DO UPDATE SET
                sightings = trend_points.sightings + excluded.sightings,
                weight = trend_points.weight + excluded.weight, momentum = excluded.momentum",
            params![written, now - now.rem_euclid(QUARTER)],
        )
        .await?;
    Ok(())
}

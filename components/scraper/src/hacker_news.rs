//! Hacker News, through its API. It is made for programs and has no limit of requests
//! (<https://github.com/HackerNews/API>), so neither robots.txt nor spacing apply; few are under way
//! at once all the same, and an item is fetched once.

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use http::{Request, header};
use url::Url;
use vivesphere_domain::trends::{self, Claimed, HackerNewsList, Validators};
use vivesphere_feeds::{Document, Item, limits};

use crate::outcome::{Got, Missed};
use crate::web::Errand;

/// Items of a list: its first page.
const ITEMS: usize = 30;
const AT_ONCE: usize = 4;

/// Reads a list.
pub(crate) async fn read(
    errand: &Errand<'_>,
    base: &Url,
    claimed: &Claimed,
    list: HackerNewsList,
) -> Result<Got, Missed> {
    let path = format!("/v0/{}stories.json", list.as_str());
    let (status, body) = get(errand, base, &path).await?;
    let parser = &errand.web.parser;
    let mut ids = parser.hacker_news_list(body, status).await?;
    ids.truncate(ITEMS);
    let keys: Vec<String> = ids.iter().map(u64::to_string).collect();
    let known = trends::known_items(&errand.web.db, &claimed.source_id, &keys)
        .await
        .map_err(|_| Missed::failed("storage"))?;
    let items: Vec<Option<Item>> = stream::iter(keys)
        .map(|key| {
            let known = known.get(&key).cloned();
            async move {
                if let Some((title, volume)) = known {
                    return Some(Item {
                        key,
                        title,
                        volume,
                        ..Item::default()
                    });
                }
                let path = format!("/v0/item/{key}.json");
                // One that cannot be had now is fetched the next time.
                let (status, body) = get(errand, base, &path).await.ok()?;
                parser.hacker_news_item(body, status).await.ok().flatten()
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let document = Document {
        ranking: !matches!(list, HackerNewsList::New | HackerNewsList::Job),
        items: items.into_iter().flatten().collect(),
        ..Document::default()
    };
    if document.items.is_empty() && !ids.is_empty() {
        return Err(Missed::failed("nothing_readable"));
    }
    Ok(Got::Document {
        document,
        validators: Validators::default(),
        http_status: Some(status),
        fresh_for: None,
    })
}

async fn get(errand: &Errand<'_>, base: &Url, path: &str) -> Result<(u16, Bytes), Missed> {
    let url = base
        .join(path)
        .map_err(|_| Missed::refused("address_not_http"))?;
    let request = Request::get(url.as_str())
        .header(header::USER_AGENT, errand.web.user_agent.as_str())
        .header(header::ACCEPT, "application/json")
        .body(Bytes::new())
        .map_err(|_| Missed::refused("address_not_http"))?;
    let answer = errand.send(request, limits::DOCUMENT_BYTES).await?;
    let status = answer.status.as_u16();
    if !answer.status.is_success() {
        let limits = vivesphere_x_api::RateLimits::from_headers(&answer.headers);
        return Err(match Missed::answered(status, limits.retry_after) {
            // A list of theirs does not go for good.
            Missed::Gone => Missed::unreadable("not_found", status),
            other => other,
        });
    }
    if !answer.complete {
        return Err(Missed::unreadable("connection_lost", status));
    }
    Ok((status, answer.body))
}

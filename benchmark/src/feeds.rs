//! Feed documents parsed, deduplicated, grouped and scored in one worker.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::application::Application;
use crate::cargo;
use crate::table::{Table, Wanted};

const DOCUMENTS: usize = 1_000;
/// Documents of one request: an instance serves 128, and all are to be for one worker.
const BATCH: usize = 20;
const ITEMS: usize = 30;
const MEBIBYTE: f64 = 1_048_576.0;

const SUBJECTS: [&str; 24] = [
    "Storm",
    "Council",
    "Rovers",
    "Minister",
    "Festival",
    "Harbour",
    "Museum",
    "Railway",
    "Volcano",
    "Parliament",
    "Orchestra",
    "Bakery",
    "Satellite",
    "Hospital",
    "Library",
    "Bridge",
    "Observatory",
    "Union",
    "Market",
    "Airport",
    "Archive",
    "Forest",
    "Glacier",
    "University",
];
const VERBS: [&str; 12] = [
    "opens",
    "closes",
    "announces",
    "delays",
    "celebrates",
    "rejects",
    "surprises",
    "rebuilds",
    "discovers",
    "loses",
    "finds",
    "questions",
];
const PLACES: [&str; 16] = [
    "Brittany",
    "Lisbon",
    "Kyoto",
    "Nairobi",
    "Quebec",
    "Oslo",
    "Valparaíso",
    "Łódź",
    "Zürich",
    "Perth",
    "Mumbai",
    "Tallinn",
    "Cork",
    "Havana",
    "Seoul",
    "Reykjavík",
];

/// All of it.
pub(crate) async fn measure(table: &mut Table) -> anyhow::Result<()> {
    eprintln!("reading feed documents");
    let mut application = Application::bare(&cargo::host())?;
    application.restart().await?;
    let documents: Vec<String> = (0..DOCUMENTS).map(document).collect();
    let bytes: usize = documents.iter().map(String::len).sum();
    let started = Instant::now();
    let mut last = Value::Null;
    for batch in documents.chunks(BATCH) {
        last = post(&application, batch).await?;
    }
    let rate = DOCUMENTS as f64 / started.elapsed().as_secs_f64();
    let count = |name: &str| last[name].as_u64().context("no count");
    ensure!(count("documents")? == DOCUMENTS as u64, "{last}");
    ensure!(count("unreadable")? == 0, "{last}");
    ensure!(count("doubles")? > 0 && count("topics")? > 0, "{last}");
    let what = format!(
        "{DOCUMENTS} feed documents of {:.0} kB and {ITEMS} items, read, deduplicated, scored",
        bytes as f64 / DOCUMENTS as f64 / 1e3
    );
    table.add(what, rate, "documents/s", Wanted::AtLeast(200.0));
    let memory = last["memory_bytes"].as_f64().context("no memory")?;
    let what = "memory of that worker";
    table.add(what, memory / MEBIBYTE, "MiB", Wanted::AtMost(64.0));
    hostile(table).await?;
    parser(table, &documents).await
}

/// The same by the application's own parser, a request each, within the limits that the scraper tells
/// it: more memory than that, and it would be gone.
async fn parser(table: &mut Table, documents: &[String]) -> anyhow::Result<()> {
    let mut application = Application::bare(&cargo::host())?;
    application.restart().await?;
    let url = |path| {
        format!(
            "http://{}/{path}url=https://feeds.example/&document_bytes=2097152\
             &memory_bytes=67108864&milliseconds=2000",
            application.address
        )
    };
    let client = reqwest::Client::builder().no_proxy().build()?;
    let started = Instant::now();
    for document in documents {
        let response = client
            .post(url("feed?"))
            .body(document.clone())
            .send()
            .await?;
        ensure!(response.status() == 200, "{}", response.status());
        response.bytes().await?;
    }
    let rate = documents.len() as f64 / started.elapsed().as_secs_f64();
    let what = "the same documents read by the parser, a request each, one after the other";
    table.add(what, rate, "documents/s", Wanted::AtLeast(200.0));
    let mut longest = Duration::ZERO;
    // What is longer than may be is not sent to it.
    for document in bad().into_iter().filter(|text| text.len() <= 2 << 20) {
        let path = match document.starts_with("<!doctype html>") {
            true => "page?item=div%20.x&title=h3&",
            false => "feed?",
        };
        let started = Instant::now();
        let response = client.post(url(path)).body(document).send().await?;
        // Read in part, or refused for what it is; a reader that trapped would be a 5xx.
        ensure!(
            [200, 422].contains(&response.status().as_u16()),
            "{}",
            response.status()
        );
        response.bytes().await?;
        longest = longest.max(started.elapsed());
    }
    let what = "the slowest of the hostile documents in the parser, within 64 MiB";
    let seconds = longest.as_secs_f64();
    table.add(what, seconds, "s", Wanted::AtMost(2.0));
    Ok(())
}

async fn hostile(table: &mut Table) -> anyhow::Result<()> {
    let mut application = Application::bare(&cargo::host())?;
    application.restart().await?;
    let mut longest = Duration::ZERO;
    let mut memory: f64 = 0.0;
    for document in bad() {
        let started = Instant::now();
        let answer = post(&application, &[document]).await?;
        longest = longest.max(started.elapsed());
        memory = memory.max(answer["memory_bytes"].as_f64().context("no memory")?);
    }
    let last = post(&application, &[document(1)]).await?;
    ensure!(
        last["items"].as_u64() >= Some(ITEMS as u64),
        "the next one fails: {last}"
    );
    table.add(
        "the slowest of the hostile documents",
        longest.as_secs_f64(),
        "s",
        Wanted::AtMost(2.0),
    );
    table.add(
        "memory of a worker after all of them",
        memory / MEBIBYTE,
        "MiB",
        Wanted::AtMost(64.0),
    );
    Ok(())
}

async fn post<T: AsRef<str>>(application: &Application, batch: &[T]) -> anyhow::Result<Value> {
    let mut body = String::new();
    for document in batch {
        let document = document.as_ref();
        write!(body, "{:08x}{document}", document.len())?;
    }
    let url = format!("http://{}/feeds", application.address);
    let client = reqwest::Client::builder().no_proxy().build()?;
    let response = client.post(url).body(body).send().await?;
    ensure!(response.status() == 200, "{}", response.status());
    Ok(serde_json::from_str(&response.text().await?)?)
}

/// A feed as one finds them: RSS, Atom or JSON Feed, markup in its texts, tracking in its links,
/// a third of its items old ones of the document before.
fn document(number: usize) -> String {
    let items: Vec<(String, String, String)> = (0..ITEMS)
        .map(|index| {
            let story = number * 20 + index;
            let pick = |list: &[&str], step: usize| {
                list[(story * step + story / 7) % list.len()].to_owned()
            };
            let title = format!(
                "{} {} in {} after {} years",
                pick(&SUBJECTS, 5),
                pick(&VERBS, 7),
                pick(&PLACES, 3),
                story % 90 + 2
            );
            let link = format!(
                "https://news-{}.example/{story}/story?utm_source=feed&amp;id={story}",
                story % 9
            );
            let text =
                "&lt;p&gt;A paragraph &amp;amp; some &lt;b&gt;markup&lt;/b&gt; as feeds have it, \
                        with enough words to be an excerpt.&lt;/p&gt;"
                    .repeat(6);
            (title, link, text)
        })
        .collect();
    match number % 3 {
        0 => rss(&items),
        1 => atom(&items),
        _ => json_feed(&items),
    }
}

fn rss(items: &[(String, String, String)]) -> String {
    let mut text = "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>News</title><language>en</language>".to_owned();
    for (title, link, summary) in items {
        text += &format!(
            "<item><title>{title}</title><link>{link}</link><guid>{link}</guid><pubDate>Fri, 20 Nov 2026 06:00:00 -0800</pubDate><category>World</category><description>{summary}</description></item>"
        );
    }
    text + "</channel></rss>"
}

fn atom(items: &[(String, String, String)]) -> String {
    let mut text = "<?xml version=\"1.0\"?><feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"en\"><title>News</title>".to_owned();
    for (title, link, summary) in items {
        text += &format!(
            "<entry><id>{link}</id><title type=\"html\">{title}</title><link href=\"{link}\"/><updated>2026-11-20T14:00:00Z</updated><content type=\"html\">{summary}</content></entry>"
        );
    }
    text + "</feed>"
}

fn json_feed(items: &[(String, String, String)]) -> String {
    let items: Vec<Value> = items
        .iter()
        .map(|(title, link, summary)| {
            let link = link.replace("&amp;", "&");
            let html = summary.replace("&lt;", "<").replace("&gt;", ">");
            serde_json::json!({"id": link, "url": link, "title": title, "content_html": html, "date_published": "2026-11-20T14:00:00Z"})
        })
        .collect();
    serde_json::json!({"version": "https://jsonfeed.org/version/1.1", "title": "News", "language": "en", "items": items}).to_string()
}

/// What is as long as may be sent, and worse than long.
fn bad() -> Vec<String> {
    let filled = |begin: &str, again: &str| {
        format!(
            "{begin}{}",
            again.repeat((2_090_000 - begin.len()) / again.len())
        )
    };
    vec![
        filled("<rss><channel>", "<a>"),
        filled("<rss><channel>", "<a/>"),
        filled(
            "<rss><channel>",
            "<item><title>a title of some words</title></item>",
        ),
        filled("<rss><channel><item><title>", "x"),
        filled("<rss><channel><item><title>", "&"),
        filled("<rss><channel><item ", "a='b' "),
        filled(
            "<!DOCTYPE r [<!ENTITY a \"&a;&a;\">]><rss><channel><item><title>",
            "&a;",
        ),
        filled(
            "{\"version\":\"https://jsonfeed.org/version/1\",\"items\":",
            "[",
        ),
        filled(
            "{\"version\":\"https://jsonfeed.org/version/1\",\"items\":[",
            "{},",
        ),
        filled("<!doctype html>", "<div>"),
        filled("<!doctype html>", "<b><a href=x><font>"),
        format!(
            "<!doctype html>{}{}",
            "<div>".repeat(95),
            "<div class=x><h3>a</h3></div>".repeat(9_900)
        ),
        filled("<!doctype html><div><div><p class=x>", "<"),
        "x".repeat(10 << 20),
    ]
}

//! What the scraper reads: Google Trends' feed, Hacker News, X's trends, pages; and documents that
//! mean no good.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::fake_web::{FakeWeb, Page};
use vivesphere_tests::fake_x::{Endpoint, FakeX};

use crate::trends::{add, let_time_pass, quick, scrape, source};

async fn titles(app: &App) -> Vec<String> {
    let admin = app.admin().await;
    let list = admin
        .get("/api/v1/trends?limit=200&order=newest")
        .await
        .json(200);
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["title"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn google_trends_keep_what_is_theirs() {
    let web = FakeWeb::start().await;
    let text = r#"<rss version="2.0" xmlns:ht="https://trends.google.com/trending/rss"><channel><title>Daily</title>
        <item><title>example storm</title><ht:approx_traffic>2K+</ht:approx_traffic><link>https://trends.google.com/trending/rss?geo=US</link>
        <pubDate>Fri, 20 Nov 2026 06:00:00 -0800</pubDate><ht:news_item><ht:news_item_title>Storm &amp; coast</ht:news_item_title>
        <ht:news_item_url>https://news.example/a</ht:news_item_url><ht:news_item_source>Example News</ht:news_item_source></ht:news_item></item>
        <item><title>quiet topic</title><ht:approx_traffic>100+</ht:approx_traffic></item></channel></rss>"#;
    let url = web.put("/trending/rss?geo=US", Page::new(text));
    let app = App::builder().near_sources().start().await;
    let admin = app.admin().await;
    quick(&admin).await;
    add(
        &admin,
        &json!({"name": "Google Trends", "kind": "feed", "url": url, "language": "en"}),
    )
    .await;
    scrape(&app).await;
    let list = admin.get("/api/v1/trends").await.json(200);
    assert_eq!(list["items"][0]["title"], "example storm", "{list:#}");
    let first = list["items"][0]["momentum"].as_f64().unwrap();
    let path = format!(
        "/api/v1/trends/{}",
        list["items"][0]["trend_id"].as_str().unwrap()
    );
    let detail = admin.get(&path).await.json(200);
    let item = &detail["items"][0];
    assert_eq!(item["volume"], 2_000);
    assert_eq!(
        item["news"],
        json!([{"title": "Storm & coast", "url": "https://news.example/a", "source": "Example News"}])
    );
    // It is a ranking: being on it for half an hour more counts half a sighting, and no new item.
    app.database()
        .execute_batch("UPDATE trend_items SET last_seen_at = last_seen_at - 1800000")
        .unwrap();
    let_time_pass(&app);
    let done = scrape(&app).await;
    assert_eq!(done["new_items"], 0);
    let detail = admin.get(&path).await.json(200);
    assert_eq!(detail["sightings"], 1);
    let more = detail["momentum"].as_f64().unwrap() / first;
    assert!((1.3..1.6).contains(&more), "{more}");
}

#[tokio::test]
async fn hacker_news_items_are_fetched_once() {
    let web = FakeWeb::start().await;
    web.put("/v0/topstories.json", Page::new("[3, 1, 2]"));
    for (id, rest) in [
        (
            1,
            r#""title": "Show HN: a thing", "score": 90, "url": "https://a.example/""#,
        ),
        (2, r#""deleted": true"#),
        (3, r#""title": "Ask HN: why?", "score": 5"#),
    ] {
        web.put(
            &format!("/v0/item/{id}.json"),
            Page::new(format!(
                r#"{{"id": {id}, "type": "story", "time": 1795183200, {rest}}}"#
            )),
        );
    }
    let app = App::builder()
        .variable("hacker_news_base_url", &web.base_url)
        .start()
        .await;
    let admin = app.admin().await;
    let made = add(
        &admin,
        &json!({"name": "HN", "kind": "hacker_news", "list": "top"}),
    )
    .await;
    scrape(&app).await;
    let mut found = titles(&app).await;
    found.sort();
    assert_eq!(found, ["Ask HN: why?", "Show HN: a thing"]);
    assert_eq!(source(&admin, &made).await["health"]["requests"], 4);
    let_time_pass(&app);
    scrape(&app).await;
    assert_eq!(
        (web.count("/v0/item/1.json"), web.count("/v0/item/3.json")),
        (1, 1)
    );
    // Nobody asks an API made for programs whether it may be asked.
    assert_eq!(web.count("/robots.txt"), 0);
    let detail = admin.get("/api/v1/trends?text=thing").await.json(200);
    assert_eq!(detail["items"][0]["language"], "en");
}

#[tokio::test]
async fn x_trends_come_through_the_api_and_cost_money() {
    let fake = FakeX::start().await;
    fake.set_trends(
        "1",
        vec![
            ("#StormAlex".to_owned(), Some(12_000)),
            ("Rovers".to_owned(), None),
            ("#".to_owned(), None),
            // X lists a topic and its hashtag beside each other: they are one here.
            ("Storm Alex".to_owned(), Some(u64::MAX)),
        ],
    );
    let mut app = App::builder().x(&fake).start().await;
    let admin = app.admin().await;
    let world = add(
        &admin,
        &json!({"name": "World", "kind": "x_trends", "woeid": 1}),
    )
    .await;
    let nowhere = add(
        &admin,
        &json!({"name": "Nowhere", "kind": "x_trends", "woeid": 5}),
    )
    .await;
    scrape(&app).await;
    let mut found = titles(&app).await;
    found.sort();
    assert_eq!(found, ["#StormAlex", "Rovers"]);
    let health = source(&admin, &world).await["health"].clone();
    assert_eq!(
        (&health["requests"], &health["spent_micro_dollars"]),
        (&json!(1), &json!(10_000))
    );
    let health = source(&admin, &nowhere).await["health"].clone();
    assert_eq!(
        (&health["status"], &health["last_error_code"]),
        (&json!("failing"), &json!("not_found")),
        "{health}"
    );
    // At its limit X says when; nobody asks before, not even when somebody wants it.
    fake.configure(|settings| {
        let limit = settings.limits.entry(Endpoint::Trends).or_default();
        limit.app_window = Some(1);
    });
    let_time_pass(&app);
    scrape(&app).await;
    let health = source(&admin, &world).await["health"].clone();
    assert_eq!(health["last_error_code"], "rate_limited", "{health}");
    let path = format!(
        "/api/v1/trends/sources/{}/scrape",
        world["source_id"].as_str().unwrap()
    );
    let asked = health["requests"].as_i64();
    assert_eq!(admin.post_nothing(&path).await.status, 202);
    app.run_job("scrape").await;
    assert_eq!(
        source(&admin, &world).await["health"]["requests"].as_i64(),
        asked
    );
    // Without the application's token nothing is asked at all.
    app.set_variable("x_app_bearer_token", "");
    app.restart().await;
    let_time_pass(&app);
    scrape(&app).await;
    let health = source(&app.admin().await, &world).await["health"].clone();
    assert_eq!(health["last_error_code"], "x_bearer_missing");
    assert_eq!(health["requests"].as_i64(), asked);
    // What trends is not posted.
    assert_eq!(app.number("SELECT count(*) FROM posts"), 0);
}

#[tokio::test]
async fn a_page_is_read_by_its_selectors() {
    let web = FakeWeb::start().await;
    let page = |class: &str| {
        Page::new(format!(
            "<!doctype html><html><head><meta charset=utf-8><title>x</title></head><body><ul>\
         <li class={class}><h3>Grüße aus dem Norden</h3><a href='/nord?utm_source=x'>more</a></li>\
         <li class={class}><h3>Second story of the day</h3></li></ul></body></html>"
        ))
    };
    let url = web.put("/list", page("story"));
    let app = App::builder().near_sources().start().await;
    let admin = app.admin().await;
    quick(&admin).await;
    let made = add(&admin, &json!({
        "name": "A page", "kind": "page", "url": url, "selectors": {"item": "li.story", "title": "h3"},
        "permission": {"granted_by": "The editor", "granted_at": "2026-05-01T00:00:00Z", "reference": "letter of May"},
    })).await;
    scrape(&app).await;
    let mut found = titles(&app).await;
    found.sort();
    assert_eq!(found, ["Grüße aus dem Norden", "Second story of the day"]);
    let list = admin.get("/api/v1/trends?text=gr%C3%BCsse").await.json(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 0);
    let list = admin
        .get("/api/v1/trends?text=gr%C3%BC%C3%9Fe")
        .await
        .json(200);
    let path = format!(
        "/api/v1/trends/{}",
        list["items"][0]["trend_id"].as_str().unwrap()
    );
    let detail = admin.get(&path).await.json(200);
    assert_eq!(detail["items"][0]["url"], format!("{}/nord", web.base_url));
    // The page was rebuilt: that is a failure, not an empty list.
    web.put("/list", page("entry"));
    let_time_pass(&app);
    scrape(&app).await;
    assert_eq!(
        source(&admin, &made).await["health"]["last_error_code"],
        "nothing_selected"
    );
}

#[tokio::test]
async fn hostile_documents_fail_alone() {
    let web = FakeWeb::start().await;
    let laughs: String = (0..40)
        .map(|n| format!("<!ENTITY l{} \"{}\">", n + 1, format!("&l{n};").repeat(10)))
        .collect();
    let documents: Vec<(&str, Vec<u8>, &[Value])> = vec![
        ("/laughs.xml", format!("<!DOCTYPE rss [<!ENTITY l0 \"lol\">{laughs}]><rss><channel><item><title>&l40; harmless</title></item></channel></rss>").into_bytes(), &[Value::Null]),
        ("/deep.xml", format!("<rss><channel>{}", "<a>".repeat(200_000)).into_bytes(), &[]),
        ("/line.xml", format!("<rss><channel><item><title>{}", "x".repeat(10 << 20)).into_bytes(), &[]),
        ("/broken.xml", b"<rss><channel><item><title>caf\xe9 \xff\xfe nine</title></item></channel></rss>".to_vec(), &[Value::Null]),
        ("/many.xml", format!("<rss><channel>{}</channel></rss>", "<b/>".repeat(400_000)).into_bytes(), &[]),
        ("/nothing.xml", Vec::new(), &[]),
        ("/binary.xml", (0..=255).cycle().take(1 << 20).collect(), &[]),
        ("/json.xml", format!("{{\"version\": \"https://jsonfeed.org/version/1\", \"items\": {}", "[".repeat(500_000)).into_bytes(), &[]),
    ];
    let app = App::builder().near_sources().start().await;
    let admin = app.admin().await;
    quick(&admin).await;
    let mut made = Vec::new();
    for (path, body, wanted) in documents {
        let url = web.put(path, Page::new(body));
        made.push((
            path,
            add(&admin, &json!({"name": path, "kind": "feed", "url": url})).await,
            wanted,
        ));
    }
    let slow = web.put(
        "/slow.xml",
        Page::new("<rss/>").after(Duration::from_secs(120)),
    );
    let slow = add(
        &admin,
        &json!({"name": "slow", "kind": "feed", "url": slow}),
    )
    .await;
    let started = Instant::now();
    for _ in 0..40 {
        scrape(&app).await;
        if app.number("SELECT count(*) FROM trend_source_states WHERE last_attempt_at IS NULL") == 0
        {
            break;
        }
    }
    assert!(
        started.elapsed() < Duration::from_secs(90),
        "{:?}",
        started.elapsed()
    );
    for (path, made, wanted) in &made {
        let health = source(&admin, made).await["health"].clone();
        if wanted.is_empty() {
            assert_eq!(health["status"], "failing", "{path}: {health}");
        } else {
            assert_eq!(
                (&health["status"], &health["last_error_code"]),
                (&json!("ok"), &wanted[0]),
                "{path}"
            );
        }
    }
    assert_eq!(
        source(&admin, &slow).await["health"]["last_error_code"],
        "timeout"
    );
    let mut found = titles(&app).await;
    found.sort();
    assert_eq!(found, ["caf\u{fffd} \u{fffd}\u{fffd} nine", "harmless"]);
    // The same worker still reads what is well.
    let good = web.put(
        "/good.xml",
        Page::new("<rss><channel><item><title>All is well</title></item></channel></rss>"),
    );
    add(
        &admin,
        &json!({"name": "good", "kind": "feed", "url": good}),
    )
    .await;
    scrape(&app).await;
    assert!(titles(&app).await.contains(&"All is well".to_owned()));
    assert!(!app.log().contains("panicked"), "{}", app.log());
}

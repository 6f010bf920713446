//! What comes of a fetch when something changes meanwhile, and when nothing does.

use std::time::Duration;

use serde_json::json;
use vivesphere_tests::app::App;
use vivesphere_tests::fake_web::{FakeWeb, Page};

use crate::scraping::{FEED, feed};
use crate::trends::{let_time_pass, quick, scrape, source};

#[tokio::test]
async fn what_was_asked_for_before_a_change_is_not_taken_for_what_is_wanted_now() {
    let web = FakeWeb::start().await;
    let titled = |title: &str| Page::new(FEED.replace("A topic of today", title)).tagged("\"one\"");
    let slow = titled("The old address").after(Duration::from_millis(1500));
    let old = web.put("/old.xml", slow);
    let gone = web.put(
        "/gone.xml",
        Page::status(410).after(Duration::from_millis(1500)),
    );
    let new = web.put("/new.xml", titled("The new address"));
    let app = App::builder().near_sources().start().await;
    let admin = app.admin().await;
    quick(&admin).await;
    for (from, path) in [(&old, "/old.xml"), (&gone, "/gone.xml")] {
        let made = feed(&admin, from).await;
        let source_path = format!(
            "/api/v1/trends/sources/{}",
            made["source_id"].as_str().unwrap()
        );
        let change = json!({"url": format!("{new}?for={path}")});
        web.put(&format!("/new.xml?for={path}"), titled("The new address"));
        let fetching = async {
            while web.count(path) == 0 {
                let_time_pass(&app);
                app.run_job("scrape").await;
            }
        };
        let changing = async {
            while web.count(path) == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            admin.patch(&source_path, &change).await.json(200);
        };
        tokio::join!(fetching, changing);
        let_time_pass(&app);
        scrape(&app).await;
        let health = source(&admin, &made).await["health"].clone();
        assert_eq!(health["status"], "ok", "{health}");
        let items = app.number("SELECT count(*) FROM trend_items WHERE title = 'The old address'");
        assert_eq!(items, 0);
    }
    assert_eq!(
        app.number("SELECT count(*) FROM trend_items WHERE title = 'The new address'"),
        2
    );
}

#[tokio::test]
async fn an_answer_that_nothing_is_new_keeps_what_the_feed_asked_for() {
    let web = FakeWeb::start().await;
    let ttl = FEED.replace("<channel>", "<channel><ttl>600</ttl>");
    let ttl = web.put("/ttl.xml", Page::new(ttl).tagged("\"one\""));
    let max_age = Page::new(FEED)
        .tagged("\"one\"")
        .header("cache-control", "max-age=36000");
    let max_age = web.put("/max-age.xml", max_age);
    let app = App::builder().near_sources().start().await;
    let admin = app.admin().await;
    quick(&admin).await;
    feed(&admin, &ttl).await;
    feed(&admin, &max_age).await;
    for turn in 0..2 {
        let_time_pass(&app);
        let done = scrape(&app).await;
        let soonest =
            app.number("SELECT min(next_fetch_at) / 1000 - unixepoch() FROM trend_source_states");
        assert!(soonest > 35_900, "{turn}: {soonest}, {done}");
    }
    assert_eq!(
        web.asked().pop().unwrap().headers["if-none-match"],
        "\"one\""
    );
}

#[tokio::test]
async fn a_redirect_that_would_always_have_to_wait_fails_by_name() {
    let web = FakeWeb::start().await;
    web.put("/robots.txt", Page::new("user-agent: *\ncrawl-delay: 40\n"));
    web.put("/feed/", Page::new(FEED));
    let app = App::builder().near_sources().start().await;
    let admin = app.admin().await;
    quick(&admin).await;
    let made = feed(&admin, &web.put("/feed", Page::redirect("/feed/"))).await;
    for _ in 0..4 {
        let_time_pass(&app);
        app.run_job("scrape").await;
    }
    let health = source(&admin, &made).await["health"].clone();
    assert_eq!(health["last_error_code"], "redirect_too_slow", "{health}");
    assert_eq!(health["requests"].as_u64(), Some(web.asked().len() as u64));
}

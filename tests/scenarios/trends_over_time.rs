//! Topics that nobody sees any more: they sink, then go.

use serde_json::json;
use vivesphere_tests::app::App;
use vivesphere_tests::fake_web::{FakeWeb, Page};

use crate::trends::{add, quick, rss, scrape};

#[tokio::test]
async fn momentum_sinks_and_what_is_old_goes() {
    let web = FakeWeb::start().await;
    let url = web.put(
        "/feed.xml",
        Page::new(rss(&[("Once a topic here", "https://a.example/1")])),
    );
    let app = App::builder().near_sources().start().await;
    let admin = app.admin().await;
    quick(&admin).await;
    add(&admin, &json!({"name": "One", "kind": "feed", "url": url})).await;
    scrape(&app).await;
    let list = admin.get("/api/v1/trends").await.json(200);
    let before = list["items"][0]["momentum"].as_f64().unwrap();
    assert!(before > 0.3, "{list}");
    let past = |column: &str, hours: i64| {
        format!("UPDATE trends SET {column} = {column} - {hours} * 3600000, scored_at = 0;")
    };
    let upkeep = "UPDATE trend_upkeep SET scored_at = 0, expired_at = 0;";
    app.database()
        .execute_batch(&format!("{}{upkeep}", past("strength_at", 1)))
        .unwrap();
    let done = app.run_job("scrape").await;
    assert_eq!(done["scored"], 1, "{done}");
    let list = admin.get("/api/v1/trends").await.json(200);
    let after = list["items"][0]["momentum"].as_f64().unwrap();
    assert!(
        after > 0.0 && after < before * 0.55,
        "{before} then {after}"
    );
    app.database()
        .execute_batch(&format!("{}{upkeep}", past("strength_at", 1000)))
        .unwrap();
    app.run_job("scrape").await;
    let list = admin.get("/api/v1/trends").await.json(200);
    assert_eq!(list["items"][0]["momentum"], 0.0);

    // Thirty-one days later the item goes, the topic stays with its series, then goes with it.
    let days = |table: &str, column: &str, days: i64| {
        format!("UPDATE {table} SET {column} = {column} - {days} * 86400000;")
    };
    let older = [
        days("trend_items", "last_seen_at", 31),
        days("trends", "last_seen_at", 31),
        days("trend_points", "began_at", 31),
    ]
    .concat();
    app.database()
        .execute_batch(&format!("{older}{upkeep}"))
        .unwrap();
    app.run_job("scrape").await;
    assert_eq!(app.number("SELECT count(*) FROM trend_items"), 0);
    assert_eq!(app.number("SELECT count(*) FROM trend_topic_items"), 0);
    assert_eq!(app.number("SELECT count(*) FROM trends"), 1);
    app.database()
        .execute_batch(&format!(
            "{}{}{upkeep}",
            days("trends", "last_seen_at", 60),
            days("trend_points", "began_at", 60)
        ))
        .unwrap();
    let done = app.run_job("scrape").await;
    assert_eq!(done["deleted"], 2, "{done}");
    assert_eq!(app.number("SELECT count(*) FROM trends"), 0);
}

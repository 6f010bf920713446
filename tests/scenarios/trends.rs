//! Topics and their sources, as people see and change them.

use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;
use vivesphere_tests::fake_web::{FakeWeb, Page};

const SOURCES: &str = "/api/v1/trends/sources";

pub(crate) async fn add(client: &Client, source: &Value) -> Value {
    client.post(SOURCES, source).await.json(201)
}

pub(crate) async fn source(client: &Client, source: &Value) -> Value {
    let path = format!("{SOURCES}/{}", source["source_id"].as_str().unwrap());
    client.get(&path).await.json(200)
}

/// Sources of one server are due again, and its server may be asked at once.
pub(crate) fn let_time_pass(app: &App) {
    app.database()
        .execute_batch(
            "UPDATE scrape_hosts SET next_request_at = 0;
             UPDATE trend_source_states SET next_fetch_at = 0, not_before = 0;",
        )
        .unwrap();
}

/// Requests to one server are as near as they can be.
pub(crate) async fn quick(admin: &Client) {
    let settings = json!({"service_name": "trends", "settings": {"host_spacing_seconds": 1}});
    let change = json!({"settings_data": settings});
    admin.post("/api/v1/config/update", &change).await.json(200);
}

/// Runs the scraper until nothing is due.
pub(crate) async fn scrape(app: &App) -> Value {
    let mut last = Value::Null;
    for _ in 0..20 {
        last = app.run_job("scrape").await;
        if last["remaining"] == 0 && last["postponed"] == 0 {
            return last;
        }
        app.database()
            .execute_batch(
                "UPDATE scrape_hosts SET next_request_at = 0;
                 UPDATE trend_source_states SET next_fetch_at = 0
                 WHERE next_fetch_at < 15000 + CAST(unixepoch('subsec') * 1000 AS INTEGER);",
            )
            .unwrap();
    }
    panic!("there is always more to fetch: {last}");
}

pub(crate) fn rss(items: &[(&str, &str)]) -> String {
    let mut text =
        "<rss version=\"2.0\"><channel><title>News</title><language>en</language>".to_owned();
    for (title, link) in items {
        text += &format!("<item><title>{title}</title><link>{link}</link></item>");
    }
    text + "</channel></rss>"
}

fn errors(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap();
    errors
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn topics_of_several_sources_meet_and_can_be_looked_at() {
    let web = FakeWeb::start().await;
    let one = web.put(
        "/one.xml",
        Page::new(rss(&[
            (
                "Storm Alex hits the coast of Brittany",
                "https://a.example/storm?utm_source=rss",
            ),
            ("Rovers beat United in the final", "https://a.example/final"),
        ])),
    );
    let two = web.put(
        "/two.xml",
        Page::new(rss(&[
            ("Storm Alex hits Brittany coast", "https://b.example/alex"),
            ("A match to remember", "http://www.a.example/final/#top"),
            ("Something else", "https://b.example/else"),
        ])),
    );
    let app = App::builder().near_sources().start().await;
    let admin = app.admin().await;
    quick(&admin).await;
    let one = add(
        &admin,
        &json!({"name": "One", "kind": "feed", "url": one, "category": "World"}),
    )
    .await;
    let two = add(&admin, &json!({"name": "Two", "kind": "feed", "url": two})).await;
    assert_eq!(one["health"]["status"], "new");
    let done = scrape(&app).await;
    assert_eq!(done["failed"], 0, "{done}");

    let viewer = app.user(&admin, &["viewer"]).await;
    let list = viewer.get("/api/v1/trends").await.json(200);
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 3, "{list:#}");
    // What two sources show is ahead of what one shows.
    assert_eq!(items[2]["title"], "Something else");
    let storm = items
        .iter()
        .find(|item| item["title"].as_str().unwrap().starts_with("Storm"))
        .unwrap();
    assert_eq!(storm["sightings"], 2);
    assert_eq!(storm["language"], "en");
    assert_eq!(storm["sources"].as_array().unwrap().len(), 2);
    assert!(storm["momentum"].as_f64().unwrap() > items[2]["momentum"].as_f64().unwrap());

    let path = format!("/api/v1/trends/{}", storm["trend_id"].as_str().unwrap());
    let detail = viewer.get(&path).await.json(200);
    assert_eq!(detail["items"].as_array().unwrap().len(), 2);
    assert!(
        detail["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|item| item["url"] == "https://a.example/storm")
    );
    let history = viewer.get(&format!("{path}/history")).await.json(200);
    let points = history["items"].as_array().unwrap();
    let seen: i64 = points
        .iter()
        .map(|point| point["sightings"].as_i64().unwrap())
        .sum();
    assert_eq!(seen, 2);
    assert_eq!(history["seconds_of_a_point"], 900);
    viewer
        .get(&format!("{path}/history?since=soon"))
        .await
        .problem(422, "invalid");

    // Filters, orders, pages.
    let titles = async |query: &str| -> Vec<String> {
        let list = viewer
            .get(&format!("/api/v1/trends?{query}"))
            .await
            .json(200);
        let items = list["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|item| item["title"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(titles("text=SOME").await, ["Something else"]);
    assert_eq!(titles("text=lse").await, [""; 0]);
    assert_eq!(titles("category=world").await.len(), 2);
    assert_eq!(titles("language=en-GB").await.len(), 3);
    assert_eq!(titles("language=de").await.len(), 0);
    assert_eq!(titles("since=2099-01-01T00:00:00Z").await.len(), 0);
    let of_one = format!("source_id={}", one["source_id"].as_str().unwrap());
    assert_eq!(titles(&of_one).await.len(), 2);
    for order in ["momentum", "newest"] {
        let whole = titles(&format!("order={order}")).await;
        let mut paged = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/v1/trends?order={order}&limit=1{cursor}");
            let page = viewer.get(&path).await.json(200);
            paged.push(page["items"][0]["title"].as_str().unwrap().to_owned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(paged, whole, "{order}");
    }
    for wrong in ["order=best", "surprise=1"] {
        viewer
            .get(&format!("/api/v1/trends?{wrong}"))
            .await
            .problem(400, "malformed_request");
    }
    viewer
        .get("/api/v1/trends?source_id=x")
        .await
        .problem(422, "invalid");

    // The same again is nothing new.
    let_time_pass(&app);
    let done = scrape(&app).await;
    assert_eq!(done["new_items"], 0, "{done}");
    let again = viewer.get(&path).await.json(200);
    assert_eq!(again["sightings"], 2);
    assert_eq!(source(&admin, &two).await["health"]["items"], 3);
    // A viewer changes nothing.
    viewer
        .post(SOURCES, &json!({"name": "x", "kind": "feed"}))
        .await
        .problem(403, "forbidden");
}

#[tokio::test]
async fn sources_are_checked_changed_and_audited() {
    let app = App::start().await;
    let admin = app.admin().await;
    let operator = app.user(&admin, &["operator"]).await;
    let refused = async |source: &Value, pointers: &[&str]| {
        let problem = operator.post(SOURCES, source).await.problem(422, "invalid");
        assert_eq!(errors(&problem), pointers, "{source}");
        problem["errors"][0]["detail"].as_str().unwrap().to_owned()
    };
    // X is never scraped, and nothing private is fetched.
    for url in [
        "https://x.com/explore",
        "https://mobile.twitter.com/a/rss",
        "http://t.co/abc",
    ] {
        for kind in ["feed", "page"] {
            let mut source = json!({"name": "X", "kind": kind, "url": url});
            if kind == "page" {
                source["selectors"] = json!({"item": "li"});
                source["permission"] = json!({"granted_by": "a", "granted_at": "2026-01-01T00:00:00Z", "reference": "b"});
            }
            let detail = refused(&source, &["/url"]).await;
            assert!(detail.contains("x_is_not_scraped"), "{detail}");
        }
    }
    for url in [
        "http://127.0.0.1:3000/",
        "http://[::1]/",
        "http://0x7f.1/",
        "http://10.0.0.1/",
        "http://169.254.169.254/",
        "http://botdata.spin.internal/",
        "http://localhost/",
        "http://router/",
    ] {
        let detail = refused(
            &json!({"name": "near", "kind": "feed", "url": url}),
            &["/url"],
        )
        .await;
        assert!(detail.contains("private_address"), "{detail}");
    }
    // A page needs a permission, with who, when and where.
    let page = json!({"name": "Page", "kind": "page", "url": "https://news.example/", "selectors": {"item": "li.story", "title": "h3"}});
    let detail = refused(&page, &["/permission"]).await;
    assert!(detail.contains("page_needs_permission"), "{detail}");
    let mut with = page.clone();
    with["permission"] =
        json!({"granted_by": "The editor", "granted_at": "2099-01-01T00:00:00Z", "reference": " "});
    refused(&with, &["/permission/reference", "/permission/granted_at"]).await;
    with["permission"] =
        json!({"granted_by": "The editor", "granted_at": "soon", "reference": "a letter"});
    refused(&with, &["/permission/granted_at"]).await;
    with["permission"]["granted_at"] = json!("2026-05-01T12:00:00+02:00");
    with["selectors"]["item"] = json!("li:hover");
    refused(&with, &["/selectors/item"]).await;
    refused(
        &json!({"name": "", "kind": "x_trends", "url": "https://a.example/"}),
        &["/name", "/woeid", "/url"],
    )
    .await;
    refused(
        &json!({"name": "n", "kind": "hacker_news", "list": "worst"}),
        &["/list"],
    )
    .await;
    refused(&json!({"name": "n", "kind": "rss"}), &["/kind"]).await;
    assert_eq!(app.number("SELECT count(*) FROM trend_sources"), 0);

    with["selectors"]["item"] = json!("li.story");
    let made = add(&operator, &with).await;
    assert_eq!(made["permission"]["granted_at"], "2026-05-01T10:00:00.000Z");
    assert_eq!(made["version"], 1);
    assert_eq!(made["created_by"], operator.user_id);
    for (kind, field, value) in [
        ("x_trends", "woeid", json!(1)),
        ("hacker_news", "list", json!("top")),
    ] {
        let mut source = json!({"name": kind, "kind": kind, "enabled": false});
        source[field] = value;
        let source = add(&operator, &source).await;
        assert_eq!(source["health"]["status"], "disabled");
        assert_eq!(source["health"]["next_fetch_at"], Value::Null);
    }
    operator
        .post(SOURCES, &with)
        .await
        .problem(409, "trend_source_exists");
    let list = operator
        .get(&format!("{SOURCES}?kind=page"))
        .await
        .json(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let list = operator
        .get(&format!("{SOURCES}?enabled=false&limit=1"))
        .await
        .json(200);
    assert!(list["next_cursor"].is_string());

    let path = format!("{SOURCES}/{}", made["source_id"].as_str().unwrap());
    let change = json!({"name": "Renamed", "weight": 2.5, "category": "Sport", "language": "en-gb", "interval_seconds": 600});
    let changed = operator
        .send(reqwest::Method::PATCH, &path, |request| {
            request.header("if-match", "\"1\"").json(&change)
        })
        .await
        .json(200);
    assert_eq!(
        (&changed["name"], &changed["weight"]),
        (&json!("Renamed"), &json!(2.5))
    );
    assert_eq!(
        (&changed["language"], &changed["version"]),
        (&json!("en-GB"), &json!(2))
    );
    let stale = operator
        .send(reqwest::Method::PATCH, &path, |request| {
            request.header("if-match", "\"1\"").json(&change)
        })
        .await;
    stale.problem(412, "stale_version");
    let without = json!({"category": null, "interval_seconds": null});
    let changed = operator.patch(&path, &without).await.json(200);
    assert_eq!(
        (&changed["category"], &changed["interval_seconds"]),
        (&Value::Null, &Value::Null)
    );
    let problem = operator
        .patch(&path, &json!({"url": "https://x.com/"}))
        .await
        .problem(422, "invalid");
    assert_eq!(errors(&problem), ["/url"]);
    operator
        .patch(&path, &json!({"kind": "feed"}))
        .await
        .problem(422, "invalid");

    let asked = operator.post_nothing(&format!("{path}/scrape")).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    operator
        .patch(&path, &json!({"enabled": false}))
        .await
        .json(200);
    operator
        .post_nothing(&format!("{path}/scrape"))
        .await
        .problem(409, "trend_source_not_fetched");
    let stale = operator
        .send(reqwest::Method::DELETE, &path, |request| {
            request.header("if-match", "\"1\"")
        })
        .await;
    stale.problem(412, "stale_version");
    let gone = operator
        .send(reqwest::Method::DELETE, &path, |request| request)
        .await;
    assert_eq!(gone.status, 204);
    operator.get(&path).await.problem(404, "not_found");
    // What is gone may come again.
    add(&operator, &with).await;
    let told: Vec<String> = {
        let database = app.database();
        let mut statement = database
            .prepare(
                "SELECT action FROM audit_log WHERE action LIKE 'trend_source.%' ORDER BY audit_id",
            )
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(|row| row.unwrap()).collect()
    };
    let told: Vec<&str> = told
        .iter()
        .map(|action| action.trim_start_matches("trend_source."))
        .collect();
    assert_eq!(
        told,
        [
            "created",
            "created",
            "created",
            "changed",
            "changed",
            "scrape_requested",
            "changed",
            "deleted",
            "created"
        ]
    );
}

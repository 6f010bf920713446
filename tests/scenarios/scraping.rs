//! The scraper's manners: robots.txt, spacing, conditional requests, redirects, errors, private
//! addresses.

use std::time::Duration;

use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;
use vivesphere_tests::fake_web::{FakeWeb, Page};

use crate::trends::{add, let_time_pass, quick, scrape, source};

pub(crate) const FEED: &str =
    "<rss><channel><item><title>A topic of today</title></item></channel></rss>";

pub(crate) async fn feed(client: &Client, url: &str) -> Value {
    add(
        client,
        &json!({"name": "A feed", "kind": "feed", "url": url}),
    )
    .await
}

#[tokio::test]
async fn robots_txt_is_honoured_and_kept() {
    let web = FakeWeb::start().await;
    web.put("/robots.txt", Page::new(
        "User-agent: *\nDisallow: /\n\nUser-agent: vivesphere\nAllow: /\nDisallow: /private/\nAllow: /private/feed\n",
    ));
    let open = web.put("/open.xml", Page::new(FEED));
    let allowed = web.put("/private/feed.xml", Page::new(FEED));
    let forbidden = web.put("/private/other.xml", Page::new(FEED));
    let app = App::builder().near_sources().start().await;
    let admin = app.admin().await;
    quick(&admin).await;
    let (open, allowed) = (feed(&admin, &open).await, feed(&admin, &allowed).await);
    let forbidden = feed(&admin, &forbidden).await;
    scrape(&app).await;
    for fetched in [&open, &allowed] {
        let health = &source(&admin, fetched).await["health"];
        assert_eq!(health["status"], "ok", "{health}");
        assert!(health["last_success_at"].is_string() && health["last_item_at"].is_string());
    }
    let health = source(&admin, &forbidden).await["health"].clone();
    assert_eq!(
        (&health["status"], &health["last_error_code"]),
        (&json!("failing"), &json!("robots_disallowed"))
    );
    assert_eq!(web.count("/private/other.xml"), 0);
    // One server, one robots.txt, however many sources.
    assert_eq!(web.count("/robots.txt"), 1);
    let_time_pass(&app);
    scrape(&app).await;
    assert_eq!(web.count("/robots.txt"), 1);
    // It is kept for a day at most.
    let kept = app.number("SELECT max(robots_expires_at) - CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM scrape_hosts");
    assert!((1..=86_400_000).contains(&kept), "{kept}");
    app.database()
        .execute_batch("UPDATE scrape_hosts SET robots_expires_at = 1")
        .unwrap();
    let_time_pass(&app);
    scrape(&app).await;
    assert_eq!(web.count("/robots.txt"), 2);
    // Who it is, and where its people are.
    for asked in web.asked() {
        let agent = asked.headers["user-agent"].to_str().unwrap().to_owned();
        assert!(
            agent.starts_with("ViveSphere/") && agent.contains(&app.base_url),
            "{agent}"
        );
        assert!(
            !asked.headers.contains_key("cookie") && !asked.headers.contains_key("authorization")
        );
    }
}

#[tokio::test]
async fn a_robots_txt_that_cannot_be_had_forbids_and_none_allows() {
    let (broken, busy, absent) = (
        FakeWeb::start().await,
        FakeWeb::start().await,
        FakeWeb::start().await,
    );
    broken.put("/robots.txt", Page::status(500));
    busy.put("/robots.txt", Page::status(429));
    absent.put("/robots.txt", Page::status(403));
    let app = App::builder().near_sources().start().await;
    let admin = app.admin().await;
    quick(&admin).await;
    let mut sources = Vec::new();
    for web in [&broken, &busy, &absent] {
        sources.push(feed(&admin, &web.put("/feed.xml", Page::new(FEED))).await);
    }
    scrape(&app).await;
    for (made, web) in sources.iter().take(2).zip([&broken, &busy]) {
        let health = source(&admin, made).await["health"].clone();
        assert_eq!(health["last_error_code"], "robots_unreachable", "{health}");
        assert_eq!(web.count("/feed.xml"), 0);
    }
    assert_eq!(source(&admin, &sources[2]).await["health"]["status"], "ok");
    // Once it can be had, it is asked anew.
    broken.put("/robots.txt", Page::redirect("/rules/robots.txt"));
    broken.put(
        "/rules/robots.txt",
        Page::new("user-agent: *\ndisallow: /nothing-here\n"),
    );
    let_time_pass(&app);
    scrape(&app).await;
    assert_eq!(source(&admin, &sources[0]).await["health"]["status"], "ok");
}

#[tokio::test]
async fn requests_to_one_server_keep_their_distance() {
    let web = FakeWeb::start().await;
    web.put("/robots.txt", Page::new("user-agent: *\ncrawl-delay: 3\n"));
    let app = App::builder().near_sources().start().await;
    let admin = app.admin().await;
    quick(&admin).await;
    for number in 0..3 {
        feed(&admin, &web.put(&format!("/{number}.xml"), Page::new(FEED))).await;
    }
    // Two workers at once: they keep the distance together.
    for _ in 0..3 {
        tokio::join!(app.run_job("scrape"), app.run_job("scrape"));
        if web.asked().len() >= 4 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let asked = web.asked();
    let pages: Vec<_> = asked
        .iter()
        .filter(|asked| asked.path != "/robots.txt")
        .collect();
    assert_eq!(
        pages.len(),
        3,
        "{:?}",
        asked.iter().map(|asked| &asked.path).collect::<Vec<_>>()
    );
    for pair in pages.windows(2) {
        // Each is sent when its time has come; a machine that stalls just then makes it later, and
        // the way to the next shorter.
        let apart = pair[1].at - pair[0].at;
        assert!(apart > Duration::from_millis(2_500), "{apart:?}");
    }
}

#[tokio::test]
async fn what_is_unchanged_is_not_sent_again() {
    let web = FakeWeb::start().await;
    let url = web.put(
        "/feed.xml",
        Page::new(FEED)
            .tagged("\"one\"")
            .header("last-modified", "Fri, 20 Nov 2026 10:00:00 GMT"),
    );
    let app = App::builder().near_sources().start().await;
    let admin = app.admin().await;
    quick(&admin).await;
    let made = feed(&admin, &url).await;
    scrape(&app).await;
    let_time_pass(&app);
    let done = scrape(&app).await;
    assert_eq!(
        (&done["unchanged"], &done["fetched"]),
        (&json!(1), &json!(0)),
        "{done}"
    );
    let last = web.asked().pop().unwrap();
    assert_eq!(last.headers["if-none-match"], "\"one\"");
    assert_eq!(
        last.headers["if-modified-since"],
        "Fri, 20 Nov 2026 10:00:00 GMT"
    );
    let health = source(&admin, &made).await["health"].clone();
    assert_eq!(
        (&health["last_http_status"], &health["requests"]),
        (&json!(304), &json!(3))
    );
    // Another address, another answer: what was known is forgotten.
    let other = web.put("/other.xml", Page::new(FEED));
    let path = format!(
        "/api/v1/trends/sources/{}",
        made["source_id"].as_str().unwrap()
    );
    admin.patch(&path, &json!({"url": other})).await.json(200);
    let_time_pass(&app);
    scrape(&app).await;
    assert!(
        !web.asked()
            .pop()
            .unwrap()
            .headers
            .contains_key("if-none-match")
    );
}

#[tokio::test]
async fn errors_back_off_and_what_a_server_asks_for_holds() {
    let web = FakeWeb::start().await;
    let app = App::builder().near_sources().start().await;
    let admin = app.admin().await;
    quick(&admin).await;
    let busy = feed(
        &admin,
        &web.put("/busy.xml", Page::status(429).header("retry-after", "3600")),
    )
    .await;
    let down = feed(
        &admin,
        &web.put(
            "/down.xml",
            Page::status(503).header("retry-after", "Fri, 20 Nov 2099 10:00:00 GMT"),
        ),
    )
    .await;
    let broken = feed(&admin, &web.put("/broken.xml", Page::status(500))).await;
    let gone = feed(&admin, &web.put("/gone.xml", Page::status(410))).await;
    scrape(&app).await;
    let wait = |made: &Value| {
        let id = made["source_id"].as_str().unwrap();
        app.number(&format!(
            "SELECT next_fetch_at - last_attempt_at FROM trend_source_states WHERE source_id = '{id}'"
        ))
    };
    assert!(
        (3_600_000..3_610_000).contains(&wait(&busy)),
        "{}",
        wait(&busy)
    );
    assert!(
        (86_400_000..86_410_000).contains(&wait(&down)),
        "{}",
        wait(&down)
    );
    assert!(
        (29_000..61_000).contains(&wait(&broken)),
        "{}",
        wait(&broken)
    );
    let health = source(&admin, &gone).await["health"].clone();
    assert_eq!(
        (&health["status"], &health["last_error_code"]),
        (&json!("stopped"), &json!("gone"))
    );
    assert_eq!(
        app.number("SELECT count(*) FROM audit_log WHERE action = 'trend_source.stopped'"),
        1
    );

    // Somebody asks for a fetch: the backoff is over, the server's own wish is not.
    let path = |made: &Value| {
        format!(
            "/api/v1/trends/sources/{}",
            made["source_id"].as_str().unwrap()
        )
    };
    for made in [&busy, &broken] {
        let answer = admin.post_nothing(&format!("{}/scrape", path(made))).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
    admin
        .post_nothing(&format!("{}/scrape", path(&gone)))
        .await
        .problem(409, "trend_source_not_fetched");
    app.database()
        .execute_batch("UPDATE scrape_hosts SET next_request_at = 0")
        .unwrap();
    scrape(&app).await;
    assert_eq!((web.count("/busy.xml"), web.count("/gone.xml")), (1, 1));
    assert_eq!(web.count("/broken.xml"), 2);
    let health = source(&admin, &broken).await["health"].clone();
    assert_eq!(
        (&health["failures"], &health["last_http_status"]),
        (&json!(2), &json!(500))
    );
    assert!(
        (59_000..121_000).contains(&wait(&broken)),
        "{}",
        wait(&broken)
    );
    // Started again by a person, and well again.
    web.put("/gone.xml", Page::new(FEED));
    web.put("/broken.xml", Page::new(FEED));
    admin
        .patch(&path(&gone), &json!({"enabled": true}))
        .await
        .json(200);
    let_time_pass(&app);
    scrape(&app).await;
    for made in [&gone, &broken] {
        let health = source(&admin, made).await["health"].clone();
        assert_eq!(
            (&health["status"], &health["failures"]),
            (&json!("ok"), &json!(0)),
            "{health}"
        );
    }
}

#[tokio::test]
async fn redirects_are_followed_so_far_and_never_inside() {
    let web = FakeWeb::start().await;
    let app = App::builder().near_sources().start().await;
    let admin = app.admin().await;
    quick(&admin).await;
    web.put("/end.xml", Page::new(FEED));
    web.put("/two", Page::redirect("/end.xml"));
    let good = feed(&admin, &web.put("/one", Page::redirect("/two"))).await;
    let round = feed(&admin, &web.put("/round", Page::redirect("/round"))).await;
    let to_x = feed(
        &admin,
        &web.put("/x", Page::redirect("https://x.com/explore")),
    )
    .await;
    let to_file = feed(
        &admin,
        &web.put("/file", Page::redirect("file:///etc/passwd")),
    )
    .await;
    for _ in 0..10 {
        let_time_pass(&app);
        app.run_job("scrape").await;
        if source(&admin, &round).await["health"]["failures"] != 0 {
            break;
        }
    }
    scrape(&app).await;
    assert_eq!(source(&admin, &good).await["health"]["status"], "ok");
    for (made, code) in [
        (&round, "too_many_redirects"),
        (&to_x, "x_is_not_scraped"),
        (&to_file, "address_not_http"),
    ] {
        let health = source(&admin, made).await["health"].clone();
        assert_eq!(health["last_error_code"], code, "{health}");
    }
}

#[tokio::test]
async fn private_addresses_are_refused_unless_the_deployment_allows_them() {
    let web = FakeWeb::start().await;
    let url = web.put("/feed.xml", Page::new(FEED));
    let mut app = App::builder().near_sources().start().await;
    let admin = app.admin().await;
    quick(&admin).await;
    let made = feed(&admin, &url).await;
    let port = url
        .split(':')
        .nth(2)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let named = feed(&admin, &format!("http://localhost:{port}/feed.xml?named")).await;
    // A name of the public kind that leads here: nothing but asking for it tells.
    let rebound = feed(&admin, "http://localhost.localdomain:9/feed.xml").await;
    app.set_variable("scrape_allow_private_addresses", "false");
    app.restart().await;
    let admin = app.admin().await;
    let_time_pass(&app);
    scrape(&app).await;
    for made in [&made, &named] {
        let health = source(&admin, made).await["health"].clone();
        assert_eq!(health["last_error_code"], "private_address", "{health}");
    }
    let health = source(&admin, &rebound).await["health"].clone();
    // Spin keeps its resolver to itself: there only the connection tells (docs/TRENDS.md).
    let mut codes = vec!["private_address", "dns_error"];
    if std::env::var_os("SPIN_BIN").is_some() {
        codes.push("robots_unreachable");
    }
    let code = health["last_error_code"].as_str().unwrap();
    assert!(codes.contains(&code), "{health}");
    assert_eq!(web.asked().len(), 0);
}

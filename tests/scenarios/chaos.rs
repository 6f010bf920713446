//! Everything goes wrong at once: 500 posts over 20 bots, an X that fails at random, and a host
//! that is killed thirty times in the middle of it. Nothing is lost, nothing is posted twice.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;
use vivesphere_tests::fake_x::{Endpoint, FakeX, Fault, Options, Settings};

const BOTS: usize = 20;
const POSTS: usize = 500;
const KILLS: usize = 30;

/// What goes wrong, and how often. Together about every fourth call.
fn break_it(fake: &FakeX) {
    let html = false;
    for (share, fault) in [
        (0.05, Fault::CutBefore),
        (0.05, Fault::CutAfter),
        (0.02, Fault::CutInside),
        (0.03, Fault::ErrorBefore { status: 500, html }),
        (0.03, Fault::ErrorAfter { status: 503, html }),
        (
            0.02,
            Fault::ErrorAfter {
                status: 502,
                html: true,
            },
        ),
        (0.02, Fault::MalformedAfter),
        (0.01, Fault::EmptyAfter),
        (
            0.02,
            Fault::RateLimited {
                reset_after: Some(1),
                legacy: false,
            },
        ),
        (0.01, Fault::Unauthorized),
        (0.30, Fault::Slow { ms: 60 }),
    ] {
        fake.fault_by_chance(Endpoint::CreatePost, share, fault);
    }
    for (share, fault) in [
        (0.05, Fault::ErrorBefore { status: 503, html }),
        (0.05, Fault::CutBefore),
    ] {
        fake.fault_by_chance(Endpoint::UserPosts, share, fault);
    }
}

/// A publisher that is called again and again, whatever becomes of the calls.
fn keep_publishing(service: Client) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let path = "/api/v1/jobs/publish/run?budget_seconds=5";
        loop {
            let _lost = service
                .try_send(Method::POST, path, |request| request)
                .await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
}

async fn all_posts(admin: &Client, bot_id: &str) -> Vec<Value> {
    let path = format!("/api/v1/bots/{bot_id}/posts?limit=200");
    let page = admin.get(&path).await.json(200);
    assert!(page["next_cursor"].is_null());
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn every_post_is_published_exactly_once_or_says_what_a_person_must_do() {
    let seed: u64 = match std::env::var("CHAOS_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => rand::random(),
    };
    println!("CHAOS_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let settings = Settings {
        refuse_duplicates: true,
        ..Settings::unlimited()
    };
    let fake = FakeX::start_with(Options {
        settings,
        seed,
        ..Options::default()
    })
    .await
    .unwrap();
    let mut app = App::builder()
        .x(&fake)
        .variable("x_request_timeout_seconds", 1)
        .variable("publish_lease_seconds", 1)
        .start()
        .await;
    let admin = app.admin().await;
    let mut bots = Vec::new();
    for number in 0..BOTS {
        let account = fake.add_user(&format!("account_{number}"));
        let bot_id = app.bot(&admin, &account).await;
        for post in 0..POSTS / BOTS {
            let text = format!("post {post} of bot {number}");
            admin.schedule(&bot_id, &json!({"text": text})).await;
        }
        bots.push((bot_id, account));
    }

    break_it(&fake);
    for _ in 0..KILLS {
        let publishers = [
            keep_publishing(app.service()),
            keep_publishing(app.service()),
        ];
        let wait = Duration::from_millis(random.random_range(20..500));
        tokio::time::sleep(wait).await;
        app.kill();
        for publisher in publishers {
            publisher.abort();
        }
        app.let_leases_end();
        app.let_backoffs_pass();
        app.restart().await;
    }

    // X gets well, and the rest is drained. Whom 401s have paused, a person resumes.
    fake.clear_faults();
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        app.run_job("publish").await;
        app.let_backoffs_pass();
        for (bot_id, _) in &bots {
            let path = format!("/api/v1/bots/{bot_id}");
            let bot = admin.get(&path).await.json(200);
            if bot["status"] == "paused" {
                assert_eq!(bot["status_code"], "unauthorized", "seed {seed}: {bot}");
                admin
                    .post_nothing(&format!("{path}/resume"))
                    .await
                    .json(200);
            }
        }
        let open = app.number(
            "SELECT count(*) FROM posts WHERE state IN ('scheduled', 'publishing')
                OR (state = 'outcome_unknown' AND next_attempt_at IS NOT NULL)",
        );
        if open == 0 {
            break;
        }
        assert!(Instant::now() < end, "seed {seed}: {open} posts are stuck");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    let mut posted_twice = Vec::new();
    for (bot_id, account) in &bots {
        let posted = fake.posts_of(&account.user_id);
        let posts = all_posts(&admin, bot_id).await;
        assert_eq!(posts.len(), POSTS / BOTS, "seed {seed}: posts are lost");
        for post in &posts {
            let text = post["text"].as_str().unwrap();
            let copies: Vec<_> = posted.iter().filter(|posted| posted.text == text).collect();
            if copies.len() > 1 {
                posted_twice.push(text.to_owned());
            }
            let state = post["state"].as_str().unwrap();
            *states.entry(state.to_owned()).or_default() += 1;
            match state {
                "published" => {
                    assert_eq!(copies.len(), 1, "seed {seed}: not on X: {post:#}");
                    assert_eq!(post["x_post_id"], copies[0].id.as_str(), "seed {seed}");
                }
                "failed" | "outcome_unknown" => {
                    let told =
                        post["failure_code"].is_string() && post["failure_detail"].is_string();
                    assert!(told, "seed {seed}: nobody is told: {post:#}");
                    assert!(
                        state == "outcome_unknown" || copies.is_empty(),
                        "seed {seed}: {post:#}"
                    );
                }
                _ => panic!("seed {seed}: {post:#}"),
            }
        }
        // In their order, when none was taken out of it.
        if posts.iter().all(|post| post["state"] == "published") {
            let wanted: Vec<&Value> = posts.iter().map(|post| &post["x_post_id"]).collect();
            let found: Vec<&str> = posted.iter().map(|post| post.id.as_str()).collect();
            assert_eq!(json!(found), json!(wanted), "seed {seed}: out of order");
        }
    }
    assert_eq!(posted_twice, [""; 0], "seed {seed}: on X more than once");
    println!("{states:?}, {:?}", fake.counts());
    let published = states.get("published").copied().unwrap_or(0);
    assert!(published >= POSTS * 9 / 10, "seed {seed}: {states:?}");
    assert_eq!(
        app.number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
        0
    );
}

//! The stand-in for X keeps its promises: what other scenarios conclude from it rests on these.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a failed unwrap is the assertion"
)]

use std::time::{Duration, Instant};

use reqwest::Response;
use serde_json::{Value, json};
use vivesphere_tests::fake_x::caller::{Caller, read, start};
use vivesphere_tests::fake_x::{Account, FakeX, Options, Settings};

fn detail(body: &Value) -> &str {
    body["detail"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_post_is_stored_and_shown_as_x_shows_it() {
    let (fake, ann, caller) = start().await;
    let text = "Fish & chips: https://example.com/a?b=1&c=2";
    let (status, body) = caller.post(&ann.access_token, text).await;
    assert_eq!(status, 201);
    let id = body["data"]["id"].as_str().unwrap();
    let posts = fake.posts_of(&ann.user_id);
    assert_eq!(
        (posts.len(), posts[0].text.as_str(), posts[0].id.as_str()),
        (1, text, id)
    );
    // The id tells when it was made.
    let millisecond = (id.parse::<i64>().unwrap() >> 22) + 1_288_834_974_657;
    assert!((fake.now() - millisecond).abs() < 5_000);

    let path = format!(
        "/2/users/{}/tweets?tweet.fields=created_at,entities,public_metrics",
        ann.user_id
    );
    let (_, page) = caller.get(&ann.access_token, &path).await;
    let shown = &page["data"][0];
    let link = &shown["entities"]["urls"][0];
    assert_eq!(link["expanded_url"], "https://example.com/a?b=1&c=2");
    assert_eq!(
        shown["text"],
        format!("Fish &amp; chips: {}", link["url"].as_str().unwrap())
    );
    assert!(shown["public_metrics"]["retweet_count"].is_u64());
    assert_eq!(shown["edit_history_tweet_ids"], json!([id]));

    let (_, page) = caller
        .get(&ann.access_token, &path.replace("tweet.", "post."))
        .await;
    assert!(page["data"][0]["public_metrics"]["repost_count"].is_u64());
    assert!(page["data"][0].get("edit_history_tweet_ids").is_none());
    assert_eq!(fake.spent(), 200 + 2);
}

#[tokio::test]
async fn checks_of_a_post() {
    let (fake, ann, caller) = start().await;
    let bob = fake.add_user("bob");
    let token = ann.access_token.as_str();

    assert_eq!(caller.post("nobody", "a").await.0, 401);
    assert_eq!(
        caller.post(&fake.app_token(), "a").await.1["title"],
        "Unsupported Authentication"
    );
    let (status, body) = caller.post(token, &"a".repeat(281)).await;
    assert_eq!(status, 403);
    assert!(detail(&body).starts_with("Your Tweet text is too long."));
    assert_eq!(caller.post(token, " ").await.0, 400);
    for body in [
        json!([]),
        json!({"text": "a", "surprise": 1}),
        json!({"text": "a", "media": {"media_ids": ["1"]}}),
    ] {
        let response = caller.try_post(token, &body).await.unwrap();
        assert_eq!(response.status(), 400, "{body}");
    }

    assert_eq!(caller.post(token, "cafe\u{301}").await.0, 201);
    let (status, body) = caller.post(token, " café ").await;
    assert_eq!(
        (status.as_u16(), detail(&body)),
        (
            403,
            "You are not allowed to create a Tweet with duplicate content."
        )
    );
    assert_eq!(caller.post(&bob.access_token, "café").await.0, 201);
    // After a deletion the same text may come again.
    let id = fake.posts_of(&ann.user_id)[0].id.clone();
    assert_eq!(caller.delete(&bob.access_token, &id).await.0, 403);
    assert_eq!(
        caller.delete(token, &id).await.1,
        json!({"data": {"deleted": true}})
    );
    assert_eq!(caller.delete(token, &id).await.0, 404);
    assert_eq!(caller.post(token, "café").await.0, 201);

    // Threads of one's own are open, other people's conversations only for whom they mention.
    let own = fake.posts_of(&ann.user_id)[1].id.clone();
    let bobs = fake.posts_of(&bob.user_id)[0].id.clone();
    let reply = |text: &str, to: &str| json!({"text": text, "reply": {"in_reply_to_tweet_id": to}});
    let status = |response: Response| response.status().as_u16();
    assert_eq!(
        status(caller.try_post(token, &reply("r1", &own)).await.unwrap()),
        201
    );
    assert_eq!(
        fake.posts_of(&ann.user_id)[2].in_reply_to.as_deref(),
        Some(own.as_str())
    );
    let (_, body) = read(caller.try_post(token, &reply("r2", &bobs)).await.unwrap()).await;
    assert!(detail(&body).starts_with("Reply to this conversation is not allowed"));
    let (_, body) = caller.post(&bob.access_token, "hello @Ann").await;
    let summons = body["data"]["id"].as_str().unwrap();
    assert_eq!(
        status(caller.try_post(token, &reply("r3", summons)).await.unwrap()),
        201
    );
    assert_eq!(
        status(caller.try_post(token, &reply("r4", "1")).await.unwrap()),
        403
    );
}

#[tokio::test]
async fn limits_count_down_and_reset() {
    let (fake, ann, caller) = start().await;
    for number in 0..100 {
        let response = caller
            .try_post(
                &ann.access_token,
                &json!({"text": format!("post {number}")}),
            )
            .await
            .unwrap();
        let left = response.headers()["x-rate-limit-remaining"]
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(
            (response.status().as_u16(), left),
            (201, (99 - number).to_string())
        );
    }
    let refused = caller
        .try_post(&ann.access_token, &json!({"text": "one more"}))
        .await
        .unwrap();
    assert_eq!(refused.status(), 429);
    let reset: i64 = refused.headers()["x-rate-limit-reset"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((0..=900).contains(&(reset - fake.now() / 1000)));
    assert_eq!(refused.headers()["x-app-limit-24hour-remaining"], "9900");
    // Another account has its own window.
    let bob = fake.add_user("bob");
    assert_eq!(caller.post(&bob.access_token, "one").await.0, 201);
    fake.advance(Duration::from_secs(15 * 60));
    assert_eq!(caller.post(&ann.access_token, "one more").await.0, 201);
}

#[tokio::test]
async fn the_timeline_has_pages_windows_and_gaps() {
    let (fake, ann, caller) = start().await;
    for number in 0..12 {
        caller
            .post(&ann.access_token, &format!("post {number}"))
            .await;
        fake.advance(Duration::from_secs(10));
    }
    let path = format!(
        "/2/users/{}/tweets?tweet.fields=created_at&max_results=5",
        ann.user_id
    );
    let mut texts = Vec::new();
    let mut next = String::new();
    loop {
        let (status, page) = caller
            .get(&ann.access_token, &format!("{path}{next}"))
            .await;
        assert_eq!(status, 200);
        texts.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|post| post["text"].as_str().unwrap().to_owned()),
        );
        match page["meta"]["next_token"].as_str() {
            Some(token) => next = format!("&pagination_token={token}"),
            None => break,
        }
    }
    let expected: Vec<String> = (0..12)
        .rev()
        .map(|number| format!("post {number}"))
        .collect();
    assert_eq!(texts, expected);

    let tenth = fake.posts_of(&ann.user_id)[10].created_at.clone();
    let (_, page) = caller
        .get(&ann.access_token, &format!("{path}&start_time={tenth}"))
        .await;
    assert_eq!(page["meta"]["result_count"], 2);
    let (_, page) = caller
        .get(
            &ann.access_token,
            &format!("{path}&start_time=2090-01-01T00:00:00Z"),
        )
        .await;
    assert_eq!(page, json!({"meta": {"result_count": 0}}));
    assert_eq!(
        caller
            .get(&ann.access_token, &format!("{path}&start_time=yesterday"))
            .await
            .0,
        400
    );
    assert_eq!(
        caller
            .get(&ann.access_token, &path.replace("=5", "=4"))
            .await
            .0,
        400
    );

    fake.configure(|settings| settings.timeline_lag_ms = 60_000);
    let (_, page) = caller
        .get(&ann.access_token, &path.replace("=5", "=100"))
        .await;
    assert_eq!(page["data"][0]["text"], "post 6");

    let ids: Vec<String> = fake
        .posts_of(&ann.user_id)
        .iter()
        .take(2)
        .map(|post| post.id.clone())
        .collect();
    let (_, found) = caller
        .get(
            &ann.access_token,
            &format!("/2/tweets?ids={},7", ids.join(",")),
        )
        .await;
    assert_eq!(found["data"].as_array().unwrap().len(), 2);
    assert_eq!(found["errors"][0]["resource_id"], "7");
}

#[tokio::test]
async fn it_is_steered_over_http_as_well() {
    let fake = FakeX::start().await;
    let caller = Caller::of(&fake);
    let control = |path: &str| format!("{}/__test/{path}", fake.base_url);
    let response = caller
        .http
        .post(control("users"))
        .json(&json!({"username": "zoe"}))
        .send()
        .await
        .unwrap();
    let zoe: Account = response.json().await.unwrap();
    let rule = json!({"endpoint": "create_post", "fault": {"kind": "error_after", "status": 503},
        "when": {"kind": "next", "times": 1}});
    let response = caller
        .http
        .post(control("faults"))
        .json(&rule)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(caller.post(&zoe.access_token, "hello").await.0, 503);
    let (_, posts) = caller
        .get("", &format!("/__test/users/{}/posts", zoe.user_id))
        .await;
    assert_eq!(posts[0]["text"], "hello");
    let (_, requests) = caller.get("", "/__test/requests").await;
    assert_eq!(requests[0]["authorization"], "Bearer [redacted]");
    assert_eq!(requests[0]["user_id"], json!(zoe.user_id));

    let response = caller
        .http
        .patch(control("settings"))
        .json(&json!({"credits": 10}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(caller.post(&zoe.access_token, "more").await.0, 402);
    let response = caller
        .http
        .patch(control("settings"))
        .json(&json!({"credit": 10}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 422);

    caller
        .http
        .put(control("trends/1"))
        .json(&json!([["#one", 5], ["two", null]]))
        .send()
        .await
        .unwrap();
    let (_, trends) = caller.get(&fake.app_token(), "/2/trends/by/woeid/1").await;
    assert_eq!(
        trends,
        json!({"data": [{"trend_name": "#one", "tweet_count": 5}, {"trend_name": "two"}]})
    );

    caller.refresh(&zoe.refresh_token).await;
    let kept = serde_json::to_string(&fake.requests()).unwrap();
    for secret in [&zoe.access_token, &zoe.refresh_token, "fake-client-secret"] {
        assert!(!kept.contains(secret));
    }
}

/// A floor that leaves room for a slow machine; the measured rate is far above.
#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_up_with_a_thousand_posts_a_second() {
    const CALLERS: usize = 8;
    const POSTS: usize = 250;
    let options = Options {
        settings: Settings::unlimited(),
        ..Options::default()
    };
    let fake = FakeX::start_with(options).await.unwrap();
    let started = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let ann = fake.add_user(&format!("user{number}"));
            let caller = Caller::of(&fake);
            tokio::spawn(async move {
                for post in 0..POSTS {
                    let text = format!("post {post} of {number}, see https://example.com/{post}");
                    assert_eq!(caller.post(&ann.access_token, &text).await.0, 201);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let rate = (CALLERS * POSTS) as f64 / started.elapsed().as_secs_f64();
    println!("{rate:.0} posts/s");
    assert_eq!(fake.post_count(), CALLERS * POSTS);
    assert!(rate > 300.0, "{rate:.0} posts/s");
}

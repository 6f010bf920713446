//! Posts: what fits, when it is due, how lists are read.

use reqwest::Method;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;

/// A bot in a zone, and the path of its posts.
async fn posts_in(owner: &Client, zone: &str) -> String {
    let new = json!({"bot_name": format!("bot in {zone}"), "timezone": zone});
    let bot = owner.post("/api/v1/bots/create", &new).await.json(201);
    format!("/api/v1/bots/{}/posts", bot["bot_id"].as_str().unwrap())
}

#[tokio::test]
async fn a_text_is_as_long_as_x_counts_it() {
    let app = App::start().await;
    let admin = app.admin().await;
    let posts = posts_in(&admin, "UTC").await;
    let url = format!("https://example.com/{}", "a".repeat(100));
    for text in [
        "a".repeat(280),
        "語".repeat(140),
        // A link counts 23, an emoji 2, however long they are.
        format!("{} {url}", "a".repeat(256)),
        "👨‍👩‍👧‍👦".repeat(140),
        "e\u{301}".repeat(280),
    ] {
        let post = admin.post(&posts, &json!({"text": text})).await.json(201);
        assert_eq!(post["state"], "scheduled");
    }
    for text in [
        "a".repeat(281),
        "語".repeat(141),
        format!("{} {url}", "a".repeat(257)),
        "👨‍👩‍👧‍👦".repeat(141),
        String::new(),
        " \n ".to_owned(),
        "a\u{feff}b".to_owned(),
        "a\u{0}b".to_owned(),
    ] {
        let answer = admin.post(&posts, &json!({"text": text})).await;
        assert_eq!(answer.pointer(), "/text", "{text:?}");
    }
    // What nobody sees is made uniform.
    let post = admin
        .post(&posts, &json!({"text": " cafe\u{301}\r\n"}))
        .await;
    assert_eq!(post.json(201)["text"], "café");
}

#[tokio::test]
async fn a_thread_is_several_texts_each_of_which_fits() {
    let app = App::start().await;
    let admin = app.admin().await;
    let posts = posts_in(&admin, "UTC").await;
    let thread = json!({"thread": ["one", "two", "three"]});
    let post = admin.post(&posts, &thread).await.json(201);
    assert_eq!(post["thread"], json!(["one", "two", "three"]));
    assert!(post.get("text").is_none());
    assert_eq!(post["x_post_ids"], json!([]));
    for (body, pointer) in [
        (json!({}), "/text"),
        (json!({"thread": []}), "/thread"),
        (json!({"thread": vec!["a"; 26]}), "/thread"),
        (json!({"thread": ["one", "a".repeat(281)]}), "/thread/1"),
        (json!({"thread": ["one", ""]}), "/thread/1"),
        (json!({"text": "a", "thread": ["b"]}), "/thread"),
        (json!({"text": 5}), "/text"),
        (
            json!({"text": "a", "requires_approval": "no"}),
            "/requires_approval",
        ),
        (json!({"text": "a", "state": "published"}), "/state"),
    ] {
        let answer = admin.post(&posts, &body).await;
        assert_eq!(answer.pointer(), pointer, "{body}");
    }
    let both = json!({"thread": ["", "fine", "a".repeat(300)]});
    let problem = admin.post(&posts, &both).await.problem(422, "invalid");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_local_time_has_one_meaning_in_gaps_and_overlaps_too() {
    let app = App::start().await;
    let admin = app.admin().await;
    let berlin = posts_in(&admin, "Europe/Berlin").await;
    let lord_howe = posts_in(&admin, "Australia/Lord_Howe").await;
    for (posts, local, due) in [
        (&berlin, "2027-01-15T09:00", "2027-01-15T08:00:00.000Z"),
        (&berlin, "2027-07-15T09:00:30", "2027-07-15T07:00:30.000Z"),
        // No clock shows 02:30 that night: read as before the change.
        (&berlin, "2027-03-28T02:30", "2027-03-28T01:30:00.000Z"),
        // 02:30 comes twice that night: the earlier one.
        (&berlin, "2027-10-31T02:30", "2027-10-31T00:30:00.000Z"),
        // A change of half an hour, the other way round of the year.
        (&lord_howe, "2027-10-03T02:15", "2027-10-02T15:45:00.000Z"),
        (&lord_howe, "2027-04-04T01:45", "2027-04-03T14:45:00.000Z"),
    ] {
        let body = json!({"text": "in time", "local_time": local});
        let post = admin.post(posts, &body).await.json(201);
        assert_eq!(post["scheduled_at"], due, "{local}");
    }
}

#[tokio::test]
async fn a_time_is_an_instant_and_not_in_the_past() {
    let app = App::start().await;
    let admin = app.admin().await;
    let posts = posts_in(&admin, "UTC").await;
    let at = |time: &str| json!({"text": "in time", "scheduled_at": time});
    for (time, due) in [
        ("2099-01-01T09:00:00Z", "2099-01-01T09:00:00.000Z"),
        ("2099-01-01T09:00:00.1234+05:30", "2099-01-01T03:30:00.123Z"),
    ] {
        let post = admin.post(&posts, &at(time)).await.json(201);
        assert_eq!(post["scheduled_at"], due);
    }
    for time in [
        "2099-01-01T09:00:00",
        "2099-01-01",
        "soon",
        "2020-01-01T00:00:00Z",
        "2099-02-30T00:00:00Z",
    ] {
        let answer = admin.post(&posts, &at(time)).await;
        assert_eq!(answer.pointer(), "/scheduled_at", "{time}");
    }
    for time in [
        "2099-01-01T09:00:00Z",
        "2020-01-01T00:00",
        "2099-13-01T00:00",
        "9:00",
    ] {
        let body = json!({"text": "in time", "local_time": time});
        let answer = admin.post(&posts, &body).await;
        assert_eq!(answer.pointer(), "/local_time", "{time}");
    }
    let body = json!({
        "text": "twice", "local_time": "2099-01-01T09:00", "scheduled_at": "2099-01-01T09:00:00Z"
    });
    assert_eq!(admin.post(&posts, &body).await.pointer(), "/local_time");
    // What is not due is not sent.
    assert_eq!(app.run_job("publish").await["claimed"], 0);
}

#[tokio::test]
async fn a_list_is_read_page_by_page_and_by_state() {
    let app = App::start().await;
    let admin = app.admin().await;
    let posts = posts_in(&admin, "UTC").await;
    let mut ids = Vec::new();
    for number in 0..7 {
        let body =
            json!({"text": format!("post {number}"), "scheduled_at": "2099-01-01T00:00:00Z"});
        let post = admin.post(&posts, &body).await.json(201);
        ids.push(post["post_id"].as_str().unwrap().to_owned());
    }
    let cancel = format!("/api/v1/posts/{}/cancel", ids[3]);
    admin.post_nothing(&cancel).await.json(200);
    let all = async |filter: &str| {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("{posts}?limit=3{filter}{cursor}");
            let page = admin.get(&path).await.json(200);
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 3);
            let id = |post: &Value| post["post_id"].as_str().unwrap().to_owned();
            seen.extend(items.iter().map(id));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return seen,
            }
        }
    };
    assert_eq!(all("").await, ids);
    assert_eq!(all("&state=cancelled").await, ids[3..4]);
    assert_eq!(all("&state=scheduled").await.len(), 6);
    assert_eq!(all("&state=failed").await.len(), 0);
    let answer = admin.get(&format!("{posts}?state=lost")).await;
    assert_eq!(answer.pointer(), "/state");
    admin
        .get(&format!("{posts}?limit=many"))
        .await
        .problem(400, "malformed_request");
}

#[tokio::test]
async fn the_same_key_and_body_make_one_post() {
    let app = App::start().await;
    let admin = app.admin().await;
    let other = app.user(&admin, &["admin"]).await;
    let posts = posts_in(&admin, "UTC").await;
    let create = async |client: &Client, key: &str, text: &str| {
        client
            .send(Method::POST, &posts, |request| {
                let body = json!({"text": text, "scheduled_at": "2099-01-01T00:00:00Z"});
                request.header("idempotency-key", key).json(&body)
            })
            .await
    };
    let first = create(&admin, "key 1", "once").await.json(201);
    let again = create(&admin, "key 1", "once").await.json(201);
    assert_eq!(first, again);
    let reused = create(&admin, "key 1", "something else").await;
    reused.problem(422, "idempotency_key_reused");
    let second = create(&admin, "key 2", "once").await.json(201);
    assert_ne!(first["post_id"], second["post_id"]);
    // Another person's key is another key.
    let others = create(&other, "key 1", "once").await.json(201);
    assert_ne!(first["post_id"], others["post_id"]);
    // What was refused may be corrected under the same key.
    create(&admin, "key 3", "").await.problem(422, "invalid");
    create(&admin, "key 3", "").await.problem(422, "invalid");
    create(&admin, "key 3", "better").await.json(201);
    // At once, too, there is only one.
    let (one, two) = tokio::join!(
        create(&admin, "key 4", "at once"),
        create(&admin, "key 4", "at once")
    );
    let statuses = (one.status, two.status);
    match statuses {
        (201, 201) => assert_eq!(one.json(201), two.json(201)),
        (201, _) => drop(two.problem(409, "idempotency_key_in_use")),
        _ => drop(one.problem(409, "idempotency_key_in_use")),
    }
    assert_eq!(
        app.number("SELECT count(*) FROM post_parts WHERE text = 'at once'"),
        1
    );
}

#[tokio::test]
async fn a_request_whose_answer_was_lost_is_not_done_again() {
    let app = App::start().await;
    let admin = app.admin().await;
    let posts = posts_in(&admin, "UTC").await;
    let create = async |key: &str, text: &str| {
        admin
            .send(Method::POST, &posts, |request| {
                let body = json!({"text": text, "scheduled_at": "2099-01-01T00:00:00Z"});
                request.header("idempotency-key", key).json(&body)
            })
            .await
    };
    let lose_answers = |seconds: i64| {
        let lose = "UPDATE idempotency_keys SET status = NULL, body = NULL,
            created_at = created_at - ?";
        let database = app.database();
        database.execute(lose, [seconds * 1000]).unwrap();
    };
    create("lost", "done once").await.json(201);
    lose_answers(0);
    let again = create("lost", "done once").await;
    again.problem(409, "idempotency_key_in_use");
    // Whoever did it is dead by now, but it is done.
    lose_answers(61);
    for _ in 0..2 {
        let again = create("lost", "done once").await;
        again.problem(409, "idempotency_answer_lost");
    }
    // One that is refused has done nothing, though its client gives every request the same id.
    let under_one_id = async |key: Option<&str>, text: &str| {
        admin
            .send(Method::POST, &posts, |request| {
                let body = json!({"text": text, "scheduled_at": "2099-01-01T00:00:00Z"});
                let request = request.header("x-request-id", "one-for-all").json(&body);
                match key {
                    Some(key) => request.header("idempotency-key", key),
                    None => request,
                }
            })
            .await
    };
    under_one_id(None, "without a key").await.json(201);
    for _ in 0..2 {
        let refused = under_one_id(Some("refused"), "").await;
        refused.problem(422, "invalid");
    }
    under_one_id(Some("refused"), "corrected").await.json(201);
    // One that died before it had changed anything is done now.
    let died = "INSERT INTO idempotency_keys
            (principal_id, idempotency_key, request_hash, created_at, request_id)
        SELECT principal_id, 'died', request_hash, created_at, 'died' FROM idempotency_keys
        WHERE idempotency_key = 'lost'";
    app.database().execute(died, []).unwrap();
    create("died", "done once").await.json(201);
    assert_eq!(
        app.number("SELECT count(*) FROM post_parts WHERE text = 'done once'"),
        2
    );
}

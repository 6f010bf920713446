//! Who decides on what waits for approval, and how much of the queue they see.

use reqwest::Method;
use serde_json::{Value, json};

use crate::approvals::{LATER, QUEUE, Scene, act_on, id, queue};

#[tokio::test]
async fn only_a_person_decides() {
    let scene = Scene::start().await;
    let post_id = scene.asked("by hand").await;
    let scopes = ["posts:approve", "posts:read", "bots:read", "bots:read_all"];
    let make = async |body: Value| {
        scene
            .admin
            .post("/api/v1/access-keys", &body)
            .await
            .json(201)
    };
    let key = make(json!({"name": "eager", "scopes": scopes})).await;
    let program = scene
        .app
        .anonymous()
        .with_token(key["key"].as_str().unwrap());
    // The key exchanged for a token is no person either.
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", key["access_key_id"].as_str().unwrap()),
        ("client_secret", key["secret"].as_str().unwrap()),
    ];
    let token = scene
        .app
        .anonymous()
        .send(Method::POST, "/api/v1/auth/token", |request| {
            request.form(&form)
        })
        .await
        .json(200);
    let token = token["access_token"].as_str().unwrap();
    for client in [&program, &scene.app.anonymous().with_token(token)] {
        assert_eq!(queue(client).await, [post_id.as_str()]);
        for what in ["approve", "reject"] {
            let answer = act_on(client, &post_id, what, 1).await;
            answer.problem(403, "approval_needs_a_person");
        }
    }
    assert_eq!(scene.post(&post_id).await["state"], "awaiting_approval");

    // A key that is restricted to some bots sees what waits there.
    let other = json!({"bot_name": "another"});
    let other = scene.admin.post("/api/v1/bots/create", &other).await;
    let other = other.json(201)["bot_id"].as_str().unwrap().to_owned();
    let key = make(json!({"name": "narrow", "scopes": scopes, "bot_ids": [other]})).await;
    let narrow = scene
        .app
        .anonymous()
        .with_token(key["key"].as_str().unwrap());
    assert!(queue(&narrow).await.is_empty());
    let body = json!({"text": "of the other", "requires_approval": true});
    let path = format!("/api/v1/bots/{other}/posts");
    let theirs = id(&scene.admin.post(&path, &body).await.json(201));
    assert_eq!(queue(&narrow).await, [theirs.as_str()]);
    assert_eq!(queue(&scene.reviewer).await, [post_id, theirs]);
}

#[tokio::test]
async fn the_queue_is_read_page_by_page_and_as_far_as_one_may_see() {
    let scene = Scene::start().await;
    let mut all = Vec::new();
    for number in 0..4 {
        all.push(scene.asked(&format!("post {number}")).await);
    }
    let scheduled = json!({"text": "plain", "scheduled_at": LATER});
    scene.try_new(&scheduled).await.json(201);
    // Somebody who approves, but sees their own bots only.
    let permissions = [
        "posts:approve",
        "posts:read",
        "posts:write",
        "bots:read",
        "bots:write",
    ];
    let role = json!({"role": "own-reviewer", "permissions": permissions});
    scene.admin.post("/api/v1/roles", &role).await.json(201);
    let own = scene.app.user(&scene.admin, &["own-reviewer"]).await;
    let bot = json!({"bot_name": "theirs"});
    let bot = own.post("/api/v1/bots/create", &bot).await.json(201);
    let bot_id = bot["bot_id"].as_str().unwrap();
    let path = format!("/api/v1/bots/{bot_id}/posts");
    let body = json!({"text": "theirs", "requires_approval": true});
    let theirs = id(&own.post(&path, &body).await.json(201));
    assert_eq!(queue(&own).await, [theirs.as_str()]);
    for what in ["approve", "reject"] {
        let answer = act_on(&own, &all[0], what, 1).await;
        answer.problem(404, "not_found");
    }
    all.push(theirs);

    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = format!("{QUEUE}?limit=2{cursor}");
        let page = scene.reviewer.get(&page).await.json(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        assert!(items.iter().all(|post| post["text"].is_string()));
        seen.extend(items.iter().map(id));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, all);
    for (query, pointer) in [("limit=0", "/limit"), ("cursor=x", "/cursor")] {
        let answer = scene.reviewer.get(&format!("{QUEUE}?{query}")).await;
        assert_eq!(answer.pointer(), pointer);
    }
    let answer = scene.reviewer.get(&format!("{QUEUE}?state=draft")).await;
    answer.problem(400, "malformed_request");

    // With its bot a post leaves the queue.
    own.delete(&format!("/api/v1/bots/{bot_id}"))
        .await
        .nothing();
    assert!(queue(&own).await.is_empty());
    assert_eq!(queue(&scene.reviewer).await, all[..4]);
}

//! Access keys that are restricted to some bots.

use serde_json::json;
use vivesphere_tests::app::App;

use crate::access_keys::{BOTS, bot, make, opened};

#[tokio::test]
async fn a_restricted_key_sees_its_bots_and_no_others() {
    let app = App::start().await;
    let admin = app.admin().await;
    let owner = app.user(&admin, &["operator"]).await;
    let (one, two) = (bot(&owner, "one").await, bot(&owner, "two").await);
    let later = json!({"text": "later", "scheduled_at": "2099-01-01T00:00:00Z"});
    let first_post = owner.schedule(&one, &later).await;
    let second_post = owner.schedule(&two, &later).await;
    let data = json!({"bot_id": two, "data": {"a": "b"}});
    owner.post("/api/v1/botdata/store", &data).await.json(201);
    let scopes = [
        "bots:read",
        "bots:write",
        "posts:read",
        "posts:write",
        "botdata:store",
        "botdata:retrieve",
    ];
    let new = json!({"name": "restricted", "scopes": scopes, "bot_ids": [one]});
    let (restricted, _) = opened(&app, &make(&owner, &new).await);

    let listed = restricted.get(BOTS).await.json(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["bot_id"], one.as_str());
    let path = |bot_id: &str| format!("/api/v1/bots/{bot_id}");
    let posts = |bot_id: &str| format!("/api/v1/bots/{bot_id}/posts");
    let post = |post_id: &str| format!("/api/v1/posts/{post_id}");
    for (path, rename) in [
        (path(&one), json!({"bot_name": "renamed"})),
        (post(&first_post), json!({"text": "changed"})),
    ] {
        restricted.get(&path).await.json(200);
        restricted.patch(&path, &rename).await.json(200);
    }
    restricted.get(&posts(&one)).await.json(200);
    restricted.schedule(&one, &later).await;

    for missing in [path(&two), posts(&two), post(&second_post)] {
        restricted.get(&missing).await.problem(404, "not_found");
    }
    let rename = json!({"bot_name": "renamed"});
    for (missing, body) in [(path(&two), &rename), (post(&second_post), &later)] {
        let answer = restricted.patch(&missing, body).await;
        answer.problem(404, "not_found");
    }
    for act in ["pause", "resume", "connect"] {
        let act = format!("{}/{act}", path(&two));
        restricted
            .post_nothing(&act)
            .await
            .problem(404, "not_found");
    }
    for act in ["cancel", "retry"] {
        let act = format!("{}/{act}", post(&second_post));
        restricted
            .post_nothing(&act)
            .await
            .problem(404, "not_found");
    }
    let answer = restricted.post(&posts(&two), &later).await;
    answer.problem(404, "not_found");
    let answer = restricted.post("/api/v1/botdata/store", &data).await;
    answer.problem(404, "not_found");
    let retrieve = format!("/api/v1/botdata/retrieve?bot_id={two}");
    restricted.get(&retrieve).await.problem(404, "not_found");
    let answer = restricted.delete(&path(&two)).await;
    answer.problem(404, "not_found");
    let answer = restricted
        .post("/api/v1/bots/create", &json!({"bot_name": "third"}))
        .await;
    answer.problem(403, "forbidden");
    assert_eq!(owner.get(&path(&two)).await.json(200)["bot_name"], "two");

    // The wider permission does not lead around it.
    let new = json!({
        "name": "wide", "scopes": ["bots:read", "bots:read_all", "posts:read"], "bot_ids": [one],
    });
    let (wide, _) = opened(&app, &make(&admin, &new).await);
    wide.get(&path(&one)).await.json(200);
    wide.get(&path(&two)).await.problem(404, "not_found");
    wide.get(&post(&second_post))
        .await
        .problem(404, "not_found");
    let theirs = format!("{BOTS}?user_id={}", owner.user_id);
    let listed = wide.get(&theirs).await.json(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_that_was_restricted_to_more_than_can_be_reads_no_more_than_that() {
    let app = App::start().await;
    let admin = app.admin().await;
    let own = bot(&admin, "own").await;
    let body = json!({"name": "k", "scopes": ["audit:read", "bots:read", "health:read_detailed", "logs:read", "metrics:read"]});
    let (old, _) = opened(&app, &make(&admin, &body).await);
    for path in ["/api/v1/audit", "/api/v1/logs", BOTS] {
        old.get(path).await.json(200);
    }
    let restrict = "UPDATE access_keys SET bot_ids = json_array(?)";
    app.database().execute(restrict, [&own]).unwrap();
    old.get(BOTS).await.json(200);
    for path in [
        "/api/v1/audit",
        "/api/v1/audit/verify",
        "/api/v1/logs",
        "/api/v1/logs/export",
        "/api/v1/health/detailed",
        "/api/v1/metrics",
    ] {
        old.get(path).await.problem(403, "forbidden");
    }
}

//! Bots: whose they are, what can be changed, what never comes back.

use futures::future::join_all;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;
use vivesphere_tests::fake_x::FakeX;

async fn create(owner: &Client, name: &str) -> String {
    let new = json!({"bot_name": name});
    let bot = owner.post("/api/v1/bots/create", &new).await.json(201);
    format!("/api/v1/bots/{}", bot["bot_id"].as_str().unwrap())
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|bot| bot["bot_name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_bot_is_shown_whole_but_for_its_credentials() {
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let app = App::start_with(&fake).await;
    let admin = app.admin().await;
    let new = json!({
        "bot_name": "first",
        "timezone": "Asia/Tokyo",
        "daily_post_limit": 50,
        "credentials": {
            "type": "oauth2",
            "access_token": account.access_token,
            "refresh_token": account.refresh_token,
            "expires_at": "2099-01-01T00:00:00Z",
        },
    });
    let answer = admin.post("/api/v1/bots/create", &new).await;
    let bot = answer.json(201);
    assert!(!answer.text.contains(&account.access_token));
    assert!(!answer.text.contains("credentials"));
    for field in [
        "bot_id",
        "bot_name",
        "owner_id",
        "handle",
        "x_user_id",
        "status",
        "persona_id",
        "timezone",
        "daily_post_limit",
        "version",
        "created_at",
        "updated_at",
    ] {
        assert!(bot.get(field).is_some(), "{field} is missing: {bot}");
    }
    assert_eq!(bot["owner_id"], admin.user_id.as_str());
    assert_eq!(bot["status"], "active");
    assert_eq!(bot["timezone"], "Asia/Tokyo");
    assert_eq!(bot["daily_post_limit"], 50);
    let path = format!("/api/v1/bots/{}", bot["bot_id"].as_str().unwrap());
    let bare = admin.get(&create(&admin, "second").await).await.json(200);
    assert_eq!(bare["status"], "unconnected");
    assert_eq!(
        (&bare["timezone"], &bare["handle"]),
        (&json!("UTC"), &Value::Null)
    );

    // Credentials can be given later too.
    let given = json!({"credentials": {"type": "oauth2", "access_token": "another-token"}});
    let bot = admin.patch(&path, &given).await.json(200);
    assert_eq!(bot["status"], "active");
    assert!(bot["version"].as_i64().unwrap() > 1);
}

#[tokio::test]
async fn what_is_not_a_bot_is_refused_with_the_field() {
    let app = App::start().await;
    let admin = app.admin().await;
    let token = |kind: &str, token: &str| json!({"type": kind, "access_token": token});
    for (body, pointer) in [
        (json!({}), "/bot_name"),
        (json!({"bot_name": " "}), "/bot_name"),
        (json!({"bot_name": "n".repeat(101)}), "/bot_name"),
        (json!({"bot_name": "n", "timezone": "Berlin"}), "/timezone"),
        (
            json!({"bot_name": "n", "daily_post_limit": 0}),
            "/daily_post_limit",
        ),
        (
            json!({"bot_name": "n", "daily_post_limit": 2401}),
            "/daily_post_limit",
        ),
        (json!({"bot_name": "n", "persona_id": "x"}), "/persona_id"),
        (json!({"bot_name": "n", "surprise": 1}), "/surprise"),
        (
            json!({"bot_name": "n", "credentials": token("oauth1", "t")}),
            "/credentials/type",
        ),
    ] {
        let answer = admin.post("/api/v1/bots/create", &body).await;
        let found = answer.pointer();
        assert_eq!(found, pointer, "{body}");
    }
    let empty = json!({"bot_name": "n", "credentials": token("oauth2", "")});
    let answer = admin.post("/api/v1/bots/create", &empty).await;
    assert!(answer.pointer().starts_with("/credentials"));
    assert_eq!(
        names(&admin.get("/api/v1/bots/list").await.json(200)),
        [""; 0]
    );
}

#[tokio::test]
async fn names_are_unique_among_ones_own() {
    let app = App::start().await;
    let admin = app.admin().await;
    let operator = app.user(&admin, &["operator"]).await;
    let path = create(&admin, "the bot").await;
    create(&operator, "the bot").await;
    let second = create(&admin, "other").await;
    let again = json!({"bot_name": "the bot"});
    let answer = admin.post("/api/v1/bots/create", &again).await;
    answer.problem(409, "bot_name_taken");
    admin
        .patch(&second, &again)
        .await
        .problem(409, "bot_name_taken");
    // A deleted bot gives its name back.
    admin.delete(&path).await.nothing();
    admin.patch(&second, &again).await.json(200);
}

#[tokio::test]
async fn everyone_has_their_own_bots_and_some_see_all() {
    let app = App::start().await;
    let admin = app.admin().await;
    let ann = app.user(&admin, &["operator"]).await;
    let bob = app.user(&admin, &["operator"]).await;
    let viewer = app.user(&admin, &["viewer"]).await;
    let path = create(&ann, "ann's").await;
    create(&bob, "bob's").await;

    assert_eq!(
        names(&ann.get("/api/v1/bots/list").await.json(200)),
        ["ann's"]
    );
    let of_ann = format!("/api/v1/bots/list?user_id={}", ann.user_id);
    assert_eq!(names(&ann.get(&of_ann).await.json(200)), ["ann's"]);
    for reader in [&viewer, &admin] {
        assert_eq!(names(&reader.get(&of_ann).await.json(200)), ["ann's"]);
        assert_eq!(reader.get(&path).await.json(200)["bot_name"], "ann's");
    }
    bob.get(&of_ann).await.problem(403, "forbidden");

    // Not yours looks like not there.
    let change = json!({"bot_name": "mine now"});
    bob.get(&path).await.problem(404, "not_found");
    bob.patch(&path, &change).await.problem(404, "not_found");
    bob.delete(&path).await.problem(404, "not_found");
    for action in ["pause", "resume", "connect"] {
        let answer = bob.post_nothing(&format!("{path}/{action}")).await;
        answer.problem(404, "not_found");
    }
    let post = json!({"text": "as ann"});
    let posts = format!("{path}/posts");
    bob.post(&posts, &post).await.problem(404, "not_found");
    bob.get(&posts).await.problem(404, "not_found");
    // Who may only look is told so.
    viewer.patch(&path, &change).await.problem(403, "forbidden");
    viewer.post(&posts, &post).await.problem(403, "forbidden");
    admin.patch(&path, &change).await.json(200);
}

#[tokio::test]
async fn a_list_comes_in_pages() {
    let app = App::start().await;
    let admin = app.admin().await;
    for number in 0..5 {
        create(&admin, &format!("bot {number}")).await;
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/bots/list?limit=2".to_owned();
    loop {
        let page = admin.get(&path).await.json(200);
        assert!(page["items"].as_array().unwrap().len() <= 2);
        seen.extend(names(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/api/v1/bots/list?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ["bot 0", "bot 1", "bot 2", "bot 3", "bot 4"]);
    for (query, pointer) in [
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("cursor=x", "/cursor"),
    ] {
        let answer = admin.get(&format!("/api/v1/bots/list?{query}")).await;
        assert_eq!(answer.pointer(), pointer);
    }
    for query in ["limit=x", "surprise=1"] {
        let answer = admin.get(&format!("/api/v1/bots/list?{query}")).await;
        answer.problem(400, "malformed_request");
    }
}

#[tokio::test]
async fn a_change_of_an_older_version_is_refused() {
    let app = App::start().await;
    let admin = app.admin().await;
    let path = create(&admin, "a bot").await;
    let change = json!({"timezone": "Europe/Paris", "daily_post_limit": 10});
    let bot = admin.patch_version(&path, 1, &change).await.json(200);
    assert_eq!(
        (&bot["version"], &bot["bot_name"]),
        (&json!(2), &json!("a bot"))
    );
    let stale = admin.patch_version(&path, 1, &change).await;
    stale.problem(412, "stale_version");
    let unreadable = admin
        .send(reqwest::Method::PATCH, &path, |request| {
            request.header("if-match", "two").json(&change)
        })
        .await;
    unreadable.problem(400, "malformed_request");
}

#[tokio::test]
async fn a_paused_bot_waits_and_a_deleted_one_takes_its_posts_along() {
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let app = App::start_with(&fake).await;
    let admin = app.admin().await;
    let bot_id = app.bot(&admin, &account).await;
    let path = format!("/api/v1/bots/{bot_id}");
    let post_id = admin.schedule(&bot_id, &json!({"text": "held back"})).await;
    let paused = admin.post_nothing(&format!("{path}/pause")).await.json(200);
    assert_eq!(paused["status"], "paused");
    // Once more is no change.
    let again = admin.post_nothing(&format!("{path}/pause")).await.json(200);
    assert_eq!(again, paused);
    assert_eq!(app.run_job("publish").await["claimed"], 0);
    let resumed = admin
        .post_nothing(&format!("{path}/resume"))
        .await
        .json(200);
    assert_eq!(
        (&resumed["status"], &resumed["status_code"]),
        (&json!("active"), &Value::Null)
    );
    app.publish_until(&admin, &post_id, &["published"]).await;

    let bare = create(&admin, "never connected").await;
    let answer = admin.post_nothing(&format!("{bare}/resume")).await;
    answer.problem(409, "not_connected");

    let waiting = admin
        .schedule(&bot_id, &json!({"text": "never sent"}))
        .await;
    admin.delete(&path).await.nothing();
    admin.get(&path).await.problem(404, "not_found");
    admin
        .get(&format!("/api/v1/posts/{waiting}"))
        .await
        .problem(404, "not_found");
    assert_eq!(app.run_job("publish").await["claimed"], 0);
    assert_eq!(fake.posts_of(&account.user_id).len(), 1);
    let state =
        format!("SELECT count(*) FROM posts WHERE post_id = '{waiting}' AND state = 'cancelled'");
    assert_eq!(app.number(&state), 1);
    let sealed = format!("SELECT count(*) FROM botdata WHERE bot_id = '{bot_id}'");
    assert_eq!(app.number(&sealed), 0);
}

#[tokio::test]
async fn what_is_made_at_the_moment_of_a_deletion_is_deleted_too_or_refused() {
    let app = App::start().await;
    let admin = app.admin().await;
    for turn in 0..6 {
        // Posts of a bot.
        let path = create(&admin, &format!("short-lived {turn}")).await;
        let bot_id = path.rsplit('/').next().unwrap();
        let posts = format!("{path}/posts");
        let body = json!({"text": "never sent", "scheduled_at": "2099-01-01T00:00:00Z"});
        let writing = join_all((0..12).map(|_| admin.post(&posts, &body)));
        let deleting = join_all((0..2).map(|_| admin.delete(&path)));
        let (written, deleted) = futures::join!(writing, deleting);
        for answer in &written {
            assert!([201, 404].contains(&answer.status), "{}", answer.text);
        }
        let mut deleted: Vec<u16> = deleted.iter().map(|answer| answer.status).collect();
        deleted.sort_unstable();
        assert_eq!(deleted, [204, 404]);
        let open = format!(
            "SELECT count(*) FROM posts WHERE bot_id = '{bot_id}' AND state <> 'cancelled'"
        );
        assert_eq!(app.number(&open), 0);
        let told = format!(
            "SELECT count(*) FROM audit_log WHERE action = 'bot.deleted' AND subject_id = '{bot_id}'"
        );
        assert_eq!(app.number(&told), 1);

        // What a user owns.
        let user = app.user(&admin, &["operator"]).await;
        let making = join_all((0..12).map(|number| {
            let user = user.clone();
            async move {
                let bot = json!({"bot_name": format!("bot {number}")});
                user.post("/api/v1/bots/create", &bot).await;
                let key = json!({"name": "a key", "scopes": ["bots:read"]});
                user.post("/api/v1/access-keys", &key).await;
            }
        }));
        let user_path = format!("/api/v1/users/{}", user.user_id);
        let (_, gone) = futures::join!(making, admin.delete(&user_path));
        if gone.status == 204 {
            for table in ["bots", "access_keys"] {
                let owned = format!(
                    "SELECT count(*) FROM {table} WHERE owner_id = '{}'",
                    user.user_id
                );
                assert_eq!(app.number(&owned), 0, "{table}");
            }
        } else {
            gone.problem(409, "user_owns_bots");
        }
    }
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_refused_by_name() {
    let app = App::start().await;
    let admin = app.admin().await;
    for (query, wanted) in [
        ("limit=abc", "`limit` must be a whole number"),
        ("limit=", "`limit` must be a whole number"),
        ("limit=-1", "`limit` must be a whole number"),
        ("limit=99999999999", "`limit` must be a whole number"),
        ("limit=1&limit=2", "`limit` is given twice"),
        ("surprise=1", "`surprise` is not known here"),
    ] {
        let answer = admin.get(&format!("/api/v1/bots/list?{query}")).await;
        let problem = answer.problem(400, "malformed_request");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(wanted), "{query}: {detail}");
    }
}

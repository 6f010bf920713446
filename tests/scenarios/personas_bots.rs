//! Personas and bots: who may write as whom, no two for one purpose, nothing banned is scheduled.

use futures::future::join_all;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;

use crate::personas::{create, weather};

fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// A bot that writes as a persona; gives its path.
async fn bot(owner: &Client, name: &str, persona: &str) -> String {
    let new = json!({"bot_name": name, "persona_id": id(persona)});
    let bot = owner.post("/api/v1/bots/create", &new).await.json(201);
    assert_eq!(bot["persona_id"], id(persona));
    format!("/api/v1/bots/{}", bot["bot_id"].as_str().unwrap())
}

#[tokio::test]
async fn a_bot_writes_as_a_persona_that_its_maker_can_see() {
    let app = App::start().await;
    let admin = app.admin().await;
    let ann = app.user(&admin, &["operator"]).await;
    let bob = app.user(&admin, &["operator"]).await;
    let lyon = create(&ann, &weather("Lyon")).await;
    let anns = bot(&ann, "lyon", &lyon).await;
    assert_eq!(
        ann.get(&lyon).await.json(200)["bot_ids"],
        json!([id(&anns)])
    );

    let nobodys = "01890000-0000-7000-8000-000000000000";
    for persona_id in [id(&lyon), nobodys, "x"] {
        let new = json!({"bot_name": "bob's", "persona_id": persona_id});
        let answer = bob.post("/api/v1/bots/create", &new).await;
        assert_eq!(answer.pointer(), "/persona_id");
    }
    assert_eq!(app.number("SELECT count(*) FROM bots"), 1);
    let bare = json!({"bot_name": "bob's"});
    let bare = bob.post("/api/v1/bots/create", &bare).await.json(201);
    let bobs = format!("/api/v1/bots/{}", bare["bot_id"].as_str().unwrap());
    let link = json!({"persona_id": id(&lyon)});
    assert_eq!(bob.patch(&bobs, &link).await.pointer(), "/persona_id");
    assert_eq!(bob.get(&bobs).await.json(200), bare);

    // In use it stays; taken from its bot it can go.
    let answer = ann.delete(&lyon).await;
    let problem = answer.problem(409, "persona_in_use");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("persona_in_use")
    );
    let unlink = json!({"persona_id": null});
    ann.patch(&anns, &unlink).await.json(200);
    ann.delete(&lyon).await.nothing();
    let answer = ann.patch(&anns, &json!({"persona_id": id(&lyon)})).await;
    assert_eq!(answer.pointer(), "/persona_id");
}

#[tokio::test]
async fn two_bots_for_one_purpose_are_refused_by_name() {
    let app = App::start().await;
    let admin = app.admin().await;
    let ann = app.user(&admin, &["operator"]).await;
    let bob = app.user(&admin, &["operator"]).await;
    let lyon = create(&ann, &weather("Lyon")).await;
    let first = bot(&ann, "lyon", &lyon).await;
    // Itself again is no second bot.
    let again = json!({"persona_id": id(&lyon), "daily_post_limit": 5});
    ann.patch(&first, &again).await.json(200);
    let twice = json!({"bot_name": "second", "persona_id": id(&lyon)});
    let answer = ann.post("/api/v1/bots/create", &twice).await;
    let problem = answer.problem(409, "duplicate_purpose");
    let detail = problem["detail"].as_str().unwrap();
    for part in [
        "\"lyon\"",
        "duplicate_purpose",
        "automation",
        "authenticity",
    ] {
        assert!(detail.contains(part), "{detail}");
    }
    let mut copy = weather("Lyon");
    copy["name"] = json!("a copy");
    copy["purpose"] = json!("DAILY weather: for Lyon!");
    copy["language"] = json!("fr-FR");
    copy["region"] = Value::Null;
    let copies = create(&ann, &copy).await;
    let second = json!({"bot_name": "second", "persona_id": id(&copies)});
    let answer = ann.post("/api/v1/bots/create", &second).await;
    answer.problem(409, "duplicate_purpose");

    // Another owner's bot counts too, but is not named to whoever may not see it.
    let bobs = create(&bob, &weather("Lyon")).await;
    let second = json!({"bot_name": "second", "persona_id": id(&bobs)});
    let answer = bob.post("/api/v1/bots/create", &second).await;
    let problem = answer.problem(409, "duplicate_purpose");
    assert!(!problem["detail"].as_str().unwrap().contains("\"lyon\""));
    assert_eq!(app.number("SELECT count(*) FROM bots"), 1);

    // Another city, another language, another region: what the rules allow.
    for (field, value) in [
        ("purpose", "Daily weather for Nice"),
        ("language", "de"),
        ("region", "BE"),
    ] {
        let mut other = weather("Lyon");
        other["name"] = json!(field);
        other[field] = json!(value);
        let other = create(&ann, &other).await;
        let linked = bot(&ann, field, &other).await;
        // A linked persona cannot be changed into another's place.
        let back = json!({field: weather("Lyon")[field]});
        let answer = ann.patch(&other, &back).await;
        answer.problem(409, "duplicate_purpose");
        let unchanged = ann.get(&other).await.json(200);
        assert_eq!(
            (&unchanged[field], &unchanged["version"]),
            (&json!(value), &json!(1))
        );
        // Its tone can.
        ann.patch(&other, &json!({"tone": "new"})).await.json(200);
        ann.delete(&linked).await.nothing();
        // Without a bot it can be anything, and no bot can take it then.
        ann.patch(&other, &back).await.json(200);
        let new = json!({"bot_name": "late", "persona_id": id(&other)});
        let answer = ann.post("/api/v1/bots/create", &new).await;
        answer.problem(409, "duplicate_purpose");
    }
    // A bot that is gone leaves its purpose free.
    ann.delete(&first).await.nothing();
    bot(&bob, "lyon again", &bobs).await;
}

#[tokio::test]
async fn of_many_at_once_one_gets_the_purpose() {
    let app = App::start().await;
    let admin = app.admin().await;
    let mut personas = Vec::new();
    for number in 0..6 {
        let mut persona = weather("Lyon");
        persona["name"] = json!(format!("copy {number}"));
        personas.push(create(&admin, &persona).await);
    }
    let made = join_all(personas.iter().enumerate().map(|(number, persona)| {
        let new = json!({"bot_name": format!("bot {number}"), "persona_id": id(persona)});
        let admin = &admin;
        async move { admin.post("/api/v1/bots/create", &new).await }
    }))
    .await;
    assert_eq!(made.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in made.iter().filter(|answer| answer.status != 201) {
        answer.problem(409, "duplicate_purpose");
    }
    assert_eq!(app.number("SELECT count(*) FROM bots"), 1);

    // Two linked personas that are changed to the same purpose at once: one stays as it was.
    let mut linked = Vec::new();
    for name in ["left", "right"] {
        let mut persona = weather(name);
        persona["name"] = json!(name);
        let path = create(&admin, &persona).await;
        bot(&admin, name, &path).await;
        linked.push(path);
    }
    let change = json!({"purpose": "the same for both"});
    let (left, right) = tokio::join!(
        admin.patch(&linked[0], &change),
        admin.patch(&linked[1], &change)
    );
    let mut statuses = [left.status, right.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

#[tokio::test]
async fn banned_terms_are_refused_when_a_post_is_scheduled_or_edited() {
    let app = App::start().await;
    let admin = app.admin().await;
    let lyon = create(&admin, &weather("Lyon")).await;
    let path = bot(&admin, "lyon", &lyon).await;
    let posts = format!("{path}/posts");
    let later = "2099-01-01T00:00:00Z";
    for (text, term) in [
        ("The STORM of the\n century!", "storm of the century"),
        ("panique, encore", "Panique"),
        ("#panique_totale", "Panique"),
        ("p\u{ad}anique", "Panique"),
    ] {
        let post = json!({"text": text, "scheduled_at": later});
        let answer = admin.post(&posts, &post).await;
        let problem = answer.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/text");
        let detail = problem["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("\"{term}\"")), "{detail}");
    }
    let thread = json!({"thread": ["fine", "Panique", "panique, storm of the century"]});
    let problem = admin.post(&posts, &thread).await.problem(422, "invalid");
    let errors = problem["errors"].as_array().unwrap();
    let pointers: Vec<_> = errors.iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/thread/1", "/thread/2", "/thread/2"]);
    assert_eq!(app.number("SELECT count(*) FROM posts"), 0);

    // Parts of words are other words.
    let post = json!({"text": "paniques et storms", "scheduled_at": later});
    let post_id = admin.schedule(id(&path), &post).await;
    let post = format!("/api/v1/posts/{post_id}");
    let answer = admin.patch(&post, &json!({"text": "Panique!"})).await;
    assert_eq!(answer.pointer(), "/text");
    let answer = admin
        .patch(&post, &json!({"thread": ["a", "Panique!"]}))
        .await;
    assert_eq!(answer.pointer(), "/thread/1");
    let kept = admin.get(&post).await.json(200);
    assert_eq!(
        (&kept["text"], &kept["version"]),
        (&json!("paniques et storms"), &json!(1))
    );
    // The list as it is now counts, and only while the bot writes as the persona.
    let change = json!({"banned_terms": ["soleil"]});
    admin.patch(&lyon, &change).await.json(200);
    admin
        .patch(&post, &json!({"text": "Panique!"}))
        .await
        .json(200);
    let answer = admin.patch(&post, &json!({"text": "du Soleil"})).await;
    assert_eq!(answer.pointer(), "/text");
    let unlink = json!({"persona_id": null});
    admin.patch(&path, &unlink).await.json(200);
    admin
        .patch(&post, &json!({"text": "du Soleil"}))
        .await
        .json(200);
}

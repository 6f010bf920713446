//! An answer about bots that an instance gives again is never an old one, and never another's.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;

const LIST: &str = "/api/v1/bots/list";
const CREATE: &str = "/api/v1/bots/create";
const STEPS: usize = 60;

/// The names and versions of an owner's bots, as the database has them.
fn stored(app: &App, owner: &Client) -> Vec<Value> {
    let database = app.database();
    let mut statement = database
        .prepare(
            "SELECT bot_id, bot_name, status, version FROM bots
             WHERE owner_id = ? AND deleted_at IS NULL ORDER BY bot_id",
        )
        .unwrap();
    let rows = statement.query_map([&owner.user_id], |row| {
        let text = |column| row.get::<_, String>(column).unwrap();
        let version: i64 = row.get(3)?;
        Ok(json!([text(0), text(1), text(2), version]))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn shown(bot: &Value) -> Value {
    json!([
        bot["bot_id"],
        bot["bot_name"],
        bot["status"],
        bot["version"]
    ])
}

/// What a reader is shown, twice: from the database, and from memory.
async fn listed(reader: &Client, path: &str) -> Vec<Value> {
    let first = reader.get(path).await;
    let second = reader.get(path).await;
    assert_eq!(first.text, second.text);
    assert_eq!(first.header("etag"), second.header("etag"));
    let items = first.json(200)["items"].as_array().unwrap().clone();
    items.iter().map(shown).collect()
}

#[tokio::test]
async fn what_is_shown_is_what_is_there_whoever_changed_it() {
    let app = App::start().await;
    let admin = app.admin().await;
    let owner = app.user(&admin, &["operator"]).await;
    let watching = json!({"role": "watcher", "permissions": ["bots:read"]});
    admin.post("/api/v1/roles", &watching).await.json(201);
    let watcher = app.user(&admin, &["watcher"]).await;
    let mut bots = Vec::new();
    for number in 0..3 {
        let new = json!({"bot_name": format!("first {number}")});
        let bot = owner.post(CREATE, &new).await.json(201);
        bots.push(bot["bot_id"].as_str().unwrap().to_owned());
    }
    let only = bots[1].clone();
    let new = json!({"name": "one bot's", "scopes": ["bots:read"], "bot_ids": [only]});
    let key = owner.post("/api/v1/access-keys", &new).await.json(201);
    let key = app.anonymous().with_token(key["key"].as_str().unwrap());
    let owners = format!("{LIST}?user_id={}", owner.user_id);

    let seed: u64 = rand::random();
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut sees_all = false;
    for step in 0..STEPS {
        let bot_id = bots[random.random_range(0..bots.len())].clone();
        let path = format!("/api/v1/bots/{bot_id}");
        let name = json!({"bot_name": format!("named in step {step}")});
        match random.random_range(0..7) {
            0 => {
                let bot = owner.post(CREATE, &name).await.json(201);
                bots.push(bot["bot_id"].as_str().unwrap().to_owned());
            }
            1 => drop(owner.patch(&path, &name).await.json(200)),
            2 => drop(admin.patch(&path, &name).await.json(200)),
            3 if bots.len() > 2 && bot_id != only => {
                owner.delete(&path).await.nothing();
                bots.retain(|bot| *bot != bot_id);
            }
            4 => {
                sees_all = !sees_all;
                let permissions: &[&str] = match sees_all {
                    true => &["bots:read", "bots:read_all"],
                    false => &["bots:read"],
                };
                let change = json!({"permissions": permissions});
                admin
                    .patch("/api/v1/roles/watcher", &change)
                    .await
                    .json(200);
            }
            // Another component, another host: whoever writes to the database.
            5 => {
                let statement = "UPDATE bots SET status = 'paused', version = version + 1
                    WHERE bot_id = ?";
                app.database().execute(statement, [&bot_id]).unwrap();
            }
            _ => {
                let new = json!({"bot_name": format!("the administrator's {step}")});
                admin.post(CREATE, &new).await.json(201);
            }
        }
        let there = stored(&app, &owner);
        assert_eq!(listed(&owner, LIST).await, there);
        assert_eq!(listed(&admin, &owners).await, there);
        assert_eq!(listed(&admin, LIST).await, stored(&app, &admin));
        let page = listed(&owner, &format!("{LIST}?limit=2")).await;
        assert_eq!(page, there[..2]);
        let one: Vec<Value> = there.into_iter().filter(|bot| bot[0] == *only).collect();
        assert_eq!(listed(&key, LIST).await, one);
        let only = owner.get(&format!("/api/v1/bots/{only}")).await.json(200);
        assert_eq!(shown(&only), one[0]);
        let seen = watcher.get(&owners).await;
        if sees_all {
            seen.json(200);
        } else {
            seen.problem(403, "forbidden");
        }
    }

    // The one who has gone, and the key that was revoked with them, get nothing from memory.
    let user = format!("/api/v1/users/{}", owner.user_id);
    let locked = json!({"disabled": true});
    admin.patch(&user, &locked).await.json(200);
    owner.get(LIST).await.any_problem();
    key.get(LIST).await.any_problem();
}

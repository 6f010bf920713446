//! The audit trail: what was done can be looked up, and whoever changes it is found out.

use rusqlite::Connection;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;

const VERIFY: &str = "/api/v1/audit/verify";

/// An application with a trail of some rows, sealed.
async fn with_a_trail() -> (App, Client) {
    let app = App::start().await;
    let admin = app.admin().await;
    for number in 0..6 {
        let bot = json!({"bot_name": format!("bot {number}")});
        admin.post("/api/v1/bots/create", &bot).await.json(201);
    }
    app.run_job("drain-logs").await;
    (app, admin)
}

async fn verify(client: &Client, query: &str) -> Value {
    client.get(&format!("{VERIFY}?{query}")).await.json(200)
}

#[tokio::test]
async fn rows_that_tell_much_are_sealed_as_all_others() {
    let app = App::start().await;
    let admin = app.admin().await;
    app.run_job("drain-logs").await;
    let many =
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 60)
        INSERT INTO audit_log
            (occurred_at, actor_kind, actor_id, action, subject_id, detail, request_id)
        SELECT 1750000000000, 'user', 'me', 'user.changed', 'you',
            json_object('roles', hex(zeroblob(500000))), 'r' FROM number";
    app.database().execute(many, []).unwrap();
    while app.run_job("drain-logs").await["sealed"] != 0 {}
    let unsealed = "SELECT count(*) FROM audit_log WHERE hash IS NULL";
    assert_eq!(app.number(unsealed), 0);
    assert_eq!(verify(&admin, "").await["intact"], true);
}

#[tokio::test]
async fn what_was_done_is_found_by_who_what_and_when() {
    let app = App::start().await;
    let admin = app.admin().await;
    let operator = app.user(&admin, &["operator"]).await;
    let bot = json!({"bot_name": "looked up"});
    let bot = operator.post("/api/v1/bots/create", &bot).await.json(201);
    let bot_id = bot["bot_id"].as_str().unwrap();
    let path = format!("/api/v1/bots/{bot_id}");
    let change = json!({"bot_name": "renamed"});
    operator.patch(&path, &change).await.json(200);
    operator.delete(&path).await.nothing();
    let list = async |query: &str| {
        let page = admin.get(&format!("/api/v1/audit?{query}")).await.json(200);
        page["items"].as_array().unwrap().clone()
    };
    let actions = |items: &[Value]| -> Vec<String> {
        let action = |item: &Value| item["action"].as_str().unwrap().to_owned();
        items.iter().map(action).collect()
    };
    let of_bot = list(&format!("subject_id={bot_id}")).await;
    assert_eq!(
        actions(&of_bot),
        ["bot.deleted", "bot.changed", "bot.created"]
    );
    assert_eq!(of_bot[0]["actor_id"], operator.user_id.as_str());
    assert_eq!(of_bot[0]["actor_kind"], "user");
    assert_eq!(of_bot[0]["hash"], Value::Null);
    let by_operator = list(&format!("actor_id={}&limit=200", operator.user_id)).await;
    assert!(by_operator.len() >= 3);
    let created = list("action=bot.created").await;
    assert_eq!(created.len(), 1);
    let moment = created[0]["occurred_at"].as_str().unwrap();
    let since = list(&format!("from={moment}&limit=200")).await;
    assert!(since.iter().any(|item| item == &created[0]));
    let before = list(&format!("to={moment}&limit=200")).await;
    assert!(
        before
            .iter()
            .all(|item| item["occurred_at"].as_str() < Some(moment))
    );
    assert_eq!(
        list("action=bot.created&actor_id=nobody").await,
        [Value::Null; 0]
    );

    // Page by page, all of it.
    let all = list("limit=200").await;
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin
            .get(&format!("/api/v1/audit?limit=2{cursor}"))
            .await
            .json(200);
        paged.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(paged, all);
    let operator = operator.get("/api/v1/audit").await;
    operator.problem(403, "forbidden");
}

#[tokio::test]
async fn rows_are_sealed_and_the_chain_goes_on_from_any_noted_place() {
    let (app, admin) = with_a_trail().await;
    let rows = app.number("SELECT count(*) FROM audit_log");
    let whole = verify(&admin, "").await;
    assert_eq!(whole["intact"], true);
    assert_eq!(whole["complete"], true);
    assert_eq!(whole["verified_rows"], rows);
    assert_eq!(whole["unsealed_rows"], 0);
    assert_eq!(whole["first_broken"], Value::Null);
    assert_eq!(whole["walked_to"], whole["head"]);

    // What is done now is sealed at the next run.
    let bot = json!({"bot_name": "one more"});
    admin.post("/api/v1/bots/create", &bot).await.json(201);
    let between = verify(&admin, "").await;
    assert_eq!(between["intact"], true);
    assert_eq!(between["unsealed_rows"], 1);
    let done = app.run_job("drain-logs").await;
    assert_eq!(done["sealed"], 1);
    assert_eq!(done["audit_head"]["audit_id"], rows + 1);

    // From the place that was noted before.
    let head = &whole["head"];
    let (audit_id, hash) = (&head["audit_id"], head["hash"].as_str().unwrap());
    let noted = format!("from_audit_id={audit_id}&from_hash={hash}");
    let rest = verify(&admin, &noted).await;
    assert_eq!(
        (rest["intact"].clone(), rest["verified_rows"].clone()),
        (json!(true), json!(1))
    );
    assert_eq!(rest["head"], done["audit_head"]);
    let other = format!("from_audit_id={audit_id}&from_hash={}", "ab".repeat(32));
    let broken = verify(&admin, &other).await;
    assert_eq!(
        broken["first_broken"],
        json!({"audit_id": audit_id, "reason": "changed"})
    );
    for query in [
        "from_audit_id=3",
        "from_hash=00",
        "from_audit_id=3&from_hash=zz",
    ] {
        let answer = admin.get(&format!("{VERIFY}?{query}")).await;
        answer.problem(422, "invalid");
    }
    // No time: it says so, and where to go on.
    let nothing = verify(&admin, "budget_seconds=0").await;
    assert_eq!(nothing["complete"], false);
    assert_eq!(nothing["walked_to"]["audit_id"], 0);
}

/// What somebody with the database file may try, and the row that is named for it.
fn attacks(last: i64) -> Vec<(String, i64, &'static str)> {
    let mut attacks: Vec<(String, i64, &'static str)> = [
        "occurred_at = occurred_at + 1",
        "actor_kind = 'service'",
        "actor_id = 'somebody'",
        "action = 'bot.deleted'",
        "subject_id = subject_id || ' '",
        "detail = '{}' || detail",
        "request_id = ''",
        "hash = replace(hash, substr(hash, 1, 1), 'x')",
        "hash = upper(hash) || ''",
    ]
    .iter()
    .map(|change| {
        (
            format!("UPDATE audit_log SET {change} WHERE audit_id = 3"),
            3,
            "changed",
        )
    })
    .collect();
    let mut attack = |statement: &str, audit_id: i64, reason: &'static str| {
        attacks.push((statement.to_owned(), audit_id, reason));
    };
    attack(
        "UPDATE audit_log SET hash = NULL WHERE audit_id = 4",
        4,
        "inserted",
    );
    attack("DELETE FROM audit_log WHERE audit_id = 1", 1, "removed");
    attack("DELETE FROM audit_log WHERE audit_id = 4", 4, "removed");
    attack(
        "DELETE FROM audit_log WHERE audit_id BETWEEN 4 AND 6",
        4,
        "removed",
    );
    attack(
        &format!("DELETE FROM audit_log WHERE audit_id = {last}"),
        last,
        "removed",
    );
    attack(
        &format!("DELETE FROM audit_log WHERE audit_id > {}", last - 3),
        last - 2,
        "removed",
    );
    attack("DELETE FROM audit_log", 1, "removed");
    // Two rows change places; the rows after a removed one move up.
    attack(
        "UPDATE audit_log SET audit_id = -2 WHERE audit_id = 2;
         UPDATE audit_log SET audit_id = 2 WHERE audit_id = 5;
         UPDATE audit_log SET audit_id = 5 WHERE audit_id = -2;",
        2,
        "changed",
    );
    attack(
        "DELETE FROM audit_log WHERE audit_id = 4;
         UPDATE audit_log SET audit_id = audit_id - 1 WHERE audit_id > 4;",
        4,
        "changed",
    );
    // A row in between, before the first, and behind the last with a hash of its own.
    let copy = |audit_id: &str, hash: &str| {
        format!(
            "INSERT INTO audit_log SELECT {audit_id}, occurred_at, actor_kind, actor_id, action,
                subject_id, detail, request_id, {hash} FROM audit_log WHERE audit_id = 5;"
        )
    };
    attack(
        &format!(
            "UPDATE audit_log SET audit_id = -audit_id WHERE audit_id >= 3;
             UPDATE audit_log SET audit_id = 1 - audit_id WHERE audit_id <= -3; {}",
            copy("3", "hash").replace("audit_id = 5", "audit_id = 6")
        ),
        3,
        "changed",
    );
    attack(&copy("0", "hash"), 0, "inserted");
    attack(&copy("-7", "NULL"), -7, "inserted");
    attack(&copy(&(last + 1).to_string(), "hash"), last + 1, "inserted");
    // The head is moved back, taken away, or forged.
    attack(
        "UPDATE audit_head SET audit_id = 4, sealed_rows = 4,
            hash = (SELECT hash FROM audit_log WHERE audit_id = 4)",
        5,
        "inserted",
    );
    attack("DELETE FROM audit_head", 1, "inserted");
    attack(
        "UPDATE audit_head SET hash = replace(hash, substr(hash, 1, 1), 'x')",
        last,
        "changed",
    );
    attack(
        "UPDATE audit_head SET sealed_rows = sealed_rows + 1",
        last,
        "changed",
    );
    attacks
}

fn restore(database: &Connection) {
    database
        .execute_batch(
            "BEGIN IMMEDIATE;
             DELETE FROM audit_log; INSERT INTO audit_log SELECT * FROM trail_before;
             DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM head_before;
             UPDATE sqlite_sequence SET seq = (SELECT max(audit_id) FROM trail_before)
                WHERE name = 'audit_log';
             COMMIT;",
        )
        .unwrap();
}

#[tokio::test]
async fn every_change_of_the_trail_is_found_and_the_first_row_named() {
    let (app, admin) = with_a_trail().await;
    let last = app.number("SELECT max(audit_id) FROM audit_log");
    assert!(last >= 8, "{last}");
    let database = app.database();
    database
        .execute_batch(
            "CREATE TABLE trail_before AS SELECT * FROM audit_log;
             CREATE TABLE head_before AS SELECT * FROM audit_head;",
        )
        .unwrap();
    for (attack, audit_id, reason) in attacks(last) {
        database.execute_batch(&attack).unwrap();
        let found = verify(&admin, "").await;
        assert_eq!(found["intact"], false, "{attack}");
        let wanted = json!({"audit_id": audit_id, "reason": reason});
        assert_eq!(found["first_broken"], wanted, "{attack}");
        assert_eq!(
            found["verified_rows"].as_i64().unwrap().max(0),
            found["walked_to"]["audit_id"]
        );
        restore(&database);
        assert_eq!(verify(&admin, "").await["intact"], true, "{attack}");
    }

    // What is not sealed yet and taken away is missed as well, and for ever after.
    let bot = json!({"bot_name": "not sealed"});
    admin.post("/api/v1/bots/create", &bot).await.json(201);
    let statement = format!("DELETE FROM audit_log WHERE audit_id > {last}");
    database.execute(&statement, []).unwrap();
    let removed = json!({"audit_id": last + 1, "reason": "removed"});
    assert_eq!(verify(&admin, "").await["first_broken"], removed);
    let bot = json!({"bot_name": "after it"});
    admin.post("/api/v1/bots/create", &bot).await.json(201);
    assert_eq!(verify(&admin, "").await["first_broken"], removed);
    app.run_job("drain-logs").await;
    assert_eq!(verify(&admin, "").await["first_broken"], removed);
}

#[tokio::test]
async fn a_row_with_a_forged_hash_is_not_sealed_over() {
    let (app, admin) = with_a_trail().await;
    let last = app.number("SELECT max(audit_id) FROM audit_log");
    app.database()
        .execute(
            "INSERT INTO audit_log (occurred_at, actor_kind, actor_id, action, subject_id, detail,
                request_id, hash)
             SELECT occurred_at, actor_kind, actor_id, action, subject_id, detail, request_id, hash
             FROM audit_log WHERE audit_id = 2",
            [],
        )
        .unwrap();
    let bot = json!({"bot_name": "after it"});
    admin.post("/api/v1/bots/create", &bot).await.json(201);
    app.run_job("drain-logs").await;
    let found = verify(&admin, "").await;
    assert_eq!(found["first_broken"]["audit_id"], last + 1);
}

#[tokio::test]
async fn a_long_trail_is_sealed_and_walked_in_pieces() {
    let (app, admin) = with_a_trail().await;
    app.database()
        .execute(
            "INSERT INTO audit_log (occurred_at, actor_kind, actor_id, action, subject_id, detail,
                request_id)
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
             SELECT i, 'user', 'ü' || i, 'a.b', '', '{\"n\":' || i || '}', 'r' FROM n",
            [],
        )
        .unwrap();
    let mut sealed = 0;
    for _ in 0..20 {
        sealed += app.run_job("drain-logs").await["sealed"].as_i64().unwrap();
    }
    assert_eq!(sealed, 10_000);
    let whole = verify(&admin, "").await;
    assert_eq!(whole["intact"], true, "{whole}");
    assert_eq!(
        whole["verified_rows"],
        app.number("SELECT count(*) FROM audit_log")
    );
    let told = "SELECT count(*) FROM logs WHERE log_type = 'user_activity'";
    assert_eq!(
        app.number(told),
        app.number("SELECT count(*) FROM audit_log")
    );
}

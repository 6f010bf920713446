//! Migrations: any number of instances and hosts may be the first.

use futures::FutureExt;
use futures::future::join_all;
use serde_json::json;
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;

/// How many hosts are the first at once.
const PROCESSES: usize = 10;

const PATHS: [&str; 5] = [
    "/api/v1/health",
    "/api/v1/health/ready",
    "/api/v1/auth/health",
    "/.well-known/jwks.json",
    "/api/v1/auth/validate?token=x",
];

/// Requests to several components at once, more than one instance of each can take.
async fn rush(client: &Client) {
    let answers = join_all((0..100).map(|number| client.get(PATHS[number % PATHS.len()]))).await;
    for answer in answers {
        answer.json(200);
    }
}

fn check(app: &App) {
    let count = app.number("SELECT count(*) FROM schema_migrations");
    let files = std::fs::read_dir(vivesphere_tests::build::repository().join("migrations"))
        .unwrap()
        .filter(|file| {
            file.as_ref()
                .unwrap()
                .path()
                .extension()
                .is_some_and(|kind| kind == "sql")
        })
        .count();
    assert_eq!(count, i64::try_from(files).unwrap());
    assert_eq!(
        app.number("SELECT max(version) FROM schema_migrations"),
        count
    );
    let keys = app.number("SELECT count(*) FROM signing_keys WHERE retired_at IS NULL");
    assert_eq!(keys, 1);
}

/// What a second run of a migration would leave behind: rows that it inserts, tables of its name.
fn check_applied_once(app: &App) {
    check(app);
    for table in ["log_drain", "audit_head", "trend_upkeep", "collector_stop"] {
        let rows = format!("SELECT count(*) FROM {table}");
        assert_eq!(app.number(&rows), 1, "{table}");
    }
    // All in one transaction, and in their order.
    let unordered = "SELECT count(*) FROM schema_migrations one JOIN schema_migrations two
        ON one.version < two.version AND one.applied_at > two.applied_at";
    assert_eq!(app.number(unordered), 0);
    let first_users = "SELECT count(*) FROM users";
    assert_eq!(app.number(first_users), 1);
    let broken = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'";
    assert_eq!(app.number(broken), 0);
}

#[tokio::test]
async fn ten_processes_start_on_an_empty_database_at_once() {
    let first = App::builder().untouched().start().await;
    let others = (1..PROCESSES).map(|_| App::builder().beside(&first).untouched().start());
    let mut all = join_all(others).await;
    all.insert(0, first);
    assert_eq!(all.len(), PROCESSES);
    let untouched = !all[0].state_dir().join("sqlite_db.db").exists()
        || all[0].number("SELECT count(*) FROM sqlite_master") == 0;
    assert!(untouched, "the database is not empty");

    // The first request that each of them ever gets, to several of its components, all at once.
    let clients: Vec<Client> = all.iter().map(App::anonymous).collect();
    let asked = clients.iter().flat_map(|client| {
        let password = json!({
            "username": "admin", "password": all[0].variable("bootstrap_admin_password")
        });
        let sign_in = async move { client.post("/api/v1/auth/login", &password).await };
        let looks = PATHS.map(|path| async move { client.get(path).await });
        looks
            .into_iter()
            .map(FutureExt::boxed)
            .chain([sign_in.boxed()])
    });
    for answer in join_all(asked).await {
        answer.json(200);
    }
    check_applied_once(&all[0]);

    // Each goes on with the same database: what one writes all others read.
    let admin = all[0].admin().await;
    let token = admin.token.as_deref().unwrap();
    for (number, client) in clients.iter().enumerate() {
        let new = json!({"bot_name": format!("made by process {number}")});
        let signed_in = client.with_token(token);
        let bots = signed_in.post("/api/v1/bots/create", &new).await;
        bots.json(201);
        let list = signed_in.get("/api/v1/bots/list").await.json(200);
        assert_eq!(list["items"].as_array().unwrap().len(), number + 1);
    }
}

#[tokio::test]
async fn many_instances_start_on_an_empty_database_at_once() {
    let app = App::builder().untouched().start().await;
    let password = json!({
        "username": "admin", "password": app.variable("bootstrap_admin_password")
    });
    let anonymous = app.anonymous();
    let logins = join_all((0..6).map(|_| anonymous.post("/api/v1/auth/login", &password)));
    let (_, logins) = tokio::join!(rush(&anonymous), logins);
    for login in logins {
        login.json(200);
    }
    check_applied_once(&app);
}

#[tokio::test]
async fn two_hosts_share_a_state_directory() {
    let one = App::builder().untouched().start().await;
    let two = App::builder().beside(&one).untouched().start().await;
    let (first, second) = (one.anonymous(), two.anonymous());
    tokio::join!(rush(&first), rush(&second));
    check(&one);
    // What one says the other knows.
    let admin = one.admin().await;
    let there = two.anonymous().with_token(admin.token.as_deref().unwrap());
    there.get("/api/v1/auth/me").await.json(200);
    there.post_nothing("/api/v1/auth/logout").await.nothing();
    admin
        .get("/api/v1/auth/me")
        .await
        .problem(401, "token_revoked");
}

#[tokio::test]
async fn a_database_that_another_build_has_changed_is_left_alone() {
    for change in [
        "UPDATE schema_migrations SET checksum = 'other' WHERE version = 1",
        "INSERT INTO schema_migrations (version, name, checksum, applied_at)
            VALUES (9999, '9999_from_the_future', 'x', 0)",
    ] {
        let mut app = App::start().await;
        app.admin().await;
        app.stop().await;
        app.database().execute(change, []).unwrap();
        let mut app = App::builder().beside(&app).untouched().start().await;
        let answer = app.anonymous().get("/api/v1/bots/list").await;
        answer.problem(503, "storage_unavailable");
        assert_eq!(app.number("SELECT count(*) FROM users"), 1);
        app.kill();
    }
}

#[tokio::test]
async fn a_restart_finds_everything_as_it_was() {
    let mut app = App::start().await;
    let admin = app.admin().await;
    let new = json!({"bot_name": "still there"});
    let bot = admin.post("/api/v1/bots/create", &new).await.json(201);
    for graceful in [true, false] {
        match graceful {
            true => app.stop().await,
            false => app.kill(),
        }
        app.restart().await;
        let list = admin.get("/api/v1/bots/list").await.json(200);
        assert_eq!(list["items"][0]["bot_id"], bot["bot_id"]);
    }
}

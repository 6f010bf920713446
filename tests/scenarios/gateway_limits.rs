//! The clients' budgets: one for all instances and processes, one for each class of routes.

use reqwest::Method;
use serde_json::json;
use vivesphere_tests::app::App;
use vivesphere_tests::client::{Answer, Client};

const LIST: &str = "/api/v1/bots/list";

/// Waits for the next minute when this one is nearly over: the count must not start anew.
pub(crate) async fn early_in_a_minute(seconds: u64) {
    let past = u64::try_from(chrono::Utc::now().timestamp_millis() % 60_000).unwrap();
    if past > (60 - seconds) * 1000 {
        tokio::time::sleep(std::time::Duration::from_millis(60_050 - past)).await;
    }
}

fn left(answer: &Answer) -> i64 {
    answer.header("ratelimit-remaining").parse().unwrap()
}

/// Sends `count` requests through the clients in turn, `at_once` at a time; gives how many were
/// admitted.
async fn admitted(clients: &[Client], count: usize, at_once: usize) -> usize {
    use futures::StreamExt as _;
    futures::stream::iter(0..count)
        .map(|number| async move { clients[number % clients.len()].get(LIST).await.status })
        .buffer_unordered(at_once)
        .filter(|status| {
            assert!(matches!(status, 200 | 429), "{status}");
            std::future::ready(*status == 200)
        })
        .count()
        .await
}

#[tokio::test]
async fn eight_processes_at_once_admit_the_limit_and_nothing_above() {
    const LIMIT: usize = 400;
    let first = App::builder()
        .variable("rate_limit_per_minute", LIMIT)
        .start()
        .await;
    let admin = first.admin().await;
    let mut beside = Vec::new();
    for _ in 1..8 {
        beside.push(App::builder().beside(&first).start().await);
    }
    let token = admin.token.as_deref().unwrap();
    let clients: Vec<Client> = [&first]
        .into_iter()
        .chain(&beside)
        .map(|app| app.anonymous().with_token(token))
        .collect();
    early_in_a_minute(30).await;
    let count = admitted(&clients, LIMIT * 2, 64).await;
    // Five in a hundred more are allowed for; not one is needed, and few are lost.
    assert!(count <= LIMIT, "{count} of {LIMIT}");
    assert!(count * 10 >= LIMIT * 8, "{count} of {LIMIT}");
}

#[tokio::test]
async fn a_restart_forgets_nothing_and_few_requests_cost_a_write() {
    let mut app = App::builder()
        .variable("rate_limit_per_minute", 100)
        .start()
        .await;
    let admin = app.admin().await;
    early_in_a_minute(30).await;
    let before = admitted(std::slice::from_ref(&admin), 60, 1).await;
    assert_eq!(before, 60);
    let used = "SELECT used FROM rate_limits WHERE client LIKE 'read/user:%'";
    let counted = app.number(used);
    assert!((60..=75).contains(&counted), "{counted}");
    app.restart().await;
    let after = admitted(std::slice::from_ref(&admin), 60, 1).await;
    assert!((25..=40).contains(&after), "{after}");
    admin.get(LIST).await.problem(429, "rate_limited");
}

#[tokio::test]
async fn each_class_of_routes_has_a_budget_of_its_own() {
    let app = App::builder()
        .variable("rate_limit_per_minute", 20)
        .start()
        .await;
    let admin = app.admin().await;
    let writes = json!({"settings_data": {"service_name": "gateway", "settings":
        {"write_rate_limit_per_minute": 5}}});
    admin.post("/api/v1/config/update", &writes).await.json(200);
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    early_in_a_minute(30).await;
    // Somebody who has spent nothing yet.
    let operator = app.user(&admin, &["operator"]).await;
    let mut new = json!({"bot_name": "one too many"});
    for remaining in (0..5).rev() {
        new["bot_name"] = json!(format!("{remaining} are left"));
        let answer = operator.post("/api/v1/bots/create", &new).await;
        answer.json(201);
        assert_eq!(answer.header("ratelimit-limit"), "5");
        assert_eq!(left(&answer), remaining);
    }
    let refused = operator.post("/api/v1/bots/create", &new).await;
    refused.problem(429, "rate_limited");
    // Reading goes on, until that budget is spent too.
    let read = operator.get(LIST).await;
    assert_eq!(read.header("ratelimit-limit"), "20");
    read.json(200);
    while operator.get(LIST).await.status == 200 {}
    // Whoever has spent everything can still sign in, and watchers are not kept out.
    let again = app
        .anonymous()
        .sign_in(&operator.username, &operator.password)
        .await;
    again.get(LIST).await.problem(429, "rate_limited");
    for _ in 0..25 {
        app.anonymous().get("/api/v1/health").await.json(200);
    }
    // Signing in has its end as well.
    let wrong = json!({"username": "nobody", "password": "not a password"});
    let mut refused = 0;
    for _ in 0..25 {
        let answer = app.anonymous().post("/api/v1/auth/login", &wrong).await;
        let code = answer.any_problem()["code"].clone();
        refused += usize::from(code == "rate_limited");
    }
    assert!(refused >= 1);
}

#[tokio::test]
async fn every_answer_says_what_is_left() {
    let app = App::start().await;
    let admin = app.admin().await;
    let nobody = app.user(&admin, &[]).await;
    let get = async |client: &Client, path: &str| client.get(path).await;
    let answers = [
        get(&admin, LIST).await,
        get(&admin, "/api/v1/bots/x").await,
        get(&admin, "/api/v1/bots/a/b/c").await,
        get(&nobody, LIST).await,
        get(&app.anonymous(), LIST).await,
        get(&app.anonymous().with_token("x"), LIST).await,
        get(&app.anonymous(), "/.well-known/jwks.json").await,
        admin.send(Method::PUT, LIST, |request| request).await,
        admin
            .post(
                "/api/v1/bots/create",
                &json!({"bot_name": "n".repeat(1 << 20)}),
            )
            .await,
        admin
            .send(Method::GET, LIST, |request| {
                request.header("x-long", "a".repeat(17 << 10))
            })
            .await,
    ];
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 404, 404, 403, 401, 401, 200, 405, 413, 431]);
    for answer in &answers {
        assert!(
            !answer.header("ratelimit-limit").is_empty(),
            "{}",
            answer.asked
        );
        let reset: u64 = answer.header("ratelimit-reset").parse().unwrap();
        assert!((1..=60).contains(&reset));
        assert!(left(answer) >= 0);
    }
    // Components and the scheduler are not clients.
    let job = "/api/v1/jobs/publish/run";
    let by_service = app.service().post_nothing(job).await;
    assert_eq!(by_service.header("ratelimit-limit"), "");
    let by_admin = admin.post_nothing(job).await;
    assert!(!by_admin.header("ratelimit-limit").is_empty());
}

#[tokio::test]
async fn a_window_of_a_wrong_clock_locks_nobody_out() {
    const LIMIT: i64 = 20;
    let app = App::builder()
        .variable("rate_limit_per_minute", LIMIT)
        .start()
        .await;
    let admin = app.admin().await;
    let users = [
        app.user(&admin, &["viewer"]).await,
        app.user(&admin, &["viewer"]).await,
    ];
    early_in_a_minute(30).await;
    let now = chrono::Utc::now().timestamp_millis();
    let window = now - now.rem_euclid(60_000);
    let spend = |user: &Client, window: i64| {
        let row =
            "INSERT OR REPLACE INTO rate_limits (client, window_start, used) VALUES (?, ?, ?)";
        let client = format!("read/user:{}", user.user_id);
        app.database()
            .execute(row, (client, window, LIMIT + 1))
            .unwrap();
    };
    // Another host's clock may be ahead by so much that its minute is the next one.
    spend(&users[0], window + 60_000);
    users[0].get(LIST).await.problem(429, "rate_limited");
    // But a minute after that nobody is in: the clock was set back since.
    spend(&users[1], window + 120_000);
    let answer = users[1].get(LIST).await;
    assert_eq!(answer.status, 200);
    assert_eq!(left(&answer), LIMIT - 1);
    let counted = app.number(&format!(
        "SELECT window_start FROM rate_limits WHERE client = 'read/user:{}'",
        users[1].user_id
    ));
    assert_eq!(counted, window);
}

#[tokio::test]
async fn a_revoked_token_spends_nothing_of_its_users() {
    let app = App::builder()
        .variable("rate_limit_per_minute", 50)
        .start()
        .await;
    let admin = app.admin().await;
    let user = app.user(&admin, &["viewer"]).await;
    let stolen = app
        .anonymous()
        .sign_in(&user.username, &user.password)
        .await;
    early_in_a_minute(30).await;
    let before = left(&user.get(LIST).await);
    stolen.post_nothing("/api/v1/auth/logout").await;
    let mut last = i64::MAX;
    for _ in 0..10 {
        let answer = stolen.get(LIST).await;
        // It is the address that pays.
        assert!(left(&answer) < last);
        last = left(&answer);
        answer.problem(401, "token_revoked");
    }
    assert_eq!(left(&user.get(LIST).await), before - 1);
    // Who has spent its own is told so, as before.
    while user.get(LIST).await.status == 200 {}
    user.get(LIST).await.problem(429, "rate_limited");
    stolen.get(LIST).await.problem(429, "rate_limited");
}

//! Behind reverse proxies: whose word on a client's address is taken, and what that decides.

use reqwest::Method;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::{Answer, Client};

use crate::config::{felt, set, try_set};
use crate::gateway_limits::early_in_a_minute;

/// A try at signing in that a proxy passes on.
async fn sign_in(app: &App, forwarded_for: &str, username: &str, password: &str) -> Answer {
    app.anonymous()
        .send(Method::POST, "/api/v1/auth/login", |request| {
            request
                .header("x-forwarded-for", forwarded_for)
                .json(&json!({"username": username, "password": password}))
        })
        .await
}

fn addresses(app: &App) -> Vec<String> {
    let database = app.database();
    let query = "SELECT DISTINCT subject FROM login_failures WHERE subject LIKE 'address:%'
        ORDER BY subject";
    let mut statement = database.prepare(query).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

const LIMIT: i64 = 1000;

/// What is left of the minute's budget of whoever a proxy says that it is.
async fn left(app: &App, forwarded_for: &str) -> i64 {
    let answer = app
        .anonymous()
        .send(Method::GET, "/.well-known/jwks.json", |request| {
            request.header("x-forwarded-for", forwarded_for)
        })
        .await;
    assert_eq!(answer.status, 200);
    answer.header("ratelimit-remaining").parse().unwrap()
}

/// Sets whose word is taken, and waits until the component that signs in has taken notice: of two that
/// were never there, each has the whole budget.
async fn trust(app: &App, admin: &Client, proxies: Value) {
    let settings = json!({"trusted_proxies": proxies, "rate_limit_per_minute": LIMIT});
    set(admin, "gateway", settings).await;
    let mut number = 0;
    felt("the setting", async || {
        number += 2;
        let first = left(app, &format!("2001:db8:0:{number}::1")).await;
        let second = left(app, &format!("2001:db8:0:{}::1", number + 1)).await;
        (first, second) == (LIMIT - 1, LIMIT - 1)
    })
    .await;
}

#[tokio::test]
async fn a_guesser_behind_a_trusted_proxy_locks_nobody_else_out() {
    let app = App::start().await;
    let admin = app.admin().await;
    // Until somebody says who the proxies are, anybody may send the header.
    let answer = sign_in(&app, "203.0.113.1", "nobody", "a wrong password").await;
    answer.problem(401, "invalid_credentials");
    assert_eq!(addresses(&app), ["address:127.0.0.1"]);

    trust(&app, &admin, json!(["127.0.0.0/8", "10.0.0.0/8"])).await;
    // What the guesser makes up stands to the left of what the proxies say.
    for number in 0..10 {
        let made_up = format!("198.51.100.{number}, 203.0.113.7, 10.0.0.9");
        let answer = sign_in(&app, &made_up, &format!("guess {number}"), "a wrong one").await;
        answer.problem(401, "invalid_credentials");
    }
    assert!(addresses(&app).contains(&"address:203.0.113.7".to_owned()));
    assert!(!addresses(&app).iter().any(|text| text.contains("198.51")));
    let password = app.variable("bootstrap_admin_password");
    let answer = sign_in(&app, "203.0.113.7", "admin", password).await;
    answer.problem(429, "too_many_attempts");
    sign_in(&app, "203.0.113.8", "admin", password)
        .await
        .json(200);
}

#[tokio::test]
async fn who_guesses_one_name_from_many_addresses_is_stopped_by_the_name() {
    let app = App::start().await;
    let admin = app.admin().await;
    let other = app.user(&admin, &[]).await;
    trust(&app, &admin, json!(["127.0.0.1"])).await;
    // Ten guesses, each from an address of its own, the name in one case and the other.
    for number in 0..10 {
        let name = ["admin", "Admin"][number % 2];
        let address = format!("203.0.113.{number}");
        let answer = sign_in(&app, &address, name, "a wrong password").await;
        answer.problem(401, "invalid_credentials");
    }
    assert_eq!(addresses(&app).len(), 10, "{:?}", addresses(&app));
    // The right password from where nobody has guessed is not looked at any more either.
    let password = app.variable("bootstrap_admin_password");
    for address in ["203.0.113.3", "203.0.113.200"] {
        for name in ["admin", "ADMIN"] {
            let answer = sign_in(&app, address, name, password).await;
            answer.problem(429, "too_many_attempts");
        }
    }
    // Nobody else is kept out, not even where the guesses came from; who is signed in stays so.
    for address in ["203.0.113.3", "203.0.113.200"] {
        sign_in(&app, address, &other.username, &other.password)
            .await
            .json(200);
    }
    admin.get("/api/v1/auth/me").await.json(200);
}

#[tokio::test]
async fn each_client_behind_a_trusted_proxy_has_a_budget_of_its_own() {
    let app = App::start().await;
    let admin = app.admin().await;
    trust(&app, &admin, json!(["127.0.0.1"])).await;
    let first = left(&app, "203.0.113.1").await;
    assert_eq!(left(&app, "203.0.113.1, 127.0.0.1").await, first - 1);
    assert_eq!(left(&app, "203.0.113.2").await, LIMIT - 1);
    // All addresses of an IPv6 network are one client: whoever has one has them all.
    let first = left(&app, "2001:db8:1:2::1").await;
    assert_eq!(left(&app, "2001:db8:1:2:3:4:5:6").await, first - 1);
    assert_eq!(left(&app, "2001:db8:1:3::1").await, LIMIT - 1);
}

/// What is left after a request that names an address in the header with which the host tells it.
async fn left_as(app: &App, address: &str) -> i64 {
    let answer = app
        .anonymous()
        .send(Method::GET, "/.well-known/jwks.json", |request| {
            request.header("spin-client-addr", address)
        })
        .await;
    assert_eq!(answer.status, 200);
    answer.header("ratelimit-remaining").parse().unwrap()
}

#[tokio::test]
async fn nobody_names_its_own_address_to_have_another_budget() {
    let app = App::start().await;
    let admin = app.admin().await;
    // As if the proxies' word were taken, too: nobody makes itself one of them.
    trust(&app, &admin, json!(["127.0.0.1", "10.0.0.0/8"])).await;
    early_in_a_minute(10).await;
    let first = left_as(&app, "198.51.100.1:1").await;
    for (number, address) in ["198.51.100.2:1", "10.0.0.2:1", "somebody", ""]
        .into_iter()
        .enumerate()
    {
        let left = left_as(&app, address).await;
        assert_eq!(
            left,
            first - 1 - i64::try_from(number).unwrap(),
            "{address}"
        );
    }
}

#[tokio::test]
async fn what_is_no_network_is_refused_with_its_place() {
    let app = App::start().await;
    let admin = app.admin().await;
    for (value, pointer) in [
        (json!("10.0.0.0/8"), "/trusted_proxies"),
        (json!(["10.0.0.0/8", "proxy.example"]), "/trusted_proxies/1"),
        (json!(["10.0.0.0/33"]), "/trusted_proxies/0"),
        (json!([10]), "/trusted_proxies/0"),
    ] {
        let answer = try_set(&admin, "gateway", json!({"trusted_proxies": value})).await;
        assert!(answer.pointer().ends_with(pointer), "{}", answer.text);
    }
}

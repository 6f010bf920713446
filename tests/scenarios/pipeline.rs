//! The gateway in front of every call: request ids, limits, methods, headers.

use std::time::Duration;

use reqwest::{Method, header};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use vivesphere_tests::app::App;

#[tokio::test]
async fn every_answer_has_a_request_id_a_length_and_security_headers() {
    let app = App::start().await;
    let admin = app.admin().await;
    for path in [
        "/api/v1/bots/list",
        "/api/v1/health",
        "/api/v1/bots/unknown",
        "/api/v1/auth/nothing",
    ] {
        let answer = admin.get(path).await;
        assert!(answer.header("x-request-id").len() >= 8, "{path}");
        let length: usize = answer.header("content-length").parse().unwrap();
        assert_eq!(length, answer.text.len());
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
        assert!(
            answer
                .header("content-security-policy")
                .contains("default-src 'none'")
        );
    }
}

#[tokio::test]
async fn a_well_formed_request_id_is_kept_and_found_in_the_log() {
    let app = App::start().await;
    let anonymous = app.anonymous();
    let ask = async |id: &str| {
        let change = |request: reqwest::RequestBuilder| request.header("x-request-id", id);
        let answer = anonymous
            .send(Method::GET, "/api/v1/bots/list", change)
            .await;
        answer.problem(401, "missing_credentials");
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(ask("my-request.0001_x").await, "my-request.0001_x");
    let long = "a".repeat(65);
    for id in [
        "short",
        "with space in it",
        "<script>alert(1)</script>",
        long.as_str(),
    ] {
        let made = ask(id).await;
        assert_ne!(made, id);
        assert!(made.len() >= 32);
    }
    let log = app.log();
    assert!(log.contains("my-request.0001_x"), "{log}");
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let app = App::start().await;
    let admin = app.admin().await;
    let big = json!({"bot_name": "n".repeat(1 << 20)});
    admin
        .post("/api/v1/bots/create", &big)
        .await
        .problem(413, "body_too_large");
    // Without a length in front, too.
    let chunks: Vec<Result<Vec<u8>, std::io::Error>> =
        (0..20).map(|_| Ok(vec![b' '; 1 << 16])).collect();
    let stream = reqwest::Body::from(
        chunks
            .into_iter()
            .flat_map(Result::unwrap)
            .collect::<Vec<u8>>(),
    );
    let answer = admin
        .send(Method::POST, "/api/v1/bots/create", |request| {
            request
                .header(header::CONTENT_TYPE, "application/json")
                .body(stream)
        })
        .await;
    answer.problem(413, "body_too_large");
    // Just below the limit it is read, and judged as what it is.
    let fits = json!({"bot_name": "n".repeat((1 << 20) - 100)});
    assert_eq!(
        admin.post("/api/v1/bots/create", &fits).await.pointer(),
        "/bot_name"
    );

    let answer = admin
        .send(Method::GET, "/api/v1/bots/list", |request| {
            request.header("x-long", "a".repeat(17 << 10))
        })
        .await;
    assert_eq!(answer.status, 431);
    let answer = admin
        .send(Method::GET, "/api/v1/bots/list", |mut request| {
            for number in 0..101 {
                request = request.header(format!("x-{number}"), "1");
            }
            request
        })
        .await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn a_body_may_come_in_pieces_and_the_next_request_on_its_heels() {
    let app = App::start().await;
    let admin = app.admin().await;
    let token = admin.token.clone().unwrap();
    let address = app.base_url.trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let record = |name: &str| {
        let data = json!({"message": format!("{name} {}", "long ".repeat(8_000))});
        json!({"log_type": "debug", "log_data": data}).to_string()
    };
    let head = |length: &str| {
        format!(
            "POST /api/v1/logs/submit HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\n{length}\r\n\r\n"
        )
    };
    let (first, second, third) = (record("first"), record("second"), record("third"));
    let halves = |body: &str| (body[..20_000].to_owned(), body[20_000..].to_owned());
    let (begin, end) = halves(&first);
    let (chunk, other) = halves(&second);
    let pieces = [
        head(&format!("content-length: {}", first.len())) + &begin,
        // The rest of the first, and the beginning of the second, which has no length.
        end + &head("transfer-encoding: chunked"),
        format!("{:x}\r\n{chunk}\r\n", chunk.len()),
        format!("{:x}\r\n{other}\r\n0\r\n\r\n", other.len()),
        // The last one at once. Beside chunks its length means nothing, and the connection ends with
        // it (RFC 9112, sections 6.1 and 6.3).
        head("content-length: 9\r\ntransfer-encoding: chunked")
            + &format!("{:x}\r\n{third}\r\n0\r\n\r\n", third.len()),
    ];
    for piece in pieces {
        stream.write_all(piece.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 202 ").count(), 3, "{answers}");
    app.run_job("drain-logs").await;
    for name in ["first", "second", "third"] {
        let found = admin
            .get(&format!("/api/v1/logs?text={name}"))
            .await
            .json(200);
        let message = found["items"][0]["message"].as_str().unwrap();
        assert_eq!(message.len(), name.len() + 1 + 40_000, "{name}");
    }
}

#[tokio::test]
async fn paths_methods_and_types_that_do_not_exist() {
    let app = App::start().await;
    let admin = app.admin().await;
    admin
        .get("/api/v1/bots/list/more")
        .await
        .problem(404, "not_found");
    admin.get("/api/v1/auth").await.problem(404, "not_found");
    for (method, path, allow) in [
        (Method::DELETE, "/api/v1/bots/list", "GET, HEAD"),
        (Method::GET, "/api/v1/bots/create", "POST"),
        (Method::PUT, "/api/v1/auth/login", "POST"),
        (Method::POST, "/api/v1/health", "GET, HEAD"),
    ] {
        let answer = admin.send(method, path, |request| request).await;
        answer.problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allow);
    }
    let id = "/api/v1/users/01890000-0000-7000-8000-000000000000";
    let answer = admin.send(Method::PUT, id, |request| request).await;
    answer.problem(405, "method_not_allowed");
    for method in ["GET", "PATCH", "DELETE"] {
        assert!(answer.header("allow").contains(method));
    }
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
    ] {
        let answer = admin
            .send(Method::POST, "/api/v1/bots/create", |request| {
                request.header(header::CONTENT_TYPE, kind).body("{}")
            })
            .await;
        answer.problem(415, "unsupported_media_type");
    }
    let packed = admin
        .send(Method::POST, "/api/v1/bots/create", |request| {
            let request = request.header(header::CONTENT_ENCODING, "gzip");
            request.json(&json!({"bot_name": "packed"}))
        })
        .await
        .problem(415, "unsupported_media_type");
    assert!(
        packed["detail"]
            .as_str()
            .unwrap()
            .contains("content-encoding")
    );
    for (name, value) in [
        ("idempotency-key", "one"),
        ("if-match", "\"1\""),
        ("authorization", "Bearer another"),
    ] {
        let answer = admin
            .send(Method::POST, "/api/v1/bots/create", |request| {
                let request = request.header(name, value).header(name, value);
                request.json(&json!({"bot_name": "once"}))
            })
            .await;
        let problem = answer.problem(400, "malformed_request");
        assert!(
            problem["detail"].as_str().unwrap().contains(name),
            "{problem}"
        );
    }
    for kind in ["application/json; charset=utf-8", "Application/JSON"] {
        let answer = admin
            .send(Method::POST, "/api/v1/bots/create", |request| {
                let body = json!({"bot_name": kind}).to_string();
                request.header(header::CONTENT_TYPE, kind).body(body)
            })
            .await;
        answer.json(201);
    }
    for body in [
        "",
        "{",
        "{\"bot_name\":\"a\"} x",
        "\u{feff}{}",
        "{\"bot_name\": \"\\ud800\"}",
    ] {
        let answer = admin
            .send(Method::POST, "/api/v1/bots/create", |request| {
                request
                    .header(header::CONTENT_TYPE, "application/json")
                    .body(body)
            })
            .await;
        answer.problem(400, "malformed_request");
    }
    let answer = admin
        .send(Method::POST, "/api/v1/bots/create", |request| {
            let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
            request
                .header(header::CONTENT_TYPE, "application/json")
                .body(nested)
        })
        .await;
    assert!((400..=422).contains(&answer.status), "{}", answer.text);
    admin.get("/api/v1/bots/list").await.json(200);
}

#[tokio::test]
async fn a_client_has_so_many_requests_a_minute() {
    let app = App::builder()
        .variable("rate_limit_per_minute", 30)
        .start()
        .await;
    let admin = app.admin().await;
    let other = app
        .anonymous()
        .sign_in("admin", app.variable("bootstrap_admin_password"))
        .await;
    let mut left = Vec::new();
    let refused = loop {
        let answer = admin.get("/api/v1/bots/list").await;
        assert_eq!(answer.header("ratelimit-limit"), "30");
        let reset: u64 = answer.header("ratelimit-reset").parse().unwrap();
        assert!((1..=60).contains(&reset));
        if answer.status != 200 {
            break answer;
        }
        left.push(answer.header("ratelimit-remaining").parse::<i64>().unwrap());
        assert!(left.len() <= 60, "there is no limit");
    };
    refused.problem(429, "rate_limited");
    assert_eq!(refused.header("ratelimit-remaining"), "0");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() <= 60);
    // A minute may have begun on the way; within one the count only falls.
    let falls = left
        .windows(2)
        .filter(|pair| pair[1] == pair[0] - 1)
        .count();
    assert!(falls + 2 >= left.len(), "{left:?}");
    // The principal is the client: its other session has the same purse, the anonymous another.
    other
        .get("/api/v1/bots/list")
        .await
        .problem(429, "rate_limited");
    app.anonymous().get("/api/v1/health").await.json(200);
    // The scheduler's calls are not limited.
    for _ in 0..40 {
        app.run_job("publish").await;
    }
}

#[tokio::test]
async fn only_the_service_key_and_administrators_start_jobs() {
    let app = App::start().await;
    let admin = app.admin().await;
    let operator = app.user(&admin, &["operator"]).await;
    for job in ["publish", "rotate-keys", "expire"] {
        let path = format!("/api/v1/jobs/{job}/run");
        admin.post_nothing(&path).await.json(200);
        app.service().post_nothing(&path).await.json(200);
        operator.post_nothing(&path).await.problem(403, "forbidden");
        let key = app.variable("service_key");
        let nearly = app.anonymous().with_token(&key[..key.len() - 1]);
        assert_eq!(
            nearly.post_nothing(&path).await.any_problem()["status"],
            401
        );
    }
    let path = "/api/v1/jobs/publish/run?budget_seconds=soon";
    admin
        .post_nothing(path)
        .await
        .problem(400, "malformed_request");
}

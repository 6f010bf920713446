//! How HTTP itself is spoken.

use std::time::{Duration, Instant};

use crate::support::App;
use crate::support::raw::Raw;

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_many_requests() {
    let host = App::guest("").start().await;
    let mut connection = Raw::open(&host).await;
    // Also when the component does not read the body.
    for path in ["/hello", "/length", "/hello"] {
        let request = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n12345");
        connection.send(&request).await;
        connection.until("HTTP/1.1 200 OK\r\n").await;
        let body = if path == "/length" { "5" } else { "hello" };
        connection.until(&format!("\r\n\r\n{body}")).await;
    }
}

/// An answer that is ready before the body has come is seen, and the connection goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nobody_wants_is_let_in() {
    let host = App::guest("").start().await;
    let mut connection = Raw::open(&host).await;
    let body = "a".repeat(1_000_000);
    for _ in 0..2 {
        let head = "POST /hello HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n";
        connection.send(head).await;
        connection.until("HTTP/1.1 200 OK\r\n").await;
        connection.until("\r\n\r\nhello").await;
        connection.send(&body).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_ask_before_it_sends_the_body() {
    let host = App::guest("").start().await;
    let mut connection = Raw::open(&host).await;
    connection
        .send(
            "POST /length HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n",
        )
        .await;
    connection.until("HTTP/1.1 100 Continue\r\n\r\n").await;
    connection.send("12345").await;
    connection.until("HTTP/1.1 200 OK\r\n").await;
    connection.until("\r\n\r\n5").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_the_length_and_no_body() {
    let host = App::guest("").start().await;
    let mut connection = Raw::open(&host).await;
    connection
        .send("HEAD /hello HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await;
    let answer = connection.rest().await;
    assert!(answer.contains("content-length: 5\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_refused() {
    let host = App::guest("").start().await;
    let mut connection = Raw::open(&host).await;
    connection.send("SSH-2.0-something else\r\n\r\n").await;
    let answer = connection.rest().await;
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
    assert_eq!(host.get("/hello").await.ok(), "hello");
}

/// Without `TCP_NODELAY` the second piece of each answer waits for an acknowledgement that the
/// client's system holds back for some 40 ms.
#[tokio::test(flavor = "multi_thread")]
async fn small_pieces_do_not_wait() {
    let host = App::guest("").start().await;
    let mut connection = Raw::open(&host).await;
    let mut took = Vec::new();
    for _ in 0..31 {
        let began = Instant::now();
        connection
            .send("GET /stream?count=2&ms=1 HTTP/1.1\r\nhost: a\r\n\r\n")
            .await;
        connection.until("\r\n0\r\n\r\n").await;
        took.push(began.elapsed());
    }
    took.sort();
    let median = took[took.len() / 2];
    assert!(median < Duration::from_millis(35), "{median:?}");
}

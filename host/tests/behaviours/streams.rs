//! Bodies that come in pieces, both ways.

use std::time::{Duration, Instant};

use crate::support::raw::Raw;
use crate::support::{App, took};

const POST: &str = "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_responses_first_piece_comes_before_its_last_is_written() {
    let host = App::guest("").start().await;
    let began = Instant::now();
    let mut response = host
        .request("GET", "/stream?count=4&ms=1000")
        .send()
        .await
        .unwrap();
    let mut whole = Vec::new();
    while let Some(piece) = response.chunk().await.unwrap() {
        if whole.is_empty() {
            took(began, ..3000);
        }
        whole.extend_from_slice(&piece);
    }
    assert_eq!(whole, b"0\n1\n2\n3\n");
    took(began, 4000..);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requests_pieces_reach_the_component_as_they_come() {
    let host = App::guest("").start().await;
    let mut connection = Raw::open(&host).await;
    connection.send(POST).await;
    // The component gives each piece back before the next is sent.
    for piece in ["first", "second", "third"] {
        connection.send_chunk(piece).await;
        connection.until(piece).await;
    }
    connection.send("0\r\n\r\n").await;
    connection.until("0\r\n\r\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_passes_whole() {
    let host = App::guest("").start().await;
    let body: String = (0..300_000).map(|number| format!("{number:010}")).collect();
    let request = host.request("POST", "/echo").body(body.clone());
    assert!(crate::support::send(request).await.ok() == body);
    let request = host.request("POST", "/length").body(body.clone());
    let length = crate::support::send(request).await.ok();
    assert_eq!(length, body.len().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_body_that_breaks_off_is_an_error_for_the_component() {
    let host = App::guest("").start().await;
    let mut connection = Raw::open(&host).await;
    let head = "POST /length HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    connection.send(head).await;
    connection.send_chunk("first").await;
    connection.send("no chunk\r\n").await;
    let answer = connection.rest().await;
    assert!(answer.contains(" 422 "), "{answer}");
    assert_eq!(host.get("/hello").await.ok(), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_component_notices_a_client_that_left() {
    let host = App::guest("").start().await;
    let mut connection = Raw::open(&host).await;
    connection
        .send("GET /stream?count=1000&ms=50&note=end HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    connection.until("1\n").await;
    drop(connection);
    assert_eq!(host.note("end").await, "the client left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_read_to_its_end() {
    let host = App::guest("").start().await;
    let whole = host.get("/stream?count=3&ms=10&note=end").await.ok();
    assert_eq!(whole, "0\n1\n2\n");
    assert_eq!(host.note("end").await, "finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_after_a_response() {
    let host = App::guest("").start().await;
    let began = Instant::now();
    assert_eq!(host.get("/later?ms=3000&note=later").await.ok(), "answered");
    took(began, ..2500);
    assert_eq!(host.note("later").await, "done");
}

/// A slow reader holds back the writer, not the host.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_stops_nobody_else() {
    let host = App::guest("").start().await;
    let mut idle = Raw::open(&host).await;
    idle.send("GET /stream?count=1000000&ms=0 HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    idle.until("0\n").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    assert_eq!(host.get("/hello").await.ok(), "hello");
    took(began, ..10_000);
}

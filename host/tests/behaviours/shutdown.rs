//! A graceful stop: what is under way is finished, nothing new is begun.

use std::time::{Duration, Instant};

use crate::support::raw::Raw;
use crate::support::{App, took};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_is_finished() {
    let host = App::guest("").start().await;
    let caller = host.caller();
    let request = host.spawn("/slow?ms=1200");
    let stream = host.spawn("/stream?count=4&ms=400");
    host.get("/later?ms=3000&note=later").await.ok();
    // A connection that is kept open for nothing does not hold up the end.
    let mut idle = Raw::open(&host).await;
    idle.send("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
    idle.until("hello").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    let stop = tokio::spawn(host.stop());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let refused = tokio::net::TcpStream::connect(caller.address()).await;
    assert!(refused.is_err(), "a new connection is taken");
    assert_eq!(request.await.unwrap().ok(), "slow");
    assert_eq!(stream.await.unwrap().ok(), "0\n1\n2\n3\n");
    let folder = stop.await.unwrap();
    took(began, 800..15_000);
    assert_eq!(idle.rest().await, "");
    // Work after a response is finished, too.
    let file = folder.path().join(".spin/sqlite_key_value.db");
    let connection = rusqlite::Connection::open(file).unwrap();
    let sql = "SELECT value FROM spin_key_value WHERE key = 'later'";
    let note: Vec<u8> = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(note, b"done");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_finish_takes_no_time() {
    let host = App::guest("").start().await;
    host.get("/hello").await.ok();
    let began = Instant::now();
    host.stop().await;
    took(began, ..5000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_longer_than_the_drain_timeout_is_cut() {
    let host = App::guest("")
        .options(|options| options.drain_timeout = Duration::from_millis(600))
        .start()
        .await;
    let mut slow = Raw::open(&host).await;
    slow.send("GET /slow?ms=60000 HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    host.stop().await;
    took(began, 600..20_000);
    assert_eq!(slow.rest().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_after_the_stop_says_that_the_connection_ends() {
    let host = App::guest("").start().await;
    let mut connection = Raw::open(&host).await;
    connection
        .send("GET /slow?ms=600 HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let stop = tokio::spawn(host.stop());
    let answer = connection.rest().await.to_lowercase();
    assert!(answer.starts_with("http/1.1 200 ok\r\n"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    stop.await.unwrap();
}

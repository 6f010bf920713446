//! More requests than the host takes at once.

use std::time::{Duration, Instant};

use crate::support::raw::Raw;
use crate::support::{App, Host, took};

/// One request at once, and eight that wait.
async fn narrow(timeout: Duration) -> Host {
    App::guest("")
        .options(move |options| {
            options.max_concurrent_requests = 1;
            options.request_timeout = Some(timeout);
        })
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn some_wait_and_the_rest_are_sent_away() {
    let host = narrow(Duration::from_secs(30)).await;
    let began = Instant::now();
    let many: Vec<_> = (0..15).map(|_| host.spawn("/slow?ms=300")).collect();
    let mut served = 0;
    for one in many {
        let answer = one.await.unwrap();
        if answer.status == 200 {
            served += 1;
        } else {
            answer.is_the_hosts(503);
            let seconds: u64 = answer.headers["retry-after"]
                .to_str()
                .unwrap()
                .parse()
                .unwrap();
            assert!(seconds >= 1);
        }
    }
    assert_eq!(served, 9);
    // One after the other.
    took(began, 9 * 300..);
    assert_eq!(host.get("/hello").await.ok(), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_longer_than_the_request_timeout() {
    let host = narrow(Duration::from_secs(3)).await;
    let first = host.spawn("/slow?ms=2000");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let many: Vec<_> = (0..4).map(|_| host.spawn("/slow?ms=2000")).collect();
    assert_eq!(first.await.unwrap().ok(), "slow");
    let mut answers = Vec::new();
    for one in many {
        answers.push(one.await.unwrap());
    }
    let (served, sent_away): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((served.len(), sent_away.len()), (1, 3), "{sent_away:?}");
    for answer in sent_away {
        answer.is_the_hosts(503);
        assert!(answer.headers.contains_key("retry-after"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_left_gives_its_turn_back() {
    let host = narrow(Duration::from_secs(30)).await;
    let mut left = Raw::open(&host).await;
    left.send("GET /slow?ms=20000 HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(left);
    let began = Instant::now();
    assert_eq!(host.get("/hello").await.ok(), "hello");
    took(began, ..15_000);
}

/// A response that has begun takes nobody's turn.
#[tokio::test(flavor = "multi_thread")]
async fn streams_do_not_count() {
    let host = narrow(Duration::from_secs(30)).await;
    let streams: Vec<_> = (0..12)
        .map(|_| host.spawn("/stream?count=4&ms=1500"))
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    assert_eq!(host.get("/hello").await.ok(), "hello");
    took(began, ..4000);
    let mut whole = 0;
    for stream in streams {
        // Those that came in the same moment may be too many.
        whole += usize::from(stream.await.unwrap().text == "0\n1\n2\n3\n");
    }
    assert!(whole >= 9, "{whole}");
}

//! What a component may not take: time, the processor, memory, other requests' peace.

use std::time::{Duration, Instant};

use crate::support::{App, Host, took};

async fn with_timeout(timeout: u64) -> Host {
    App::guest("")
        .options(move |options| options.request_timeout = Some(Duration::from_millis(timeout)))
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_an_answer_is_given_up() {
    let host = with_timeout(1500).await;
    let began = Instant::now();
    host.get("/slow?ms=10000").await.is_the_hosts(504);
    took(began, 1500..8000);
    assert_eq!(host.get("/slow?ms=100").await.ok(), "slow");
}

#[tokio::test(flavor = "multi_thread")]
async fn others_in_the_same_instance_are_not_given_up_with_it() {
    let host = with_timeout(3000).await;
    let given_up = host.spawn("/slow?ms=10000");
    tokio::time::sleep(Duration::from_millis(2000)).await;
    let other = host.spawn("/count?ms=2000");
    given_up.await.unwrap().is_the_hosts(504);
    assert_eq!(other.await.unwrap().json()["served"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_never_given_up() {
    let host = with_timeout(1000).await;
    let whole = host.get("/stream?count=6&ms=400").await.ok();
    assert_eq!(whole, "0\n1\n2\n3\n4\n5\n");
    // Nor is work after a response.
    host.get("/later?ms=1500&note=later").await.ok();
    assert_eq!(host.note("later").await, "done");
    // Not even when a request beside it is.
    let stream = host.spawn("/stream?count=6&ms=400");
    tokio::time::sleep(Duration::from_millis(100)).await;
    host.get("/slow?ms=10000").await.is_the_hosts(504);
    assert_eq!(stream.await.unwrap().ok(), "0\n1\n2\n3\n4\n5\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_timeout_nothing_is_given_up() {
    let host = App::guest("")
        .options(|options| options.request_timeout = None)
        .start()
        .await;
    assert_eq!(host.get("/slow?ms=1500").await.ok(), "slow");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_is_stopped_and_others_are_served_meanwhile() {
    // On the host's own threads, of which there are fewer than loops.
    let threads = vivesphere::server::runtime().unwrap();
    let host = threads.spawn(with_timeout(1500)).await.unwrap();
    let loops = std::thread::available_parallelism().unwrap().get() * 2;
    let began = Instant::now();
    let loops: Vec<_> = (0..loops).map(|_| host.spawn("/loop")).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut served = 0;
    while began.elapsed() < Duration::from_millis(1200) {
        assert_eq!(host.get("/hello").await.ok(), "hello");
        served += 1;
    }
    assert!(served > 5, "only {served} were served");
    for one in loops {
        one.await.unwrap().is_the_hosts(504);
    }
    took(began, 1500..15000);
    assert_eq!(host.get("/hello").await.ok(), "hello");
    threads.shutdown_background();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_may_not_take_more_memory_than_it_is_given() {
    let host = App::guest("")
        .options(|options| options.max_instance_memory = 32 << 20)
        .start()
        .await;
    assert_eq!(host.get("/allocate?mib=10").await.ok(), "10");
    host.get("/allocate?mib=40").await.is_the_hosts(500);
    assert_eq!(host.get("/allocate?mib=10").await.ok(), "10");
    // Each instance has its own: two at once have twice as much.
    let many: Vec<_> = (0..6).map(|_| host.spawn("/allocate?mib=10")).collect();
    for one in many {
        assert_eq!(one.await.unwrap().ok(), "10");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_answers_500_and_the_next_request_is_served() {
    let host = App::guest("").start().await;
    for _ in 0..3 {
        host.get("/trap").await.is_the_hosts(500);
        assert_eq!(host.get("/hello").await.ok(), "hello");
    }
    // As in Spin, it takes the other requests of its instance with it.
    let beside = host.spawn("/slow?ms=3000");
    tokio::time::sleep(Duration::from_millis(300)).await;
    host.get("/trap").await.is_the_hosts(500);
    beside.await.unwrap().is_the_hosts(500);
    assert_eq!(host.get("/hello").await.ok(), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_instance_traps_is_cut_not_ended() {
    let host = App::guest("").start().await;
    let mut stream = host
        .request("GET", "/stream?count=100&ms=100")
        .send()
        .await
        .unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    host.get("/trap").await.is_the_hosts(500);
    loop {
        match stream.chunk().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream seems whole"),
            Err(_) => break,
        }
    }
}

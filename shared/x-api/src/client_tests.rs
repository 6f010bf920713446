//! The client over a canned transport.

use std::sync::Mutex;

use futures::executor::block_on;
use http::{HeaderMap, StatusCode};

use super::*;
use crate::outcome::LimitScope;

/// Gives one answer and keeps the request.
struct Canned {
    answer: Mutex<Option<Result<Answer, TransportError>>>,
    request: Mutex<Option<Request<Bytes>>>,
}

impl Transport for Canned {
    async fn send(
        &self,
        request: Request<Bytes>,
        _timeout: Duration,
    ) -> Result<Answer, TransportError> {
        *self.request.lock().unwrap() = Some(request);
        self.answer.lock().unwrap().take().expect("one call")
    }
}

fn client(answer: Result<Answer, TransportError>) -> Client<Canned> {
    let transport = Canned {
        answer: Mutex::new(Some(answer)),
        request: Mutex::new(None),
    };
    let base = "http://x.test/prefix/";
    Client::with_transport(base, Duration::from_secs(1), transport)
}

fn answered(status: u16, body: &str) -> Client<Canned> {
    client(Ok(Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        complete: true,
    }))
}

fn request(client: &Client<Canned>) -> Request<Bytes> {
    client.transport.request.lock().unwrap().take().unwrap()
}

const POST: NewPost<'_> = NewPost {
    text: "hello",
    in_reply_to: None,
};

fn create(client: &Client<Canned>) -> CreateOutcome {
    block_on(client.create_post("c4n4ry", &POST))
}

#[test]
fn a_post_is_created() {
    let client = answered(
        201,
        r#"{"data":{"id":"1990000000000000001","text":"hello","edit_history_tweet_ids":[""]},"errors":[{}]}"#,
    );
    let outcome = block_on(client.create_post(
        "c4n4ry",
        &NewPost {
            text: "a \"b\"",
            in_reply_to: Some("12"),
        },
    ));
    assert!(
        matches!(&outcome, CreateOutcome::Created(created) if created.id == "1990000000000000001")
    );
    assert_eq!(
        (outcome.code(), outcome.http_status()),
        ("created", Some(201))
    );
    let request = request(&client);
    assert_eq!(request.uri(), "http://x.test/prefix/2/tweets");
    assert_eq!(request.headers()["authorization"], "Bearer c4n4ry");
    assert_eq!(
        request.headers()["content-length"],
        request.body().len().to_string()
    );
    assert!(!format!("{request:?}").contains("c4n4ry"));
    let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(
        body,
        serde_json::json!({"text": "a \"b\"", "reply": {"in_reply_to_tweet_id": "12"}})
    );
}

#[test]
fn a_success_without_an_id_is_unknown() {
    for body in [
        "",
        "{",
        "<html>",
        r#"{"data":{}}"#,
        r#"{"data":{"id":""}}"#,
        r#"{"errors":[{}]}"#,
    ] {
        let outcome = create(&answered(201, body));
        assert!(matches!(outcome, CreateOutcome::Unknown(_)), "{body}");
        assert_eq!(outcome.code(), "malformed_response");
    }
    let cut = client(Ok(Answer {
        status: StatusCode::CREATED,
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{\"data\":{\"id\":\"1"),
        complete: false,
    }));
    assert_eq!(create(&cut).code(), "connection_lost");
}

#[test]
fn only_what_was_certainly_not_sent_may_be_repeated() {
    let refused = TransportError::NotSent {
        code: "connection_refused",
        detail: String::new(),
    };
    assert!(matches!(
        create(&client(Err(refused))),
        CreateOutcome::NotSent(_)
    ));
    let interrupted = TransportError::Interrupted {
        code: "connection_lost",
        detail: String::new(),
    };
    for error in [interrupted, TransportError::Timeout] {
        assert!(matches!(
            create(&client(Err(error))),
            CreateOutcome::Unknown(_)
        ));
    }
}

#[test]
fn a_token_with_a_line_break_is_not_sent() {
    let client = answered(201, "");
    let outcome = block_on(client.create_post("c4n4ry\r\nx: y", &POST));
    assert_eq!(outcome.code(), "invalid_token");
    assert!(!format!("{outcome:?}").contains("c4n4ry"));
    assert!(client.transport.request.lock().unwrap().is_none());
}

#[test]
fn an_echoed_token_is_not_repeated() {
    let outcome = create(&answered(403, r#"{"detail":"Bearer c4n4ry is not good"}"#));
    assert!(!format!("{outcome:?}").contains("c4n4ry"));
    assert!(outcome.detail().contains("[redacted]"));
}

#[test]
fn limits_reach_the_caller() {
    let mut headers = HeaderMap::new();
    headers.insert(
        "x-user-limit-24hour-remaining",
        HeaderValue::from_static("0"),
    );
    headers.insert("x-user-limit-24hour-reset", HeaderValue::from_static("99"));
    let outcome = create(&client(Ok(Answer {
        status: StatusCode::TOO_MANY_REQUESTS,
        headers,
        body: Bytes::new(),
        complete: true,
    })));
    assert!(matches!(outcome, CreateOutcome::RateLimited(limited)
        if limited.until == Some(99) && limited.scope == LimitScope::UserDay));
}

fn timeline(client: &Client<Canned>) -> Result<Page, CallError> {
    let query = TimelineQuery {
        start_time: Some("2026-11-20T10:00:00.9Z".parse().unwrap()),
        max_results: Some(1),
        pagination_token: Some("a/b"),
    };
    block_on(client.user_posts("t", "42", &query))
}

#[test]
fn the_timeline_is_asked_for_in_either_vocabulary() {
    let client = answered(200, r#"{"meta":{"result_count":0}}"#);
    assert!(timeline(&client).unwrap().posts.is_empty());
    let uri = request(&client).uri().to_string();
    assert!(uri.starts_with("http://x.test/prefix/2/users/42/tweets?tweet.fields="));
    assert!(uri.contains("start_time=2026-11-20T10%3A00%3A00Z"));
    assert!(uri.contains("max_results=5&"));
    assert!(uri.ends_with("pagination_token=a%2Fb"));

    let client =
        answered(200, r#"{"meta":{"result_count":0}}"#).with_vocabulary(Vocabulary::Current);
    timeline(&client).unwrap();
    assert!(
        request(&client)
            .uri()
            .query()
            .unwrap()
            .starts_with("post.fields=")
    );
}

#[test]
fn absence_is_concluded_only_from_a_whole_answer() {
    let bodies = [
        "{}",
        "",
        r#"{"meta":{"result_count":1}}"#,
        r#"{"data":[{"id":"1"}]}"#,
        r#"{"data":[{"id":"1","text":"a"},{"text":"b"}]}"#,
        r#"{"errors":[{"type":"https://api.x.com/2/problems/not-authorized-for-resource","detail":"x"}]}"#,
        r#"{"meta":{"result_count":0},"errors":[{"title":"x"}]}"#,
    ];
    for body in bodies {
        assert!(timeline(&answered(200, body)).is_err(), "{body}");
    }
    let page = timeline(&answered(
        200,
        r#"{"data":[{"id":"1","text":"a"}],"meta":{"result_count":1,"next_token":"n"}}"#,
    ))
    .unwrap();
    assert_eq!(page.next_token.as_deref(), Some("n"));
}

#[test]
fn deleting_what_is_gone_is_no_error() {
    let rows = [
        (200, r#"{"data":{"deleted":true}}"#, Deleted::Now),
        (200, r#"{"data":{"deleted":false}}"#, Deleted::Already),
        (404, "{}", Deleted::Already),
    ];
    for (status, body, expected) in rows {
        let client = answered(status, body);
        assert_eq!(block_on(client.delete_post("t", "1")).unwrap(), expected);
    }
}

#[test]
fn missing_posts_are_named() {
    let client = answered(
        200,
        r#"{"data":[{"id":"1","text":"a","public_metrics":{"like_count":2}}],"errors":[{"resource_id":"2"}]}"#,
    );
    let lookup = block_on(client.post_metrics("t", &["1", "2"])).unwrap();
    assert_eq!(lookup.missing, ["2"]);
    assert_eq!(lookup.posts[0].public_metrics.unwrap().like_count, 2);
    assert!(block_on(client.post_metrics("t", &[])).is_err());
    assert!(block_on(client.post_metrics("t", &["1,2"])).is_err());
}

#[test]
fn the_account_of_a_token() {
    let client = answered(
        200,
        r#"{"data":{"id":"7","name":"N","username":"n","subscription_type":"New"}}"#,
    );
    let user = block_on(client.users_me("t")).unwrap();
    assert_eq!((user.id.as_str(), user.username.as_str()), ("7", "n"));
}

/// axum's handlers want futures that can move between threads.
#[test]
fn the_guest_client_fits_into_a_handler() {
    fn is_send<T: Send>(_value: &T) {}
    let client = Client::new("http://x.test", Duration::from_secs(1));
    is_send(&client.create_post("t", &POST));
    is_send(&client.users_me("t"));
}

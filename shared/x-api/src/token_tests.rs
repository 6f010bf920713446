//! The token endpoint over a canned transport.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use http::{HeaderMap, Request, StatusCode};

use super::*;

struct Canned {
    answer: Mutex<Option<Result<Answer, TransportError>>>,
    request: Mutex<Option<Request<Bytes>>>,
}

impl Transport for &Canned {
    async fn send(
        &self,
        request: Request<Bytes>,
        _timeout: Duration,
    ) -> Result<Answer, TransportError> {
        *self.request.lock().unwrap() = Some(request);
        self.answer.lock().unwrap().take().expect("one call")
    }
}

fn canned(answer: Result<Answer, TransportError>) -> Canned {
    Canned {
        answer: Mutex::new(Some(answer)),
        request: Mutex::new(None),
    }
}

fn answered(status: u16, body: &str) -> Canned {
    canned(Ok(Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        complete: true,
    }))
}

fn client(canned: &Canned) -> Client<&Canned> {
    let base = "http://x.test";
    Client::with_transport(base, Duration::from_secs(1), canned)
}

const CONFIDENTIAL: App<'_> = App {
    client_id: "id",
    client_secret: Some("s3cret"),
};

fn refresh(canned: &Canned) -> Result<Tokens, TokenError> {
    block_on(client(canned).refresh(CONFIDENTIAL, "r3fresh"))
}

#[test]
fn a_confidential_application_proves_itself() {
    let canned = answered(
        200,
        r#"{"token_type":"bearer","expires_in":7200,"access_token":"a","scope":"tweet.read users.read","refresh_token":"b"}"#,
    );
    let tokens = refresh(&canned).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(tokens.access_token.expose(), "a");
    assert_eq!(tokens.refresh_token.unwrap().expose(), "b");
    assert_eq!(tokens.expires_in, Some(7200));
    assert_eq!(tokens.scopes, ["tweet.read", "users.read"]);
    let request = canned.request.lock().unwrap().take().unwrap();
    assert_eq!(request.uri(), "http://x.test/2/oauth2/token");
    // base64("id:s3cret")
    assert_eq!(request.headers()["authorization"], "Basic aWQ6czNjcmV0");
    assert_eq!(
        &request.body()[..],
        b"grant_type=refresh_token&refresh_token=r3fresh"
    );
}

#[test]
fn a_public_application_names_itself() {
    for client_secret in [None, Some("")] {
        let canned = answered(200, r#"{"access_token":"a"}"#);
        let app = App {
            client_id: "id",
            client_secret,
        };
        let verifier = SecretString::new("v".to_owned());
        let tokens = block_on(client(&canned).exchange_code(app, "c", "http://h/cb", &verifier));
        assert!(tokens.is_ok_and(|tokens| tokens.refresh_token.is_none()));
        let request = canned.request.lock().unwrap().take().unwrap();
        assert!(!request.headers().contains_key("authorization"));
        assert_eq!(
            &request.body()[..],
            b"grant_type=authorization_code&code=c&redirect_uri=http%3A%2F%2Fh%2Fcb&code_verifier=v&client_id=id"
        );
    }
}

#[test]
fn empty_tokens_are_missing_ones() {
    let tokens = refresh(&answered(
        200,
        r#"{"access_token":"a","refresh_token":"","expires_in":"60"}"#,
    ));
    let tokens = tokens.unwrap_or_else(|error| panic!("{error}"));
    assert!(tokens.refresh_token.is_none());
    assert_eq!(tokens.expires_in, Some(60));
    for body in [
        "",
        "[]",
        r#"{"access_token":""}"#,
        r#"{"refresh_token":"b"}"#,
        r#"{"access_token":"a"#,
    ] {
        let error = refresh(&answered(200, body)).err().unwrap();
        assert!(matches!(error, TokenError::Lost(_)), "{body}");
    }
}

fn kind(error: &TokenError) -> &'static str {
    match error {
        TokenError::GrantDead(_) => "dead",
        TokenError::AppProblem(_) => "app",
        TokenError::Transient { .. } => "transient",
        TokenError::Lost(_) => "lost",
    }
}

#[test]
fn errors_keep_the_grant_and_the_application_apart() {
    let rows = [
        (
            400,
            r#"{"error":"invalid_request","error_description":"Value passed for the token was invalid."}"#,
            "dead",
            "grant_invalid",
        ),
        (
            400,
            r#"{"error":"invalid_request","error_description":"Value passed for the authorization code was invalid."}"#,
            "dead",
            "grant_invalid",
        ),
        (400, r#"{"error":"invalid_grant"}"#, "dead", "grant_invalid"),
        (
            400,
            r#"{"error":"invalid_request","error_description":"Missing required parameter [client_id]."}"#,
            "app",
            "invalid_request",
        ),
        (
            401,
            r#"{"error":"unauthorized_client","error_description":"Missing valid authorization header"}"#,
            "app",
            "client_invalid",
        ),
        (
            400,
            r#"{"error":"invalid_client"}"#,
            "app",
            "client_invalid",
        ),
        (401, "", "app", "client_invalid"),
        (400, r#"{"error":"invalid_scope"}"#, "app", "scope_invalid"),
        (
            402,
            r#"{"title":"CreditsDepleted"}"#,
            "app",
            "credits_depleted",
        ),
        (403, "<html>", "transient", "edge_blocked"),
        (429, "<html>", "transient", "rate_limited"),
        (
            400,
            r#"{"error":"temporarily_unavailable"}"#,
            "transient",
            "rate_limited",
        ),
        (503, "<html>", "lost", "server_error"),
        (500, r#"{"error":"invalid_grant"}"#, "lost", "server_error"),
    ];
    for (status, body, expected, code) in rows {
        let error = refresh(&answered(status, body)).err().unwrap();
        assert_eq!(
            (kind(&error), error.code()),
            (expected, code),
            "{status} {body}"
        );
        assert_eq!(error.http_status(), Some(status));
    }
}

#[test]
fn a_lost_answer_may_have_spent_the_token() {
    let error = refresh(&canned(Err(TransportError::Timeout)))
        .err()
        .unwrap();
    assert_eq!(kind(&error), "lost");
    let refused = TransportError::NotSent {
        code: "connection_refused",
        detail: String::new(),
    };
    assert_eq!(
        kind(&refresh(&canned(Err(refused))).err().unwrap()),
        "transient"
    );
}

#[test]
fn no_error_repeats_a_secret() {
    let body = r#"{"error":"invalid_grant","error_description":"r3fresh s3cret"}"#;
    let error = refresh(&answered(400, body)).err().unwrap();
    let text = format!("{error} {error:?}");
    assert!(!text.contains("r3fresh") && !text.contains("s3cret"));
}

#[test]
fn revoking_twice_is_no_error() {
    let dead = r#"{"error":"invalid_request","error_description":"Value passed for the token was invalid."}"#;
    for (status, body) in [(200, r#"{"revoked":true}"#), (204, ""), (400, dead)] {
        let canned = answered(status, body);
        block_on(client(&canned).revoke(CONFIDENTIAL, "t")).unwrap();
        let request = canned.request.lock().unwrap().take().unwrap();
        assert_eq!(request.uri().path(), "/2/oauth2/revoke");
    }
}

//! The X API client against the stand-in for X: what the client says of a call agrees with what
//! really happened.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a failed unwrap is the assertion"
)]

use std::time::Duration;

use http::Request;
use vivesphere_tests::fake_x::{Account, Endpoint, FakeX, Fault, Names, Settings};
use vivesphere_x_api::{
    Answer, App, AuthorizeRequest, CallError, Client, CreateOutcome, Deleted, NewPost,
    REQUIRED_SCOPES, TimelineQuery, TokenError, Transport, TransportError, Vocabulary,
    authorize_url, code_challenge, matches,
};

/// The transport of native programs; components use the host's.
struct Native(reqwest::Client);

impl Transport for Native {
    async fn send(
        &self,
        request: Request<bytes::Bytes>,
        timeout: Duration,
    ) -> Result<Answer, TransportError> {
        let request = reqwest::Request::try_from(request).unwrap();
        let interrupted = |error: reqwest::Error| match error {
            error if error.is_connect() => TransportError::NotSent {
                code: "connection_refused",
                detail: String::new(),
            },
            error if error.is_timeout() => TransportError::Timeout,
            error => TransportError::Interrupted {
                code: "connection_lost",
                detail: error.to_string(),
            },
        };
        let sent = tokio::time::timeout(timeout, self.0.execute(request)).await;
        let response = sent
            .map_err(|_| TransportError::Timeout)?
            .map_err(interrupted)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await;
        Ok(Answer {
            status,
            headers,
            complete: body.is_ok(),
            body: body.unwrap_or_default(),
        })
    }
}

const APP: App<'_> = App {
    client_id: "fake-client",
    client_secret: Some("fake-client-secret"),
};

fn client_of(fake: &FakeX) -> Client<Native> {
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    Client::with_transport(&fake.base_url, Duration::from_millis(500), Native(http))
}

async fn start() -> (FakeX, Account, Client<Native>) {
    let fake = FakeX::start().await;
    let ann = fake.add_user("ann");
    let client = client_of(&fake);
    (fake, ann, client)
}

fn post(text: &str) -> NewPost<'_> {
    NewPost {
        text,
        in_reply_to: None,
    }
}

#[tokio::test]
async fn a_thread_is_posted_found_and_deleted() {
    let (fake, ann, client) = start().await;
    let token = ann.access_token.as_str();
    assert_eq!(client.users_me(token).await.unwrap().id, ann.user_id);
    let CreateOutcome::Created(first) = client.create_post(token, &post("one & two")).await else {
        panic!("not created");
    };
    assert_eq!(first.limits.window.unwrap().remaining, Some(99));
    let reply = NewPost {
        text: "see https://example.com/a?b=1&c",
        in_reply_to: Some(&first.id),
    };
    assert_eq!(client.create_post(token, &reply).await.code(), "created");
    for vocabulary in [Vocabulary::Legacy, Vocabulary::Current] {
        let client = client_of(&fake).with_vocabulary(vocabulary);
        let page = client
            .user_posts(token, &ann.user_id, &TimelineQuery::default())
            .await
            .unwrap();
        assert!(matches(reply.text, Some(&first.id), &page.posts[0]));
        assert!(matches("one & two", None, &page.posts[1]));
        assert!(!matches("one & two", None, &page.posts[0]));
        if vocabulary == Vocabulary::Legacy {
            assert_eq!(page.posts[0].in_reply_to(), Some(first.id.as_str()));
            // Another post's answer is not this one, nor is one that answers nothing.
            assert!(!matches(reply.text, Some("1"), &page.posts[0]));
            assert!(!matches(reply.text, None, &page.posts[0]));
        }
    }
    fake.configure(|settings| settings.names = Some(Names::Current));
    fake.advance(Duration::from_secs(3600));
    let lookup = client.post_metrics(token, &[&first.id, "7"]).await.unwrap();
    assert!(lookup.posts[0].public_metrics.unwrap().impression_count > 0);
    assert_eq!(lookup.missing, ["7"]);
    assert_eq!(client.delete_post(token, &first.id).await, Ok(Deleted::Now));
    assert_eq!(
        client.delete_post(token, &first.id).await,
        Ok(Deleted::Already)
    );
}

/// The invariant that everything else rests on: whatever goes wrong, an outcome that allows
/// another attempt was not stored, and one that was stored is created or unknown.
#[tokio::test]
async fn no_outcome_lies_about_what_was_stored() {
    let (fake, ann, client) = start().await;
    let rate_limit = |reset_after, legacy| Fault::RateLimited {
        reset_after,
        legacy,
    };
    let rows = [
        (Fault::CutBefore, "connection_lost"),
        (Fault::CutAfter, "connection_lost"),
        (Fault::CutInside, "connection_lost"),
        (
            Fault::ErrorBefore {
                status: 500,
                html: false,
            },
            "server_error",
        ),
        (
            Fault::ErrorBefore {
                status: 502,
                html: true,
            },
            "server_error",
        ),
        (
            Fault::ErrorAfter {
                status: 503,
                html: false,
            },
            "server_error",
        ),
        (Fault::MalformedAfter, "malformed_response"),
        (Fault::TruncatedAfter, "malformed_response"),
        (Fault::EmptyAfter, "malformed_response"),
        (Fault::StrangeAfter, "created"),
        (Fault::Slow { ms: 800 }, "timeout"),
        (Fault::Unauthorized, "unauthorized"),
        (Fault::CreditsDepleted { older: false }, "credits_depleted"),
        (Fault::CreditsDepleted { older: true }, "credits_depleted"),
        (Fault::Duplicate, "duplicate_content"),
        (Fault::Forbidden, "forbidden"),
        (Fault::ForbiddenHtml, "edge_blocked"),
        (Fault::AccountLocked, "account_locked"),
        (Fault::AccountSuspended, "account_suspended"),
        (Fault::ReplyClosed, "reply_not_allowed"),
        (Fault::ClientForbidden, "client_forbidden"),
        (Fault::DailyCeiling, "daily_limit"),
        (Fault::InvalidRequest, "invalid_request"),
        (rate_limit(Some(60), false), "rate_limited"),
        (rate_limit(None, true), "rate_limited"),
        (Fault::UsageCapped, "usage_capped"),
    ];
    for (index, (fault, code)) in rows.into_iter().enumerate() {
        let text = format!("post {index}");
        fake.fault_next(Endpoint::CreatePost, 1, fault.clone());
        let outcome = client.create_post(&ann.access_token, &post(&text)).await;
        assert_eq!(outcome.code(), code, "{fault:?}");
        assert!(!format!("{outcome:?}").contains(&ann.access_token));
        // What was only slow is stored when nobody waits any more.
        tokio::time::sleep(Duration::from_millis(if code == "timeout" {
            600
        } else {
            0
        }))
        .await;
        let stored = fake
            .posts_of(&ann.user_id)
            .iter()
            .any(|post| post.text == text);
        // X goes on although nobody listens any more.
        assert!(stored || !std::matches!(fault, Fault::Slow { .. }));
        match outcome {
            CreateOutcome::Created(_) => assert!(stored, "{fault:?}"),
            CreateOutcome::Unknown(_) => {
                let page = client
                    .user_posts(&ann.access_token, &ann.user_id, &TimelineQuery::default())
                    .await
                    .unwrap();
                let found = page.posts.iter().any(|post| matches(&text, None, post));
                assert_eq!(found, stored, "{fault:?}");
            }
            _ => assert!(!stored, "{fault:?}"),
        }
    }
}

#[tokio::test]
async fn natural_refusals() {
    let (fake, ann, client) = start().await;
    let token = ann.access_token.as_str();
    let code = async |text: &str| client.create_post(token, &post(text)).await.code();
    assert_eq!(code(&"a".repeat(281)).await, "too_long");
    fake.configure(|settings| settings.too_long_status = 400);
    assert_eq!(code(&"a".repeat(281)).await, "too_long");
    assert_eq!(code("twice").await, "created");
    assert_eq!(code("twice").await, "duplicate_content");
    let outcome = client.create_post(&fake.app_token(), &post("a")).await;
    assert!(matches!(outcome, CreateOutcome::AccountBlocked(_)));
    fake.configure(|settings| settings.daily_ceiling = Some(1));
    assert_eq!(code("another").await, "daily_limit");
    fake.expire_access_token(token);
    assert_eq!(code("another").await, "unauthorized");
    let page = client
        .user_posts(token, &ann.user_id, &TimelineQuery::default())
        .await;
    assert!(std::matches!(page, Err(CallError::Unauthorized(_))));
    let base = fake.base_url.clone();
    drop(fake);
    // The connection that the client keeps is gone with the server.
    let fresh = Client::with_transport(
        &base,
        Duration::from_secs(1),
        Native(reqwest::Client::builder().no_proxy().build().unwrap()),
    );
    tokio::time::sleep(Duration::from_millis(50)).await;
    let outcome = fresh.create_post(token, &post("a")).await;
    assert!(matches!(outcome, CreateOutcome::NotSent(_)), "{outcome:?}");
}

#[tokio::test]
async fn texts_come_back_recognisable() {
    let fake = FakeX::start_with(vivesphere_tests::fake_x::Options {
        settings: Settings::unlimited(),
        ..Default::default()
    })
    .await
    .unwrap();
    let ann = fake.add_user("ann");
    let client = client_of(&fake);
    let texts = [
        "plain",
        "  edges \r\n and   gaps  ",
        "a < b > c & d &amp; e &lt;",
        "cafe\u{301} \u{1f469}\u{1f3fd}\u{200d}\u{1f680} 日本語",
        "bare example.com, and Example.org/Path?q=1.",
        "https://example.com/a https://example.com/ab https://example.com/a",
        "(https://en.wikipedia.org/wiki/X_(a)) #tag $ABC @bob",
        "https://www.example.com/a/very/long/path/that/is/cut/for/display?with=a&query=too#end",
    ];
    for text in texts {
        let outcome = client.create_post(&ann.access_token, &post(text)).await;
        assert_eq!(outcome.code(), "created", "{text}");
        let page = client
            .user_posts(&ann.access_token, &ann.user_id, &TimelineQuery::default())
            .await
            .unwrap();
        let matching: Vec<bool> = page
            .posts
            .iter()
            .map(|post| matches(text, None, post))
            .collect();
        assert!(matching[0], "{text}: {:?}", page.posts[0]);
        assert!(!matching[1..].contains(&true), "{text}");
    }
}

#[tokio::test]
async fn the_grant_from_the_first_code_to_its_end() {
    let (fake, ann, client) = start().await;
    let verifier = "v".repeat(43).into();
    let authorize = format!("{}/i/oauth2/authorize", fake.base_url);
    let callback = "http://127.0.0.1:1/callback";
    let url = authorize_url(
        &authorize.parse().unwrap(),
        &AuthorizeRequest {
            client_id: APP.client_id,
            redirect_uri: callback,
            scopes: REQUIRED_SCOPES,
            state: "a state",
            code_challenge: &code_challenge(&verifier),
        },
    );
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let response = http.get(url.as_str()).send().await.unwrap();
    let back: url::Url = response.headers()["location"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let code = back
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap()
        .1
        .into_owned();

    let tokens = client.exchange_code(APP, &code, callback, &verifier).await;
    let tokens = tokens
        .map_err(|error| error.to_string())
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(tokens.scopes, REQUIRED_SCOPES);
    let me = client.users_me(tokens.access_token.expose()).await.unwrap();
    assert_eq!(me.id, ann.user_id);
    let again = client.exchange_code(APP, &code, callback, &verifier).await;
    assert!(std::matches!(again.err(), Some(TokenError::GrantDead(_))));

    let wrong = App {
        client_secret: Some("wrong"),
        ..APP
    };
    let first = tokens.refresh_token.unwrap();
    let refused = client.refresh(wrong, first.expose()).await.err();
    assert!(std::matches!(refused, Some(TokenError::AppProblem(_))));
    fake.fault_next(
        Endpoint::Token,
        1,
        Fault::RateLimited {
            reset_after: Some(60),
            legacy: false,
        },
    );
    let later = client.refresh(APP, first.expose()).await.err();
    assert!(std::matches!(
        later,
        Some(TokenError::Transient {
            retry_after: Some(59..=60),
            ..
        })
    ));
    // The refused application and the limit have left the token whole.
    let second = client.refresh(APP, first.expose()).await.ok().unwrap();
    let second = second.refresh_token.unwrap();
    // The answer is lost after the rotation: the old token is dead, and that is told apart.
    fake.fault_next(Endpoint::Token, 1, Fault::CutAfter);
    let lost = client.refresh(APP, second.expose()).await.err();
    assert!(std::matches!(lost, Some(TokenError::Lost(_))));
    let dead = client.refresh(APP, second.expose()).await.err();
    assert!(std::matches!(dead, Some(TokenError::GrantDead(_))));

    let other = fake.grant(&ann.user_id);
    client.revoke(APP, &other.refresh_token).await.unwrap();
    client.revoke(APP, &other.refresh_token).await.unwrap();
    let gone = client.users_me(&other.access_token).await.unwrap_err();
    assert_eq!(gone.code(), "unauthorized");
}

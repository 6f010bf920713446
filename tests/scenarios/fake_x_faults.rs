//! The stand-in for X breaks as it is told, and stores what it says it stores.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a failed unwrap is the assertion"
)]

use std::time::Duration;

use serde_json::{Value, json};
use vivesphere_tests::fake_x::caller::{Caller, start};
use vivesphere_tests::fake_x::{Endpoint, FakeX, Fault, FaultRule, Options, Settings, When};

#[tokio::test]
async fn a_cut_connection_gives_an_error_and_no_answer() {
    let (fake, ann, caller) = start().await;
    let body = |text: &str| json!({"text": text});
    // Over a new connection and over one that is kept alive.
    for round in 0..2 {
        let before = fake.posts_of(&ann.user_id).len();
        fake.fault_next(Endpoint::CreatePost, 1, Fault::CutBefore);
        let error = caller
            .try_post(&ann.access_token, &body(&format!("before {round}")))
            .await
            .unwrap_err();
        assert!(error.is_request() && error.status().is_none(), "{error:?}");
        assert_eq!(fake.posts_of(&ann.user_id).len(), before);

        fake.fault_next(Endpoint::CreatePost, 1, Fault::CutAfter);
        let text = format!("after {round}");
        let error = caller
            .try_post(&ann.access_token, &body(&text))
            .await
            .unwrap_err();
        assert!(error.is_request() && error.status().is_none(), "{error:?}");
        assert_eq!(fake.posts_of(&ann.user_id).last().unwrap().text, text);

        fake.fault_next(Endpoint::CreatePost, 1, Fault::CutInside);
        let response = caller
            .try_post(&ann.access_token, &body(&format!("inside {round}")))
            .await
            .unwrap();
        assert_eq!(response.status(), 201);
        response.bytes().await.unwrap_err();
        assert_eq!(fake.posts_of(&ann.user_id).len(), before + 2);
        assert_eq!(
            caller
                .post(&ann.access_token, &format!("fine {round}"))
                .await
                .0,
            201
        );
    }
    assert_eq!(fake.counts()[&Endpoint::CreatePost], 8);
}

#[tokio::test]
async fn every_fault_says_what_it_should_and_stores_what_it_should() {
    let (fake, ann, caller) = start().await;
    let rows = [
        (
            Fault::ErrorBefore {
                status: 500,
                html: false,
            },
            500,
            false,
        ),
        (
            Fault::ErrorBefore {
                status: 502,
                html: true,
            },
            502,
            false,
        ),
        (
            Fault::ErrorAfter {
                status: 503,
                html: false,
            },
            503,
            true,
        ),
        (
            Fault::ErrorAfter {
                status: 502,
                html: true,
            },
            502,
            true,
        ),
        (Fault::MalformedAfter, 201, true),
        (Fault::TruncatedAfter, 201, true),
        (Fault::EmptyAfter, 201, true),
        (Fault::StrangeAfter, 201, true),
        (Fault::Unauthorized, 401, false),
        (Fault::CreditsDepleted { older: false }, 402, false),
        (Fault::CreditsDepleted { older: true }, 402, false),
        (Fault::Duplicate, 403, false),
        (Fault::Forbidden, 403, false),
        (Fault::ForbiddenHtml, 403, false),
        (Fault::AccountLocked, 403, false),
        (Fault::AccountSuspended, 403, false),
        (Fault::ReplyClosed, 403, false),
        (Fault::ClientForbidden, 403, false),
        (Fault::DailyCeiling, 403, false),
        (Fault::InvalidRequest, 400, false),
        (
            Fault::RateLimited {
                reset_after: Some(60),
                legacy: false,
            },
            429,
            false,
        ),
        (
            Fault::RateLimited {
                reset_after: None,
                legacy: true,
            },
            429,
            false,
        ),
        (Fault::UsageCapped, 429, false),
        (Fault::Slow { ms: 1 }, 201, true),
    ];
    for (index, (fault, status, stored)) in rows.into_iter().enumerate() {
        let before = fake.post_count();
        fake.fault_next(Endpoint::CreatePost, 1, fault.clone());
        let text = json!({"text": format!("post {index}")});
        let response = caller.try_post(&ann.access_token, &text).await.unwrap();
        assert_eq!(response.status(), status, "{fault:?}");
        if let Fault::RateLimited { reset_after, .. } = &fault {
            let named = response.headers().contains_key("x-rate-limit-reset");
            assert_eq!(named, reset_after.is_some());
        }
        let body = response.bytes().await.unwrap();
        let usable =
            serde_json::from_slice::<Value>(&body).is_ok_and(|body| body["data"]["id"].is_string());
        assert_eq!(
            usable,
            matches!(fault, Fault::StrangeAfter | Fault::Slow { .. }),
            "{fault:?}"
        );
        assert_eq!(fake.post_count() - before, usize::from(stored), "{fault:?}");
    }
}

#[tokio::test]
async fn chance_follows_the_seed_and_rules_can_aim() {
    let outcomes = async |seed| {
        let options = Options {
            seed,
            settings: Settings::unlimited(),
            ..Options::default()
        };
        let fake = FakeX::start_with(options).await.unwrap();
        let ann = fake.add_user("ann");
        let caller = Caller::of(&fake);
        fake.fault_by_chance(Endpoint::CreatePost, 0.5, Fault::Forbidden);
        let mut outcomes = Vec::new();
        for _ in 0..40 {
            outcomes.push(caller.post(&ann.access_token, "a").await.0.as_u16());
        }
        outcomes
    };
    let one = outcomes(1).await;
    assert_eq!(one, outcomes(1).await);
    assert_ne!(one, outcomes(2).await);
    assert!(one.contains(&201) && one.contains(&403));

    let (fake, ann, caller) = start().await;
    let bob = fake.add_user("bob");
    fake.fault(FaultRule {
        endpoint: Some(Endpoint::CreatePost),
        user_id: Some(bob.user_id),
        fault: Fault::AccountLocked,
        when: When::Next { times: 1, skip: 1 },
    });
    for (token, text, expected) in [
        (&ann.access_token, "1", 201),
        (&bob.access_token, "1", 201),
        (&ann.access_token, "2", 201),
        (&bob.access_token, "2", 403),
        (&bob.access_token, "3", 201),
    ] {
        assert_eq!(caller.post(token, text).await.0, expected);
    }
}

#[tokio::test]
async fn what_is_held_is_let_go_in_its_order_and_happens_before_or_after() {
    let (fake, ann, caller) = start().await;
    for fault in [Fault::HeldBefore, Fault::HeldAfter] {
        fake.fault_next(Endpoint::CreatePost, 1, fault);
    }
    let until = async |held: usize| {
        while fake.held() != held {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let calls = async {
        let first = caller.post(&ann.access_token, "held before");
        let second = async {
            until(1).await;
            caller.post(&ann.access_token, "held after").await
        };
        tokio::join!(first, second)
    };
    let lets_go = async {
        until(2).await;
        assert_eq!(fake.under_way(), 2);
        assert_eq!(fake.post_count(), 1);
        fake.let_first_go();
        while fake.post_count() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(fake.held(), 1);
        fake.let_go();
    };
    let ((first, second), ()) = tokio::join!(calls, lets_go);
    assert_eq!((first.0.as_u16(), second.0.as_u16()), (201, 201));
    assert_eq!((fake.held(), fake.under_way()), (0, 0));
    let texts = fake.posts_of(&ann.user_id);
    let texts: Vec<&str> = texts.iter().map(|post| post.text.as_str()).collect();
    assert_eq!(texts, ["held after", "held before"]);
}

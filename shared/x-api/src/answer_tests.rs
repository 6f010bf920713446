//! Every row of X's known errors, in the words in which they were seen.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect::<HeaderMap>(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        complete: true,
    }
}

/// The variant and its code.
fn read(status: u16, body: &str) -> (&'static str, &'static str) {
    match classify(&answer(status, &[], body), &[], 0) {
        Failure::Duplicate(refusal) => ("duplicate", refusal.code),
        Failure::Refused(refusal) => ("refused", refusal.code),
        Failure::RateLimited(limited) => ("rate_limited", limited.refusal.code),
        Failure::Unauthorized(refusal) => ("unauthorized", refusal.code),
        Failure::AppBlocked(refusal) => ("app", refusal.code),
        Failure::AccountBlocked(refusal) => ("account", refusal.code),
        Failure::Unknown(unknown) => ("unknown", unknown.code),
    }
}

fn forbidden(detail: &str) -> (&'static str, &'static str) {
    let body = serde_json::json!({
        "title": "Forbidden", "type": "about:blank", "status": 403, "detail": detail
    });
    read(403, &body.to_string())
}

#[test]
fn known_answers() {
    let rows: &[(u16, &str, (&str, &str))] = &[
        (
            401,
            r#"{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}"#,
            ("unauthorized", "unauthorized"),
        ),
        (
            402,
            r#"{"title":"Payment Required","detail":"credits depleted","type":"https://api.x.com/2/problems/credits-depleted","status":402}"#,
            ("app", "credits_depleted"),
        ),
        (
            402,
            r#"{"title":"CreditsDepleted","detail":"Your enrolled account [1] does not have any credits to fulfill this request.","type":"https://api.twitter.com/2/problems/credits"}"#,
            ("app", "credits_depleted"),
        ),
        (402, "", ("app", "credits_depleted")),
        (
            400,
            r#"{"errors":[{"parameters":{"text":[""]},"message":"bad"}],"title":"Invalid Request","detail":"One or more parameters to your request was invalid.","type":"https://api.x.com/2/problems/invalid-request"}"#,
            ("refused", "invalid_request"),
        ),
        (
            400,
            r#"{"errors":[{"message":"Your media IDs are invalid."}],"title":"Invalid Request"}"#,
            ("refused", "media_invalid"),
        ),
        (
            400,
            r#"{"detail":"Your Tweet text is too long. For more information"}"#,
            ("refused", "too_long"),
        ),
        (
            400,
            r#"{"detail":"the word suspended in a validation message"}"#,
            ("refused", "invalid_request"),
        ),
        (
            403,
            r#"{"title":"Unsupported Authentication","detail":"Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.","type":"https://api.twitter.com/2/problems/unsupported-authentication","status":403}"#,
            ("account", "unsupported_authentication"),
        ),
        (
            403,
            r#"{"title":"Client Forbidden","reason":"client-not-enrolled","detail":"x","type":"https://api.x.com/2/problems/client-forbidden"}"#,
            ("app", "client_forbidden"),
        ),
        (
            403,
            r#"{"errors":[{"code":64,"message":"Your account is suspended and is not permitted to access this feature."}]}"#,
            ("account", "account_suspended"),
        ),
        (
            403,
            r#"{"errors":[{"code":326,"message":"x"}]}"#,
            ("account", "account_locked"),
        ),
        (
            403,
            r#"{"errors":[{"code":187,"message":"Status is a duplicate."}]}"#,
            ("duplicate", "duplicate_content"),
        ),
        (
            403,
            r#"{"errors":[{"code":185,"message":"User is over daily status update limit."}]}"#,
            ("rate_limited", "daily_limit"),
        ),
        (403, "<html>Cloudflare</html>", ("unknown", "edge_blocked")),
        (403, "", ("account", "forbidden")),
        (
            404,
            r#"{"title":"Not Found Error","type":"https://api.x.com/2/problems/resource-not-found"}"#,
            ("refused", "not_found"),
        ),
        (404, "<html>nginx</html>", ("unknown", "edge_blocked")),
        (400, "<html>Bad Request", ("unknown", "edge_blocked")),
        (405, "Not allowed", ("unknown", "edge_blocked")),
        (408, "", ("unknown", "timeout")),
        (
            429,
            r#"{"title":"UsageCapExceeded","detail":"Usage cap exceeded: Monthly product cap","type":"https://api.x.com/2/problems/usage-capped"}"#,
            ("app", "usage_capped"),
        ),
        (
            429,
            r#"{"errors":[{"code":88,"message":"Rate limit exceeded"}]}"#,
            ("rate_limited", "rate_limited"),
        ),
        (429, "<html>", ("rate_limited", "rate_limited")),
        (500, "{", ("unknown", "server_error")),
        (
            502,
            "<html><h1>502 Bad Gateway",
            ("unknown", "server_error"),
        ),
        (
            503,
            r#"{"title":"Service Unavailable"}"#,
            ("unknown", "server_error"),
        ),
        (302, "", ("unknown", "unexpected_status")),
    ];
    for (status, body, expected) in rows {
        assert_eq!(read(*status, body), *expected, "{status} {body}");
    }
}

/// Its words could be any: a duplicate, which is to be looked for, or a limit.
#[test]
fn a_refusal_that_was_cut_off_is_not_understood() {
    for status in [400, 403, 404] {
        let mut answer = answer(status, &[], r#"{"title":"Forbidden","det"#);
        answer.complete = false;
        let failure = classify(&answer, &[], 0);
        assert!(
            matches!(&failure, Failure::Unknown(unknown) if unknown.code == "connection_lost"),
            "{failure:?}"
        );
    }
}

#[test]
fn wordings_of_a_403() {
    let rows = [
        (
            "You are not allowed to create a Tweet with duplicate content.",
            ("duplicate", "duplicate_content"),
        ),
        (
            "You are not permitted to perform this action.",
            ("account", "forbidden"),
        ),
        (
            "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author of the post you are replying to.",
            ("refused", "reply_not_allowed"),
        ),
        (
            "Quoting this post is not allowed because you have not been mentioned or are not part of the conversation thread of the post you are quoting.",
            ("refused", "quote_not_allowed"),
        ),
        (
            "You attempted to reply to a Tweet that is deleted or not visible to you.",
            ("refused", "reply_target_gone"),
        ),
        (
            "This user is not allowed to post a video longer than 2 minutes.",
            ("refused", "media_invalid"),
        ),
        (
            "Your Tweet text is too long. For more information",
            ("refused", "too_long"),
        ),
        (
            "To protect our users from spam, this account is temporarily locked.",
            ("account", "account_locked"),
        ),
        (
            "You have been blocked from the author of this post.",
            ("account", "forbidden"),
        ),
    ];
    for (detail, expected) in rows {
        assert_eq!(forbidden(detail), expected, "{detail}");
    }
}

fn until(headers: &[(&'static str, &str)]) -> (Option<i64>, LimitScope) {
    match classify(&answer(429, headers, ""), &[], 1000) {
        Failure::RateLimited(limited) => (limited.until, limited.scope),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rate_limit_lasts_as_long_as_the_last_empty_window() {
    assert_eq!(until(&[]), (None, LimitScope::Unspecified));
    let window = [
        ("x-rate-limit-remaining", "0"),
        ("x-rate-limit-reset", "1900"),
    ];
    assert_eq!(until(&window), (Some(1900), LimitScope::Window));
    let day = [
        ("x-rate-limit-remaining", "12"),
        ("x-rate-limit-reset", "1900"),
        ("x-user-limit-24hour-remaining", "0"),
        ("x-user-limit-24hour-reset", "80000"),
    ];
    assert_eq!(until(&day), (Some(80000), LimitScope::UserDay));
    let app = [
        ("x-app-limit-24hour-remaining", "0"),
        ("x-app-limit-24hour-reset", "70000"),
        ("retry-after", "30"),
    ];
    assert_eq!(until(&app), (Some(70000), LimitScope::AppDay));
    assert_eq!(
        until(&[("retry-after", "30")]),
        (Some(1030), LimitScope::Unspecified)
    );
    assert_eq!(
        until(&[("x-rate-limit-reset", "1900")]),
        (Some(1900), LimitScope::Unspecified)
    );
}

proptest! {
    /// Whatever comes, a server error is never a refusal and a known refusal is never unknown.
    #[test]
    fn any_body_is_classified(status in 300u16..600, body in ".{0,200}") {
        let (kind, code) = read(status, &body);
        prop_assert!(!code.is_empty());
        if (500..600).contains(&status) {
            prop_assert_eq!(kind, "unknown");
        }
    }
}

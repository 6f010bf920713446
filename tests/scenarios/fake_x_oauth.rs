//! Codes, refresh tokens and grants of the stand-in for X end when X's do.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a failed unwrap is the assertion"
)]

use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vivesphere_tests::fake_x::caller::{Caller, read, start};
use vivesphere_tests::fake_x::{Endpoint, Fault, RefreshAnswer};

async fn authorize(caller: &Caller, verifier: &str) -> Vec<(String, String)> {
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    let response = caller
        .http
        .get(format!("{}/i/oauth2/authorize", caller.base))
        .query(&[
            ("response_type", "code"),
            ("client_id", "fake-client"),
            ("redirect_uri", "http://127.0.0.1:1/callback"),
            ("scope", "tweet.read tweet.write users.read offline.access"),
            ("state", "s"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ])
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 302);
    let location = response.headers()["location"].to_str().unwrap();
    assert!(location.starts_with("http://127.0.0.1:1/callback?"));
    let url: url::Url = location.parse().unwrap();
    url.query_pairs().into_owned().collect()
}

async fn exchange(caller: &Caller, code: &str, verifier: &str) -> (StatusCode, Value) {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", "http://127.0.0.1:1/callback"),
        ("code_verifier", verifier),
    ];
    read(caller.token(&form).await.unwrap()).await
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    let pair = pairs.iter().find(|(key, _)| key == name);
    pair.map_or("", |(_, value)| value)
}

#[tokio::test]
async fn a_code_is_for_one_use_one_verifier_and_thirty_seconds() {
    let (fake, ann, caller) = start().await;
    let verifier = "v".repeat(43);
    let back = authorize(&caller, &verifier).await;
    assert_eq!(value(&back, "state"), "s");
    let code = value(&back, "code");
    let (status, tokens) = exchange(&caller, code, &verifier).await;
    assert_eq!(
        (status.as_u16(), &tokens["expires_in"]),
        (200, &json!(7200))
    );
    let (_, me) = caller
        .get(tokens["access_token"].as_str().unwrap(), "/2/users/me")
        .await;
    assert_eq!(me["data"]["id"], json!(ann.user_id));
    let (status, error) = exchange(&caller, code, &verifier).await;
    assert_eq!(
        (status.as_u16(), &error["error"]),
        (400, &json!("invalid_request"))
    );

    let back = authorize(&caller, &verifier).await;
    assert_eq!(
        exchange(&caller, value(&back, "code"), &"w".repeat(43))
            .await
            .0,
        400
    );
    let back = authorize(&caller, &verifier).await;
    fake.advance(Duration::from_secs(31));
    assert_eq!(
        exchange(&caller, value(&back, "code"), &verifier).await.0,
        400
    );

    fake.configure(|settings| {
        settings.granted_scopes = Some(vec!["tweet.read".into(), "users.read".into()])
    });
    let back = authorize(&caller, &verifier).await;
    let (_, tokens) = exchange(&caller, value(&back, "code"), &verifier).await;
    assert_eq!(tokens["scope"], "tweet.read users.read");
    assert!(tokens.get("refresh_token").is_none());
    assert_eq!(
        caller
            .post(tokens["access_token"].as_str().unwrap(), "a")
            .await
            .0,
        403
    );

    fake.configure(|settings| settings.deny_authorization = true);
    assert_eq!(
        value(&authorize(&caller, &verifier).await, "error"),
        "access_denied"
    );
}

#[tokio::test]
async fn refresh_tokens_are_single_use_and_reuse_kills_the_family() {
    let (fake, ann, caller) = start().await;
    fake.advance(Duration::from_secs(7_201));
    assert_eq!(caller.post(&ann.access_token, "a").await.0, 401);
    let (status, second) = caller.refresh(&ann.refresh_token).await;
    assert_eq!(status, 200);
    let access = second["access_token"].as_str().unwrap();
    assert_eq!(caller.post(access, "a").await.0, 201);
    let (status, error) = caller.refresh(&ann.refresh_token).await;
    assert_eq!(status, 400);
    assert_eq!(
        error["error_description"],
        "Value passed for the token was invalid."
    );
    assert_eq!(caller.post(access, "b").await.0, 401);
    assert_eq!(
        caller
            .refresh(second["refresh_token"].as_str().unwrap())
            .await
            .0,
        400
    );

    let request = caller.http.post(format!("{}/2/oauth2/token", caller.base));
    let response = request
        .basic_auth("fake-client", Some("wrong"))
        .form(&[("grant_type", "refresh_token")]);
    let (status, error) = read(response.send().await.unwrap()).await;
    assert_eq!(
        (status.as_u16(), &error["error"]),
        (401, &json!("unauthorized_client"))
    );
}

#[tokio::test]
async fn a_lost_answer_has_rotated_the_refresh_token() {
    let (fake, ann, caller) = start().await;
    fake.fault_next(Endpoint::Token, 1, Fault::CutAfter);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", ann.refresh_token.as_str()),
    ];
    caller.token(&form).await.unwrap_err();
    assert_eq!(caller.refresh(&ann.refresh_token).await.0, 400);
}

#[tokio::test]
async fn revoking_ends_the_grant() {
    let (_fake, ann, caller) = start().await;
    let request = caller.http.post(format!("{}/2/oauth2/revoke", caller.base));
    let request = request.basic_auth("fake-client", Some("fake-client-secret"));
    let response = request
        .form(&[("token", &ann.refresh_token)])
        .send()
        .await
        .unwrap();
    assert_eq!(
        read(response).await,
        (StatusCode::OK, json!({"revoked": true}))
    );
    assert_eq!(caller.post(&ann.access_token, "a").await.0, 401);
    assert_eq!(caller.refresh(&ann.refresh_token).await.0, 400);
}

#[tokio::test]
async fn a_refresh_that_gives_no_refresh_token_leaves_the_old_one_good() {
    let (fake, ann, caller) = start().await;
    for (answer, there, value) in [
        (RefreshAnswer::WithoutRefreshToken, false, Value::Null),
        (RefreshAnswer::EmptyRefreshToken, true, json!("")),
        (RefreshAnswer::NoRefreshToken, true, Value::Null),
    ] {
        fake.configure(|settings| settings.refresh_answer = answer);
        for _ in 0..2 {
            let (status, body) = caller.refresh(&ann.refresh_token).await;
            assert_eq!(status, 200, "{answer:?}: {body}");
            let given = body.as_object().unwrap().get("refresh_token");
            assert_eq!(given.is_some(), there, "{answer:?}: {body}");
            assert_eq!(body["refresh_token"], value, "{answer:?}");
            let access = body["access_token"].as_str().unwrap();
            let text = format!("with {access}");
            assert_eq!(caller.post(access, &text).await.0, 201, "{answer:?}");
        }
    }
    let secrets = fake.secrets();
    assert!(secrets.contains(&ann.access_token) && secrets.contains(&ann.refresh_token));
}

#[tokio::test]
async fn the_token_endpoint_refuses_in_its_own_words() {
    let (fake, ann, caller) = start().await;
    let refusal = Fault::OauthError {
        status: 401,
        error: "invalid_client".to_owned(),
    };
    fake.fault_next(Endpoint::Token, 1, refusal);
    let (status, body) = caller.refresh(&ann.refresh_token).await;
    assert_eq!(status, 401);
    assert_eq!(body["error"], "invalid_client");
    // Nothing was spent.
    assert_eq!(caller.refresh(&ann.refresh_token).await.0, 200);
}

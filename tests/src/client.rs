//! Somebody who calls the API: anonymous, or signed in.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a failed unwrap is the assertion"
)]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, redirect};
use serde_json::{Value, json};

use crate::contract;

/// Every answer that was got, as text.
pub(crate) type Transcript = Arc<Mutex<String>>;

/// A caller.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    transcript: Transcript,
    /// The bearer token, if there is one.
    pub token: Option<String>,
    /// The user's id; empty before sign-in.
    pub user_id: String,
    /// The user's name; empty before sign-in.
    pub username: String,
    /// The user's password; empty before sign-in.
    pub password: String,
    /// The refresh token; empty before sign-in.
    pub refresh_token: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// What was asked.
    pub asked: String,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

impl Client {
    pub(crate) fn new(base: &str, transcript: Transcript) -> Self {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self {
            http,
            base: base.to_owned(),
            transcript,
            token: None,
            user_id: String::new(),
            username: String::new(),
            password: String::new(),
            refresh_token: String::new(),
        }
    }

    /// The same with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// Signs in.
    pub async fn sign_in(&self, username: &str, password: &str) -> Self {
        let body = json!({"username": username, "password": password});
        let answer = self.post("/api/v1/auth/login", &body).await.json(200);
        Self {
            user_id: answer["user"]["user_id"].as_str().unwrap().to_owned(),
            username: username.to_owned(),
            password: password.to_owned(),
            refresh_token: answer["refresh_token"].as_str().unwrap().to_owned(),
            ..self.with_token(answer["token"].as_str().unwrap())
        }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, |request| request).await
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, |request| request.json(body))
            .await
    }

    /// `POST` without a body.
    pub async fn post_nothing(&self, path: &str) -> Answer {
        self.send(Method::POST, path, |request| request).await
    }

    /// `PATCH` of JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, |request| request.json(body))
            .await
    }

    /// `PATCH` of JSON when this is the version.
    pub async fn patch_version(&self, path: &str, version: i64, body: &Value) -> Answer {
        self.send(Method::PATCH, path, |request| {
            request
                .header("if-match", format!("\"{version}\""))
                .json(body)
        })
        .await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, |request| request).await
    }

    /// Any request; a path that is a whole URL is called as it is.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        change: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Answer {
        self.try_send(method, path, change).await.unwrap()
    }

    /// Any request.
    ///
    /// # Errors
    /// Those of the network.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        change: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> reqwest::Result<Answer> {
        let url = match path.starts_with("http") {
            true => path.to_owned(),
            false => format!("{}{path}", self.base),
        };
        let asked = format!("{method} {path}");
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = change(request).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let (name, whole) = asked.split_once(' ').unwrap_or_default();
        let described = whole.strip_prefix(&self.base).unwrap_or(whole);
        let described = described.split('?').next().unwrap_or_default();
        contract::check(name, described, status, &headers, &text);
        let mut transcript = self.transcript.lock().unwrap();
        let without_query = asked.split('?').next().unwrap_or_default();
        let _ = writeln!(transcript, "{without_query} {status} {headers:?}\n{text}");
        Ok(Answer {
            asked,
            status,
            headers,
            text,
        })
    }

    /// The status of a `GET`, or nothing when nobody answers.
    pub async fn try_status(&self, path: &str) -> Option<u16> {
        let answer = self.try_send(Method::GET, path, |request| request).await;
        answer.ok().map(|answer| answer.status)
    }

    /// Schedules a post and gives its id.
    pub async fn schedule(&self, bot_id: &str, post: &Value) -> String {
        let path = format!("/api/v1/bots/{bot_id}/posts");
        let post = self.post(&path, post).await.json(201);
        assert_eq!(post["state"], "scheduled");
        post["post_id"].as_str().unwrap().to_owned()
    }
}

impl Answer {
    /// A header's text, empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body of an answer with this status.
    ///
    /// # Panics
    /// When the status is another, or the body is not JSON as it says.
    pub fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text);
        assert_eq!(
            self.header("content-type"),
            "application/json",
            "{}",
            self.asked
        );
        serde_json::from_str(&self.text).unwrap()
    }

    /// An answer without a body.
    ///
    /// # Panics
    /// When it is not 204.
    pub fn nothing(&self) {
        assert_eq!(self.status, 204, "{}: {}", self.asked, self.text);
        assert_eq!(self.text, "");
    }

    /// The body of an error: checked for the shape that every error has (RFC 9457).
    ///
    /// # Panics
    /// When it is not such an error with this status and code.
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.any_problem();
        let found = (self.status, body["code"].as_str().unwrap());
        assert_eq!(found, (status, code), "{}: {}", self.asked, self.text);
        body
    }

    /// The body of an error, whichever.
    ///
    /// # Panics
    /// When it is not an error of the shape that every error has.
    pub fn any_problem(&self) -> Value {
        let text = &self.text;
        assert!(self.status >= 400, "{} {}: {text}", self.asked, self.status);
        let kind = self.header("content-type");
        assert_eq!(kind, "application/problem+json", "{} {text}", self.asked);
        let body: Value = serde_json::from_str(text).unwrap();
        for field in ["type", "title", "detail", "code", "request_id"] {
            let filled = body[field].as_str().is_some_and(|text| !text.is_empty());
            assert!(filled, "{}: {field} of {text}", self.asked);
        }
        assert_eq!(body["status"], self.status);
        assert_eq!(body["request_id"], self.header("x-request-id"));
        let code = body["code"].as_str().unwrap();
        let snake = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        assert!(code.chars().all(snake), "{code}");
        if self.status == 401 {
            assert!(self.header("www-authenticate").starts_with("Bearer"));
        }
        if matches!(self.status, 429 | 503) {
            let seconds: u64 = self.header("retry-after").parse().unwrap();
            assert!(seconds >= 1);
        }
        if body["code"] == "invalid" {
            let errors = body["errors"].as_array().unwrap();
            assert!(!errors.is_empty());
            for error in errors {
                assert!(error["pointer"].is_string() && error["detail"].is_string());
            }
        }
        body
    }

    /// The pointer of an invalid request's first error.
    ///
    /// # Panics
    /// When it is not 422 `invalid`.
    pub fn pointer(&self) -> String {
        let body = self.problem(422, "invalid");
        body["errors"][0]["pointer"].as_str().unwrap().to_owned()
    }
}

//! Plain HTTP calls of the fake, for tests of the fake itself and of what passed through it.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a failed unwrap is the assertion"
)]

use reqwest::{Client, Response, StatusCode, redirect};
use serde_json::{Value, json};

use super::fake::FakeX;
use super::state::Account;

/// Calls one fake. Every method panics when the network fails, but for those named `try_…` and
/// [`Caller::token`].
pub struct Caller {
    /// Follows no redirects.
    pub http: Client,
    /// The fake.
    pub base: String,
}

impl Caller {
    /// For this fake.
    #[must_use]
    pub fn of(fake: &FakeX) -> Self {
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self {
            http,
            base: fake.base_url.clone(),
        }
    }

    /// `POST /2/tweets` with any body.
    ///
    /// # Errors
    /// Those of the network.
    pub async fn try_post(&self, token: &str, body: &Value) -> reqwest::Result<Response> {
        self.http
            .post(format!("{}/2/tweets", self.base))
            .bearer_auth(token)
            .json(body)
            .send()
            .await
    }

    /// `POST /2/tweets` with a text: status and body.
    pub async fn post(&self, token: &str, text: &str) -> (StatusCode, Value) {
        read(self.try_post(token, &json!({"text": text})).await.unwrap()).await
    }

    /// `GET` of a path with a token.
    pub async fn get(&self, token: &str, path: &str) -> (StatusCode, Value) {
        let request = self.http.get(format!("{}{path}", self.base));
        read(request.bearer_auth(token).send().await.unwrap()).await
    }

    /// `DELETE /2/tweets/:id`.
    pub async fn delete(&self, token: &str, id: &str) -> (StatusCode, Value) {
        let request = self.http.delete(format!("{}/2/tweets/{id}", self.base));
        read(request.bearer_auth(token).send().await.unwrap()).await
    }

    /// `POST /2/oauth2/token` as the registered application.
    ///
    /// # Errors
    /// Those of the network.
    pub async fn token(&self, form: &[(&str, &str)]) -> reqwest::Result<Response> {
        self.http
            .post(format!("{}/2/oauth2/token", self.base))
            .basic_auth("fake-client", Some("fake-client-secret"))
            .form(form)
            .send()
            .await
    }

    /// Spends a refresh token.
    pub async fn refresh(&self, token: &str) -> (StatusCode, Value) {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        read(self.token(&form).await.unwrap()).await
    }
}

/// Status and JSON body, null when it is none.
pub async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let body = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// A fake, an account of it and a caller.
pub async fn start() -> (FakeX, Account, Caller) {
    let fake = FakeX::start().await;
    let account = fake.add_user("ann");
    let caller = Caller::of(&fake);
    (fake, account, caller)
}

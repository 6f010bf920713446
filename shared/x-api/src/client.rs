//! The client: one method a call, one request a method.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use chrono::SecondsFormat;
use http::{HeaderValue, Method, Request, header};
use url::form_urlencoded::byte_serialize;

use crate::answer::{self, Failure};
use crate::call::{CallError, Lookup, Page, TimelineQuery};
use crate::code;
use crate::outcome::{CreateOutcome, Created, Deleted, NewPost, NotSent};
use crate::post::{Post, User, Vocabulary, is_id};
use crate::rate_limit::RateLimits;
use crate::spin_transport::SpinTransport;
use crate::transport::{Answer, Transport, TransportError};
use crate::trends::Trends;
use crate::wire::{self, CreateBody, CreatedBody, DeletedBody, Envelope};

const USER_AGENT: &str = concat!("vivesphere/", env!("CARGO_PKG_VERSION"));

/// Speaks to one X API. It holds no credentials: every call is given the token it uses.
#[derive(Debug, Clone)]
pub struct Client<T = SpinTransport> {
    /// Without its last slash.
    base_url: String,
    timeout: Duration,
    vocabulary: Vocabulary,
    transport: T,
}

impl Client {
    /// A client of `base_url` (`https://api.x.com`) as a component uses it. No call takes longer
    /// than `timeout`.
    #[must_use]
    pub fn new(base_url: &str, timeout: Duration) -> Self {
        Self::with_transport(base_url, timeout, SpinTransport)
    }
}

impl<T: Transport + Sync> Client<T> {
    /// A client over another transport.
    #[must_use]
    pub fn with_transport(base_url: &str, timeout: Duration, transport: T) -> Self {
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            timeout,
            vocabulary: Vocabulary::default(),
            transport,
        }
    }

    /// The same client, asking with other names. Answers are read in both.
    #[must_use]
    pub fn with_vocabulary(mut self, vocabulary: Vocabulary) -> Self {
        self.vocabulary = vocabulary;
        self
    }

    /// `POST /2/tweets`.
    pub async fn create_post(&self, token: &str, post: &NewPost<'_>) -> CreateOutcome {
        if post.in_reply_to.is_some_and(|id| !is_id(id)) {
            return CreateOutcome::NotSent(NotSent {
                code: code::INVALID_REQUEST,
                detail: "in_reply_to is not an id".to_owned(),
            });
        }
        let body = serde_json::to_vec(&CreateBody::from(post));
        let sent = match body {
            Ok(body) => {
                self.send_json(Method::POST, self.endpoint(&["2", "tweets"]), token, body)
                    .await
            }
            Err(error) => Err(TransportError::NotSent {
                code: code::INVALID_REQUEST,
                detail: error.to_string(),
            }),
        };
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) => {
                return match answer::interrupted(error) {
                    Ok(unknown) => CreateOutcome::Unknown(unknown),
                    Err(not_sent) => CreateOutcome::NotSent(not_sent),
                };
            }
        };
        if answer.status.is_success() {
            // A success without a usable id is a post that exists somewhere.
            return match serde_json::from_slice::<CreatedBody>(&answer.body) {
                Ok(body) => CreateOutcome::Created(Created {
                    id: body.data.id,
                    status: answer.status.as_u16(),
                    limits: RateLimits::from_headers(&answer.headers),
                }),
                Err(_) => CreateOutcome::Unknown(answer::unusable(
                    &answer,
                    "accepted, but the answer holds no usable id",
                )),
            };
        }
        match answer::classify(&answer, &[token], now()) {
            Failure::Duplicate(refusal) => CreateOutcome::Duplicate(refusal),
            Failure::Refused(refusal) => CreateOutcome::Refused(refusal),
            Failure::RateLimited(limited) => CreateOutcome::RateLimited(limited),
            Failure::Unauthorized(refusal) => CreateOutcome::Unauthorized(refusal),
            Failure::AppBlocked(refusal) => CreateOutcome::AppBlocked(refusal),
            Failure::AccountBlocked(refusal) => CreateOutcome::AccountBlocked(refusal),
            Failure::Unknown(unknown) => CreateOutcome::Unknown(unknown),
        }
    }

    /// `DELETE /2/tweets/:id`. Deleting twice is harmless.
    ///
    /// # Errors
    /// [`CallError`]; a post that X does not know is [`Deleted::Already`], not an error.
    pub async fn delete_post(&self, token: &str, id: &str) -> Result<Deleted, CallError> {
        let url = self.endpoint(&["2", "tweets", id]);
        match self.call(Method::DELETE, url, token).await {
            Ok(answer) => match serde_json::from_slice::<DeletedBody>(&answer.body) {
                Ok(body) if body.data.deleted => Ok(Deleted::Now),
                Ok(_) => Ok(Deleted::Already),
                Err(_) => Err(CallError::Unknown(answer::unusable(
                    &answer,
                    "the answer does not say whether the post is deleted",
                ))),
            },
            Err(CallError::Refused(refusal)) if refusal.code == code::NOT_FOUND => {
                Ok(Deleted::Already)
            }
            Err(error) => Err(error),
        }
    }

    /// `GET /2/users/me`: whose token it is.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn users_me(&self, token: &str) -> Result<User, CallError> {
        let mut url = self.endpoint(&["2", "users", "me"]);
        append(
            &mut url,
            "user.fields",
            "subscription_type,verified_type,protected",
        );
        let answer = self.call(Method::GET, url, token).await?;
        Envelope::read(&answer)?.one(answer.status.as_u16())
    }

    /// `GET /2/users/:id/tweets`: what an account posted, newest first.
    ///
    /// # Errors
    /// [`CallError`]. An answer of which any part cannot be read is an error, never a shorter
    /// list: whoever looks for a post must not miss it.
    pub async fn user_posts(
        &self,
        token: &str,
        user_id: &str,
        query: &TimelineQuery<'_>,
    ) -> Result<Page, CallError> {
        let mut url = self.endpoint(&["2", "users", user_id, "tweets"]);
        let (name, fields) = wire::post_fields(self.vocabulary, false);
        append(&mut url, name, fields);
        if let Some(count) = query.max_results {
            append(&mut url, "max_results", &count.clamp(5, 100).to_string());
        }
        if let Some(start) = query.start_time {
            // X knows whole seconds; an earlier start only shows more.
            append(
                &mut url,
                "start_time",
                &start.to_rfc3339_opts(SecondsFormat::Secs, true),
            );
        }
        if let Some(token) = query.pagination_token {
            append(&mut url, "pagination_token", token);
        }
        let answer = self.call(Method::GET, url, token).await?;
        let (posts, next_token) = Envelope::read(&answer)?.list(answer.status.as_u16())?;
        Ok(Page { posts, next_token })
    }

    /// `GET /2/tweets?ids=`: the counts of 1 to 100 posts.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn post_metrics(&self, token: &str, ids: &[&str]) -> Result<Lookup, CallError> {
        if ids.is_empty() || ids.len() > 100 || !ids.iter().all(|id| is_id(id)) {
            return Err(CallError::NotSent(NotSent {
                code: code::INVALID_REQUEST,
                detail: "1 to 100 ids of posts can be asked for at once".to_owned(),
            }));
        }
        let mut url = self.endpoint(&["2", "tweets"]);
        append(&mut url, "ids", &ids.join(","));
        let (name, fields) = wire::post_fields(self.vocabulary, true);
        append(&mut url, name, fields);
        let answer = self.call(Method::GET, url, token).await?;
        let posts: Vec<Post> =
            Envelope::read(&answer)?.found_and_missing(answer.status.as_u16())?;
        let missing = ids
            .iter()
            .filter(|id| !posts.iter().any(|post| post.id == **id))
            .map(|id| (*id).to_owned())
            .collect();
        Ok(Lookup {
            posts,
            missing,
            limits: RateLimits::from_headers(&answer.headers),
        })
    }

    /// `GET /2/trends/by/woeid/:woeid`: what trends in a place, with the application's own token. X
    /// bills each request.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn trends(&self, token: &str, woeid: i64) -> Result<Trends, CallError> {
        let mut url = self.endpoint(&["2", "trends", "by", "woeid", &woeid.to_string()]);
        append(&mut url, "max_trends", "50");
        append(&mut url, "trend.fields", "trend_name,tweet_count");
        let answer = self.call(Method::GET, url, token).await?;
        let limits = RateLimits::from_headers(&answer.headers);
        let trends = Envelope::read(&answer)?.one(answer.status.as_u16())?;
        Ok(Trends { trends, limits })
    }

    /// A call with a token and without a body; a success or an error.
    async fn call(&self, method: Method, url: String, token: &str) -> Result<Answer, CallError> {
        let answer = match self.send_json(method, url, token, Vec::new()).await {
            Ok(answer) => answer,
            Err(error) => {
                return Err(match answer::interrupted(error) {
                    Ok(unknown) => CallError::Unknown(unknown),
                    Err(not_sent) => CallError::NotSent(not_sent),
                });
            }
        };
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(answer::classify(&answer, &[token], now()).into())
    }

    async fn send_json(
        &self,
        method: Method,
        url: String,
        token: &str,
        body: Vec<u8>,
    ) -> Result<Answer, TransportError> {
        let authorization = secret_header(&format!("Bearer {token}"))?;
        let content_type = (!body.is_empty()).then_some("application/json");
        self.send(method, url, Some(authorization), content_type, body)
            .await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        url: String,
        authorization: Option<HeaderValue>,
        content_type: Option<&'static str>,
        body: Vec<u8>,
    ) -> Result<Answer, TransportError> {
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, USER_AGENT);
        if let Some(value) = authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        if let Some(value) = content_type {
            request = request.header(header::CONTENT_TYPE, value);
        }
        // An empty body has a length too: some hosts would send it chunked otherwise.
        let request = request
            .header(header::CONTENT_LENGTH, body.len())
            .body(Bytes::from(body))
            .map_err(|error| TransportError::NotSent {
                code: code::INVALID_REQUEST,
                detail: error.to_string(),
            })?;
        self.transport.send(request, self.timeout).await
    }

    pub(crate) fn endpoint(&self, segments: &[&str]) -> String {
        let mut url = self.base_url.clone();
        for segment in segments {
            url.push('/');
            push_encoded(&mut url, segment);
        }
        url
    }
}

/// A header that is not printed with its request. Tokens hold no control characters, and nothing
/// else can make it fail.
pub(crate) fn secret_header(text: &str) -> Result<HeaderValue, TransportError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| TransportError::NotSent {
        code: code::INVALID_TOKEN,
        detail: "the credentials hold characters that no header may hold".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn append(url: &mut String, name: &str, value: &str) {
    url.push(if url.contains('?') { '&' } else { '?' });
    push_encoded(url, name);
    url.push('=');
    push_encoded(url, value);
}

/// Everything but letters, digits and `*-._` as `%` and two digits.
fn push_encoded(url: &mut String, text: &str) {
    for piece in byte_serialize(text.as_bytes()) {
        // What stands for a space in forms stands for itself in a path.
        url.push_str(if piece == "+" { "%20" } else { piece });
    }
}

/// Unix seconds.
pub(crate) fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .unwrap_or_default()
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;

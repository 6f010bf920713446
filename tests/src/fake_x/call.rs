//! Which call a request is.

use http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};

/// The calls that the fake knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /2/tweets`
    CreatePost,
    /// `DELETE /2/tweets/:id`
    DeletePost,
    /// `GET /2/tweets?ids=`
    LookUpPosts,
    /// `GET /2/users/me`
    UsersMe,
    /// `GET /2/users/:id/tweets`
    UserPosts,
    /// `GET /2/trends/by/woeid/:id`
    Trends,
    /// `GET /i/oauth2/authorize`
    Authorize,
    /// `POST /2/oauth2/token`
    Token,
    /// `POST /2/oauth2/revoke`
    Revoke,
}

/// A request, taken apart.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    /// The id in the path.
    pub(crate) id: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    pub(crate) fn bearer(&self) -> Option<&str> {
        let value = self.headers.get("authorization")?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    }

    pub(crate) fn form(&self) -> Vec<(String, String)> {
        pairs(&String::from_utf8_lossy(&self.body))
    }
}

pub(crate) fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// `application/x-www-form-urlencoded`.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}

/// The endpoint of a method and path, and the id in the path.
pub(crate) fn route(method: &Method, path: &str) -> Option<(Endpoint, String)> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let method = method.as_str();
    let (endpoint, id) = match (method, segments.as_slice()) {
        ("POST", ["2", "tweets"]) => (Endpoint::CreatePost, ""),
        ("GET", ["2", "tweets"]) => (Endpoint::LookUpPosts, ""),
        ("DELETE", ["2", "tweets", id]) => (Endpoint::DeletePost, *id),
        ("GET", ["2", "users", "me"]) => (Endpoint::UsersMe, ""),
        ("GET", ["2", "users", id, "tweets"]) => (Endpoint::UserPosts, *id),
        ("GET", ["2", "trends", "by", "woeid", id]) => (Endpoint::Trends, *id),
        ("GET", ["i", "oauth2", "authorize"] | ["2", "oauth2", "authorize"]) => {
            (Endpoint::Authorize, "")
        }
        ("POST", ["2", "oauth2", "token"]) => (Endpoint::Token, ""),
        ("POST", ["2", "oauth2", "revoke"]) => (Endpoint::Revoke, ""),
        _ => return None,
    };
    Some((endpoint, id.to_owned()))
}

//! What a handler gets: the request, read and checked as far as the pipeline can.

use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, header, request::Parts};
use serde::de::DeserializeOwned;
use vivesphere_db::Database;
use vivesphere_domain::{Actor, Principal, parse_id};

use crate::client_address::client_network;
use crate::policy::Policy;
use crate::{PageQuery, Problem, parsing};

/// One request, after authentication and the permission check.
pub struct Context {
    pub(crate) parts: Parts,
    pub(crate) body: Bytes,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) principal: Option<Principal>,
    pub(crate) request_id: String,
    pub(crate) policy: Rc<Policy>,
    /// The database, migrated.
    pub db: Database,
}

impl Context {
    /// Who is asking.
    ///
    /// # Errors
    /// 401 on a route that is public.
    pub fn principal(&self) -> Result<&Principal, Problem> {
        self.principal.as_ref().ok_or_else(|| {
            Problem::unauthorized("missing_credentials", "Sign in, or send an access key.")
        })
    }

    /// Whoever is asking, as the audit trail names them.
    ///
    /// # Errors
    /// 401 on a route that is public.
    pub fn actor(&self) -> Result<Actor, Problem> {
        Ok(Actor::new(self.principal()?, self.request_id()))
    }

    /// This request's id, as in `x-request-id`.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// What counts as one client, as the host or a trusted proxy saw it: an IPv4 address, or the `/64`
    /// network of an IPv6 address; empty when they said nothing.
    #[must_use]
    pub fn client_network(&self) -> String {
        client_network(&self.parts.headers, &self.policy.trusted_proxies)
    }

    /// The bearer token, if one was sent.
    #[must_use]
    pub fn bearer_token(&self) -> Option<&str> {
        bearer_token(&self.parts.headers)
    }

    /// The body, as it was sent.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// A path parameter. Empty when the route has no such parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }

    /// A path parameter that is an id.
    ///
    /// # Errors
    /// 404 when it is not one: nothing has it.
    pub fn id(&self, name: &str) -> Result<String, Problem> {
        parse_id(self.parameter(name)).ok_or_else(Problem::not_found)
    }

    /// The query string as `T`, which should deny unknown fields.
    ///
    /// # Errors
    /// 400 when it cannot be read as `T`.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        from_query(self.parts.uri.query().unwrap_or_default())
    }

    /// The query string of a list: as `T`, which should deny unknown fields, what it is filtered by,
    /// and which page is asked for.
    ///
    /// # Errors
    /// As [`Context::query`].
    pub fn paged<T: DeserializeOwned>(&self) -> Result<(T, PageQuery), Problem> {
        // serde could read both from one, but `flatten` lets unknown fields pass.
        let query = self.parts.uri.query().unwrap_or_default();
        let (page, filter): (Vec<&str>, Vec<&str>) =
            query.split('&').partition(|pair| PageQuery::has(pair));
        Ok((from_query(&filter.join("&"))?, from_query(&page.join("&"))?))
    }

    /// The JSON body as `T`, which should deny unknown fields.
    ///
    /// # Errors
    /// 415 when it is not declared as JSON, 400 when it is not JSON, 422 with the pointer when
    /// it is JSON of another shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if !self.content_type_is("application/json") {
            return Err(Problem::new(
                http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "Send JSON, with `content-type: application/json`.",
            ));
        }
        self.must_not_be_encoded()?;
        parsing::json(&self.body)
    }

    /// As [`Context::json`], but an empty body is `T::default()`.
    ///
    /// # Errors
    /// As [`Context::json`].
    pub fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.body.is_empty() {
            return Ok(T::default());
        }
        self.json()
    }

    /// The form-encoded body as `T`.
    ///
    /// # Errors
    /// 415 when it is not declared as a form, 400 when it cannot be read as `T`.
    pub fn form<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if !self.content_type_is("application/x-www-form-urlencoded") {
            return Err(Problem::new(
                http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "Send a form, with `content-type: application/x-www-form-urlencoded`.",
            ));
        }
        self.must_not_be_encoded()?;
        serde_urlencoded::from_bytes(&self.body)
            .map_err(|error| parsing::refuse("form", None, &error.to_string()))
    }

    /// The version of `If-Match: "<version>"`, if it was sent; `*` matches any.
    ///
    /// # Errors
    /// 400 when it is not a quoted number.
    pub fn if_match(&self) -> Result<Option<i64>, Problem> {
        let Some(value) = self.parts.headers.get(header::IF_MATCH) else {
            return Ok(None);
        };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(None);
        }
        text.strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .and_then(|text| text.parse().ok())
            .map(Some)
            .ok_or_else(|| Problem::malformed("If-Match must be the version in double quotes."))
    }

    /// What is compressed is not unpacked here: a small body could become a large one.
    fn must_not_be_encoded(&self) -> Result<(), Problem> {
        let encodings = self.parts.headers.get_all(header::CONTENT_ENCODING);
        if encodings.iter().all(|encoding| encoding == "identity") {
            return Ok(());
        }
        Err(Problem::new(
            http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Send the body as it is, without `content-encoding`.",
        ))
    }

    /// Whether the body is declared as this media type, whatever its parameters.
    #[must_use]
    pub fn content_type_is(&self, wanted: &str) -> bool {
        self.parts
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|value| value.trim().eq_ignore_ascii_case(wanted))
    }
}

fn from_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    serde_urlencoded::from_str(query).map_err(|error| {
        // serde names a field that is missing, unknown or there twice, but not the one whose value
        // it cannot read: that is the one which fails alone in the same way.
        let text = error.to_string();
        let name = query.split('&').find(|pair| {
            let alone = serde_urlencoded::from_str::<T>(pair);
            alone.is_err_and(|other| other.to_string() == text)
        });
        parsing::refuse("query", name, &text)
    })
}

pub(crate) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|token| !token.is_empty())
}

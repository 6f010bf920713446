//! What a handler gets: the request, read and checked as far as the pipeline can.

use bytes::Bytes;
use http::{HeaderMap, header, request::Parts};
use serde::de::DeserializeOwned;
use vivesphere_db::Database;
use vivesphere_domain::{Page, Principal};

use crate::{FieldError, Problem};

/// One request, after authentication and the permission check.
pub struct Context {
    pub(crate) parts: Parts,
    pub(crate) body: Bytes,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) principal: Option<Principal>,
    pub(crate) request_id: String,
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

    /// The client's address as the host saw it, without its port; empty when it said nothing.
    #[must_use]
    pub fn client_address(&self) -> &str {
        client_address(&self.parts.headers)
    }

    /// The bearer token, if one was sent.
    #[must_use]
    pub fn bearer_token(&self) -> Option<&str> {
        bearer_token(&self.parts.headers)
    }

    /// A path parameter. Empty when the route has no such parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }

    /// The query string as `T`, which should deny unknown fields.
    ///
    /// # Errors
    /// 400 when it cannot be read as `T`.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_urlencoded::from_str(self.parts.uri.query().unwrap_or_default())
            .map_err(|error| Problem::malformed(format!("The query cannot be read: {error}.")))
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
        parse_json(&self.body)
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
        serde_urlencoded::from_bytes(&self.body)
            .map_err(|error| Problem::malformed(format!("The form cannot be read: {error}.")))
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

    /// `limit` and `cursor` of a list, checked.
    ///
    /// # Errors
    /// 422 when the limit is not 1 to 200 or the cursor is not one of ours.
    pub fn page(&self, limit: Option<u32>, cursor: Option<&str>) -> Result<Page, Problem> {
        Ok(Page::parse(limit, cursor)?)
    }

    fn content_type_is(&self, wanted: &str) -> bool {
        self.parts
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|value| value.trim().eq_ignore_ascii_case(wanted))
    }
}

pub(crate) fn client_address(headers: &HeaderMap) -> &str {
    let text = headers
        .get("spin-client-addr")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match text.rsplit_once(':') {
        // "127.0.0.1:1234" and "[::1]:1234"; a bare IPv6 address keeps its colons.
        Some((address, port))
            if port.parse::<u16>().is_ok()
                && (!address.contains(':') || address.ends_with(']')) =>
        {
            address
        }
        _ => text,
    }
}

pub(crate) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|token| !token.is_empty())
}

/// 400 for what is not JSON, 422 with a pointer (RFC 6901) for JSON of another shape.
fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        let inner = error.into_inner();
        if inner.is_data() {
            // serde names the line and column too; for a client the pointer says it better.
            let text = inner.to_string();
            let detail = text.split(" at line ").next().unwrap_or(&text).to_owned();
            Problem::invalid(vec![FieldError { pointer, detail }])
        } else {
            Problem::malformed(format!("The body is not JSON: {inner}."))
        }
    })?;
    deserializer
        .end()
        .map_err(|error| Problem::malformed(format!("The body is not JSON: {error}.")))?;
    Ok(value)
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |mut pointer, segment| {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
        pointer
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read by serde only")]
    struct Body {
        parts: Vec<Part>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read by serde only")]
    struct Part {
        text: String,
    }

    fn refused(body: &str) -> Problem {
        parse_json::<Body>(body.as_bytes()).expect_err("refused")
    }

    #[test]
    fn what_is_not_json_is_400_and_json_of_another_shape_is_422_with_its_pointer() {
        assert_eq!(refused("{").status, 400);
        assert_eq!(refused(r#"{"parts":[]} x"#).status, 400);
        let problem = refused(r#"{"parts":[{"text":"a"},{"text":5}]}"#);
        assert_eq!(problem.status, 422);
        assert_eq!(problem.errors[0].pointer, "/parts/1/text");
        assert!(
            refused(r#"{"parts":[],"more":1}"#).errors[0]
                .detail
                .contains("more")
        );
        assert_eq!(refused("[]").status, 422);
    }

    #[test]
    fn a_client_address_loses_its_port() {
        let mut headers = HeaderMap::new();
        for (given, wanted) in [
            ("127.0.0.1:8080", "127.0.0.1"),
            ("[::1]:8080", "[::1]"),
            ("::1", "::1"),
            ("10.0.0.1", "10.0.0.1"),
        ] {
            headers.insert("spin-client-addr", given.parse().expect("a header"));
            assert_eq!(client_address(&headers), wanted);
        }
    }
}

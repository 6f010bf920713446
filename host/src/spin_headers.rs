//! The `spin-*` headers that tell a component how a request came to it.
//! <https://spinframework.dev/v3/http-trigger#additional-request-information>

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};

/// The client's address of a call between components, as Spin gives it.
const CHAINED_CLIENT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));

/// The client's address of a call of the application's own public routes, for which Spin opens a
/// connection to itself.
pub(crate) const SELF_CLIENT: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

const FULL_URL: HeaderName = HeaderName::from_static("spin-full-url");
const PATH_INFO: HeaderName = HeaderName::from_static("spin-path-info");
const MATCHED_ROUTE: HeaderName = HeaderName::from_static("spin-matched-route");
const RAW_COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-raw-component-route");
const COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-component-route");
const BASE_PATH: HeaderName = HeaderName::from_static("spin-base-path");
const CLIENT_ADDRESS: HeaderName = HeaderName::from_static("spin-client-addr");

/// What depends on the route.
#[derive(Debug, Clone)]
pub(crate) struct RouteHeaders {
    /// The route as the manifest has it.
    pub(crate) pattern: HeaderValue,
    /// The same without `/...`.
    pub(crate) prefix: HeaderValue,
    pub(crate) path_info: HeaderValue,
    pub(crate) parameters: Vec<(HeaderName, HeaderValue)>,
}

/// Makes the request's address whole and sets the headers. What the client itself sent under
/// these names is never believed.
pub(crate) fn set<B>(request: &mut Request<B>, route: &RouteHeaders, client: SocketAddr) {
    strip(request.headers_mut());
    let full_url = make_absolute(request);
    let headers = request.headers_mut();
    headers.insert(FULL_URL, full_url);
    headers.insert(PATH_INFO, route.path_info.clone());
    headers.insert(MATCHED_ROUTE, route.pattern.clone());
    headers.insert(RAW_COMPONENT_ROUTE, route.pattern.clone());
    headers.insert(COMPONENT_ROUTE, route.prefix.clone());
    headers.insert(BASE_PATH, HeaderValue::from_static("/"));
    let mut address = String::with_capacity(24);
    // Writing to a string cannot fail.
    let _ = write!(address, "{client}");
    headers.insert(CLIENT_ADDRESS, value(address));
    for (name, value) in &route.parameters {
        headers.insert(name.clone(), value.clone());
    }
}

/// As [`set`], for a call from another component.
pub(crate) fn set_chained<B>(request: &mut Request<B>) {
    let everything = HeaderValue::from_static("/...");
    let route = RouteHeaders {
        pattern: everything,
        prefix: HeaderValue::from_static(""),
        path_info: value(request.uri().path().to_owned()),
        parameters: Vec::new(),
    };
    set(request, &route, CHAINED_CLIENT);
}

/// A header's value; empty when the text cannot stand in one.
pub(crate) fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

fn strip(headers: &mut HeaderMap) {
    let sent: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("spin-"))
        .cloned()
        .collect();
    for name in sent {
        headers.remove(name);
    }
}

/// Gives the URI a scheme and an authority if it has none, and returns the whole.
fn make_absolute<B>(request: &mut Request<B>) -> HeaderValue {
    let host = request.headers().get(header::HOST);
    let authority = match (request.uri().authority(), host) {
        (Some(authority), _) => Some(authority.clone()),
        (None, Some(host)) => Authority::try_from(host.as_bytes()).ok(),
        (None, None) => None,
    };
    let authority = authority.unwrap_or_else(|| Authority::from_static("localhost"));
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    let path = parts
        .path_and_query
        .as_ref()
        .map_or("/", |path| path.as_str());
    let full_url = value(format!("http://{authority}{path}"));
    parts.scheme = Some(http::uri::Scheme::HTTP);
    parts.authority = Some(authority);
    if parts.path_and_query.is_none() {
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
    }
    // All three parts are there, which is all that can be wrong.
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    full_url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers_of(request: Request<()>) -> (Uri, HeaderMap) {
        let mut request = request;
        set_chained(&mut request);
        let (parts, ()) = request.into_parts();
        (parts.uri, parts.headers)
    }

    #[test]
    fn what_a_client_sent_under_spins_names_is_gone() {
        let request = Request::get("/a?b=c")
            .header("host", "example.com:8080")
            .header("spin-client-addr", "6.6.6.6:6")
            .header("spin-path-match-user", "root")
            .header("spinning", "stays")
            .body(())
            .unwrap();
        let (uri, headers) = headers_of(request);
        assert_eq!(uri, "http://example.com:8080/a?b=c");
        assert_eq!(headers["spin-full-url"], "http://example.com:8080/a?b=c");
        assert_eq!(headers["spin-client-addr"], "0.0.0.0:0");
        assert_eq!(headers["spinning"], "stays");
        assert!(!headers.contains_key("spin-path-match-user"));
    }

    #[test]
    fn a_missing_or_senseless_host_is_replaced() {
        for host in [None, Some("a b")] {
            let mut request = Request::get("/a").body(()).unwrap();
            if let Some(host) = host {
                request
                    .headers_mut()
                    .insert("host", HeaderValue::from_static(host));
            }
            assert_eq!(headers_of(request).0, "http://localhost/a");
        }
    }
}

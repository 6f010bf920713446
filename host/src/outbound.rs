//! Where components may connect to, and how they get there: over the network, or straight to
//! another component (service chaining).

use std::sync::Arc;

use http::Uri;
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, default_send_request};

use crate::instance::Grants;

/// The suffix of addresses that name a component.
const INTERNAL: &str = ".spin.internal";

/// One entry of `allowed_outbound_hosts`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AllowedHost {
    /// `*` allows any.
    scheme: String,
    /// `*` allows any, `*.example.com` any subdomain.
    host: String,
    /// `None` allows any.
    port: Option<u16>,
}

/// A component's `allowed_outbound_hosts`.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllowedHosts(Vec<AllowedHost>);

impl AllowedHosts {
    /// Reads the entries, `scheme://host[:port]`.
    pub(crate) fn parse(entries: &[String]) -> anyhow::Result<Self> {
        entries
            .iter()
            .map(|entry| parse(entry))
            .collect::<anyhow::Result<_>>()
            .map(Self)
    }

    fn allow(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return false;
        };
        let port = uri.port_u16().or_else(|| default_port(scheme));
        self.0.iter().any(|allowed| {
            (allowed.scheme == "*" || allowed.scheme.eq_ignore_ascii_case(scheme))
                && host_matches(&allowed.host, host)
                && (allowed.port.is_none() || allowed.port == port)
        })
    }
}

fn parse(entry: &str) -> anyhow::Result<AllowedHost> {
    let refused = || {
        anyhow::anyhow!(
            "allowed_outbound_hosts: `{entry}` must be scheme://host[:port], \
             without path, query or user"
        )
    };
    let (scheme, rest) = entry.split_once("://").ok_or_else(refused)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() || rest.contains(['/', '?', '#', '@']) {
        return Err(refused());
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let port = match port {
        Some("*") => None,
        Some(port) => Some(port.parse().map_err(|_| refused())?),
        None => default_port(scheme),
    };
    Ok(AllowedHost {
        scheme: scheme.to_ascii_lowercase(),
        host: host.to_ascii_lowercase(),
        port,
    })
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

fn host_matches(allowed: &str, host: &str) -> bool {
    if allowed == "*" {
        return true;
    }
    match allowed.strip_prefix("*.") {
        Some(domain) => host
            .to_ascii_lowercase()
            .strip_suffix(domain)
            .is_some_and(|left| left.ends_with('.')),
        None => allowed.eq_ignore_ascii_case(host),
    }
}

/// Sends an instance's requests.
pub(crate) struct Outbound {
    grants: Arc<Grants>,
}

impl Outbound {
    pub(crate) fn new(grants: Arc<Grants>) -> Self {
        Self { grants }
    }
}

type Sent = Result<
    (
        http::Response<WasiBody>,
        Box<dyn Future<Output = Result<(), Error>> + Send>,
    ),
    Error,
>;

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        drop(processed);
        let grants = self.grants.clone();
        Box::new(async move {
            if !grants.allowed_hosts.allow(request.uri()) {
                tracing::warn!(
                    component = %grants.id,
                    host = request.uri().host().unwrap_or_default(),
                    "a connection was denied: the host is not in allowed_outbound_hosts"
                );
                return Err(Error::HttpRequestDenied);
            }
            let internal = request
                .uri()
                .host()
                .and_then(|host| host.strip_suffix(INTERNAL))
                .map(str::to_owned);
            if let Some(component) = internal {
                return chain(&grants, &component, request).await;
            }
            let (response, io) = default_send_request(request, options).await?;
            Ok((
                response.map(BodyExt::boxed_unsync),
                Box::new(io) as Box<dyn Future<Output = Result<(), Error>> + Send>,
            ))
        })
    }
}

async fn chain(grants: &Grants, component: &str, request: http::Request<WasiBody>) -> Sent {
    let response = grants
        .chain
        .call(component, request)
        .await
        .ok_or(Error::DestinationNotFound)?
        .map_err(|error| Error::InternalError(Some(error.to_string())))?;
    Ok((response, Box::new(std::future::ready(Ok(())))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(entry: &str, uri: &str) -> bool {
        AllowedHosts::parse(&[entry.to_owned()])
            .expect("an entry")
            .allow(&uri.parse().expect("a URI"))
    }

    #[test]
    fn scheme_host_and_port_must_all_fit() {
        assert!(allows("https://api.x.com", "https://api.x.com/2/tweets"));
        assert!(allows("https://api.x.com:443", "https://API.x.com/"));
        assert!(!allows("https://api.x.com", "http://api.x.com/"));
        assert!(!allows("https://api.x.com", "https://api.x.com:8443/"));
        assert!(!allows("https://api.x.com", "https://evil-api.x.com/"));
        assert!(!allows(
            "https://api.x.com",
            "https://api.x.com.evil.example/"
        ));
        assert!(allows("http://127.0.0.1:4000", "http://127.0.0.1:4000/a"));
        assert!(allows("*://*:*", "http://example.com:81/"));
        assert!(allows("https://*.example.com", "https://a.b.example.com/"));
        assert!(!allows("https://*.example.com", "https://example.com/"));
        assert!(!allows("https://*.example.com", "https://badexample.com/"));
        assert!(allows("http://b.spin.internal", "http://b.spin.internal/x"));
        assert!(!allows(
            "http://b.spin.internal",
            "http://c.spin.internal/x"
        ));
    }

    #[test]
    fn an_entry_with_a_path_or_without_a_scheme_is_refused() {
        for entry in [
            "api.x.com",
            "https://api.x.com/2",
            "https://",
            "https://a:b",
        ] {
            assert!(AllowedHosts::parse(&[entry.to_owned()]).is_err(), "{entry}");
        }
    }
}

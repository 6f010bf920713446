//! `allowed_outbound_hosts`, read as Spin reads it.
//! <https://spinframework.dev/v3/http-outbound#granting-http-permissions-to-components>

use http::Uri;

/// The names under which an application reaches itself.
const SELF: [&str; 2] = ["self", "self.alt"];

/// One entry: `scheme://host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AllowedHost {
    /// `*` allows any.
    scheme: String,
    host: Host,
    ports: Ports,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    /// `*.example.com`: every subdomain of it.
    Below(String),
    Exactly(String),
    /// `self`: the application itself.
    Itself,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Ports {
    Any,
    /// `8080`, or `8000..8010` without its end.
    Range(std::ops::Range<u32>),
}

/// A component's `allowed_outbound_hosts`.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllowedHosts(Vec<AllowedHost>);

/// Whether a URI names the application itself.
pub(crate) fn is_self(uri: &Uri) -> bool {
    uri.host()
        .is_none_or(|host| SELF.iter().any(|name| name.eq_ignore_ascii_case(host)))
}

impl AllowedHosts {
    /// Reads the entries.
    pub(crate) fn parse(entries: &[String]) -> anyhow::Result<Self> {
        entries
            .iter()
            .map(|entry| parse(entry))
            .collect::<anyhow::Result<_>>()
            .map(Self)
    }

    /// Whether any entry allows to connect there.
    pub(crate) fn allow(&self, uri: &Uri) -> bool {
        let scheme = uri.scheme_str().unwrap_or("http");
        let fits = |allowed: &&AllowedHost| {
            allowed.scheme == "*" || allowed.scheme.eq_ignore_ascii_case(scheme)
        };
        let mut of_scheme = self.0.iter().filter(fits);
        if is_self(uri) {
            return of_scheme.any(|allowed| matches!(allowed.host, Host::Itself | Host::Any));
        }
        let Some(host) = uri.host() else {
            return false;
        };
        let port = uri.port_u16().or_else(|| default_port(scheme));
        of_scheme.any(|allowed| allowed.host.fits(host) && allowed.ports.fit(port))
    }
}

impl Host {
    fn fits(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(allowed) => allowed.eq_ignore_ascii_case(host),
            Self::Below(domain) => {
                let Some(dot) = host.len().checked_sub(domain.len() + 1) else {
                    return false;
                };
                host.get(dot..).is_some_and(|end| {
                    end.starts_with('.') && end[1..].eq_ignore_ascii_case(domain)
                })
            }
            Self::Itself => false,
        }
    }
}

impl Ports {
    fn fit(&self, port: Option<u16>) -> bool {
        match self {
            Self::Any => true,
            Self::Range(range) => port.is_some_and(|port| range.contains(&u32::from(port))),
        }
    }
}

fn parse(entry: &str) -> anyhow::Result<AllowedHost> {
    let refused = |reason: &str| {
        anyhow::anyhow!(
            "allowed_outbound_hosts: `{entry}` {reason}; \
             it must be scheme://host[:port], without path, query or user"
        )
    };
    let (scheme, rest) = entry
        .split_once("://")
        .ok_or_else(|| refused("has no scheme"))?;
    // In capital letters Spin knows no port for it, and it fits no call.
    if scheme != "*" && !scheme.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Err(refused("has a scheme that is not in small letters"));
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() || scheme.is_empty() {
        return Err(refused("is not complete"));
    }
    if rest.contains(['/', '?', '#', '@']) {
        return Err(refused("says too much"));
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let host = host.to_ascii_lowercase();
    let host = match host.strip_prefix("*.") {
        _ if host == "*" => Host::Any,
        Some(domain) => Host::Below(domain.to_owned()),
        None if SELF.contains(&host.as_str()) => Host::Itself,
        None => Host::Exactly(host),
    };
    if let Host::Below(name) | Host::Exactly(name) = &host
        && (name.is_empty() || name.contains('*'))
    {
        return Err(refused("has `*` in a place where it means nothing"));
    }
    let one = |port: u16| Ports::Range(u32::from(port)..u32::from(port) + 1);
    let number = |text: &str| {
        text.parse::<u16>()
            .map_err(|_| refused("has a port that is no number"))
    };
    let ports = match port {
        Some("*") => Ports::Any,
        Some(port) => match port.split_once("..") {
            Some((first, end)) => Ports::Range(number(first)?.into()..number(end)?.into()),
            None => one(number(port)?),
        },
        None if host == Host::Itself => Ports::Any,
        // Spin takes what stands behind the last colon for one.
        None if rest.contains('[') => return Err(refused("must say a port")),
        None => one(default_port(scheme).ok_or_else(|| refused("must say a port"))?),
    };
    Ok(AllowedHost {
        scheme: scheme.to_owned(),
        host,
        ports,
    })
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "redis" => Some(6379),
        "mysql" => Some(3306),
        "postgres" | "postgresql" => Some(5432),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(entry: &str, uri: &str) -> bool {
        AllowedHosts::parse(&[entry.to_owned()])
            .unwrap()
            .allow(&uri.parse().unwrap())
    }

    #[test]
    fn scheme_host_and_port_must_all_fit() {
        for (entry, uri) in [
            ("https://api.x.com", "https://api.x.com/2/tweets"),
            ("https://api.x.com:443", "https://API.x.com/"),
            ("http://127.0.0.1:4000", "http://127.0.0.1:4000/a"),
            ("http://[::1]:4000/", "http://[::1]:4000/a"),
            ("*://*:*", "http://example.com:81/"),
            ("https://*.example.com", "https://a.b.EXAMPLE.com/"),
            ("http://b.spin.internal", "http://b.spin.internal/x"),
            ("http://*.spin.internal", "http://b.spin.internal/x"),
            ("http://h:8000..8002", "http://h:8001/"),
            ("http://self", "http://self/a"),
            ("http://self", "/a"),
            // Whoever may call everybody may call the application itself, on whatever port.
            ("http://*:*", "http://self.alt/a"),
            ("http://*:81", "http://self/a"),
            ("*://*:*", "/a"),
        ] {
            assert!(allows(entry, uri), "{entry} {uri}");
        }
        for (entry, uri) in [
            ("https://api.x.com", "http://api.x.com/"),
            ("https://api.x.com", "https://api.x.com:8443/"),
            ("https://api.x.com", "https://evil-api.x.com/"),
            ("https://api.x.com", "https://api.x.com.evil.example/"),
            ("https://*.example.com", "https://example.com/"),
            ("https://*.example.com", "https://badexample.com/"),
            ("http://b.spin.internal", "http://c.spin.internal/x"),
            ("http://h:8000..8002", "http://h:8002/"),
            ("http://*:81", "https://self/a"),
            ("http://*.example.com", "http://self/a"),
            ("http://self", "http://other/a"),
        ] {
            assert!(!allows(entry, uri), "{entry} {uri}");
        }
    }

    #[test]
    fn an_entry_that_cannot_be_meant_is_refused() {
        for entry in [
            "api.x.com",
            "https://api.x.com/2",
            "https://",
            "https://a:b",
            "https://a@b",
            "ftp://a",
            "*://a",
            "https://a.*.com",
            "HTTPS://api.x.com",
            "https+x://api.x.com:1",
            "http://[::1]",
            "http://[::1]/",
            "",
        ] {
            assert!(AllowedHosts::parse(&[entry.to_owned()]).is_err(), "{entry}");
        }
    }
}

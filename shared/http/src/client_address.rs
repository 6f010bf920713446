//! From where a request comes.

use std::net::IpAddr;

use http::HeaderMap;
use vivesphere_domain::settings::Network;

/// The client's address, without its port; empty when the host said nothing.
///
/// The host says who is connected. Where that is a trusted proxy, it is for the proxy to say, in the
/// last entry of `X-Forwarded-For`, who is connected to it, and so on: entries further to the left are
/// what anybody may have sent along.
pub(crate) fn client_address(headers: &HeaderMap, trusted_proxies: &[Network]) -> String {
    let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let connected = headers.get("spin-client-addr").map(text);
    let connected = connected.unwrap_or_default();
    let mut client = without_port(&connected);
    if trusted_proxies.is_empty() {
        return client.to_owned();
    }
    let is_trusted = |address: IpAddr| trusted_proxies.iter().any(|proxy| proxy.contains(address));
    let forwarded: Vec<String> = headers
        .get_all("x-forwarded-for")
        .iter()
        .map(text)
        .collect();
    let mut entries = forwarded
        .iter()
        .rev()
        .flat_map(|line| line.rsplit(','))
        .map(|entry| without_port(entry.trim()))
        .filter(|entry| !entry.is_empty());
    while parsed(client).is_some_and(is_trusted)
        && let Some(entry) = entries.next()
        // `unknown`, or no address at all: the one who said so is all that is known.
        && parsed(entry).is_some()
    {
        client = entry;
    }
    client.to_owned()
}

fn parsed(address: &str) -> Option<IpAddr> {
    let bare = address
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(address).parse().ok()
}

/// Of `127.0.0.1:1234` and `[::1]:1234`; a bare IPv6 address keeps its colons.
fn without_port(text: &str) -> &str {
    match text.rsplit_once(':') {
        Some((address, port))
            if port.parse::<u16>().is_ok()
                && (!address.contains(':') || address.ends_with(']')) =>
        {
            address
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use vivesphere_domain::settings::{Value, table};

    use super::*;

    fn address(connected: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let setting = &table::gateway::TRUSTED_PROXIES;
        let Ok(Value::Networks(trusted)) = setting.parse(&json!(trusted)) else {
            panic!("no networks: {trusted:?}");
        };
        let mut headers = HeaderMap::new();
        headers.insert("spin-client-addr", connected.parse().expect("a header"));
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().expect("a header"));
        }
        client_address(&headers, &trusted)
    }

    #[test]
    fn a_client_address_loses_its_port() {
        for (given, wanted) in [
            ("127.0.0.1:8080", "127.0.0.1"),
            ("[::1]:8080", "[::1]"),
            ("::1", "::1"),
            ("10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(address(given, &["203.0.113.7"], &[]), wanted);
        }
        assert_eq!(client_address(&HeaderMap::new(), &[]), "");
    }

    #[test]
    fn only_a_trusted_proxy_says_who_is_behind_it() {
        let trusted = &["10.0.0.0/8", "::1"];
        for (connected, forwarded, wanted) in [
            ("10.0.0.2:1", &["203.0.113.7"][..], "203.0.113.7"),
            ("[::1]:1", &["203.0.113.7:4711"], "203.0.113.7"),
            (
                "[::ffff:10.0.0.2]:1",
                &["[2001:db8::7]:4711"],
                "[2001:db8::7]",
            ),
            // Somebody else's word is not taken, nor what a client sent to the proxy itself.
            ("203.0.113.9:1", &["203.0.113.7"], "203.0.113.9"),
            ("10.0.0.2:1", &["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            (
                "10.0.0.2:1",
                &["198.51.100.1", "203.0.113.7"],
                "203.0.113.7",
            ),
            // Proxies in a row.
            (
                "10.0.0.2:1",
                &["198.51.100.1, 203.0.113.7, 10.0.0.3"],
                "203.0.113.7",
            ),
            ("10.0.0.2:1", &["10.0.0.4,10.0.0.3"], "10.0.0.4"),
            // What is no address says nothing.
            ("10.0.0.2:1", &["203.0.113.7, unknown"], "10.0.0.2"),
            (
                "10.0.0.2:1",
                &["203.0.113.7, unknown, 10.0.0.3"],
                "10.0.0.3",
            ),
            ("10.0.0.2:1", &[""], "10.0.0.2"),
            ("10.0.0.2:1", &[], "10.0.0.2"),
        ] {
            assert_eq!(
                address(connected, forwarded, trusted),
                wanted,
                "{forwarded:?}"
            );
        }
    }
}

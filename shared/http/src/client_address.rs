//! From where a request comes.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use vivesphere_domain::settings::Network;

/// What counts as one client: an IPv4 address, or the network of an IPv6 address
/// (`2001:db8:0:0::/64`), since whoever has one address has all the others of its network, 2^64 of them
/// (RFC 6177); empty when the host said nothing.
///
/// The host says who is connected. Where that is a trusted proxy, it is for the proxy to say, in the
/// last entry of `X-Forwarded-For`, who is connected to it, and so on: entries further to the left are
/// what anybody may have sent along.
pub(crate) fn client_network(headers: &HeaderMap, trusted_proxies: &[Network]) -> String {
    match client_address(headers, trusted_proxies) {
        None => String::new(),
        Some(IpAddr::V4(address)) => address.to_string(),
        // Not as short as could be, but always the same.
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

fn client_address(headers: &HeaderMap, trusted_proxies: &[Network]) -> Option<IpAddr> {
    // Spin adds what it knows behind what a client sent under the same name, so the last one is Spin's.
    let connected = headers.get_all("spin-client-addr").iter().next_back();
    let mut client = parsed(text(connected?))?;
    let is_trusted = |address: IpAddr| trusted_proxies.iter().any(|proxy| proxy.contains(address));
    let forwarded = headers.get_all("x-forwarded-for").iter().rev();
    let mut entries = forwarded
        .flat_map(|line| text(line).rsplit(','))
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    while is_trusted(client)
        && let Some(entry) = entries.next()
        // `unknown`, or no address at all: the one who said so is all that is known.
        && let Some(address) = parsed(entry)
    {
        client = address;
    }
    Some(client)
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

/// An address, with its port or without. One that is mapped into IPv6 is what it is mapped from
/// (RFC 4291, section 2.5.5.2).
fn parsed(text: &str) -> Option<IpAddr> {
    let text = without_port(text);
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address: IpAddr = bare.unwrap_or(text).parse().ok()?;
    Some(address.to_canonical())
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

    fn client(connected: &[&str], forwarded: &[&str], trusted: &[&str]) -> String {
        let setting = &table::gateway::TRUSTED_PROXIES;
        let Ok(Value::Networks(trusted)) = setting.parse(&json!(trusted)) else {
            panic!("no networks: {trusted:?}");
        };
        let mut headers = HeaderMap::new();
        for (name, lines) in [
            ("spin-client-addr", connected),
            ("x-forwarded-for", forwarded),
        ] {
            for line in lines {
                headers.append(name, line.parse().expect("a header"));
            }
        }
        client_network(&headers, &trusted)
    }

    #[test]
    fn a_client_is_an_address_or_a_network_without_its_port() {
        for (given, wanted) in [
            ("127.0.0.1:8080", "127.0.0.1"),
            ("10.0.0.1", "10.0.0.1"),
            ("[::ffff:10.0.0.1]:8080", "10.0.0.1"),
            ("[::1]:8080", "0:0:0:0::/64"),
            ("[2001:db8:0:7:1:2:3:4]:8080", "2001:db8:0:7::/64"),
            ("2001:DB8:0:7::9", "2001:db8:0:7::/64"),
            ("somebody", ""),
            ("10.0.0.1:many", ""),
            ("", ""),
        ] {
            assert_eq!(client(&[given], &["203.0.113.7"], &[]), wanted, "{given}");
        }
        assert_eq!(client(&[], &["203.0.113.7"], &["0.0.0.0/0"]), "");
    }

    #[test]
    fn what_a_client_sends_in_the_hosts_name_is_not_believed() {
        let trusted = &["10.0.0.0/8"];
        for (connected, wanted) in [
            (["198.51.100.1:1", "203.0.113.9:1"], "203.0.113.9"),
            (["somebody", "203.0.113.9:1"], "203.0.113.9"),
            // Nor does it make itself a proxy.
            (["10.0.0.2:1", "203.0.113.9:1"], "203.0.113.9"),
            // When the host's own cannot be read, nothing is known.
            (["198.51.100.1:1", ""], ""),
        ] {
            let client = client(&connected, &["192.0.2.1"], trusted);
            assert_eq!(client, wanted, "{connected:?}");
        }
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
                "2001:db8:0:0::/64",
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
                client(&[connected], forwarded, trusted),
                wanted,
                "{forwarded:?}"
            );
        }
    }
}

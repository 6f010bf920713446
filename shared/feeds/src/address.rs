//! Where nothing is fetched from: this machine, private networks, and X.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Why an address is not fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Something else than `http` and `https`, or no host.
    #[error("must be an http or https address")]
    Scheme,
    /// A name or a password in the address.
    #[error("must not hold credentials")]
    Credentials,
    /// X's pages. What X says is read through its API only: X's terms allow nothing else.
    #[error("is X's own: X is never scraped, its API is the only way (rule x_is_not_scraped)")]
    X,
    /// An address or a name that leads to this machine or a private network.
    #[error("leads to a private or special address, which is not fetched (rule private_address)")]
    Private,
}

impl Refusal {
    /// The stable name of it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Scheme => "address_not_http",
            Self::Credentials => "address_with_credentials",
            Self::X => "x_is_not_scraped",
            Self::Private => "private_address",
        }
    }
}

/// X's own hosts; what is below them is theirs, too.
const X_HOSTS: [&str; 5] = ["x.com", "twitter.com", "t.co", "twimg.com", "pscp.tv"];

/// Names that resolve nowhere else than near (RFC 6761, RFC 6762, RFC 8375, ICANN's `internal`),
/// and what Spin gives a meaning of its own.
const NEAR: [&str; 9] = [
    "localhost",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
];

/// Looks at an address before it is fetched, each hop of a redirect anew.
///
/// An IP address is judged in whatever form it is written: `Url` reads decimal, octal and
/// hexadecimal ones as WHATWG's URL standard has it. A name is judged by itself only; what it
/// resolves to is the fetcher's to look at with [`is_public`].
///
/// # Errors
/// [`Refusal`]. With `allow_private` the last one is never given.
pub fn check(url: &Url, allow_private: bool) -> Result<(), Refusal> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refusal::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::Credentials);
    }
    let public = match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            if is_below(name, &X_HOSTS) {
                return Err(Refusal::X);
            }
            // A name without a dot is looked for in the machine's own domain.
            name.contains('.') && !is_below(name, &NEAR)
        }
        Some(Host::Ipv4(address)) => is_public(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => is_public(IpAddr::V6(address)),
        None => return Err(Refusal::Scheme),
    };
    if public || allow_private {
        Ok(())
    } else {
        Err(Refusal::Private)
    }
}

fn is_below(name: &str, domains: &[&str]) -> bool {
    domains.iter().any(|domain| {
        name.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// Whether an address is one of the public internet, by IANA's registries of special-purpose
/// addresses (RFC 6890).
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        // Shared address space, RFC 6598.
        || (a == 100 && (64..128).contains(&b))
        // IETF protocol assignments, RFC 6890; benchmarking, RFC 2544; 6to4 relays, RFC 7526.
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 192 && b == 88 && c == 99)
        // Reserved, RFC 1112.
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Mapped and compatible IPv4 (RFC 4291), and the two prefixes of translators
        // (RFC 6052, RFC 8215): what counts is where they lead.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] => high != 0 && inner(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => inner(high, low),
        [0x64, 0xff9b, 1, ..] => false,
        // 6to4 (RFC 3056) carries the IPv4 address it leads to.
        [0x2002, high, low, ..] => inner(high, low),
        // Teredo and other IETF protocol assignments (2001::/23), documentation, RFC 3849, RFC 9637.
        [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
        [0x3fff, ..] => false,
        // Only 2000::/3 is given to the public.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Result<(), Refusal> {
        check(&Url::parse(text).unwrap(), false)
    }

    #[test]
    fn near_addresses_are_refused_however_they_are_written() {
        for near in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://0/",
            "http://0.0.0.0/",
            "http://10.1.2.3/",
            "http://172.16.0.1/",
            "http://192.168.1.1:8080/",
            "http://169.254.169.254/latest",
            "http://100.64.0.1/",
            "http://198.18.0.1/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:a00:1]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://[fc00::1]/",
            "http://[ff02::1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[2001:db8::1]/",
            "http://[2001::1]/",
            "http://[::7f00:1]/",
            "http://localhost/",
            "http://LOCALHOST./",
            "http://a.localhost/",
            "http://botdata.spin.internal/",
            "http://printer.local/",
            "http://router/",
            "http://metadata.google.internal/",
            "http://nas.home.arpa/",
            "http://%6cocalhost/",
            "http://127.0.0.1./",
        ] {
            assert_eq!(of(near), Err(Refusal::Private), "{near}");
            assert_eq!(check(&Url::parse(near).unwrap(), true), Ok(()), "{near}");
        }
        for public in [
            "https://news.example/",
            "http://8.8.8.8/",
            "http://[2606:4700::1111]/",
            "http://mylocal.example/",
            "http://[::ffff:8.8.8.8]/",
            "http://notx.com/",
            "https://fox.com/",
        ] {
            assert_eq!(of(public), Ok(()), "{public}");
        }
    }

    #[test]
    fn x_is_refused_even_where_private_addresses_are_allowed() {
        for own in [
            "https://x.com/explore",
            "https://mobile.twitter.com/",
            "http://t.co/a",
            "https://X.COM./",
            "https://api.x.com/2/trends",
            "https://pbs.twimg.com/a",
        ] {
            assert_eq!(
                check(&Url::parse(own).unwrap(), true),
                Err(Refusal::X),
                "{own}"
            );
        }
        assert_eq!(of("ftp://news.example/"), Err(Refusal::Scheme));
        assert_eq!(of("file:///etc/passwd"), Err(Refusal::Scheme));
        assert_eq!(of("https://a:b@news.example/"), Err(Refusal::Credentials));
    }

    proptest! {
        #[test]
        fn a_mapped_address_is_judged_as_what_it_maps(bits: u32) {
            let plain = Ipv4Addr::from(bits);
            let mapped = IpAddr::V6(plain.to_ipv6_mapped());
            prop_assert_eq!(is_public(mapped), is_public(IpAddr::V4(plain)));
        }
    }
}

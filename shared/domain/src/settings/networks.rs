//! Networks of addresses, as the proxies in front of a deployment have them.

use std::net::IpAddr;

use serde_json::Value as Json;

/// Most networks of one list.
const NETWORKS: usize = 32;

/// Addresses that begin alike: `10.0.0.0/8`, `fd00::/8`, or one alone (RFC 4632, RFC 4291).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// As it was written.
    text: String,
    /// Of the addresses' own length, 32 or 128 bits.
    bits: (u32, u128),
    /// How many of them must be as these.
    prefix: u32,
}

/// How many bits an address has, and which.
fn bits(address: IpAddr) -> (u32, u128) {
    // One that is mapped into IPv6 is what it is mapped from (RFC 4291, section 2.5.5.2).
    match address.to_canonical() {
        IpAddr::V4(address) => (32, u128::from(address.to_bits())),
        IpAddr::V6(address) => (128, address.to_bits()),
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let bits = bits(address.parse().ok()?);
        let prefix = match prefix {
            None => bits.0,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= bits.0)?
            }
            Some(_) => return None,
        };
        Some(Self {
            text: text.to_owned(),
            bits,
            prefix,
        })
    }

    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (length, theirs) = bits(address);
        let (own_length, own) = self.bits;
        let free = own_length - self.prefix;
        // Shifting by all 128 bits is none.
        length == own_length && (own ^ theirs).checked_shr(free).unwrap_or(0) == 0
    }
}

/// Reads `["10.0.0.0/8", "::1", …]`.
///
/// # Errors
/// As [`super::Setting::parse`].
pub(super) fn parse(json: &Json) -> Result<Vec<Network>, (String, String)> {
    let list = json
        .as_array()
        .filter(|list| list.len() <= NETWORKS)
        .ok_or_else(|| {
            let detail = format!("must be a list of at most {NETWORKS} entries");
            (String::new(), detail)
        })?;
    let mut networks: Vec<Network> = Vec::new();
    for (index, entry) in list.iter().enumerate() {
        let network = entry.as_str().and_then(Network::parse).ok_or_else(|| {
            let detail = "must be an address, or a network such as 10.0.0.0/8 or fd00::/8";
            (format!("/{index}"), detail.to_owned())
        })?;
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    Ok(networks)
}

pub(super) fn to_json(networks: &[Network]) -> Json {
    networks
        .iter()
        .map(|network| network.text.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        let network = Network::parse(network).unwrap();
        network.contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_as_it_does() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.0.2.128/25", "192.0.2.255", "192.0.2.127"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("::1", "::1", "::2"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", "::ffff:11.0.0.1"),
        ] {
            assert!(contains(network, inside), "{inside} in {network}");
            assert!(!contains(network, outside), "{outside} in {network}");
        }
        for bad in [
            "",
            "proxy",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0/8",
            "10.0.0.0/8/8",
            " 10.0.0.1",
            "10.0.0.1:80",
            "[::1]",
        ] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_list_names_what_is_wrong_and_forgets_doubles() {
        let two = parse(&json!(["10.0.0.0/8", "::1", "10.0.0.0/8"])).unwrap();
        assert_eq!(to_json(&two), json!(["10.0.0.0/8", "::1"]));
        assert_eq!(parse(&json!(["::1", 5])).unwrap_err().0, "/1");
        assert_eq!(parse(&json!("::1")).unwrap_err().0, "");
        assert!(parse(&json!(vec!["::1"; 33])).is_err());
    }

    proptest! {
        #[test]
        fn the_first_bits_decide(own: u32, other: u32, prefix in 0_u32..=32) {
            let address = |bits: u32| Ipv4Addr::from_bits(bits).to_string();
            let alike = (0..prefix).all(|bit| (own ^ other) >> (31 - bit) & 1 == 0);
            let network = format!("{}/{prefix}", address(own));
            prop_assert_eq!(contains(&network, &address(other)), alike);
        }

        #[test]
        fn and_of_the_longer_ones(own: u128, flipped in 0_u32..128, prefix in 0_u32..=128) {
            let address = |bits: u128| Ipv6Addr::from_bits(bits).to_string();
            prop_assume!(own >> 96 != 0);
            let other = own ^ (1 << (127 - flipped));
            prop_assume!(other >> 96 != 0);
            let network = format!("{}/{prefix}", address(own));
            prop_assert_eq!(contains(&network, &address(other)), flipped >= prefix);
        }
    }
}

//! What a name resolves to, as far as the host lets a component know.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use spin_sdk::wasip3::sockets::ip_name_lookup::{ErrorCode, IpAddress, resolve_addresses};
use url::{Host, Url};
use vivesphere_feeds::address::is_public;

use crate::outcome::Missed;

/// Refuses an address whose name leads to a private address now. An IP address was judged by
/// `feeds::address::check` already.
///
/// The host resolves the name once more when it connects, so this keeps out names that lead inside,
/// not one that changes its mind in between; and a host may keep its resolver to itself, as Spin
/// does. `docs/TRENDS.md` says what a deployment does about both.
pub(crate) async fn check(url: &Url) -> Result<(), Missed> {
    let Some(Host::Domain(name)) = url.host() else {
        return Ok(());
    };
    match resolve_addresses(name.to_owned()).await {
        Ok(addresses) if addresses.iter().all(|address| is_public(plain(address))) => Ok(()),
        Ok(_) => Err(Missed::refused("private_address")),
        Err(ErrorCode::AccessDenied | ErrorCode::PermanentResolverFailure) => Ok(()),
        Err(_) => Err(Missed::failed("dns_error")),
    }
}

fn plain(address: &IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4((a, b, c, d)) => IpAddr::V4(Ipv4Addr::new(*a, *b, *c, *d)),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => {
            IpAddr::V6(Ipv6Addr::new(*a, *b, *c, *d, *e, *f, *g, *h))
        }
    }
}

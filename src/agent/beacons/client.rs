//! Whose beacon it is, and if its page is one of ours.

use std::net::{IpAddr, SocketAddr};

use crate::agent::prefix::Prefix;

/// The client of a request: the peer, or if that is a trusted proxy, the last address in `X-Forwarded-For` that is none;
/// `forwarded` are the values of that header in their order. `None` if a proxy does not say for whom it speaks: its own
/// network must not stand for that of its clients.
///
/// Proxies append the peer that they saw, so from the right on every address was written by somebody who is trusted, up to
/// and with the first who is not. What stands left of that may be invented.
pub(super) fn client<'h>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'h str>,
    proxies: &[Prefix],
) -> Option<IpAddr> {
    let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    let peer = peer.to_canonical();
    if !is_proxy(peer) {
        return Some(peer);
    }
    for text in forwarded.rev().flat_map(|value| value.rsplit(',')) {
        let address = address(text.trim())?;
        if !is_proxy(address) {
            return Some(address);
        }
    }
    None
}

/// An address, as it stands in the header: some proxies write the port too.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// If a page of `origin` may send beacons to `host`: one of `origins`, one of the same host, and no page at all (tools
/// that say no origin can invent any). A stranger's page must not have its visitors measure for us.
pub(super) fn is_ours(origin: Option<&str>, host: Option<&str>, origins: &[String]) -> bool {
    let Some(origin) = origin else { return true };
    let same = origin.split_once("://").is_some_and(|(_, authority)| host == Some(authority));
    same || is_listed(origin, origins)
}

/// If an origin is one of those that the operator names.
pub(super) fn is_listed(origin: &str, origins: &[String]) -> bool {
    origins.iter().any(|listed| listed.trim_end_matches('/').eq_ignore_ascii_case(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_address_that_is_no_proxy_is_the_client() {
        let proxies: Vec<Prefix> = ["10.0.0.0/8", "::1"].map(|text| text.parse().unwrap()).into();
        for (peer, forwarded, expected) in [
            // peer, what it says, the client
            ("203.0.113.9", &["198.51.100.1"][..], Some("203.0.113.9")),
            ("::ffff:203.0.113.9", &[], Some("203.0.113.9")),
            ("10.0.0.1", &["198.51.100.1"], Some("198.51.100.1")),
            ("::ffff:10.0.0.1", &["192.0.2.66, 198.51.100.1"], Some("198.51.100.1")),
            ("10.0.0.1", &["192.0.2.66", "198.51.100.1, 10.2.2.2", "10.3.3.3"], Some("198.51.100.1")),
            ("::1", &["[2001:db8::7]:4711"], Some("2001:db8::7")),
            ("10.0.0.1", &["198.51.100.1:4711"], Some("198.51.100.1")),
            ("10.0.0.1", &["::ffff:198.51.100.1"], Some("198.51.100.1")),
            ("10.0.0.1", &["198.51.100.1, unknown"], None),
            ("10.0.0.1", &["10.9.9.9"], None),
            ("10.0.0.1", &[""], None),
            ("10.0.0.1", &[], None),
        ] {
            let found = client(peer.parse().unwrap(), forwarded.iter().copied(), &proxies);
            assert_eq!(found, expected.map(|text| text.parse().unwrap()), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn pages_of_strangers_are_told_apart() {
        let origins = vec!["https://www.example.com/".to_owned()];
        for (origin, host, expected) in [
            (None, None, true),
            (Some("https://www.example.com"), Some("rum.example.net"), true),
            (Some("https://rum.example.net"), Some("rum.example.net"), true),
            (Some("http://localhost:8080"), Some("localhost:8080"), true),
            (Some("http://www.example.com"), Some("rum.example.net"), false),
            (Some("https://example.org"), Some("rum.example.net"), false),
            (Some("null"), None, false),
            (Some("null"), Some("null"), false),
        ] {
            assert_eq!(is_ours(origin, host, &origins), expected, "{origin:?} {host:?}");
        }
    }
}

//! Who asks: the address that the tunnel or the owner's proxy gives, and nothing that anyone else can write.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::HeaderMap;

/// A caller as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// An address; of IPv6 the network of 64 bits, which one household has.
    Known(IpAddr),
    /// Somebody behind the tunnel, whom no header tells apart from others.
    Shared,
}

/// Who sent a request that came from `peer`; `trusted` is the header that the tunnel or the proxy sets, empty when
/// there is none. Headers of other names are never read.
pub(crate) fn client(headers: &HeaderMap, peer: Option<SocketAddr>, trusted: &str) -> Client {
    match address(headers, peer, trusted) {
        Some(address) => Client::Known(household(address)),
        None => Client::Shared,
    }
}

/// The whole address, for a list of addresses.
pub(crate) fn address(headers: &HeaderMap, peer: Option<SocketAddr>, trusted: &str) -> Option<IpAddr> {
    if trusted.is_empty() {
        // Whoever comes from this machine is a tunnel or a proxy that says nothing about others.
        return peer.map(|peer| peer.ip().to_canonical()).filter(|ip| !ip.is_loopback());
    }
    let mut values = headers.get_all(trusted).iter();
    let value = if is_list(trusted) {
        // Whatever stands before was written by the caller.
        values.next_back()?.to_str().ok()?.rsplit(',').next()?
    } else {
        let only = values.next()?.to_str().ok()?;
        if values.next().is_some() {
            return None;
        }
        only
    };
    parse(value.trim())
}

fn is_list(header: &str) -> bool {
    header.eq_ignore_ascii_case("x-forwarded-for")
}

/// `203.0.113.9`, `203.0.113.9:443`, `2001:db8::1`, `[2001:db8::1]:443`.
fn parse(text: &str) -> Option<IpAddr> {
    let ip = text.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|addr| addr.ip()));
    let ip = ip.or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok());
    ip.map(|ip| ip.to_canonical())
}

fn household(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Whether an entry of a list is an address or a network such as `203.0.113.0/24`.
pub(crate) fn is_network(entry: &str) -> bool {
    network(entry).is_some()
}

/// Whether a list of addresses and networks has this address.
pub(crate) fn listed(list: &[String], ip: IpAddr) -> bool {
    list.iter().filter_map(|entry| network(entry)).any(|(base, bits)| within(ip, base, bits))
}

fn network(entry: &str) -> Option<(IpAddr, u32)> {
    let (base, bits) = match entry.trim().split_once('/') {
        Some((base, bits)) => (base.parse::<IpAddr>().ok()?, Some(bits.parse::<u32>().ok()?)),
        None => (entry.trim().parse::<IpAddr>().ok()?, None),
    };
    let all = if base.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(all);
    (bits <= all).then_some((base, bits))
}

fn within(ip: IpAddr, base: IpAddr, bits: u32) -> bool {
    match (ip, base) {
        (IpAddr::V4(ip), IpAddr::V4(base)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            ip.to_bits() & mask == base.to_bits() & mask
        }
        (IpAddr::V6(ip), IpAddr::V6(base)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            ip.to_bits() & mask == base.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(trusted: &str, sent: &[(&'static str, &str)]) -> Client {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, value.parse().unwrap());
        }
        client(&headers, Some("127.0.0.1:4000".parse().unwrap()), trusted)
    }

    fn known(ip: &str) -> Client {
        Client::Known(ip.parse().unwrap())
    }

    #[test]
    fn only_the_header_of_the_tunnel_is_believed() {
        let forged =
            [("x-forwarded-for", "1.1.1.1"), ("cf-connecting-ip", "2.2.2.2"), ("x-real-ip", "3.3.3.3")];
        assert_eq!(of("", &forged), Client::Shared);
        assert_eq!(of("cf-connecting-ip", &forged), known("2.2.2.2"));
        assert_eq!(of("Fly-Client-IP", &forged), Client::Shared);
    }

    #[test]
    fn what_callers_write_before_the_proxys_own_entry_is_not_read() {
        let twice = [("x-forwarded-for", "9.9.9.9, 8.8.8.8"), ("x-forwarded-for", "7.7.7.7, 203.0.113.9")];
        assert_eq!(of("X-Forwarded-For", &twice), known("203.0.113.9"));
        assert_eq!(
            of("cf-connecting-ip", &[("cf-connecting-ip", "1.1.1.1"), ("cf-connecting-ip", "2.2.2.2")]),
            Client::Shared
        );
        for nonsense in ["", "unknown", "1.2.3", "1.2.3.4, 5.6.7.8x", "::1 ::2"] {
            assert_eq!(of("x-forwarded-for", &[("x-forwarded-for", nonsense)]), Client::Shared, "{nonsense}");
        }
    }

    #[test]
    fn one_household_is_one_client() {
        let from = |ip: &str| of("cf-connecting-ip", &[("cf-connecting-ip", ip)]);
        assert_eq!(from("2001:db8:1:2:3:4:5:6"), from("2001:db8:1:2::9"));
        assert_ne!(from("2001:db8:1:2::1"), from("2001:db8:1:3::1"));
        assert_eq!(from("::ffff:203.0.113.9"), known("203.0.113.9"));
        assert_eq!(from("203.0.113.9:4711"), known("203.0.113.9"));
        assert_eq!(from("[2001:db8:1:2::1]:80"), from("2001:db8:1:2::1"));
    }

    #[test]
    fn without_a_header_only_callers_from_elsewhere_are_told_apart() {
        let peer = |peer: &str| client(&HeaderMap::new(), Some(peer.parse().unwrap()), "");
        assert_eq!(peer("192.168.1.7:999"), known("192.168.1.7"));
        assert_eq!(peer("127.0.0.1:999"), Client::Shared);
        assert_eq!(peer("[::ffff:127.0.0.1]:999"), Client::Shared);
        assert_eq!(client(&HeaderMap::new(), None, ""), Client::Shared);
    }

    #[test]
    fn lists_hold_addresses_and_networks() {
        let list: Vec<String> =
            ["172.236.138.20", "103.255.0.0/16", "2001:db8::/32"].map(str::to_owned).into();
        let has = |ip: &str| listed(&list, ip.parse().unwrap());
        assert!(has("172.236.138.20") && has("103.255.238.139") && has("2001:db8:ffff::1"));
        assert!(!has("172.236.138.21") && !has("103.254.0.1") && !has("2001:db9::1"));
        assert!(listed(&["0.0.0.0/0".to_owned()], "9.9.9.9".parse().unwrap()));
        assert!(is_network("10.0.0.0/8") && !is_network("10.0.0.0/33") && !is_network("sepay.vn"));
    }
}

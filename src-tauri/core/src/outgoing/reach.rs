//! Which addresses may be called: never those of clouds' metadata services or of no machine at all; those of this
//! machine and the local network only where the settings allow it. Names are checked after they are resolved.

use std::error::Error as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Longest address of an endpoint, characters.
const LONGEST: usize = 2_000;

/// Why an address is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Not an absolute `http` or `https` address, or with a user name in it.
    #[error("the address must be https://HOST/PATH, without a user name, at most {LONGEST} characters")]
    Shape,
    /// `http` to another machine.
    #[error("the address must be https; http is for this machine and the local network")]
    Plain,
    /// An address that is never called, or not without the setting.
    #[error(
        "{0} is not called; addresses of this machine and the local network need storefront.private_webhooks = true"
    )]
    Address(String),
}

/// Reads an endpoint's address. `private` allows this machine and the local network.
///
/// # Errors
/// [`BadUrl`]; a host name is looked at again when it is resolved.
pub fn check_url(text: &str, private: bool) -> Result<Url, BadUrl> {
    let url = Url::parse(text.trim()).map_err(|_| BadUrl::Shape)?;
    let plain = url.scheme() == "http";
    if !(plain || url.scheme() == "https") || !url.username().is_empty() || url.password().is_some() {
        return Err(BadUrl::Shape);
    }
    if text.len() > LONGEST {
        return Err(BadUrl::Shape);
    }
    let near = match url.host().ok_or(BadUrl::Shape)? {
        Host::Domain(name) => {
            let local = name == "localhost" || name.ends_with(".localhost");
            if local && !private {
                return Err(BadUrl::Address(name.to_owned()));
            }
            local || (private && !name.contains('.'))
        }
        Host::Ipv4(ip) => check(ip.into(), private)?,
        Host::Ipv6(ip) => check(ip.into(), private)?,
    };
    if plain && !near { Err(BadUrl::Plain) } else { Ok(url) }
}

/// Whether the address is near: this machine or the local network.
fn check(ip: IpAddr, private: bool) -> Result<bool, BadUrl> {
    match kind(ip) {
        Kind::Public => Ok(false),
        Kind::Private if private => Ok(true),
        _ => Err(BadUrl::Address(ip.to_string())),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Public,
    /// This machine or the local network.
    Private,
    /// Link-local (the metadata services of clouds), broadcast, multicast, unspecified.
    Never,
}

fn kind(ip: IpAddr) -> Kind {
    match ip {
        IpAddr::V4(ip) => kind_v4(ip),
        IpAddr::V6(ip) => match embedded(ip) {
            Some(ip) => kind_v4(ip),
            None => kind_v6(ip),
        },
    }
}

fn kind_v4(ip: Ipv4Addr) -> Kind {
    let [a, b, ..] = ip.octets();
    // 100.64/10 is where some clouds have their metadata service; 192.0.0/24 is for protocols.
    let shared = a == 100 && (64..128).contains(&b);
    let protocols = ip.octets()[..3] == [192, 0, 0];
    if ip.is_loopback() || ip.is_private() {
        Kind::Private
    } else if a == 0 || a >= 224 || ip.is_link_local() || shared || protocols {
        Kind::Never
    } else {
        Kind::Public
    }
}

fn kind_v6(ip: Ipv6Addr) -> Kind {
    // AWS's metadata service lives among the unique local addresses.
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    if ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local() || ip == METADATA {
        Kind::Never
    } else if ip.is_loopback() || ip.is_unique_local() {
        Kind::Private
    } else {
        Kind::Public
    }
}

/// The IPv4 address inside of one: mapped, compatible, 6to4 or NAT64.
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = ip.segments();
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(of(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(of(high, low)),
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

/// Resolves names and lets only the addresses through that may be called.
#[derive(Debug, Default)]
pub(super) struct Reach {
    private: AtomicBool,
}

/// A name led nowhere that may be called.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to addresses that are not called")]
struct Refused;

impl Reach {
    pub(super) fn allow_private(&self, private: bool) {
        self.private.store(private, Ordering::Relaxed);
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private.load(Ordering::Relaxed);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One bad address spoils the name: whoever mixes them means no good.
            if found.is_empty() || found.iter().any(|address| check(address.ip(), private).is_err()) {
                return Err(Refused.into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether a call failed because its name led to an address that is not called.
pub(super) fn was_refused(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(one) = cause {
        if one.is::<Refused>() {
            return true;
        }
        cause = one.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_https_addresses_are_called_always() {
        for url in
            ["https://shop.example.com/hook", "https://8.8.8.8/", "https://[2606:4700::1111]:8443/x?y=1"]
        {
            assert!(check_url(url, false).is_ok() && check_url(url, true).is_ok(), "{url}");
        }
        assert_eq!(check_url("http://shop.example.com/", true), Err(BadUrl::Plain));
    }

    #[test]
    fn the_local_network_needs_the_setting() {
        for url in [
            "http://127.0.0.1:3000/hook",
            "http://localhost:3000",
            "https://192.168.1.5/",
            "http://10.0.0.7/x",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[fd12::5]/",
            "http://0x7f000001/",
        ] {
            assert!(matches!(check_url(url, false), Err(BadUrl::Address(_))), "{url}");
            assert!(check_url(url, true).is_ok(), "{url}");
        }
    }

    #[test]
    fn metadata_services_and_no_machines_are_never_called() {
        for url in [
            "http://169.254.169.254/latest/meta-data/",
            "https://[fe80::1]/",
            "https://[fd00:ec2::254]/",
            "https://100.100.100.200/",
            "https://0.0.0.0/",
            "https://[::]/",
            "https://255.255.255.255/",
            "https://224.0.0.1/",
            "https://[::ffff:169.254.169.254]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://[2002:a9fe:a9fe::]/",
            "https://2852039166/",
        ] {
            for private in [false, true] {
                assert!(matches!(check_url(url, private), Err(BadUrl::Address(_))), "{url}");
            }
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for url in [
            "",
            "shop.example.com",
            "ftp://shop.example.com",
            "https://u:p@shop.example.com",
            "file:///etc/passwd",
        ] {
            assert_eq!(check_url(url, true), Err(BadUrl::Shape), "{url}");
        }
        assert_eq!(
            check_url(&format!("https://shop.example.com/{}", "x".repeat(3_000)), true),
            Err(BadUrl::Shape)
        );
    }

    #[tokio::test]
    async fn a_name_is_checked_by_what_it_leads_to() {
        let reach = Reach::default();
        let resolve = || reach.resolve("localhost".parse().unwrap());
        assert!(resolve().await.is_err());
        reach.allow_private(true);
        assert!(resolve().await.is_ok(), "the control");
    }
}

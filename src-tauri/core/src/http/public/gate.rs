//! Who may ask for what at the public door, judged by address and headers alone: the name it is asked under, and
//! what a browser says about the page behind a request. `docs/threats.md` has the table; a test holds it against us.

use axum::extract::Request;

use crate::http::told::{self, Refusal};
use crate::shop::Floor;

/// The kinds of routes, which differ in who may ask and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// SePay's webhook.
    Webhook,
    /// Workers on other machines.
    Worker,
    /// The storefront's API.
    Storefront,
    /// A QR code, drawn in any page.
    Picture,
    /// Pages of buyers, and downloads: opened from mails and storefronts.
    Page,
    /// Asked by our own pages.
    News,
    /// Whether the shop answers.
    Health,
    /// The API's document.
    Document,
    /// Nothing is there.
    Unknown,
}

impl Class {
    pub(super) fn of(path: &str) -> Self {
        match path {
            "/api/v1/payment/webhook" | "/api/webhook/sepay" => return Self::Webhook,
            "/api/v1/webhook/finalize" => return Self::Worker,
            "/api/v1/openapi.json" => return Self::Document,
            "/healthz" => return Self::Health,
            _ => {}
        }
        let below = |prefix: &str| path.starts_with(prefix);
        if below("/api/v1/worker/") {
            Self::Worker
        } else if below("/api/v1/qr/") {
            Self::Picture
        } else if ["orders", "customers", "courses"].iter().any(|part| is_part(path, part)) {
            Self::Storefront
        } else if below("/d/") {
            Self::Page
        } else if below("/pay/") || below("/topup/") {
            if path.ends_with("/live") { Self::News } else { Self::Page }
        } else {
            Self::Unknown
        }
    }
}

/// Whether a path is this part of the API or below it.
fn is_part(path: &str, part: &str) -> bool {
    let rest = path.strip_prefix("/api/v1/").and_then(|path| path.strip_prefix(part));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Host first, then what a browser says.
pub(super) fn check(floor: &Floor, class: Class, request: &Request) -> Result<(), Refusal> {
    let refused = Refusal::Misdirected { setting: "public.base_url or public.allowed_hosts" };
    let host = told::host(request).ok_or(refused)?;
    if !is_ours(floor, &host) {
        return Err(refused);
    }
    let headers = request.headers();
    let fine = match class {
        // There is nothing to read or to do.
        Class::Unknown => true,
        // Servers and workers ask here, never a page; a person may look at what can be read.
        Class::Webhook | Class::Worker | Class::Storefront | Class::Health | Class::Document => {
            !told::has_origin(headers) && told::own_site(headers)
        }
        Class::Picture => {
            told::own_origin(headers, &host) && (told::own_site(headers) || told::is_picture(headers))
        }
        Class::Page => {
            told::own_origin(headers, &host) && (told::own_site(headers) || told::navigates(headers))
        }
        Class::News => told::own_origin(headers, &host) && told::own_site(headers),
    };
    if fine { Ok(()) } else { Err(Refusal::Foreign) }
}

/// The names that the shop has: what links are built from, loopback, and those of the owner's own proxies.
fn is_ours(floor: &Floor, host: &str) -> bool {
    let config = floor.config();
    let local = floor.public_addr();
    told::loopback_names(local.port()).iter().any(|name| name == host)
        || (!local.ip().is_unspecified() && local.to_string() == host)
        || names_host(&floor.base_url(), host)
        || config.public.allowed_hosts.iter().any(|name| name.eq_ignore_ascii_case(host))
}

/// Whether a URL has this host, its port left out or not where it is the usual one.
fn names_host(url: &str, host: &str) -> bool {
    let (rest, usual) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (rest, ":443"),
        (_, Some(rest)) => (rest, ":80"),
        _ => return false,
    };
    let named = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let bare = |name: &str| name.strip_suffix(usual).unwrap_or(name).to_ascii_lowercase();
    !named.is_empty() && bare(named) == bare(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_its_host_with_and_without_the_usual_port() {
        assert!(names_host("https://Shop.example.com/sub", "shop.example.com"));
        assert!(names_host("https://shop.example.com", "shop.example.com:443"));
        assert!(names_host("http://shop.example.com:8686", "shop.example.com:8686"));
        for (url, host) in [
            ("https://shop.example.com", "shop.example.com:80"),
            ("https://shop.example.com", "shop.example.com."),
            ("https://shop.example.com", "shop.example.com.evil.test"),
            ("https://shop.example.com:8443", "shop.example.com"),
            ("ftp://shop.example.com", "shop.example.com"),
            ("https://", ""),
        ] {
            assert!(!names_host(url, host), "{url} {host}");
        }
    }

    #[test]
    fn every_path_has_one_kind() {
        for (path, class) in [
            ("/api/v1/payment/webhook", Class::Webhook),
            ("/api/v1/webhook/finalize", Class::Worker),
            ("/api/v1/worker/files", Class::Worker),
            ("/api/v1/orders/DH1/cancel", Class::Storefront),
            ("/api/v1/qr/DH1.png", Class::Picture),
            ("/pay/DH1/live", Class::News),
            ("/pay/DH1", Class::Page),
            ("/d/token/live", Class::Page),
            ("/api/webhook/sepay/", Class::Unknown),
            ("/api/v1/payment/webhook/", Class::Unknown),
            ("/api/v1/ordersX", Class::Unknown),
            ("/api/v1/courses", Class::Storefront),
            ("/admin/api/orders", Class::Unknown),
            ("/", Class::Unknown),
        ] {
            assert_eq!(Class::of(path), class, "{path}");
        }
    }
}

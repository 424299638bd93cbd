//! Section `access` of the settings: under which names and from which addresses the public door lets requests in. What
//! cannot be right is refused here, since a wrong entry keeps SePay or everybody out. `settings` saves it.

use axum::http::StatusCode;
use serde_json::json;

use super::Desk;
use crate::config::Config;
use crate::http::limits::is_network;
use crate::http::problem::Answer;
use crate::shop::Rejection;
use crate::views::{AccessSettings, Problem, Settings};

/// Entries of one list.
const MOST: usize = 100;

/// Saves the section, both halves of it or none.
///
/// # Errors
/// `host_invalid`, `address_invalid` or `header_invalid`; `detail` names the entry.
pub(super) fn save(desk: &Desk, given: AccessSettings) -> Answer<()> {
    let given = tidied(given)?;
    let data_dir = desk.shop.data_dir();
    let public = json!({ "allowed_hosts": given.allowed_hosts, "client_ip_header": given.client_ip_header });
    Config::save_section(data_dir, "public", &public)?;
    Ok(Config::save_section(data_dir, "sepay", &json!({ "allowed_ips": given.allowed_ips }))?)
}

/// What kept webhooks out may let them in now.
///
/// # Errors
/// When the database cannot be written.
pub(super) async fn mended(desk: &Desk, before: &Settings, after: &Settings) -> Answer<()> {
    let (old, new) = (&before.access, &after.access);
    if old.allowed_ips != new.allowed_ips || old.client_ip_header != new.client_ip_header {
        desk.shop.mended(Rejection::NotAllowedIp).await?;
    }
    if old.allowed_hosts != new.allowed_hosts || before.tunnel.base_url != after.tunnel.base_url {
        desk.shop.mended(Rejection::WrongHost).await?;
    }
    Ok(())
}

fn tidied(given: AccessSettings) -> Answer<AccessSettings> {
    let allowed_hosts = entries(given.allowed_hosts);
    if let Some(wrong) = allowed_hosts.iter().find(|entry| !is_host(entry)) {
        return Err(refused(
            "host_invalid",
            wrong,
            "a name alone, such as shop.example.com or shop.example.com:8443",
        ));
    }
    let allowed_ips = entries(given.allowed_ips);
    if let Some(wrong) = allowed_ips.iter().find(|entry| !is_network(entry)) {
        return Err(refused("address_invalid", wrong, "an IP address or a network such as 203.0.113.0/24"));
    }
    let client_ip_header = given.client_ip_header.trim().to_owned();
    if !client_ip_header.is_empty() && client_ip_header.parse::<axum::http::HeaderName>().is_err() {
        return Err(refused("header_invalid", &client_ip_header, "the name of a header, such as X-Real-IP"));
    }
    if allowed_hosts.len() > MOST || allowed_ips.len() > MOST {
        return Err(Problem::bad(format!("at most {MOST} entries")));
    }
    Ok(AccessSettings { allowed_hosts, client_ip_header, allowed_ips })
}

fn entries(given: Vec<String>) -> Vec<String> {
    given.iter().map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect()
}

fn refused(code: &'static str, entry: &str, expected: &str) -> Problem {
    let entry: String = entry.chars().filter(|c| !c.is_control()).take(80).collect();
    Problem::new(StatusCode::BAD_REQUEST, code, format!("`{entry}`: {expected}"))
}

/// Whether this can stand in a `Host` header: a name or an address, with a port or without.
fn is_host(entry: &str) -> bool {
    let named = url::Url::parse(&format!("http://{entry}/")).ok();
    let plain =
        !entry.contains(['/', '\\', '@', '?', '#', '*']) && entry.bytes().all(|b| b.is_ascii_graphic());
    plain
        && named.is_some_and(|url| {
            url.host_str().is_some_and(|host| entry.to_ascii_lowercase().starts_with(host))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_and_nothing_more() {
        for host in
            ["shop.example.com", "Shop.Example.com:8443", "203.0.113.7", "[2001:db8::1]:8443", "localhost:80"]
        {
            assert!(is_host(host), "{host}");
        }
        for wrong in [
            "https://shop.example.com",
            "shop.example.com/pay",
            "a b",
            "*.example.com",
            "user@host",
            "shop.example.com:port",
            ":8443",
            "tên-miền.vn",
        ] {
            assert!(!is_host(wrong), "{wrong}");
        }
    }

    #[test]
    fn empty_lines_are_left_out_and_a_wrong_entry_is_named() {
        let given = |hosts: &[&str], header: &str, ips: &[&str]| AccessSettings {
            allowed_hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            client_ip_header: header.to_owned(),
            allowed_ips: ips.iter().map(|ip| (*ip).to_owned()).collect(),
        };
        let tidy =
            tidied(given(&[" shop.example.com ", ""], " X-Real-IP ", &["203.0.113.0/24", " "])).unwrap();
        assert_eq!(tidy.allowed_hosts, ["shop.example.com"]);
        assert_eq!(tidy.client_ip_header, "X-Real-IP");
        assert_eq!(tidy.allowed_ips, ["203.0.113.0/24"]);
        for (given, code, entry) in [
            (given(&["https://x.vn"], "", &[]), "host_invalid", "https://x.vn"),
            (given(&[], "X Real", &[]), "header_invalid", "X Real"),
            (given(&[], "", &["203.0.113.0/33"]), "address_invalid", "203.0.113.0/33"),
        ] {
            let problem = tidied(given).unwrap_err();
            assert_eq!(problem.code, code);
            assert!(problem.detail.contains(entry));
        }
    }
}

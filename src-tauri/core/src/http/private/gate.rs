//! Which requests could only come from our own pages or from a program, judged by their headers alone.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;

use crate::http::told::{self, Refusal};

/// The exact names under which the listener may be addressed.
pub(super) struct Gate {
    hosts: Vec<String>,
}

impl Gate {
    pub(super) fn new(local: SocketAddr, allowed_hosts: &[String]) -> Self {
        let port = local.port();
        let mut hosts = told::loopback_names(port);
        let ip = local.ip();
        if !ip.is_unspecified() && !ip.is_loopback() {
            let name = match ip {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            };
            hosts.push(format!("{name}:{port}"));
            if port == 80 {
                hosts.push(name);
            }
        }
        hosts.extend(allowed_hosts.iter().map(|host| host.to_ascii_lowercase()));
        Self { hosts }
    }

    /// Host first, then `Origin` and `Sec-Fetch-Site`. Programs send neither of the latter.
    pub(super) fn check(&self, request: &Request) -> Result<(), Refusal> {
        let host = told::host(request).filter(|host| self.hosts.contains(host));
        let host = host.ok_or(Refusal::Misdirected { setting: "private.allowed_hosts" })?;
        let headers = request.headers();
        if told::own_origin(headers, &host) && told::own_site(headers) {
            return Ok(());
        }
        Err(Refusal::Foreign)
    }
}

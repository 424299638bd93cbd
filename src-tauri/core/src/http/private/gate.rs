//! Which requests could only come from our own pages or from a program, judged by their headers alone.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::header::{self, HeaderMap};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::views::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The exact names under which the listener may be addressed.
pub(super) struct Gate {
    hosts: Vec<String>,
}

/// Why a request is turned away before anyone looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Addressed under another name: DNS rebinding, or a proxy that is not configured.
    Misdirected,
    /// Sent by a page of another site.
    Foreign,
}

impl Gate {
    pub(super) fn new(local: SocketAddr, allowed_hosts: &[String]) -> Self {
        let port = local.port();
        let mut names = vec!["127.0.0.1".to_owned(), "localhost".to_owned(), "[::1]".to_owned()];
        let ip = local.ip();
        if !ip.is_unspecified() && !ip.is_loopback() {
            names.push(match ip {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            });
        }
        let mut hosts: Vec<String> = names.iter().map(|name| format!("{name}:{port}")).collect();
        if port == 80 {
            hosts.extend(names); // browsers leave the default port out
        }
        hosts.extend(allowed_hosts.iter().map(|host| host.to_ascii_lowercase()));
        Self { hosts }
    }

    /// Host first, then `Origin` and `Sec-Fetch-Site`. Programs send neither of the latter.
    pub(super) fn check(&self, request: &Request) -> Result<(), Refusal> {
        let headers = request.headers();
        let host = only(headers, &header::HOST).ok_or(Refusal::Misdirected)?.to_ascii_lowercase();
        if !self.hosts.contains(&host) {
            return Err(Refusal::Misdirected);
        }
        // An absolute request line may name another host than the header.
        if request.uri().authority().is_some_and(|authority| authority.as_str().to_ascii_lowercase() != host)
        {
            return Err(Refusal::Misdirected);
        }
        if headers.contains_key(header::ORIGIN) {
            let origin = only(headers, &header::ORIGIN).ok_or(Refusal::Foreign)?.to_ascii_lowercase();
            let own = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            if own != Some(host.as_str()) {
                return Err(Refusal::Foreign);
            }
        }
        if headers.contains_key(SEC_FETCH_SITE) {
            // `same-site` is another port of this machine, and not ours.
            match only(headers, &SEC_FETCH_SITE) {
                Some("same-origin" | "none") => {}
                _ => return Err(Refusal::Foreign),
            }
        }
        Ok(())
    }
}

/// The header's value when it is there exactly once and is text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Misdirected => Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "bad_request",
                "This address is not served here. A name of your own goes into private.allowed_hosts.",
            )
            .into_response(),
            Self::Foreign => {
                Problem::new(StatusCode::FORBIDDEN, "bad_request", "Requests of other web pages are refused.")
                    .into_response()
            }
        }
    }
}

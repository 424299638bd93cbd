//! What a request says about where it is meant for and where it comes from, read in one way for both doors.

use axum::extract::Request;
use axum::http::header::{self, HeaderMap};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::views::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Why a request is turned away before anyone looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Addressed under another name: DNS rebinding, or a proxy that is not configured.
    Misdirected {
        /// The setting that a name of the owner's goes into.
        setting: &'static str,
    },
    /// Sent by a page of another site.
    Foreign,
}

/// The name that a request is addressed to, in lower case; `None` when it is missing, there twice, or contradicted by
/// the request line.
pub(super) fn host(request: &Request) -> Option<String> {
    let host = only(request.headers(), &header::HOST)?.to_ascii_lowercase();
    let absolute = request.uri().authority().map(|authority| authority.as_str().to_ascii_lowercase());
    absolute.is_none_or(|named| named == host).then_some(host)
}

/// The names that a listener on loopback at this port has.
pub(super) fn loopback_names(port: u16) -> Vec<String> {
    let names = ["127.0.0.1", "localhost", "[::1]"];
    let mut all: Vec<String> = names.iter().map(|name| format!("{name}:{port}")).collect();
    if port == 80 {
        // Browsers leave the default port out.
        all.extend(names.map(str::to_owned));
    }
    all
}

/// Whether no page of another origin says that it sent this: `Origin` is absent or that of `host`.
pub(super) fn own_origin(headers: &HeaderMap, host: &str) -> bool {
    if !headers.contains_key(header::ORIGIN) {
        return true;
    }
    let Some(origin) = only(headers, &header::ORIGIN).map(str::to_ascii_lowercase) else { return false };
    let named = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    named == Some(host)
}

/// Whether there is an `Origin` at all: programs send none.
pub(super) fn has_origin(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN)
}

/// Whether the browser, if it is one, says that a page of this origin or a person at the address bar asked.
pub(super) fn own_site(headers: &HeaderMap) -> bool {
    // `same-site` is another port of this machine, and not ours.
    !headers.contains_key(SEC_FETCH_SITE)
        || matches!(only(headers, &SEC_FETCH_SITE), Some("same-origin" | "none"))
}

/// Whether a person followed a link in a tab: no frame, no picture, no script.
pub(super) fn navigates(headers: &HeaderMap) -> bool {
    only(headers, &SEC_FETCH_SITE).is_some()
        && only(headers, &SEC_FETCH_MODE) == Some("navigate")
        && only(headers, &SEC_FETCH_DEST) == Some("document")
}

/// Whether a picture is drawn somewhere, without its bytes being read.
pub(super) fn is_picture(headers: &HeaderMap) -> bool {
    only(headers, &SEC_FETCH_SITE).is_some()
        && only(headers, &SEC_FETCH_MODE) == Some("no-cors")
        && only(headers, &SEC_FETCH_DEST) == Some("image")
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
            Self::Misdirected { setting } => Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "wrong_host",
                format!("This address is not served here. A name of your own goes into {setting}."),
            )
            .into_response(),
            Self::Foreign => Problem::new(
                StatusCode::FORBIDDEN,
                "foreign_page",
                "Requests of other web pages are refused.",
            )
            .into_response(),
        }
    }
}

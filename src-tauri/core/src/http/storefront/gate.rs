//! Who may ask what, and what a request must look like: keys and scopes, JSON bodies, refusals as problem documents.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::http::problem::Answer;
use crate::shop::Floor;
use crate::views::Problem;

/// Everything a key can be allowed: a word alone stands for its parts, `*` for everything.
pub const SCOPES: &[&str] = &[
    "*",
    "orders",
    "orders:read",
    "orders:write",
    "customers",
    "customers:read",
    "customers:write",
    "courses",
    "courses:read",
];

/// Longest path with its query, bytes.
const LONGEST_URL: usize = 2_048;

/// The scopes that routes ask for, by number, since a constant of a type cannot be a text.
pub(super) struct Need;

impl Need {
    pub(super) const READ_ORDERS: u8 = 0;
    pub(super) const WRITE_ORDERS: u8 = 1;
    pub(super) const READ_CUSTOMERS: u8 = 2;
    pub(super) const WRITE_CUSTOMERS: u8 = 3;
    pub(super) const READ_COURSES: u8 = 4;
    const NAMES: [&str; 5] =
        ["orders:read", "orders:write", "customers:read", "customers:write", "courses:read"];

    /// The scope's name.
    pub(super) const fn name(need: u8) -> &'static str {
        Self::NAMES[need as usize]
    }
}

/// A storefront whose key has the scope `NEED`.
pub(super) struct Key<const NEED: u8> {
    /// Name of the storefront.
    pub(super) name: String,
}

impl<const NEED: u8> Key<NEED> {
    /// As audit rows name it.
    pub(super) fn actor(&self) -> String {
        format!("storefront:{}", self.name)
    }
}

impl<const NEED: u8> FromRequestParts<Floor> for Key<NEED> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, floor: &Floor) -> Result<Self, Problem> {
        storefront(floor, &parts.headers, Need::name(NEED)).await.map(|name| Self { name })
    }
}

/// The storefront that the bearer key of a request belongs to.
///
/// # Errors
/// 401 without a valid key, 403 for a key without this scope.
pub(super) async fn storefront(floor: &Floor, headers: &HeaderMap, scope: &str) -> Answer<String> {
    let refused = || {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "Send a storefront key as `Authorization: Bearer …`; the shop's owner makes one in the settings of ChotDon.",
        )
    };
    let value =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(refused)?;
    let (scheme, key) = value.split_once(' ').ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refused());
    }
    // Looked up by its hash: what the database compares is not the key.
    let hash = hex::encode(Sha256::digest(key.trim().as_bytes()));
    let known = floor.store.storefront_key(&hash).await?.ok_or_else(refused)?;
    floor.key_uses.note(known.id, floor.clock.now_ms());
    if !known.scopes.split_whitespace().any(|given| covers(given, scope)) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            format!("This key lacks the scope {scope}."),
        ));
    }
    Ok(known.name)
}

/// What these scopes allow, in the smallest scopes there are.
pub(crate) fn least_scopes(given: &str) -> Vec<&'static str> {
    let allowed = |scope: &&str| given.split_whitespace().any(|one| covers(one, scope));
    Need::NAMES.into_iter().filter(allowed).collect()
}

/// Whether the given scope allows what `wanted` names.
fn covers(given: &str, wanted: &str) -> bool {
    given == "*" || given == wanted || wanted.split_once(':').is_some_and(|(family, _)| family == given)
}

/// A JSON body, and its bytes as they came. Unknown fields are refused where the type says so.
pub(super) struct Sent<T> {
    pub(super) value: T,
    pub(super) bytes: Bytes,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        json_sent(request.headers())?;
        let bytes = bytes(request, state).await?;
        let value = serde_json::from_slice(&bytes).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => Problem::bad(format!("the JSON body: {error}")),
            _ => Problem::new(
                StatusCode::BAD_REQUEST,
                "malformed_json",
                format!("the body is not JSON: {error}"),
            ),
        })?;
        Ok(Self { value, bytes })
    }
}

/// A JSON body that may be left out.
pub(super) struct Perhaps<T>(pub(super) Option<T>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Perhaps<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let bytes = bytes(request, state).await?;
        if bytes.trim_ascii().is_empty() {
            return Ok(Self(None));
        }
        let mut again = Request::new(axum::body::Body::from(bytes));
        *again.headers_mut() = headers;
        Sent::from_request(again, state).await.map(|sent| Self(Some(sent.value)))
    }
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Answer<Bytes> {
    Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            let most = sepay::webhook::MAX_BODY;
            return Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                format!("the body is longer than {most} bytes"),
            );
        }
        Problem::bad("the body broke off")
    })
}

/// A body without a content type is taken for JSON; any other type than JSON is refused.
fn json_sent(headers: &HeaderMap) -> Answer<()> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "send the body as `Content-Type: application/json`",
    ))
}

/// The one part of a path, as text.
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(text)| Self(text)).map_err(|_| Problem::not_found("this path"))
    }
}

/// Refuses who cannot read JSON, before anything is done.
pub(super) async fn json_wanted(request: Request, next: Next) -> Response {
    if accepts(request.headers(), "application/json") {
        return next.run(request).await;
    }
    not_acceptable("application/json").into_response()
}

pub(super) fn not_acceptable(offered: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_ACCEPTABLE,
        "not_acceptable",
        format!("the answer is {offered}; the Accept header leaves it out"),
    )
}

/// Whether the `Accept` headers let `offered` through; none at all lets everything.
pub(super) fn accepts(headers: &HeaderMap, offered: &str) -> bool {
    let family = offered.split_once('/').map_or("", |(family, _)| family);
    let mut best: Option<(u8, bool)> = None;
    let mut any = false;
    for range in headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()) {
        for range in range.split(',') {
            any = true;
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            // The most exact range decides; `q=0` is a no.
            let exact = match name.as_str() {
                name if name == offered => 3,
                name if name.strip_suffix("/*") == Some(family) => 2,
                "*/*" => 1,
                _ => continue,
            };
            let refused = parts
                .any(|part| part.strip_prefix("q=").is_some_and(|q| q.trim_matches(['0', '.']).is_empty()));
            if best.is_none_or(|(known, _)| exact > known) {
                best = Some((exact, !refused));
            }
        }
    }
    best.map_or(!any, |(_, wanted)| wanted)
}

/// Makes every refusal a problem document, those of the framework too, and keeps addresses short.
pub(super) async fn plain_refusals(request: Request, next: Next) -> Response {
    let head = request.method() == Method::HEAD;
    if request.uri().path_and_query().is_some_and(|path| path.as_str().len() > LONGEST_URL) {
        let detail = format!("the address is longer than {LONGEST_URL} bytes");
        return Problem::new(StatusCode::URI_TOO_LONG, "uri_too_long", detail).into_response();
    }
    let mut response = next.run(request).await;
    let status = response.status();
    let is_problem =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
    if (status.is_client_error() || status.is_server_error()) && !is_problem && !head {
        let code = match status {
            StatusCode::REQUEST_TIMEOUT => "timeout",
            StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
            _ => "bad_request",
        };
        let allow = response.headers_mut().remove(header::ALLOW);
        response = Problem::new(status, code, "the request could not be answered").into_response();
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    if status == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer realm=\"storefront\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// For paths that are served, but not with this method. The router adds which ones are.
pub(crate) async fn no_method(request: Request) -> Problem {
    let detail = format!("{} is not answered at {}", request.method(), request.uri().path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// An answer with a status and headers of its own.
pub(super) fn answered(
    status: StatusCode,
    body: &serde_json::Value,
    headers: impl IntoIterator<Item = (&'static str, String)>,
) -> Response {
    let mut response = (status, Json(body)).into_response();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_itself_and_its_parts() {
        assert!(covers("*", "orders:write") && covers("orders", "orders:read"));
        assert!(covers("orders:read", "orders:read"));
        assert!(!covers("orders:read", "orders:write") && !covers("courses", "orders:read"));
        assert!(!covers("order", "orders:read") && !covers("", "orders:read"));
        assert!(Need::NAMES.iter().all(|need| SCOPES.contains(need)));
        assert_eq!(least_scopes("*"), Need::NAMES);
        assert_eq!(least_scopes("courses orders:read"), ["orders:read", "courses:read"]);
        assert!(least_scopes("").is_empty());
    }

    #[test]
    fn the_most_exact_accept_range_decides() {
        let asked = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::ACCEPT, HeaderValue::from_static(value));
            }
            accepts(&headers, "application/json")
        };
        for fine in [&[][..], &["*/*"], &["text/html, application/*;q=0.5"], &["Application/JSON"]] {
            assert!(asked(fine), "{fine:?}");
        }
        for refused in [&["text/html"][..], &["*/*, application/json;q=0"], &["application/xml", "image/*"]] {
            assert!(!asked(refused), "{refused:?}");
        }
    }
}

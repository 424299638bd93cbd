//! The private door: the owner's browser and scripts. Wraps the admin API, which itself asks nobody who they are.
//!
//! Order of the checks: Host, where the request came from, who sent it. A foreign web page gets nothing at all,
//! not even the login page (`docs/threats.md`). Served by the private listener only; the desktop's window
//! reaches the admin API inside the process.

mod assets;
mod gate;
mod sessions;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tower::ServiceExt;
use zeroize::Zeroizing;

use super::sign_ins::{SignIn, SignIns};
use crate::ports::Clock;
use crate::secrets::{Credentials, SecretName, same};
use crate::views::Problem;
use gate::Gate;
use sessions::Sessions;

/// The UI's own pages: no other origin, no frames around them. A mail is shown in a frame without a source, which
/// has this policy too; its attributes of style are let through.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; \
                      img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-src 'none'; \
                      object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the private door needs to know.
#[derive(Clone)]
pub struct PrivateDoor {
    /// Knows the admin token.
    pub credentials: Credentials,
    /// Sessions expire by it.
    pub clock: Arc<dyn Clock>,
    /// Address that the listener is bound to.
    pub local: SocketAddr,
    /// Further names that a browser may use: `private.allowed_hosts`.
    pub allowed_hosts: Vec<String>,
    /// Writes down who came in.
    pub sign_ins: SignIns,
}

struct Inside {
    credentials: Credentials,
    clock: Arc<dyn Clock>,
    gate: Gate,
    sessions: Sessions,
    sign_ins: SignIns,
}

impl PrivateDoor {
    /// The whole private listener: UI at `/`, `/login`, `/logout`, and `admin` (`/admin/api/*`, `/health`,
    /// `/metrics`) behind the bearer token or a session.
    pub fn router(self, admin: Router) -> Router {
        let inside = Arc::new(Inside {
            gate: Gate::new(self.local, &self.allowed_hosts),
            credentials: self.credentials,
            clock: self.clock,
            sessions: Sessions::default(),
            sign_ins: self.sign_ins,
        });
        let admin = admin.layer(middleware::from_fn_with_state(Arc::clone(&inside), signed_in));
        // Told apart here and not by routes of this router: a wildcard would add its capture to the admin API's own.
        let rest = move |request: Request| {
            let admin = admin.clone();
            async move {
                let path = request.uri().path();
                let inner = matches!(path, "/health" | "/metrics" | "/admin") || path.starts_with("/admin/");
                if inner {
                    return admin.oneshot(request).await.into_response();
                }
                let (parts, _) = request.into_parts();
                assets::serve(parts.method, parts.uri, parts.headers).await
            }
        };
        Router::new()
            .route("/login", post(login))
            .route("/logout", post(logout))
            .fallback(rest)
            .layer(middleware::from_fn_with_state(Arc::clone(&inside), own_pages_only))
            .layer(middleware::map_response(harden))
            .with_state(inside)
    }
}

/// Refuses whatever another web page could have sent.
async fn own_pages_only(State(inside): State<Arc<Inside>>, request: Request, next: Next) -> Response {
    match inside.gate.check(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Lets pass who knows the token or has a session.
async fn signed_in(State(inside): State<Arc<Inside>>, request: Request, next: Next) -> Response {
    match inside.identify(request.headers()).await {
        Ok(Some(Proof::Bearer)) => next.run(request).await,
        Ok(Some(Proof::Session)) => {
            // A form of another site cannot send JSON without asking first, and is never allowed to.
            if changes_state(request.method()) && !is_json(request.headers()) {
                return Problem::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "bad_request",
                    "Send changes as application/json.",
                )
                .into_response();
            }
            next.run(request).await
        }
        Ok(None) => login_required(),
        Err(answer) => answer,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    Bearer,
    Session,
}

impl Inside {
    async fn identify(&self, headers: &HeaderMap) -> Result<Option<Proof>, Response> {
        let tokens = self.tokens().await?;
        if headers.contains_key(header::AUTHORIZATION) {
            let good = bearer(headers).is_some_and(|given| known(given, &tokens).is_some());
            if !good {
                self.sign_ins.note(SignIn::Refused, self.clock.now_ms()).await;
            }
            return Ok(good.then_some(Proof::Bearer));
        }
        let session = sessions::cookie(headers);
        let good = session.is_some_and(|id| self.sessions.touch(id, &tokens, self.clock.now_ms()));
        Ok(good.then_some(Proof::Session))
    }

    /// The tokens that are good now: two during a rotation.
    async fn tokens(&self) -> Result<Vec<SecretString>, Response> {
        let live = self.credentials.live_values(&SecretName::admin_token(), self.clock.now_ms()).await;
        match live {
            Ok(values) => Ok(values),
            Err(error) => {
                tracing::error!(%error, "the admin token cannot be read");
                Err(Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "secret_store_unavailable",
                    "The store of secrets cannot be read; see the log.",
                )
                .into_response())
            }
        }
    }
}

/// Body of `POST /login`.
#[derive(Deserialize)]
struct Login {
    token: String,
}

/// `POST /login` → 204 and a session cookie.
async fn login(State(inside): State<Arc<Inside>>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    if !is_json(&headers) {
        return Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "bad_request",
            "Send {\"token\": …} as application/json.",
        )
        .into_response();
    }
    let Ok(Login { token }) = serde_json::from_slice(&body) else {
        return Problem::new(StatusCode::BAD_REQUEST, "bad_request", "Send {\"token\": …}.").into_response();
    };
    let token = Zeroizing::new(token);
    let now = inside.clock.now_ms();
    if let Some(wait_s) = inside.sessions.throttled(now) {
        let mut answer = Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_attempts",
            "Too many wrong tokens; wait a moment.",
        )
        .into_response();
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
        return answer;
    }
    let tokens = match inside.tokens().await {
        Ok(tokens) => tokens,
        Err(answer) => return answer,
    };
    match known(token.trim(), &tokens) {
        Some(token) => {
            if let Some(before) = sessions::cookie(&headers) {
                inside.sessions.close(before);
            }
            let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes).unwrap_or_default();
            let cookie = inside.sessions.open(token, origin.starts_with(b"https://"), now);
            inside.sign_ins.note(SignIn::Login, now).await;
            (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response()
        }
        None => {
            inside.sessions.note_failure(now);
            inside.sign_ins.note(SignIn::Refused, now).await;
            tracing::warn!("a login with a wrong admin token was refused");
            login_required()
        }
    }
}

/// `POST /logout` → 204; the session is void and the cookie taken back.
async fn logout(State(inside): State<Arc<Inside>>, headers: HeaderMap) -> Response {
    if sessions::cookie(&headers).is_some_and(|id| inside.sessions.close(id)) {
        inside.sign_ins.note(SignIn::Logout, inside.clock.now_ms()).await;
    }
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, sessions::TAKE_BACK)]).into_response()
}

/// The token that was given, when it is one of those.
fn known<'a>(given: &str, tokens: &'a [SecretString]) -> Option<&'a SecretString> {
    tokens.iter().find(|token| same(given, token.expose_secret()))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn changes_state(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn login_required() -> Response {
    let mut answer = Problem::new(
        StatusCode::UNAUTHORIZED,
        "login_required",
        "Send the admin token (`chotdon-server admin-token`) as a bearer token, or log in.",
    )
    .into_response();
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

/// Headers of every answer. What sets its own caching (hashed assets) keeps it.
async fn harden(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

#[cfg(test)]
mod tests;

//! The outermost layer of the public listener: name and origin of a request, then how often its sender has asked.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::gate::{self, Class};
use crate::http::limits::{self, Client, TooMuch};
use crate::http::problem;
use crate::http::told::Refusal;
use crate::shop::{Floor, Rejection};

/// Lets a request in, or says why not.
pub(super) async fn guard(State(floor): State<Floor>, mut request: Request, next: Next) -> Response {
    let class = Class::of(request.uri().path());
    if let Err(refusal) = gate::check(&floor, class, &request) {
        match refusal {
            _ if class != Class::Webhook => {}
            Refusal::Misdirected { .. } => misdirected(&floor, request).await,
            Refusal::Foreign => floor.intake.refuse(Rejection::Unauthorized, floor.clock.now_ms()),
        }
        return hardened(class, refusal.into_response());
    }
    let config = floor.config();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    let trusted = trusted(&floor, peer);
    let client = limits::client(request.headers(), peer, &trusted);
    request.extensions_mut().insert(client);
    if class == Class::Webhook && !config.sepay.allowed_ips.is_empty() {
        let address = limits::address(request.headers(), peer, &trusted);
        request.extensions_mut().insert(From(address));
    }
    if !config.limits.enabled {
        // What no kind of route covers is not there, even if a router had it.
        let response = if class == Class::Unknown { nothing(request).await } else { next.run(request).await };
        return hardened(class, response);
    }
    let answered = limited(&floor, class, client, request, next).await;
    hardened(class, answered.unwrap_or_else(IntoResponse::into_response))
}

/// Counts a webhook under a name that is not the shop's. With the right key it is SePay that calls, and the owner is
/// told; the answer is the same for everybody.
async fn misdirected(floor: &Floor, request: Request) {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.unwrap_or_default().to_owned();
    let (head, body) = request.into_parts();
    let body = if head.method == Method::POST {
        axum::body::to_bytes(body, sepay::webhook::MAX_BODY).await.ok()
    } else {
        None
    };
    let now = floor.clock.now_ms();
    let authentic = match body {
        Some(body) => matches!(super::verified(floor, &head.headers, &body, now).await, Ok(Ok(_))),
        None => false,
    };
    if authentic {
        tracing::warn!(host, "a webhook with the right key came under a name that is not the shop's");
        floor.intake.keep_out(Rejection::WrongHost, &host, now);
    } else {
        floor.intake.refuse(Rejection::WrongHost, now);
    }
}

/// The header that is believed of this peer: a tunnel of ours comes from this machine, and whoever does not is no
/// tunnel. The owner's own setting is the owner's own word.
fn trusted(floor: &Floor, peer: Option<SocketAddr>) -> String {
    let set = !floor.config().public.client_ip_header.is_empty();
    let here = peer.is_none_or(|peer| peer.ip().to_canonical().is_loopback());
    if set || here { floor.client_ip_header() } else { String::new() }
}

/// The whole address that a webhook came from, where there is a list of SePay's.
#[derive(Debug, Clone, Copy)]
pub(super) struct From(pub(super) Option<std::net::IpAddr>);

async fn limited(
    floor: &Floor,
    class: Class,
    client: Client,
    request: Request,
    next: Next,
) -> Result<Response, TooMuch> {
    let config = floor.config();
    let (figures, now) = (&config.limits, floor.clock.now_ms());
    match class {
        // SePay is known by its signature and by nothing before; the handler counts what was refused. Whether the
        // shop answers must be seen however many ask.
        Class::Webhook | Class::Health => Ok(next.run(request).await),
        Class::Worker | Class::Storefront => {
            let _inside = floor.limits.enter(client, figures.at_once)?;
            let key = limits::key_of(request.headers()).cloned();
            floor.limits.before_key(client, key.as_ref(), figures, now)?;
            let response = next.run(request).await;
            if response.status() == StatusCode::UNAUTHORIZED {
                floor.limits.refused(client, figures, now)?;
            } else if let Some(key) = key.filter(|_| class == Class::Storefront && was_seen(&response)) {
                floor.limits.good_key(&key, now);
            }
            Ok(response)
        }
        Class::Picture | Class::Page | Class::News | Class::Document => {
            let _inside = floor.limits.enter(client, figures.at_once)?;
            floor.limits.visit(client, figures, now)?;
            Ok(next.run(request).await)
        }
        Class::Unknown => {
            floor.limits.visit(client, figures, now)?;
            Ok(nothing(request).await)
        }
    }
}

async fn nothing(request: Request) -> Response {
    problem::no_route(request).await.into_response()
}

/// Whether the handler looked at the key: paths and methods that are not served are answered before.
fn was_seen(response: &Response) -> bool {
    response.status().is_success() || response.status() == StatusCode::FORBIDDEN
}

/// What every answer has that does not say something stricter itself.
fn hardened(class: Class, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    // Browsers play videos and show papers in a page of their own, which a policy would empty.
    if class != Class::Page {
        let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(nothing);
    }
    response
}

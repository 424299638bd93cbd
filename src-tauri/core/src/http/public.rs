//! The door that the tunnel reaches: SePay's webhook, buyers' links, the storefront. Everything else is 404.
//!
//! `gate` says who may ask for what, `door` asks it first and counts.

mod answers;
mod door;
mod gate;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Extension, Path, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::json;
use std::time::Duration;
use tower_http::timeout::TimeoutLayer;

use chotdon_store::Source;
use sepay::{Authentic, ParseError, Rejected};

use super::limits::{Client, listed};
use super::problem;
use crate::delivery::download::{Refusal, Shared, refuse};
use crate::delivery::{Location, Manifest};
use crate::intake::incoming;
use crate::ports::SecretError;
use crate::shop::{Floor, Rejection};

/// A request that takes longer is cut off; downloads are not requests in this sense, their body goes on.
const DEADLINE: Duration = Duration::from_secs(20);

pub(super) use answers::describe;

/// Every public route.
pub(crate) fn router(floor: &Floor) -> Router {
    Router::new()
        .route("/api/v1/payment/webhook", post(webhook))
        .route("/api/webhook/sepay", post(webhook))
        .route("/healthz", get(healthz))
        .route("/d/{token}", get(download))
        .route("/d/{token}/{*path}", get(download_file))
        .merge(super::storefront::router())
        .merge(super::hosted::router())
        .fallback(problem::no_route)
        .method_not_allowed_fallback(super::storefront::no_method)
        .layer(DefaultBodyLimit::max(sepay::webhook::MAX_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, DEADLINE))
        // With limits of their own: they wait for work, and send files.
        .merge(super::worker::router())
        .layer(middleware::from_fn_with_state(floor.clone(), door::guard))
        .with_state(floor.clone())
}

/// Says no more than that it is there; whether a number was expected is nobody's business.
async fn healthz(State(floor): State<Floor>, RawQuery(query): RawQuery) -> Json<serde_json::Value> {
    floor.tunnel.asked(query.as_deref().unwrap_or_default());
    Json(json!({ "status": "ok" }))
}

/// SePay's webhook: verified on raw bytes, parsed, booked in one commit, then answered.
async fn webhook(
    State(floor): State<Floor>,
    client: Option<Extension<Client>>,
    from: Option<Extension<door::From>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let client = client.map_or(Client::Shared, |Extension(client)| client);
    let asked_at = floor.clock.now_ms();
    let body = match body {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            floor.intake.refuse(Rejection::TooLarge, asked_at);
            return answer(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large");
        }
        Err(_) => {
            floor.intake.refuse(Rejection::Malformed, asked_at);
            return answer(StatusCode::BAD_REQUEST, "malformed");
        }
    };
    let now = floor.clock.now_ms();
    let authentic = match verified(&floor, &headers, &body, now).await {
        Ok(Ok(authentic)) => authentic,
        Err(error) => {
            tracing::error!(%error, "webhooks cannot be checked; SePay is asked to try again");
            return answer(StatusCode::SERVICE_UNAVAILABLE, "secret_store_unavailable");
        }
        Ok(Err(rejected)) => return reject(&floor, client, rejected, is_payment_gateway(&headers, &body)),
    };
    if let Some(Extension(door::From(Some(address)))) = from
        && !listed(&floor.config().sepay.allowed_ips, address)
    {
        floor.intake.keep_out(Rejection::NotAllowedIp, &address.to_string(), now);
        tracing::warn!(%address, "a webhook with the right key came from an address that sepay.allowed_ips lacks");
        return answer(StatusCode::FORBIDDEN, "address_not_allowed");
    }
    floor.webhook_came(headers.get(header::HOST).and_then(|host| host.to_str().ok()));
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let notification = match sepay::parse(&authentic, content_type) {
        Ok(notification) => notification,
        Err(error) => {
            floor.intake.refuse(Rejection::of(&error), now);
            tracing::warn!(%error, "an authentic webhook could not be read");
            return unreadable(&error);
        }
    };
    let raw = String::from_utf8_lossy(authentic.body()).into_owned();
    let Ok(incoming) = incoming(notification, Source::Webhook, raw, now) else {
        return answer(StatusCode::BAD_REQUEST, "invalid_amount");
    };
    let (sepay_id, amount_vnd) = (incoming.sepay_id, incoming.amount.get());
    match floor.store.take_in(incoming).await {
        Ok(taken) => {
            tracing::info!(
                sepay_id,
                amount_vnd,
                outcome = taken.outcome.as_str(),
                order_code = taken.order,
                "transfer"
            );
            let mut words = json!({ "success": true, "outcome": taken.outcome.as_str() });
            if let Some(order) = taken.order {
                words["order"] = json!(order);
            }
            let took = floor.clock.now_ms().saturating_sub(asked_at);
            floor.intake.answered(took);
            floor.intake.metrics.webhook(taken.outcome, took);
            Json(words).into_response()
        }
        Err(error) => {
            tracing::error!(%error, sepay_id, amount_vnd, "a transfer could not be stored; SePay is asked to try again");
            answer(StatusCode::SERVICE_UNAVAILABLE, "cannot_store_now")
        }
    }
}

/// Whether a body was sent by SePay, by the keys that are valid at `now`.
async fn verified(
    floor: &Floor,
    headers: &HeaderMap,
    body: &Bytes,
    now: i64,
) -> Result<Result<Authentic<Bytes>, Rejected>, SecretError> {
    let keys = floor.sepay_keys().await?;
    let tolerance = u64::try_from(floor.config().sepay.timestamp_tolerance_s).unwrap_or_default();
    let named = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    Ok(sepay::verify(named, body.clone(), &keys, now.div_euclid(1000), tolerance))
}

/// Every refusal looks the same from outside, until there are too many.
fn reject(floor: &Floor, client: Client, rejected: Rejected, looks_foreign: bool) -> Response {
    let now = floor.clock.now_ms();
    let too_many = floor.limits.refused(client, &floor.config().limits, now).err();
    let refusal = match rejected {
        Rejected::Stale => Rejection::Stale,
        _ if looks_foreign => Rejection::WrongProduct,
        _ if too_many.is_some() => Rejection::RateLimited,
        _ => Rejection::Unauthorized,
    };
    floor.intake.refuse(refusal, now);
    tracing::debug!(reason = rejected.as_str(), "a webhook was refused");
    match too_many {
        Some(too_many) => too_many.dress(answer(StatusCode::TOO_MANY_REQUESTS, "rate_limited")),
        None => answer(StatusCode::UNAUTHORIZED, "unauthorized"),
    }
}

/// Whether this looks like SePay's payment gateway rather than its bank webhook. Only a hint for the owner, who may
/// have entered our address in the wrong place: nothing of a request without our key is believed.
fn is_payment_gateway(headers: &HeaderMap, body: &[u8]) -> bool {
    let says = |word: &str| body.windows(word.len()).any(|part| part == word.as_bytes());
    headers.contains_key("x-secret-key")
        || (says("\"notification_type\"") && says("\"order_invoice_number\""))
}

fn unreadable(error: &ParseError) -> Response {
    let status = match error {
        ParseError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    let (word, detail) = match error {
        ParseError::WrongProduct => (
            "wrong_product",
            "this address takes SePay's bank webhook (Tích hợp WebHooks), not the payment gateway's IPN"
                .to_owned(),
        ),
        _ => ("malformed", error.to_string()),
    };
    (status, Json(json!({ "success": false, "error": word, "detail": detail }))).into_response()
}

fn answer(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "success": false, "error": error }))).into_response()
}

async fn download(
    State(floor): State<Floor>,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    give(&floor, &token, None, &method, &headers).await
}

async fn download_file(
    State(floor): State<Floor>,
    Path((token, path)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    give(&floor, &token, Some(&path), &method, &headers).await
}

async fn give(
    floor: &Floor,
    token: &str,
    path: Option<&str>,
    method: &Method,
    headers: &HeaderMap,
) -> Response {
    let config = floor.config();
    let shop = config.shop.name.as_str();
    let Some(id) = floor.link_key.parse(token) else { return refuse(Refusal::Unknown, shop, headers) };
    let link = match floor.store.link(id).await {
        Ok(Some(link)) => link,
        Ok(None) => return refuse(Refusal::Unknown, shop, headers),
        Err(error) => {
            tracing::error!(%error, "a link could not be looked up");
            return refuse(Refusal::Broken, shop, headers);
        }
    };
    let stored =
        (serde_json::from_str::<Manifest>(&link.manifest), serde_json::from_str::<Location>(&link.location));
    let (Ok(manifest), Ok(location)) = stored else { return refuse(Refusal::Broken, shop, headers) };
    let shared = Shared {
        token,
        library: &floor.library(),
        remotes: Some(&floor.ways.remotes),
        location: &location,
        manifest: &manifest,
        course_title: &link.title,
        shop_name: shop,
        expires_at: Some(link.expires_at),
    };
    let now = floor.clock.now_ms();
    if link.revoked {
        return refuse(Refusal::Revoked, shop, headers);
    }
    if link.expires_at <= now {
        return refuse(Refusal::Expired, shop, headers);
    }
    if shared.counts(path, method, headers) {
        match floor.store.count_download(id, shared.allowance(link.max_downloads), now).await {
            Ok(true) => {}
            Ok(false) => return refuse(Refusal::UsedUp, shop, headers),
            Err(error) => {
                tracing::error!(%error, "a download could not be counted");
                return refuse(Refusal::Broken, shop, headers);
            }
        }
    }
    shared.respond(path, method, headers).await
}

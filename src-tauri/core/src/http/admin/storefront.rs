//! Endpoints of storefronts that are told by webhook.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chotdon_store::{EndpointRecord, OutgoingRecord};
use serde::Deserialize;
use serde_json::Value;

use super::Desk;
use super::page::{page, window};
use super::state::OWNER;
use crate::http::problem::{Answer, Asked, Given};
use crate::outgoing::check_url;
use crate::present::rfc3339;
use crate::secrets::SecretName;
use crate::views::{OutgoingRow, Page, Problem, QueuedWebhook, WebhookEndpoint, WebhookEndpointChange};

/// Every endpoint, by name; one page.
#[utoipa::path(get, path = "/admin/api/storefront/webhooks", tag = "storefront",
    responses((status = 200, body = Page<WebhookEndpoint>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn endpoints(State(desk): State<Desk>) -> Answer<Json<Page<WebhookEndpoint>>> {
    let mut rows = Vec::new();
    for endpoint in desk.store.endpoints().await? {
        rows.push(view(&desk, &endpoint).await?);
    }
    Ok(Json(Page { rows, next: None }))
}

/// Adds an endpoint, or changes it and takes it into use again.
#[utoipa::path(put, path = "/admin/api/storefront/webhooks/{name}", tag = "storefront", request_body = WebhookEndpointChange,
    params(("name" = String, Path, description = "Letters, digits, `-` and `_`, at most 64")),
    responses((status = 200, body = WebhookEndpoint), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn save_endpoint(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    Given(change): Given<WebhookEndpointChange>,
) -> Answer<Json<WebhookEndpoint>> {
    SecretName::webhook(&name).map_err(|_| Problem::bad("name: letters, digits, `-` and `_`, at most 64"))?;
    let url = check_url(&change.url, desk.shop.config().storefront.private_webhooks).map_err(|why| {
        Problem::new(StatusCode::BAD_REQUEST, "webhook_address_refused", format!("url: {why}"))
    })?;
    desk.store.save_endpoint(&name, url.as_str(), &change.events, OWNER, desk.now()).await?;
    let saved = desk.store.endpoints().await?.into_iter().find(|endpoint| endpoint.name == name);
    let saved = saved.ok_or_else(|| Problem::not_found("the endpoint"))?;
    Ok(Json(view(&desk, &saved).await?))
}

/// Tells an endpoint nothing more.
#[utoipa::path(delete, path = "/admin/api/storefront/webhooks/{name}", tag = "storefront",
    params(("name" = String, Path, description = "Name of the endpoint")),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn remove_endpoint(
    State(desk): State<Desk>,
    Path(name): Path<String>,
) -> Answer<StatusCode> {
    desk.store.remove_endpoint(&name, OWNER, desk.now()).await?;
    if let Ok(secret) = SecretName::webhook(&name) {
        super::keys::changes(&desk).delete(&secret).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Queues a `webhook.test`.
#[utoipa::path(post, path = "/admin/api/storefront/webhooks/{name}/test", tag = "storefront",
    params(("name" = String, Path, description = "Name of the endpoint")),
    responses((status = 202, body = QueuedWebhook), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn test_endpoint(
    State(desk): State<Desk>,
    Path(name): Path<String>,
) -> Answer<(StatusCode, Json<QueuedWebhook>)> {
    let webhook_id = desk.store.test_endpoint(&name, OWNER, desk.now()).await?;
    Ok((StatusCode::ACCEPTED, Json(QueuedWebhook { webhook_id })))
}

#[derive(Deserialize)]
pub(super) struct Part {
    after: Option<String>,
    limit: Option<String>,
}

/// What an endpoint was told, newest first.
#[utoipa::path(get, path = "/admin/api/storefront/webhooks/{name}/events", tag = "storefront",
    params(("name" = String, Path, description = "Name of the endpoint"), ("after" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = Page<OutgoingRow>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn endpoint_events(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    Asked(part): Asked<Part>,
) -> Answer<Json<Page<OutgoingRow>>> {
    let window = window(part.after.as_deref(), part.limit.as_deref())?;
    let slice = desk.store.outgoing_of(&name, window).await?;
    Ok(Json(page(&slice, row)))
}

async fn view(desk: &Desk, endpoint: &EndpointRecord) -> Answer<WebhookEndpoint> {
    let secret = match SecretName::webhook(&endpoint.name) {
        Ok(name) => desk.credentials.get(&name, desk.now()).await?.is_some(),
        Err(_) => false,
    };
    let state = match (endpoint.disabled_at, secret) {
        (Some(_), _) => "gone",
        (None, false) => "no_secret",
        (None, true) => "on",
    };
    let events = match endpoint.events.as_str() {
        "*" => Vec::new(),
        words => words.split(' ').map(str::to_owned).collect(),
    };
    Ok(WebhookEndpoint {
        name: endpoint.name.clone(),
        url: endpoint.url.clone(),
        events,
        state: state.to_owned(),
        created_at: rfc3339(endpoint.created_at),
        last_ok_at: endpoint.last_ok_at.map(rfc3339),
        waiting: endpoint.waiting,
        failed: endpoint.failed,
    })
}

fn row(event: &OutgoingRecord) -> OutgoingRow {
    let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
    OutgoingRow {
        id: event.id,
        webhook_id: event.webhook_id.clone(),
        event: event.kind.clone(),
        at: rfc3339(event.at),
        order: data.get("code").and_then(Value::as_str).map(str::to_owned),
        attempts: event.attempts,
        status: event.status,
        delivered_at: event.delivered_at.map(rfc3339),
    }
}

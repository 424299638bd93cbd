//! Where storefronts ask and with which keys, and the endpoints that are told by webhook. Keys are made in `keys`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chotdon_store::{EndpointRecord, OUTGOING_EVENTS, OutgoingGlance};
use serde::Deserialize;
use serde_json::Value;

use super::Desk;
use super::page::{page, window};
use super::state::OWNER;
use crate::http::problem::{Answer, Asked, Given};
use crate::http::storefront::least_scopes;
use crate::outgoing::check_url;
use crate::present::rfc3339;
use crate::secrets::SecretName;
use crate::views::{
    ErrorText, OutgoingRow, Page, Problem, QueuedWebhook, StorefrontApi, StorefrontKeyRow, WebhookEndpoint,
    WebhookEndpointChange,
};

/// Where storefronts ask, and the keys that they ask with.
#[utoipa::path(get, path = "/admin/api/storefront", tag = "storefront",
    responses((status = 200, body = StorefrontApi), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn storefront(State(desk): State<Desk>) -> Answer<Json<StorefrontApi>> {
    let api_url = format!("{}/api/v1", desk.shop.base_url());
    let words = |scopes: &str| least_scopes(scopes).into_iter().map(str::to_owned).collect();
    let keys = desk.store.storefront_keys().await?;
    let keys = keys.into_iter().filter(|key| key.revoked_at.is_none()).map(|key| StorefrontKeyRow {
        scopes: words(&key.scopes),
        created_at: rfc3339(key.created_at),
        last_used_at: desk.shop.key_uses().last(key.id).map(rfc3339),
        name: key.name,
    });
    Ok(Json(StorefrontApi {
        openapi_url: format!("{api_url}/openapi.json"),
        api_url,
        public: desk.shop.tunnel().public_url().is_some(),
        private_webhooks: desk.shop.config().storefront.private_webhooks,
        scopes: words("*"),
        // A test is sent on demand.
        events: OUTGOING_EVENTS
            .into_iter()
            .filter(|event| *event != "webhook.test")
            .map(str::to_owned)
            .collect(),
        uses_since: rfc3339(desk.shop.started_at()),
        overlap_h: i64::from(desk.shop.config().secrets.overlap_h),
        keys: keys.collect(),
    }))
}

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

/// Adds an endpoint, or changes it and takes it into use again, or out of use.
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
    desk.store.save_endpoint(&name, url.as_str(), &change.events, change.active, OWNER, desk.now()).await?;
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
    let state = match (endpoint.disabled_reason.as_deref(), secret) {
        (Some("gone"), _) => "gone",
        (Some(_), _) => "off",
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

fn row(glance: &OutgoingGlance) -> OutgoingRow {
    let event = &glance.event;
    let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
    let state = match (event.delivered_at, glance.task_state.as_deref()) {
        (Some(_), _) => "delivered",
        (None, None) => "called_off",
        (None, Some("failed")) => "failed",
        (None, Some("running")) => "sending",
        (None, Some(_)) if event.attempts == 0 && glance.err_code.is_none() => "waiting",
        (None, Some(_)) => "retrying",
    };
    let timed = state == "retrying" && glance.task_state.as_deref() == Some("scheduled");
    OutgoingRow {
        id: event.id,
        webhook_id: event.webhook_id.clone(),
        event: event.kind.clone(),
        at: rfc3339(event.at),
        order: data.get("code").and_then(Value::as_str).map(str::to_owned),
        attempts: event.attempts,
        status: event.status,
        delivered_at: event.delivered_at.map(rfc3339),
        state: state.to_owned(),
        next_at: glance.run_at.filter(|_| timed).map(rfc3339),
        error: glance.err_code.as_ref().map(|code| ErrorText {
            code: code.clone(),
            class: glance.err_class.clone().unwrap_or_default(),
            detail: glance.err_detail.clone().unwrap_or_default(),
        }),
        task: glance.task_id,
    }
}

//! Workers on other machines: who they are, what they hold, their keys.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chotdon_store::{ExternalLease, WorkerKeyRecord};
use secrecy::{ExposeSecret, SecretString};

use super::Desk;
use super::state::OWNER;
use crate::external::{KeyError, Keys};
use crate::http::problem::{Answer, Given};
use crate::present::rfc3339;
use crate::views::{ExternalWork, ExternalWorker, NewWorker, Page, Problem, WorkerKeyShown};

/// A worker that was seen within this time is there, ms; one that waits for work asks more often.
const HERE_MS: i64 = 120_000;

/// Every worker on another machine, by name; one page.
#[utoipa::path(get, path = "/admin/api/workers", tag = "queue",
    responses((status = 200, body = Page<ExternalWorker>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn workers(State(desk): State<Desk>) -> Answer<Json<Page<ExternalWorker>>> {
    let leases = desk.store.external_leases().await?;
    let keys = desk.store.worker_keys().await?;
    let rows = keys.iter().map(|key| view(&desk, key, &leases)).collect();
    Ok(Json(Page { rows, next: None }))
}

/// Adds a worker and shows its key, this once.
#[utoipa::path(post, path = "/admin/api/workers", tag = "queue", request_body = NewWorker,
    responses((status = 201, body = WorkerKeyShown), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn create_worker(
    State(desk): State<Desk>,
    Given(new): Given<NewWorker>,
) -> Answer<(StatusCode, Json<WorkerKeyShown>)> {
    let key = keys(&desk).create(&new.name).await?;
    shown(&desk, &new.name, &key).await.map(|shown| (StatusCode::CREATED, Json(shown)))
}

/// Gives a worker a new key and shows it, this once; the one before stays good for 24 hours.
#[utoipa::path(post, path = "/admin/api/workers/{name}/rotate", tag = "queue",
    params(("name" = String, Path, description = "Name of the worker")),
    responses((status = 200, body = WorkerKeyShown), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn rotate_worker(
    State(desk): State<Desk>,
    Path(name): Path<String>,
) -> Answer<Json<WorkerKeyShown>> {
    let key = keys(&desk).rotate(&name).await?;
    shown(&desk, &name, &key).await.map(Json)
}

/// Makes a worker's keys void at once; what it was doing is done by another.
#[utoipa::path(delete, path = "/admin/api/workers/{name}", tag = "queue",
    params(("name" = String, Path, description = "Name of the worker")),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn revoke_worker(State(desk): State<Desk>, Path(name): Path<String>) -> Answer<StatusCode> {
    keys(&desk).revoke(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn keys(desk: &Desk) -> Keys<'_> {
    Keys { store: &desk.store, credentials: &desk.credentials, actor: OWNER, now: desk.now() }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Name => Self::bad(format!("name: {error}")),
            KeyError::Store(error) => error.into(),
            KeyError::Secrets(error) => error.into(),
        }
    }
}

async fn shown(desk: &Desk, name: &str, key: &SecretString) -> Answer<WorkerKeyShown> {
    let known = desk.store.worker_key(name).await?;
    Ok(WorkerKeyShown {
        name: name.to_owned(),
        key: key.expose_secret().to_owned(),
        command: format!(
            "chotdon-server worker --url {} --name {name} --key-from-stdin",
            desk.shop.base_url()
        ),
        previous_until: known.and_then(|key| key.previous_until).map(rfc3339),
    })
}

fn view(desk: &Desk, key: &WorkerKeyRecord, leases: &[ExternalLease]) -> ExternalWorker {
    let now = desk.now();
    let progress = desk.shop.progress();
    let work = |lease: &ExternalLease| ExternalWork {
        task: lease.task,
        course: lease.course.clone(),
        stage: lease.stage.clone(),
        started_at: rfc3339(lease.started_at),
        lease_until: rfc3339(lease.until),
        progress: progress.get(&lease.task).cloned(),
    };
    let tasks: Vec<ExternalWork> =
        leases.iter().filter(|lease| lease.worker == key.name && lease.until >= now).map(work).collect();
    let state = match (key.revoked_at, key.seen_at) {
        (Some(_), _) => "revoked",
        _ if !tasks.is_empty() => "working",
        (None, None) => "never",
        (None, Some(seen)) if now - seen <= HERE_MS => "here",
        (None, Some(_)) => "away",
    };
    ExternalWorker {
        name: key.name.clone(),
        key_id: key.key_id.clone(),
        state: state.to_owned(),
        created_at: rfc3339(key.created_at),
        seen_at: key.seen_at.map(rfc3339),
        previous_until: key.previous_until.filter(|until| *until > now).map(rfc3339),
        revoked_at: key.revoked_at.map(rfc3339),
        tasks,
    }
}

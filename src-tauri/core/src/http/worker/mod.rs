//! The door for workers on other machines: claim, heartbeat, progress, fail, finalize, and the files they send. Every
//! request is signed in Standard Webhooks form.
//!
//! Handlers parse, ask the store and present. `gate` says whose request it is, `bodies` what may be in it.

mod bodies;
mod files;
mod gate;

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use tower_http::timeout::TimeoutLayer;

use chotdon_store::{CallOutcome, ExternalFailure, ExternalTask, ExternalWish, Giving, Held, Touched};
use tokio::sync::broadcast;

pub(crate) use files::signed_text;

use self::bodies::{Claim, Failed, Finalize, Lease, Progress};
use super::problem::Answer;
use crate::external::{CHUNK_MAX, Figures};
use crate::present::rfc3339;
use crate::secrets::SecretName;
use crate::shop::Floor;
use crate::views::Problem;

/// Longest body but for the list of files, bytes.
const LONGEST: usize = 64 << 10;
/// Longest list of files, bytes: ten thousand of them with long names.
const LONGEST_LIST: usize = 4 << 20;
/// Longer than the longest wait for work.
const DEADLINE: Duration = Duration::from_secs(40);
/// A piece of a file over a slow line.
const FILE_DEADLINE: Duration = Duration::from_secs(300);

pub(super) fn router() -> Router<Floor> {
    let timeout = |limit| TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limit);
    let calls = Router::new()
        .route("/api/v1/worker/claim", post(claim))
        .route("/api/v1/worker/heartbeat", post(heartbeat))
        .route("/api/v1/worker/progress", post(progress))
        .route("/api/v1/worker/fail", post(fail))
        .layer(DefaultBodyLimit::max(LONGEST))
        .route("/api/v1/webhook/finalize", post(finalize).layer(DefaultBodyLimit::max(LONGEST_LIST)))
        .layer(timeout(DEADLINE));
    let files = Router::new()
        .route("/api/v1/worker/files", get(files::size).put(files::append))
        .layer(timeout(FILE_DEADLINE));
    calls.merge(files).layer(middleware::from_fn(no_store))
}

/// Adds these routes to the public API's document.
pub(super) fn describe(document: &mut Value) {
    let ours: Value = serde_json::from_str(include_str!("openapi.json")).expect("a test reads it");
    for (at, part) in [("/paths", "paths"), ("/components/parameters", "parameters")] {
        if let (Some(Value::Object(all)), Some(more)) = (document.pointer_mut(at), ours[part].as_object()) {
            all.extend(more.clone());
        }
    }
    if let Some(Value::Array(tags)) = document.get_mut("tags") {
        tags.push(ours["tag"].clone());
    }
}

async fn no_store(request: axum::extract::Request, next: middleware::Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

type Sent = Result<Bytes, BytesRejection>;

/// Leases tasks; waits for some when there are none.
async fn claim(State(floor): State<Floor>, headers: HeaderMap, body: Sent) -> Answer<Response> {
    let signed = gate::signed(&floor, &headers, body).await?;
    let wish: Claim = bodies::read(&signed.body, "task.claim")?;
    wish.check()?;
    // The same request twice at once would wait twice and be answered differently.
    let mark = format!("call:{}:{}", signed.worker, signed.envelope.id());
    let _busy = floor.external.enter(mark).ok_or_else(|| {
        Problem::new(
            StatusCode::CONFLICT,
            "request_in_progress",
            "the same request is being answered already",
        )
    })?;
    let mut changes = floor.store.changes();
    let until = floor.clock.now_ms() + wish.wait_s * 1_000;
    loop {
        let now = floor.clock.now_ms();
        let last = now >= until || floor.external.closing.is_cancelled();
        let max = if floor.external.closing.is_cancelled() { 0 } else { wish.max };
        let lease_s = i64::from(floor.config().workers.lease_s);
        let wanted = ExternalWish { max, sources: wish.sources.clone(), until: now + lease_s * 1_000, last };
        let outcome = floor.store.claim_external(signed.call(now), wanted).await.map_err(gate::refusal)?;
        let CallOutcome::Claimed { tasks } = outcome else { return answer(&floor, &outcome, 0) };
        if last || !tasks.is_empty() {
            if !tasks.is_empty() {
                floor.external.leases.notify_one();
            }
            return claimed(&floor, &tasks, lease_s).await;
        }
        let left = u64::try_from(until - now).unwrap_or(0).max(1);
        tokio::select! {
            () = floor.external.closing.cancelled() => {}
            () = floor.clock.sleep(Duration::from_millis(left)) => {}
            () = course_is_ready(&mut changes) => {}
        }
    }
}

async fn course_is_ready(changes: &mut broadcast::Receiver<Touched>) {
    loop {
        match changes.recv().await {
            Ok(touched) if !touched.lanes.contains("course") => {}
            _ => return,
        }
    }
}

async fn claimed(floor: &Floor, tasks: &[ExternalTask], lease_s: i64) -> Answer<Response> {
    let mut rows = Vec::with_capacity(tasks.len());
    for task in tasks {
        let mut source: Map<String, Value> = serde_json::from_str(&task.source)
            .map_err(|error| chotdon_store::Error::Internal(error.to_string()))?;
        let secret = source.remove("secret");
        source.remove("worker");
        let shared = source.remove("share_secret") == Some(Value::Bool(true));
        // Read anew for every answer: the database keeps no secret.
        if let Some(name) = secret.as_ref().and_then(Value::as_str).filter(|_| shared)
            && let Some(value) =
                floor.credentials.get(&SecretName::parse(name)?, floor.clock.now_ms()).await?
        {
            source.insert("secret".to_owned(), json!(value.expose_secret()));
        }
        let config = floor.config();
        rows.push(json!({
            "task_id": task.task, "lease_epoch": task.epoch, "lease_s": lease_s, "lease_until": rfc3339(task.until),
            "kind": "prepare_course", "stage": "fetch",
            "course": { "slug": task.slug, "title": task.title, "version": task.version },
            "source": source,
            "upload": {
                "path": "/api/v1/worker/files", "chunk_max": CHUNK_MAX,
                "bytes_max": config.workers.incoming_max_mb.saturating_mul(1_000_000),
                "shared_directory": config.workers.incoming_dir.is_some(),
            },
        }));
    }
    Ok(Json(json!({ "tasks": rows })).into_response())
}

/// Keeps a lease; the answer says whether to stop.
async fn heartbeat(State(floor): State<Floor>, headers: HeaderMap, body: Sent) -> Answer<Response> {
    let signed = gate::signed(&floor, &headers, body).await?;
    let lease: Lease = bodies::read(&signed.body, "task.heartbeat")?;
    renew(&floor, &signed, lease.held()?).await.map(|(_, response)| response)
}

/// Keeps a lease and says how far the task is.
async fn progress(State(floor): State<Floor>, headers: HeaderMap, body: Sent) -> Answer<Response> {
    let signed = gate::signed(&floor, &headers, body).await?;
    let progress: Progress = bodies::read(&signed.body, "task.progress")?;
    let held = progress.held()?;
    let (renewed, response) = renew(&floor, &signed, held).await?;
    if renewed {
        let at = floor.clock.now_ms();
        let (done, total, item) = progress.figures();
        floor.external.note(held.task, Figures { epoch: held.epoch, since: at, at, done, total, item });
    }
    Ok(response)
}

async fn renew(floor: &Floor, signed: &gate::Signed, held: Held) -> Answer<(bool, Response)> {
    let now = floor.clock.now_ms();
    let lease_s = i64::from(floor.config().workers.lease_s);
    let outcome = floor
        .store
        .renew_external(signed.call(now), held, now + lease_s * 1_000)
        .await
        .map_err(gate::refusal)?;
    let renewed = matches!(outcome, CallOutcome::Renewed { .. });
    answer(floor, &outcome, lease_s).map(|response| (renewed, response))
}

/// Gives a task up for now, or for good.
async fn fail(State(floor): State<Floor>, headers: HeaderMap, body: Sent) -> Answer<Response> {
    let signed = gate::signed(&floor, &headers, body).await?;
    let failed: Failed = bodies::read(&signed.body, "task.fail")?;
    let held = failed.held()?;
    let (giving, code, detail) = failed.failure()?;
    let retry_base_ms = i64::from(floor.config().queue.retry_base_s) * 1_000;
    let told = (giving != Giving::Back).then(|| (code.clone(), detail.clone()));
    let failure = ExternalFailure { giving, code, detail, retry_base_ms };
    let outcome = floor
        .store
        .fail_external(signed.call(floor.clock.now_ms()), held, failure)
        .await
        .map_err(gate::refusal)?;
    if let (CallOutcome::FailureNoted { retry_at }, Some((code, detail))) = (&outcome, told) {
        tracing::warn!(
            task_id = held.task,
            stage = "fetch",
            epoch = held.epoch,
            worker = signed.worker,
            last = retry_at.is_none(),
            code,
            detail,
            "a stage failed on another machine"
        );
    }
    floor.external.leases.notify_one();
    answer(&floor, &outcome, 0)
}

/// Hands the files of a task over.
async fn finalize(State(floor): State<Floor>, headers: HeaderMap, body: Sent) -> Answer<Response> {
    let signed = gate::signed(&floor, &headers, body).await?;
    let finalize: Finalize = bodies::read(&signed.body, "task.finalize")?;
    let held = finalize.held()?;
    let (folder, files) = finalize.result()?;
    let outcome = floor
        .store
        .hand_over_external(signed.call(floor.clock.now_ms()), held, &folder, &files)
        .await
        .map_err(gate::refusal)?;
    floor.external.leases.notify_one();
    answer(&floor, &outcome, 0)
}

fn answer(floor: &Floor, outcome: &CallOutcome, lease_s: i64) -> Answer<Response> {
    let words = match outcome {
        CallOutcome::Renewed { until } => {
            json!({ "stop": false, "lease_until": rfc3339(*until), "lease_s": lease_s })
        }
        CallOutcome::CalledOff => json!({ "stop": true, "reason": "cancelled" }),
        CallOutcome::Accepted => json!({ "accepted": true }),
        CallOutcome::FailureNoted { retry_at } => {
            json!({ "accepted": true, "retry_at": retry_at.map(rfc3339) })
        }
        CallOutcome::Lost => {
            floor.external.count_late();
            return Err(gate::lease_lost());
        }
        CallOutcome::Claimed { .. } => json!({ "tasks": [] }),
    };
    Ok(Json(words).into_response())
}

//! The files that workers send, piece by piece. What is signed names the piece and carries the digest of its bytes, so
//! that a request is known before its body is read.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use chotdon_store::Held;

use super::gate;
use crate::delivery::check_path;
use crate::external::{self, CHUNK_MAX, Chunk, Refused};
use crate::http::problem::{Answer, Asked};
use crate::shop::Floor;
use crate::views::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    task_id: i64,
    lease_epoch: i64,
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Piece {
    task_id: i64,
    lease_epoch: i64,
    path: String,
    offset: u64,
}

/// How many bytes of a file are there, for going on after a break.
pub(super) async fn size(
    State(floor): State<Floor>,
    uri: Uri,
    headers: HeaderMap,
    asked: Result<Asked<Question>, Problem>,
) -> Answer<Response> {
    let (worker, _) = gate::signer(&floor, &headers, signed_text("GET", &uri, "").as_bytes()).await?;
    let Asked(asked) = asked?;
    let held = leased(&floor, &worker, asked.task_id, asked.lease_epoch, &asked.path).await?;
    Ok(Json(json!({ "size": external::received(&floor, held, &asked.path).await })).into_response())
}

/// Appends a piece to a file.
pub(super) async fn append(
    State(floor): State<Floor>,
    uri: Uri,
    headers: HeaderMap,
    asked: Result<Asked<Piece>, Problem>,
    body: Body,
) -> Answer<Response> {
    let digest = headers.get("content-digest").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (worker, _) = gate::signer(&floor, &headers, signed_text("PUT", &uri, digest).as_bytes()).await?;
    let Asked(asked) = asked?;
    let sha256 = sha256(digest).ok_or_else(|| Problem::bad("content-digest: sha-256=:BASE64:"))?;
    let length = length(&headers)
        .ok_or_else(|| Problem::new(StatusCode::LENGTH_REQUIRED, "bad_request", "send a content-length"))?;
    if length > CHUNK_MAX {
        let detail = format!("a piece has at most {CHUNK_MAX} bytes");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail));
    }
    let held = leased(&floor, &worker, asked.task_id, asked.lease_epoch, &asked.path).await?;
    let chunk = Chunk { held, path: asked.path, offset: asked.offset, length, sha256 };
    match external::write_chunk(&floor, &chunk, body).await {
        Ok(size) => Ok(Json(json!({ "size": size })).into_response()),
        Err(why) => Err(refused(&why)),
    }
}

/// How many bytes are announced; an empty body may come without a word about it.
fn length(headers: &HeaderMap) -> Option<u64> {
    match headers.get(header::CONTENT_LENGTH) {
        Some(value) => value.to_str().ok()?.parse().ok(),
        None => (!headers.contains_key(header::TRANSFER_ENCODING)).then_some(0),
    }
}

/// What is signed in place of a body: the request line, and the digest of the bytes.
pub(crate) fn signed_text(method: &str, uri: &Uri, digest: &str) -> String {
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    format!("{method} {target}\n{digest}")
}

/// RFC 9530, with SHA-256 and nothing else.
fn sha256(digest: &str) -> Option<[u8; 32]> {
    let text = digest.strip_prefix("sha-256=:")?.strip_suffix(':')?;
    STANDARD.decode(text).ok()?.try_into().ok()
}

async fn leased(floor: &Floor, worker: &str, task: i64, epoch: i64, path: &str) -> Answer<Held> {
    if let Err(why) = check_path(path) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "file_list_invalid", format!("path: {why}")));
    }
    let held = Held { task, epoch };
    if !floor.store.holds_external(worker, held, floor.clock.now_ms()).await? {
        floor.external.count_late();
        return Err(gate::lease_lost());
    }
    Ok(held)
}

fn refused(why: &Refused) -> Problem {
    let (status, code) = match why {
        Refused::Elsewhere(_) => (StatusCode::CONFLICT, "offset_mismatch"),
        Refused::Busy => (StatusCode::CONFLICT, "request_in_progress"),
        Refused::Damaged(_) => (StatusCode::BAD_REQUEST, "digest_mismatch"),
        Refused::TooMuch(_) => (StatusCode::PAYLOAD_TOO_LARGE, "task_too_large"),
        Refused::DiskFull => (StatusCode::INSUFFICIENT_STORAGE, "disk_full"),
        Refused::Path(_) => (StatusCode::BAD_REQUEST, "file_list_invalid"),
    };
    Problem::new(status, code, why.to_string())
}

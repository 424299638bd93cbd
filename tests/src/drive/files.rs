//! Files and folders of the stand-in.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::answers::{Answer, No};
use super::sharing::of;
use super::world::{FOLDER, Item, OWNER, World};
use super::{masked, query};

type Pairs = Vec<(String, String)>;

pub(super) async fn about(
    State(world): State<Arc<World>>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
) -> Answer {
    world.enter("about", "GET", "about", &query, &headers)?;
    let fields = of(&query, "fields")
        .ok_or_else(|| No::new(400, "required", "The 'fields' parameter is required for this method."))?;
    let state = world.state();
    let used = state.used().to_string();
    let mut quota = json!({ "usage": used, "usageInDrive": used, "usageInDriveTrash": "0" });
    if let Some(limit) = state.faults.limit {
        quota["limit"] = limit.to_string().into();
    }
    let answer = json!({ "kind": "drive#about", "storageQuota": quota,
        "user": { "kind": "drive#user", "displayName": "Chủ Shop", "emailAddress": OWNER } });
    Ok(Json(masked(answer, Some(fields))))
}

pub(super) async fn generate_ids(
    State(world): State<Arc<World>>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
) -> Answer {
    world.enter("generateIds", "GET", "files/generateIds", &query, &headers)?;
    let count = of(&query, "count").and_then(|text| text.parse().ok()).unwrap_or(10_u32);
    if !(1..=1000).contains(&count) {
        return Err(No::new(400, "invalidParameter", "Invalid value for count."));
    }
    let mut state = world.state();
    let ids: Vec<String> = (0..count).map(|_| state.fresh_id()).collect();
    Ok(Json(json!({ "kind": "drive#generatedIds", "space": "drive", "ids": ids })))
}

pub(super) async fn list(
    State(world): State<Arc<World>>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
) -> Answer {
    world.enter("list", "GET", "files", &query, &headers)?;
    let state = world.state();
    let q = of(&query, "q").unwrap_or("trashed=false");
    let mut found = Vec::new();
    let everywhere = of(&query, "includeItemsFromAllDrives") == Some("true")
        && of(&query, "supportsAllDrives") == Some("true");
    let only = of(&query, "driveId");
    let here = |item: &&Item| {
        item.parent.is_some()
            && (everywhere || item.drive.is_none())
            && (only.is_none() || item.drive.as_deref() == only)
    };
    for item in state.items.values().filter(here) {
        if query::finds(q, item).map_err(|why| No::new(400, "invalid", &why))? {
            found.push(item);
        }
    }
    let size = of(&query, "pageSize").and_then(|text| text.parse().ok()).unwrap_or(100);
    let from = of(&query, "pageToken").and_then(|text| text.parse().ok()).unwrap_or(0_usize);
    let page: Vec<_> = found.iter().skip(from).take(size).map(|item| state.shown(item)).collect();
    let mut answer = json!({ "kind": "drive#fileList", "incompleteSearch": false, "files": page });
    if from + size < found.len() {
        answer["nextPageToken"] = (from + size).to_string().into();
    }
    let fields = of(&query, "fields").unwrap_or("kind,nextPageToken,files(kind,id,name,mimeType)");
    Ok(Json(masked(answer, Some(fields))))
}

pub(super) async fn create(
    State(world): State<Arc<World>>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
    body: Option<Json<Value>>,
) -> Answer {
    let afterwards = world.enter("create", "POST", "files", &query, &headers)?;
    let mut state = world.state();
    let body = body.map(|Json(body)| body).unwrap_or_default();
    let mut item = state.described(&body, &query)?;
    state.may_keep(&item, &headers)?;
    if item.mime != FOLDER {
        item.size = Some(0);
        item.md5 = "d41d8cd98f00b204e9800998ecf8427e".to_owned();
    }
    let answer = state.shown(&item);
    state.items.insert(item.id.clone(), item);
    match afterwards {
        Some(no) => Err(no),
        None => Ok(Json(masked(answer, of(&query, "fields")))),
    }
}

pub(super) async fn read(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
) -> Result<Response, No> {
    world.enter("get", "GET", "files/{fileId}", &query, &headers)?;
    let (shown, id) = {
        let state = world.state();
        let item = state.seen(&id, &query)?;
        (state.shown(item), item.id.clone())
    };
    if of(&query, "alt") != Some("media") {
        return Ok(Json(masked(shown, of(&query, "fields"))).into_response());
    }
    let bytes = tokio::fs::read(world.bytes_of(&id)).await.map_err(|_| No::not_found(&id))?;
    Ok(Body::from(bytes).into_response())
}

pub(super) async fn change(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    world.enter("update", "PATCH", "files/{fileId}", &query, &headers)?;
    let mut state = world.state();
    let id = state.seen(&id, &query)?.id.clone();
    if let Some(item) = state.items.get_mut(&id) {
        described_anew(item, &body);
    }
    let answer = state.shown(state.seen(&id, &query)?);
    Ok(Json(masked(answer, of(&query, "fields"))))
}

pub(super) fn described_anew(item: &mut Item, body: &Value) {
    if let Some(name) = body["name"].as_str() {
        item.name = name.to_owned();
    }
    if let Some(time) = body["modifiedTime"].as_str() {
        item.modified_time = time.to_owned();
    }
    if let Some(trashed) = body["trashed"].as_bool() {
        item.trashed = trashed;
    }
}

pub(super) async fn delete(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
) -> Result<StatusCode, No> {
    world.enter("delete", "DELETE", "files/{fileId}", &query, &headers)?;
    let mut state = world.state();
    let mut gone = vec![state.seen(&id, &query)?.id.clone()];
    while let Some(id) = gone.pop() {
        state.items.remove(&id);
        let _ = std::fs::remove_file(world.bytes_of(&id));
        let inside = state.items.values().filter(|item| item.parent.as_deref() == Some(id.as_str()));
        gone.extend(inside.map(|item| item.id.clone()));
    }
    Ok(StatusCode::NO_CONTENT)
}

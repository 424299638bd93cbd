//! Uploads of the stand-in: in one request, or in a session that takes chunks and says how far it is.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use md5::Md5;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::answers::No;
use super::files::described_anew;
use super::masked;
use super::sharing::of;
use super::world::{Item, World};

type Pairs = Vec<(String, String)>;

/// Google keeps multiples of this.
const UNIT: usize = 256 << 10;
/// What is waited for at a time when uploads are slow.
const SIP: usize = 64 << 10;

/// An upload under way.
pub(super) struct Session {
    item: Item,
    /// The file whose contents are replaced.
    replaces: bool,
    fields: Option<String>,
    total: Option<u64>,
    stored: u64,
    file: File,
    md5: Md5,
    sha1: Sha1,
    sha256: Sha256,
    finished: bool,
}

impl Session {
    fn new(
        world: &World,
        item: Item,
        replaces: bool,
        fields: Option<&str>,
        total: Option<u64>,
    ) -> Result<Self, No> {
        let file = File::create(world.bytes_of(&format!("{}.part", item.id)));
        Ok(Self {
            item,
            replaces,
            fields: fields.map(str::to_owned),
            total,
            stored: 0,
            file: file.map_err(|why| No::new(500, "backendError", &why.to_string()))?,
            md5: Md5::new(),
            sha1: Sha1::new(),
            sha256: Sha256::new(),
            finished: false,
        })
    }

    fn store(&mut self, bytes: &[u8]) -> Result<(), No> {
        self.file.write_all(bytes).map_err(|why| No::new(500, "backendError", &why.to_string()))?;
        self.md5.update(bytes);
        self.sha1.update(bytes);
        self.sha256.update(bytes);
        self.stored += bytes.len() as u64;
        Ok(())
    }

    /// Puts the complete file into the account and answers what Drive says of it.
    fn finish(&mut self, world: &World) -> Result<Response, No> {
        let mut state = world.state();
        if !self.finished {
            if !self.replaces && state.items.contains_key(&self.item.id) {
                return Err(No::new(409, "fileIdInUse", "A file already exists with the provided ID."));
            }
            self.item.size = Some(self.stored);
            self.item.md5 = hex::encode(self.md5.clone().finalize());
            self.item.sha1 = hex::encode(self.sha1.clone().finalize());
            self.item.sha256 = hex::encode(self.sha256.clone().finalize());
            let part = world.bytes_of(&format!("{}.part", self.item.id));
            std::fs::rename(part, world.bytes_of(&self.item.id))
                .map_err(|why| No::new(500, "backendError", &why.to_string()))?;
            state.items.insert(self.item.id.clone(), self.item.clone());
            self.finished = true;
        }
        let shown = state.shown(&self.item);
        Ok(Json(masked(shown, self.fields.as_deref())).into_response())
    }

    /// 308, which is no redirect here, and how much is stored.
    fn incomplete(&self) -> Response {
        let kept = self.stored;
        if kept == 0 {
            return StatusCode::PERMANENT_REDIRECT.into_response();
        }
        (StatusCode::PERMANENT_REDIRECT, [("range", format!("bytes=0-{}", kept - 1))]).into_response()
    }
}

/// Begins an upload, or, for clients that say POST, goes on with one.
pub(super) async fn post(
    State(world): State<Arc<World>>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, No> {
    if of(&query, "upload_id").is_some() {
        return go_on(&world, &query, &headers, body).await;
    }
    world.enter("start", "POST", "files", &query, &headers)?;
    match of(&query, "uploadType") {
        Some("resumable") => {
            let described = json(body).await?;
            let item = new_item(&world, &described, &query, &headers)?;
            begin(&world, item, false, &query, &headers)
        }
        Some("multipart") => {
            let (described, bytes) = multipart(&headers, body).await?;
            let item = new_item(&world, &described, &query, &headers)?;
            at_once(&world, item, false, &query, &bytes)
        }
        other => Err(No::new(400, "badRequest", &format!("uploadType {other:?}"))),
    }
}

/// Begins to replace the contents of a file.
pub(super) async fn replace(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, No> {
    world.enter("replace", "PATCH", "files/{fileId}", &query, &headers)?;
    let mut item = world.state().seen(&id, &query)?.clone();
    if of(&query, "uploadType") == Some("resumable") {
        described_anew(&mut item, &json(body).await?);
        return begin(&world, item, true, &query, &headers);
    }
    let (described, bytes) = multipart(&headers, body).await?;
    described_anew(&mut item, &described);
    at_once(&world, item, true, &query, &bytes)
}

/// A new item of this caller's.
fn new_item(
    world: &World,
    body: &Value,
    query: &[(String, String)],
    headers: &HeaderMap,
) -> Result<Item, No> {
    let mut state = world.state();
    let item = state.described(body, query)?;
    state.may_keep(&item, headers)?;
    Ok(item)
}

fn begin(
    world: &World,
    mut item: Item,
    replaces: bool,
    query: &[(String, String)],
    headers: &HeaderMap,
) -> Result<Response, No> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(mime) = header("x-upload-content-type") {
        item.mime = mime.to_owned();
    }
    let total = header("x-upload-content-length").and_then(|text| text.parse::<u64>().ok());
    let mut state = world.state();
    if let (Some(limit), Some(total)) = (state.faults.limit, total)
        && state.used() + total > limit
    {
        let words = "The user's Drive storage quota has been exceeded.";
        return Err(No::new(403, "storageQuotaExceeded", words));
    }
    let id = format!("AHmUCx{:016x}canary", u128::from(state.fresh()) * 0x9e37_79b9_7f4a_7c15);
    let session = Session::new(world, item, replaces, of(query, "fields"), total)?;
    state.sessions.insert(id.clone(), Arc::new(tokio::sync::Mutex::new(session)));
    let host = header("host").unwrap_or("127.0.0.1");
    let place = format!("http://{host}/upload/drive/v3/files?uploadType=resumable&upload_id={id}");
    Ok((StatusCode::OK, [("location", place)]).into_response())
}

fn at_once(
    world: &World,
    item: Item,
    replaces: bool,
    query: &[(String, String)],
    bytes: &[u8],
) -> Result<Response, No> {
    world.state().counts.bytes += bytes.len() as u64;
    let mut session = Session::new(world, item, replaces, of(query, "fields"), None)?;
    session.store(bytes)?;
    session.finish(world)
}

/// Goes on with an upload.
pub(super) async fn put(
    State(world): State<Arc<World>>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, No> {
    go_on(&world, &query, &headers, body).await
}

async fn go_on(
    world: &Arc<World>,
    query: &[(String, String)],
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, No> {
    let id = of(query, "upload_id").unwrap_or_default();
    let lost = || No::new(404, "notFound", "Upload session not found.");
    let range = headers.get("content-range").and_then(|value| value.to_str().ok());
    let range = Range::read(range).ok_or_else(|| No::new(400, "badRequest", "Content-Range"))?;
    let name = if range.first.is_some() { "chunk" } else { "ask" };
    // A session is its own permission, but a token that is sent has to be good.
    if headers.contains_key("authorization") {
        let checked = world.state().authorize(headers);
        if let Err(no) = checked {
            count_and_drop(world, body).await;
            return Err(no);
        }
    }
    let (fate, refusal, session) = {
        let mut state = world.state();
        *state.counts.calls.entry(name).or_default() += 1;
        let fate = if name == "chunk" { Fate::of(&mut state) } else { Fate::Stored };
        if fate == Fate::Lost {
            state.sessions.remove(id);
        }
        (fate, state.faults.refuse(name), state.sessions.get(id).cloned())
    };
    world.called.notify_waiters();
    let fault = refusal.is_some() || fate != Fate::Stored;
    if fault {
        world.state().counts.faults += 1;
    }
    let Some(session) = session else {
        count_and_drop(world, body).await;
        return Err(lost());
    };
    let mut session = session.lock().await;
    if let Some(refusal) = refusal {
        count_and_drop(world, body).await;
        return Err(refusal.into());
    }
    session.total = range.total.or(session.total);
    match (range.first, fate) {
        (Some(_), Fate::Refused) => {
            count_and_drop(world, body).await;
            return Err(No::new(503, "backendError", "Backend Error"));
        }
        (Some(first), fate) => take(world, &mut session, first, range.length, body, fate).await?,
        (None, _) => {}
    }
    if fate == Fate::StoredAndRefused {
        return Err(No::new(503, "backendError", "Backend Error"));
    }
    if session.total == Some(session.stored) { session.finish(world) } else { Ok(session.incomplete()) }
}

/// What becomes of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stored,
    StoredAndRefused,
    Refused,
    Half,
    Cut,
    Lost,
}

impl Fate {
    fn of(state: &mut super::world::State) -> Self {
        state.counts.chunks += 1;
        let (n, faults) = (state.counts.chunks, &state.faults);
        let hits = |each: Option<u64>| each.is_some_and(|each| n.is_multiple_of(each));
        if faults.lose.contains(&n) {
            Self::Lost
        } else if hits(faults.cut_each) {
            Self::Cut
        } else if hits(faults.fail_each.map(|each| each * 2)) {
            Self::StoredAndRefused
        } else if hits(faults.fail_each) {
            Self::Refused
        } else if hits(faults.short_each) {
            Self::Half
        } else {
            Self::Stored
        }
    }
}

/// Reads a chunk and keeps what its fate allows, in whole units, the last of a file excepted.
async fn take(
    world: &World,
    session: &mut Session,
    first: u64,
    length: u64,
    body: Body,
    fate: Fate,
) -> Result<(), No> {
    let mut skip = usize::try_from(session.stored.saturating_sub(first)).unwrap_or(usize::MAX);
    let in_order = first <= session.stored;
    let half = if matches!(fate, Fate::Half | Fate::Cut) { length / 2 } else { length };
    let (mut came, mut unit) = (0_u64, Vec::with_capacity(UNIT));
    let slow = world.state().faults.slow;
    let mut pace = slow.map(tokio::time::interval);
    let mut sips = 0;
    let mut body = body.into_data_stream();
    while let Some(frame) = body.next().await {
        // A client that went away left what came so far.
        let Ok(frame) = frame else { return Ok(()) };
        came += frame.len() as u64;
        world.state().counts.bytes += frame.len() as u64;
        if let Some(pace) = &mut pace {
            sips += frame.len();
            while sips >= SIP {
                sips -= SIP;
                pace.tick().await;
            }
        }
        if in_order && came <= half {
            let skipped = skip.min(frame.len());
            skip -= skipped;
            unit.extend_from_slice(&frame[skipped..]);
            while unit.len() >= UNIT {
                let rest = unit.split_off(UNIT);
                session.store(&unit)?;
                unit = rest;
            }
        } else if fate == Fate::Cut {
            // Ends the connection without an answer.
            std::panic::resume_unwind(Box::new("the connection is cut"));
        }
    }
    if session.total == Some(session.stored + unit.len() as u64) {
        session.store(&unit)?;
    }
    Ok(())
}

async fn count_and_drop(world: &World, body: Body) {
    let mut body = body.into_data_stream();
    while let Some(Ok(frame)) = body.next().await {
        world.state().counts.bytes += frame.len() as u64;
    }
}

/// `bytes 0-9/10`, `bytes */10`, or nothing for a file in one request.
struct Range {
    first: Option<u64>,
    length: u64,
    total: Option<u64>,
}

impl Range {
    fn read(text: Option<&str>) -> Option<Self> {
        let Some(text) = text else {
            return Some(Self { first: Some(0), length: u64::MAX, total: None });
        };
        let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let total = if total == "*" { None } else { Some(total.parse().ok()?) };
        if range == "*" {
            return Some(Self { first: None, length: 0, total });
        }
        let (first, last) = range.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        Some(Self { first: Some(first), length: (last + 1).checked_sub(first)?, total })
    }
}

async fn json(body: Body) -> Result<Value, No> {
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|why| No::new(400, "parseError", &why.to_string()))
}

/// `multipart/related`: metadata, then the bytes.
async fn multipart(headers: &HeaderMap, body: Body) -> Result<(Value, Vec<u8>), No> {
    let no = |why: &str| No::new(400, "badContent", why);
    let kind = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = kind.split("boundary=").nth(1).ok_or_else(|| no("no boundary"))?;
    let boundary = format!("--{}", boundary.split(';').next().unwrap_or_default().trim_matches('"'));
    let bytes = axum::body::to_bytes(body, 64 << 20).await.map_err(|_| no("the body broke off"))?;
    let find = |from: usize, what: &[u8]| {
        bytes[from..].windows(what.len()).position(|window| window == what).map(|at| from + at)
    };
    let mut parts = Vec::new();
    let mut from = find(0, boundary.as_bytes()).ok_or_else(|| no("no part"))? + boundary.len();
    while let Some(end) = find(from, boundary.as_bytes()) {
        let (head, width) = match (find(from, b"\r\n\r\n"), find(from, b"\n\n")) {
            (Some(crlf), Some(lf)) if lf < crlf => (lf, 2),
            (Some(crlf), _) => (crlf, 4),
            (None, Some(lf)) => (lf, 2),
            (None, None) => return Err(no("a part without a head")),
        };
        let mut part = &bytes[(head + width).min(end)..end];
        part = part.strip_suffix(b"\r\n").or_else(|| part.strip_suffix(b"\n")).unwrap_or(part);
        parts.push(part.to_vec());
        from = end + boundary.len();
    }
    let [described, contents] = <[Vec<u8>; 2]>::try_from(parts).map_err(|_| no("not two parts"))?;
    let described = serde_json::from_slice(&described).map_err(|why| no(&why.to_string()))?;
    Ok((described, contents))
}

//! Requests to the shop, signed. An answer that may have been lost is asked for again under the same id.

use std::time::Duration;

use axum::http::Uri;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method, RequestBuilder, redirect};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Remote;
use crate::delivery::Manifest;
use crate::http::worker_signed_text;
use crate::ports::Clock;
use crate::signed::signature;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(20);
/// Longest wait for an answer beyond what was asked for.
const ANSWER: Duration = Duration::from_secs(20);
/// Longest wait for a piece of a file to be taken.
const PIECE: Duration = Duration::from_secs(300);
/// Tries of what must not be lost, with growing pauses between them.
const TRIES: u32 = 8;

/// A task as the shop gives it. What else it says is left alone.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Given {
    pub(super) task_id: i64,
    pub(super) lease_epoch: i64,
    pub(super) lease_s: u64,
    pub(super) course: Course,
    pub(super) source: Map<String, Value>,
    pub(super) upload: Upload,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Course {
    pub(super) slug: String,
    pub(super) title: String,
    pub(super) version: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Upload {
    pub(super) chunk_max: u64,
}

/// Why the shop did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It did not answer, or not in words that mean anything; asking again may help.
    Unclear(String),
    /// It said no.
    Said { status: u16, code: String, detail: String },
}

impl Refusal {
    pub(super) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Said { code, .. } if code == wanted)
    }
}

pub(super) type Answer<T> = Result<T, Refusal>;

/// The way to the shop.
pub(super) struct Calls {
    client: Client,
    base: String,
    name: String,
    key: SecretString,
    clock: std::sync::Arc<dyn Clock>,
}

/// An id that no other request has.
pub(super) fn new_id() -> String {
    format!("msg_{:032x}", rand::random::<u128>())
}

impl Calls {
    pub(super) fn new(remote: &Remote) -> Result<Self, String> {
        let client = Client::builder()
            .user_agent(concat!("ChotDon-worker/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        if signature(&remote.key, "msg_1", 0, b"").is_none() {
            return Err("the key is not one: whsec_ and base64, as `worker-key create` printed it".to_owned());
        }
        let base = remote.url.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            client,
            base,
            name: remote.name.clone(),
            key: remote.key.clone(),
            clock: remote.clock.clone(),
        })
    }

    /// Asks for one task from these kinds of sources, and waits for it up to `wait_s` seconds.
    pub(super) async fn claim(&self, id: &str, wait_s: u64, sources: &[&str]) -> Answer<Vec<Given>> {
        let body =
            json!({ "type": "task.claim", "data": { "max": 1, "wait_s": wait_s, "sources": sources } });
        let path = "/api/v1/worker/claim";
        let mut answer = self.post(path, id, &body, Duration::from_secs(wait_s) + ANSWER).await?;
        serde_json::from_value(answer["tasks"].take()).map_err(|error| Refusal::Unclear(error.to_string()))
    }

    /// Keeps the lease and says how far it is; true means to stop.
    pub(super) async fn progress(
        &self,
        given: &Given,
        done: u64,
        total: u64,
        item: Option<String>,
    ) -> Answer<bool> {
        let mut data = json!({ "task_id": given.task_id, "lease_epoch": given.lease_epoch, "done_bytes": done, "item": item });
        if total > 0 {
            data["total_bytes"] = json!(total);
        }
        let body = json!({ "type": "task.progress", "data": data });
        let answer = self.post("/api/v1/worker/progress", &new_id(), &body, ANSWER).await?;
        Ok(answer["stop"] == true)
    }

    /// Says that the task failed, or is given back (`class` `released`).
    pub(super) async fn fail(&self, given: &Given, class: &str, code: &str, detail: &str) -> Answer<()> {
        let data = json!({
            "task_id": given.task_id, "lease_epoch": given.lease_epoch, "class": class, "code": code, "detail": detail,
        });
        let body = json!({ "type": "task.fail", "data": data });
        self.surely("/api/v1/worker/fail", &body).await.map(drop)
    }

    /// Hands the files over.
    pub(super) async fn finalize(&self, given: &Given, folder: &str, manifest: &Manifest) -> Answer<()> {
        let data = json!({
            "task_id": given.task_id, "lease_epoch": given.lease_epoch, "folder_name": folder, "files": manifest.files,
        });
        let body = json!({ "type": "task.finalize", "data": data });
        self.surely("/api/v1/webhook/finalize", &body).await.map(drop)
    }

    /// How many bytes of a file the shop has.
    pub(super) async fn size(&self, given: &Given, path: &str) -> Answer<u64> {
        let target = target(given, path, None);
        let answer = self.send(Method::GET, &target, "", None, ANSWER).await?;
        answer["size"].as_u64().ok_or_else(|| Refusal::Unclear("the answer has no size".to_owned()))
    }

    /// Sends a piece of a file; answers the file's new size.
    pub(super) async fn append(&self, given: &Given, path: &str, offset: u64, piece: Vec<u8>) -> Answer<u64> {
        let target = target(given, path, Some(offset));
        let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&piece)));
        let answer = self.send(Method::PUT, &target, &digest, Some(piece), PIECE).await?;
        answer["size"].as_u64().ok_or_else(|| Refusal::Unclear("the answer has no size".to_owned()))
    }

    /// Asks under one id until there is an answer, or patience is over.
    async fn surely(&self, path: &str, body: &Value) -> Answer<Value> {
        let id = new_id();
        let mut pause = Duration::from_millis(500);
        for _ in 1..TRIES {
            match self.post(path, &id, body, ANSWER).await {
                Err(Refusal::Unclear(_)) => {}
                answer => return answer,
            }
            self.clock.sleep(pause).await;
            pause *= 2;
        }
        self.post(path, &id, body, ANSWER).await
    }

    async fn post(&self, path: &str, id: &str, body: &Value, patience: Duration) -> Answer<Value> {
        let body = body.to_string();
        let request = self
            .client
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .timeout(patience);
        ask(self.sign(request, id, body.as_bytes())?.body(body)).await
    }

    async fn send(
        &self,
        method: Method,
        target: &str,
        digest: &str,
        body: Option<Vec<u8>>,
        patience: Duration,
    ) -> Answer<Value> {
        let uri: Uri = target.parse().map_err(|_| Refusal::Unclear("the path cannot be sent".to_owned()))?;
        let text = worker_signed_text(method.as_str(), &uri, digest);
        let mut request = self.client.request(method, format!("{}{target}", self.base)).timeout(patience);
        if let Some(body) = body {
            request = request.header("content-digest", digest).body(body);
        }
        ask(self.sign(request, &new_id(), text.as_bytes())?).await
    }

    fn sign(&self, request: RequestBuilder, id: &str, payload: &[u8]) -> Answer<RequestBuilder> {
        let stamp = self.clock.now_ms().div_euclid(1_000);
        let signature = signature(&self.key, id, stamp, payload)
            .ok_or_else(|| Refusal::Unclear("the key cannot sign".to_owned()))?;
        Ok(request
            .header("webhook-id", id)
            .header("webhook-timestamp", stamp.to_string())
            .header("webhook-signature", signature)
            .header("webhook-worker", &self.name))
    }
}

async fn ask(request: RequestBuilder) -> Answer<Value> {
    let unclear = |error: reqwest::Error| {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Refusal::Unclear(text)
    };
    let answer = request.send().await.map_err(unclear)?;
    let status = answer.status();
    let bytes = answer.bytes().await.map_err(unclear)?;
    let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    if status.is_success() {
        return Ok(value);
    }
    let word = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let busy = status.is_server_error()
        || matches!(status.as_u16(), 408 | 429)
        || word("code").as_deref() == Some("request_in_progress");
    match word("code") {
        Some(code) if !busy || code == "disk_full" => {
            Err(Refusal::Said { status: status.as_u16(), code, detail: word("detail").unwrap_or_default() })
        }
        _ => Err(Refusal::Unclear(format!("it answered {status}"))),
    }
}

fn target(given: &Given, path: &str, offset: Option<u64>) -> String {
    let path = utf8_percent_encode(path, NON_ALPHANUMERIC);
    let offset = offset.map(|offset| format!("&offset={offset}")).unwrap_or_default();
    format!(
        "/api/v1/worker/files?task_id={}&lease_epoch={}&path={path}{offset}",
        given.task_id, given.lease_epoch
    )
}

//! A worker on another machine, by hand: it signs what a test says and sends it, right or wrong.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chotdon_core::signed::signature;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::TestShop;

/// A worker with a key.
pub struct HandWorker<'a> {
    /// The shop it works for.
    pub shop: &'a TestShop,
    /// Its name.
    pub name: String,
    /// Its key, `whsec_…`.
    pub key: SecretString,
    /// Whether it says its name in each request.
    pub says_name: bool,
}

/// A lease that it got.
#[derive(Debug, Clone)]
pub struct Leased {
    /// Task id.
    pub task: i64,
    /// Fencing token.
    pub epoch: i64,
    /// Everything the shop said of it.
    pub given: Value,
}

static IDS: AtomicU64 = AtomicU64::new(1);

/// An id that no other request of this test has.
pub fn new_id() -> String {
    format!("msg_test_{:06}", IDS.fetch_add(1, Ordering::Relaxed))
}

impl<'a> HandWorker<'a> {
    /// A worker that the owner has added.
    pub async fn new(shop: &'a TestShop, name: &str) -> Self {
        let (status, shown) = shop.admin("POST", "/admin/api/workers", Some(json!({ "name": name }))).await;
        assert_eq!(status, 201, "{shown}");
        let key = shown["key"].as_str().expect("a key").into();
        Self { shop, name: name.to_owned(), key, says_name: true }
    }

    /// The headers of a signed request, `(id, time, signature)`.
    pub fn sign(&self, id: &str, payload: &[u8]) -> Vec<(&'static str, String)> {
        let stamp = self.shop.now_s();
        let signature = signature(&self.key, id, stamp, payload).expect("a usable key");
        let mut headers = vec![
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", stamp.to_string()),
            ("webhook-signature", signature),
        ];
        if self.says_name {
            headers.push(("webhook-worker", self.name.clone()));
        }
        headers
    }

    /// Sends a body with these headers; answers status and JSON.
    pub async fn send(&self, path: &str, headers: &[(&'static str, String)], body: Vec<u8>) -> (u16, Value) {
        let mut request =
            self.shop.http.post(self.shop.public(path)).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.body(body).send().await.expect("the listener answers");
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    /// Sends a signed message under this id.
    pub async fn call_as(&self, id: &str, path: &str, kind: &str, data: Value) -> (u16, Value) {
        let body = json!({ "type": kind, "data": data }).to_string().into_bytes();
        self.send(path, &self.sign(id, &body), body).await
    }

    /// Sends a signed message.
    pub async fn call(&self, path: &str, kind: &str, data: Value) -> (u16, Value) {
        self.call_as(&new_id(), path, kind, data).await
    }

    /// Asks for tasks.
    pub async fn claim(&self, data: Value) -> Vec<Leased> {
        let (status, answer) = self.call("/api/v1/worker/claim", "task.claim", data).await;
        assert_eq!(status, 200, "{answer}");
        leased(&answer)
    }

    /// Waits for a task.
    pub async fn task(&self) -> Leased {
        self.shop.until(|| async { self.claim(json!({})).await.pop() }).await
    }

    /// Renews a lease; answers status and JSON.
    pub async fn beat(&self, lease: &Leased) -> (u16, Value) {
        self.call("/api/v1/worker/heartbeat", "task.heartbeat", lease.data()).await
    }

    /// Sends a whole file in one piece; answers status and JSON.
    pub async fn put(&self, lease: &Leased, path: &str, offset: u64, bytes: &[u8]) -> (u16, Value) {
        let target = format!(
            "/api/v1/worker/files?task_id={}&lease_epoch={}&path={}&offset={offset}",
            lease.task,
            lease.epoch,
            utf8_percent_encode(path, NON_ALPHANUMERIC)
        );
        let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(bytes)));
        self.put_with(&target, &digest, &digest, bytes).await
    }

    /// Sends a piece, signed over one digest and announced with another.
    pub async fn put_with(&self, target: &str, signed: &str, sent: &str, bytes: &[u8]) -> (u16, Value) {
        let text = format!("PUT {target}\n{signed}");
        let mut request = self.shop.http.put(self.shop.public(target)).header("content-digest", sent);
        for (name, value) in self.sign(&new_id(), text.as_bytes()) {
            request = request.header(name, value);
        }
        let answer = request.body(bytes.to_vec()).send().await.expect("the listener answers");
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    /// How much of a file the shop has; answers status and JSON.
    pub async fn size(&self, lease: &Leased, path: &str) -> (u16, Value) {
        let target = format!(
            "/api/v1/worker/files?task_id={}&lease_epoch={}&path={}",
            lease.task,
            lease.epoch,
            utf8_percent_encode(path, NON_ALPHANUMERIC)
        );
        let mut request = self.shop.http.get(self.shop.public(&target));
        for (name, value) in self.sign(&new_id(), format!("GET {target}\n").as_bytes()) {
            request = request.header(name, value);
        }
        let answer = request.send().await.expect("the listener answers");
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    /// Hands files over under a folder's name; answers status and JSON.
    pub async fn finalize(&self, lease: &Leased, folder: &str, files: &[(&str, &[u8])]) -> (u16, Value) {
        self.call("/api/v1/webhook/finalize", "task.finalize", lease.result(folder, files)).await
    }
}

impl Leased {
    /// What every message about it says.
    pub fn data(&self) -> Value {
        json!({ "task_id": self.task, "lease_epoch": self.epoch })
    }

    /// What a finalize says.
    pub fn result(&self, folder: &str, files: &[(&str, &[u8])]) -> Value {
        let files: Vec<Value> = files
            .iter()
            .map(|(path, bytes)| {
                json!({ "path": path, "size": bytes.len(), "sha256": hex::encode(Sha256::digest(bytes)) })
            })
            .collect();
        json!({ "task_id": self.task, "lease_epoch": self.epoch, "folder_name": folder, "files": files })
    }
}

/// The tasks of an answer.
pub fn leased(answer: &Value) -> Vec<Leased> {
    let rows = answer["tasks"].as_array().expect("tasks");
    rows.iter()
        .map(|given| Leased {
            task: given["task_id"].as_i64().expect("an id"),
            epoch: given["lease_epoch"].as_i64().expect("an epoch"),
            given: given.clone(),
        })
        .collect()
}

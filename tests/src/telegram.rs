//! Telegram's bot API, as far as a bot that writes needs it: one token, one chat, and answers that a test can choose.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

/// The token that the stand-in accepts.
pub const BOT_TOKEN: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
/// The chat that the bot may write to.
pub const CHAT: &str = "987654321";

#[derive(Default)]
struct Inner {
    texts: Vec<String>,
    answers: VecDeque<u16>,
    calls: usize,
}

/// A running stand-in.
pub struct Telegram {
    addr: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

impl Telegram {
    /// Starts one on a free port of this machine.
    pub async fn start() -> Self {
        let inner: Arc<Mutex<Inner>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("a bound address");
        let router = axum::Router::new().route("/{bot}/sendMessage", post(send)).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { addr, inner }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The next answers, in order; after them everything is taken.
    pub fn answers(&self, statuses: &[u16]) {
        self.inner.lock().expect("no test panics here").answers.extend(statuses);
    }

    /// The texts that were taken.
    pub fn texts(&self) -> Vec<String> {
        self.inner.lock().expect("no test panics here").texts.clone()
    }

    /// How often it was called, refusals included.
    pub fn calls(&self) -> usize {
        self.inner.lock().expect("no test panics here").calls
    }
}

fn refuse(status: u16, words: &str) -> Response {
    let mut body = json!({ "ok": false, "error_code": status, "description": words });
    if status == 429 {
        body["parameters"] = json!({ "retry_after": 7 });
    }
    (StatusCode::from_u16(status).expect("a status"), Json(body)).into_response()
}

async fn send(
    State(inner): State<Arc<Mutex<Inner>>>,
    Path(bot): Path<String>,
    Json(body): Json<Value>,
) -> Response {
    let mut inner = inner.lock().expect("no test panics here");
    inner.calls += 1;
    if let Some(status) = inner.answers.pop_front().filter(|status| *status != 200) {
        return refuse(status, "as the test says");
    }
    if bot != format!("bot{BOT_TOKEN}") {
        return refuse(401, "Unauthorized");
    }
    if body["chat_id"] != CHAT {
        return refuse(400, "Bad Request: chat not found");
    }
    let Some(text) = body["text"].as_str().filter(|text| !text.is_empty() && text.chars().count() <= 4096)
    else {
        return refuse(400, "Bad Request: message text is empty");
    };
    inner.texts.push(text.to_owned());
    let answer = json!({ "ok": true, "result": { "message_id": inner.texts.len(), "chat": { "id": CHAT }, "text": text } });
    Json(answer).into_response()
}

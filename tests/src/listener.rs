//! A storefront's end of webhooks: takes what is sent, answers what the test says, keeps everything.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// One webhook as it came.
#[derive(Debug, Clone)]
pub struct Told {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`, seconds.
    pub stamp: i64,
    /// `webhook-signature`.
    pub signature: String,
    /// The body, byte for byte.
    pub body: Vec<u8>,
}

impl Told {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    /// The event's type.
    pub fn event(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }
}

#[derive(Default)]
struct Inner {
    told: Vec<Told>,
    answers: VecDeque<u16>,
}

/// A listener that answers 204, or what it was told to answer next.
pub struct Listener {
    addr: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

impl Listener {
    /// Starts one on a free port of this machine.
    pub async fn start() -> Self {
        let inner: Arc<Mutex<Inner>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("a bound address");
        let router = axum::Router::new().fallback(take).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { addr, inner }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.addr)
    }

    /// The next answers, in order; 204 follows.
    pub fn answers(&self, statuses: &[u16]) {
        self.inner.lock().expect("no test panics here").answers.extend(statuses);
    }

    /// Everything that came so far.
    pub fn told(&self) -> Vec<Told> {
        self.inner.lock().expect("no test panics here").told.clone()
    }

    /// The types of what came so far.
    pub fn events(&self) -> Vec<String> {
        self.told().iter().map(Told::event).collect()
    }
}

async fn take(State(inner): State<Arc<Mutex<Inner>>>, headers: HeaderMap, body: Bytes) -> Response {
    let word =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let told = Told {
        id: word("webhook-id"),
        stamp: word("webhook-timestamp").parse().unwrap_or_default(),
        signature: word("webhook-signature"),
        body: body.to_vec(),
    };
    let mut inner = inner.lock().expect("no test panics here");
    inner.told.push(told);
    let status = StatusCode::from_u16(inner.answers.pop_front().unwrap_or(204)).expect("a status");
    if status.is_redirection() {
        return (status, [(header::LOCATION, "/elsewhere")]).into_response();
    }
    status.into_response()
}

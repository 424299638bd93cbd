//! The running shop as the desk sees it: kept in Tauri's state once the shop has started.
//!
//! The window, the tray and the quit dialog all ask through here; each question is a request to the admin API,
//! as it would come over HTTP.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use chotdon_core::Shop;
use chotdon_core::config::Language;
use chotdon_core::logging::Logging;
use http_body_util::BodyExt;
use serde::Serialize;
use tauri::async_runtime::JoinHandle;
use tower::ServiceExt;

use crate::remembered::Remembered;

/// An answer of the admin API.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// A question that was not asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAsked {
    /// Not a request at all, or not one for the admin API.
    #[error("{0} is not a request of the admin API")]
    NotOurs(String),
    /// The answer broke off, or was not text.
    #[error("the answer cannot be read: {0}")]
    Broken(String),
}

/// The shop and what the desk knows about itself.
pub(crate) struct Desk {
    pub(crate) shop: Shop,
    pub(crate) data_dir: PathBuf,
    remembered: Mutex<Remembered>,
    listening: Mutex<Option<JoinHandle<()>>>,
    _logging: Option<Logging>,
}

impl Desk {
    pub(crate) fn new(shop: Shop, data_dir: PathBuf, logging: Option<Logging>) -> Self {
        let remembered = Mutex::new(Remembered::read(&data_dir));
        Self { shop, data_dir, remembered, listening: Mutex::default(), _logging: logging }
    }

    /// The owner's language.
    pub(crate) fn language(&self) -> Language {
        self.shop.config().shop.language
    }

    /// Puts one request to the admin API. `path` starts with `/admin/api/` or is `/health`.
    ///
    /// # Errors
    /// [`NotAsked`]; an error of the API itself is an answer.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> Result<Answer, NotAsked> {
        if !is_admin_path(path) {
            return Err(NotAsked::NotOurs(path.to_owned()));
        }
        let method =
            Method::from_bytes(method.as_bytes()).map_err(|_| NotAsked::NotOurs(method.to_owned()))?;
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(body.map_or_else(Body::empty, Body::from))
            .map_err(|_| NotAsked::NotOurs(path.to_owned()))?;
        let Ok(response) = self.shop.admin().oneshot(request).await;
        let (head, body) = response.into_parts();
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        let body = body.collect().await.map_err(|error| NotAsked::Broken(error.to_string()))?.to_bytes();
        let body = String::from_utf8(body.to_vec()).map_err(|error| NotAsked::Broken(error.to_string()))?;
        Ok(Answer { status: head.status.as_u16(), content_type, body })
    }

    /// Puts a request whose answer nobody waits for; what goes wrong is logged.
    pub(crate) async fn tell(&self, path: &str, body: serde_json::Value) {
        match self.ask("POST", path, Some(body.to_string())).await {
            Ok(answer) if StatusCode::from_u16(answer.status).is_ok_and(|status| status.is_success()) => {}
            Ok(answer) => tracing::warn!(path, status = answer.status, "the shop refused"),
            Err(error) => tracing::warn!(path, %error, "the shop was not asked"),
        }
    }

    /// Replaces the one stream of events that goes to the window; `None` ends it.
    pub(crate) fn listen_with(&self, forwarding: Option<JoinHandle<()>>) {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = std::mem::replace(&mut *listening, forwarding) {
            before.abort();
        }
    }

    /// True once in the life of a shop: the first time its window is closed.
    pub(crate) fn is_first_close(&self) -> bool {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let first = !remembered.told_about_tray;
        if first {
            remembered.told_about_tray = true;
            remembered.write(&self.data_dir);
        }
        first
    }

    /// Whether the machine is to be kept awake; `wanted` changes it first.
    pub(crate) fn keep_awake(&self, wanted: Option<bool>) -> bool {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wanted) = wanted.filter(|wanted| *wanted != remembered.keep_awake) {
            remembered.keep_awake = wanted;
            remembered.write(&self.data_dir);
        }
        remembered.keep_awake
    }

    /// Stops the shop; running stages get `drain` to finish.
    pub(crate) async fn close(&self, drain: Duration) {
        self.listen_with(None);
        self.shop.shutdown(drain).await;
    }
}

fn is_admin_path(path: &str) -> bool {
    let bare = path.split('?').next().unwrap_or_default();
    let streams = bare == "/admin/api/events";
    (bare.starts_with("/admin/api/") || bare == "/health") && !streams && !bare.contains("..")
}

#[cfg(test)]
mod tests {
    use super::is_admin_path;

    #[test]
    fn only_the_admin_api_is_asked() {
        assert!(is_admin_path("/admin/api/orders?q=duc"));
        assert!(is_admin_path("/health"));
        for path in [
            "/metrics",
            "/healthz",
            "/login",
            "//evil.example/admin/api/orders",
            "http://evil.example/admin/api/x",
            "/admin/api/../../login",
            "admin/api/orders",
            "",
        ] {
            assert!(!is_admin_path(path), "{path}");
        }
    }

    #[test]
    fn the_endless_event_stream_is_not_asked_for_as_one_answer() {
        assert!(!is_admin_path("/admin/api/events"));
        assert!(!is_admin_path("/admin/api/events?after=3"));
    }
}

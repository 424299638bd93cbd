//! `run.json`: where the running instance of a shop listens, for commands beside it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use chotdon_core::private_file;
use chotdon_core::secrets::SecretName;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::end::End;
use crate::place::{Place, now_ms};

const FILE_NAME: &str = "run.json";

/// A running instance.
#[derive(Serialize, Deserialize)]
pub(crate) struct Running {
    /// Address of the public listener, `http://…`.
    pub(crate) public: String,
    /// Address of the private listener.
    pub(crate) private: Option<String>,
    /// Process id.
    pub(crate) pid: u32,
}

/// Removes the file when the instance ends.
pub(crate) struct Announcement {
    path: PathBuf,
}

impl Running {
    pub(crate) fn new(public: SocketAddr, private: Option<SocketAddr>) -> Self {
        let url = |address: SocketAddr| format!("http://{address}");
        Self { public: url(public), private: private.map(url), pid: std::process::id() }
    }

    /// What `serve` prints when it is ready.
    pub(crate) fn ready_line(&self) -> String {
        let private = self.private.as_deref().unwrap_or_default();
        format!(r#"{{"public":"{}","private":"{private}"}}"#, self.public)
    }

    pub(crate) fn announce(&self, data_dir: &Path) -> std::io::Result<Announcement> {
        let path = data_dir.join(FILE_NAME);
        private_file::replace(&path, serde_json::to_string(self)?.as_bytes())?;
        Ok(Announcement { path })
    }

    /// The instance that announced itself in `data_dir`; it may have died without taking that back.
    pub(crate) fn find(data_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(data_dir.join(FILE_NAME)).ok()?).ok()
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A client for talking to the instance itself: no proxy, no redirects, never for long.
pub(crate) fn client() -> Result<reqwest::Client, End> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .build()
        .map_err(End::failed)
}

/// Tells a running instance that settings, secrets or the catalogue changed. Best effort: it finds out by itself
/// within half a minute.
pub(crate) async fn poke(place: &Place) {
    let Some(private) = Running::find(&place.data_dir).and_then(|running| running.private) else { return };
    let Ok(token) = admin_token(place).await else { return };
    let Ok(client) = client() else { return };
    let request = client
        .post(format!("{private}/admin/api/reload"))
        .bearer_auth(token.expose_secret())
        .json(&serde_json::json!({}))
        .timeout(Duration::from_secs(5));
    if let Err(error) = request.send().await {
        tracing::debug!(error = %error.without_url(), "no running instance took notice");
    }
}

/// The bearer token of the private listener.
pub(crate) async fn admin_token(place: &Place) -> Result<secrecy::SecretString, End> {
    let token = place.credentials().await?.get(&SecretName::admin_token(), now_ms()).await?;
    token.ok_or_else(|| End::failed(anyhow!("this shop has no admin token yet; start it once with serve")))
}

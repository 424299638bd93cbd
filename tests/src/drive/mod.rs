//! A stand-in for Google Drive on 127.0.0.1: what the shop uses of API, uploads and tokens, with faults on demand.
//!
//! Google's Python client and rclone agree with it (`tests/drive_foreign`). What it cannot show: real quotas, visitor
//! sharing, and how long Google takes to make a change seen.

mod answers;
mod faults;
mod files;
mod query;
mod service;
mod sharing;
mod tokens;
mod upload;
mod world;

use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::routing::{get, post};
use serde_json::Value;
use tokio::task::AbortHandle;

pub use faults::{Faults, Refusal};
pub use service::AccountKey;
pub use world::{Call, Counts, FOREIGN_TOKEN, Item, REFRESH_TOKEN, Shared};

use world::World;

/// A running stand-in.
pub struct DriveStandIn {
    world: Arc<World>,
    /// `http://127.0.0.1:PORT`.
    pub base: String,
    serving: AbortHandle,
}

impl DriveStandIn {
    /// Starts an empty account without limits.
    ///
    /// # Errors
    /// When no port or directory can be had.
    pub async fn start() -> Result<Self> {
        let world = Arc::new(World::new()?);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let serving = tokio::spawn(axum::serve(listener, routes(world.clone())).into_future());
        Ok(Self { world, base, serving: serving.abort_handle() })
    }

    /// What a shop is told so that it speaks to this stand-in.
    #[must_use]
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("CHOTDON_DRIVE__API_BASE", format!("{}/drive/v3", self.base)),
            ("CHOTDON_DRIVE__UPLOAD_BASE", format!("{}/upload/drive/v3", self.base)),
            ("CHOTDON_DRIVE__AUTH_BASE", self.base.clone()),
            ("CHOTDON_DRIVE__CLIENT_ID", "shop.apps.googleusercontent.com".to_owned()),
        ]
    }

    /// The secrets of a shop whose owner has given consent.
    #[must_use]
    pub fn secrets(&self) -> [(&'static str, &'static str); 2] {
        [("google.client_secret", "GOCSPX-test"), ("google.refresh_token", REFRESH_TOKEN)]
    }

    /// Changes what goes wrong from now on.
    pub fn faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.world.state().faults);
    }

    /// What has happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.world.state().counts.clone()
    }

    /// Every call so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.world.state().calls.clone()
    }

    /// Everything in the account but its root, by id.
    #[must_use]
    pub fn items(&self) -> BTreeMap<String, Item> {
        let state = self.world.state();
        state
            .items
            .iter()
            .filter(|(_, item)| item.parent.is_some())
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }

    /// The path of everything that is not in the bin, from the root on, `/` between names. Folders end in `/`.
    #[must_use]
    pub fn tree(&self) -> BTreeMap<String, Item> {
        let state = self.world.state();
        let named = state.items.values().filter(|item| item.parent.is_some() && !item.trashed);
        named.map(|item| (state.path(item), item.clone())).collect()
    }

    /// Where the bytes of a file lie.
    #[must_use]
    pub fn bytes_of(&self, id: &str) -> PathBuf {
        self.world.bytes_of(id)
    }

    /// Who may read a file or folder besides the owner.
    #[must_use]
    pub fn readers(&self, id: &str) -> Vec<Shared> {
        let state = self.world.state();
        let item = state.items.get(id);
        item.map(|item| item.permissions.iter().filter(|p| p.role == "reader").cloned().collect())
            .unwrap_or_default()
    }

    /// Changes something behind the shop's back.
    pub fn tamper(&self, id: &str, change: impl FnOnce(&mut Item)) {
        if let Some(item) = self.world.state().items.get_mut(id) {
            change(item);
        }
    }

    /// Access tokens given so far are good no more.
    pub fn expire_tokens(&self) {
        self.world.state().tokens.clear();
    }

    /// Waits until `done` says so, asked again after every call.
    ///
    /// # Panics
    /// When it takes longer than a minute.
    pub async fn until(&self, done: impl Fn(&Counts) -> bool) {
        let waiting = async {
            loop {
                let called = self.world.called.notified();
                if done(&self.counts()) {
                    return;
                }
                called.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it comes within a minute");
    }
}

impl Drop for DriveStandIn {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn routes(world: Arc<World>) -> Router {
    Router::new()
        .route("/drive/v3/about", get(files::about))
        .route("/drive/v3/files/generateIds", get(files::generate_ids))
        .route("/drive/v3/files", get(files::list).post(files::create))
        .route("/drive/v3/files/{id}", get(files::read).patch(files::change).delete(files::delete))
        .route("/drive/v3/files/{id}/permissions", get(sharing::list).post(sharing::share))
        .route("/drive/v3/files/{id}/permissions/{permission}", get(sharing::read).delete(sharing::unshare))
        .route("/upload/drive/v3/files", post(upload::post).put(upload::put))
        .route("/upload/drive/v3/files/{id}", axum::routing::patch(upload::replace))
        .route("/token", post(tokens::token))
        .route("/revoke", post(tokens::revoke))
        .route("/o/oauth2/v2/auth", get(tokens::consent))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(world)
}

/// JSON with only what a `fields` parameter asks for.
fn masked(value: Value, fields: Option<&str>) -> Value {
    query::mask(value, fields)
}

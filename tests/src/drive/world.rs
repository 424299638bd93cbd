//! The account: files, folders, permissions, sessions, tokens, and what has happened to them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::http::HeaderMap;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::sync::Notify;

use super::answers::No;
use super::faults::Faults;
use super::upload::Session;

/// The consent that a shop under test has.
pub const REFRESH_TOKEN: &str = "1//refresh-canary-4f1c9d";
/// An access token that is always good, for clients that are not ours.
pub const FOREIGN_TOKEN: &str = "ya29.foreign";
pub(super) const FOLDER: &str = "application/vnd.google-apps.folder";
pub(super) const ROOT: &str = "0ROOT";
pub(super) const OWNER: &str = "owner@example.com";

/// A file or folder.
#[derive(Debug, Clone, Default)]
pub struct Item {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// MIME type.
    pub mime: String,
    /// The folder it is in; none for the root.
    pub parent: Option<String>,
    /// Bytes; none for folders.
    pub size: Option<u64>,
    /// Hex.
    pub md5: String,
    /// Hex.
    pub sha1: String,
    /// Hex.
    pub sha256: String,
    /// The app's marks.
    pub app_properties: Map<String, Value>,
    /// As it was given.
    pub modified_time: String,
    /// In the bin.
    pub trashed: bool,
    /// Who may do what.
    pub permissions: Vec<Shared>,
    /// The shared drive that it is in; none = somebody's own.
    pub drive: Option<String>,
}

/// A permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Its id, the same for the same address.
    pub id: String,
    /// `user`, `anyone`.
    pub kind: String,
    /// The address.
    pub email: String,
    /// `reader`, `owner`.
    pub role: String,
    /// As it was given.
    pub expires: Option<String>,
}

/// What has happened so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls by name.
    pub calls: BTreeMap<&'static str, u64>,
    /// Bytes of files that arrived, wanted or not.
    pub bytes: u64,
    /// Chunks that arrived.
    pub chunks: u64,
    /// Of those, answered with a fault.
    pub faults: u64,
    /// Permissions that were made.
    pub permissions: u64,
    /// Mails that Google sent.
    pub mails: u64,
}

impl Counts {
    /// How often a call was made.
    #[must_use]
    pub fn of(&self, call: &str) -> u64 {
        self.calls.get(call).copied().unwrap_or(0)
    }
}

/// A call as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `GET`, …
    pub method: String,
    /// With `{fileId}` and `{permissionId}` in place of ids, as Google describes it.
    pub path: &'static str,
    /// Names of the query's parameters.
    pub parameters: Vec<String>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) items: BTreeMap<String, Item>,
    pub(super) sessions: HashMap<String, Arc<tokio::sync::Mutex<Session>>>,
    pub(super) tokens: HashSet<String>,
    /// Public keys of service accounts by address.
    pub(super) accounts: HashMap<String, Vec<u8>>,
    /// Tokens of theirs.
    pub(super) robots: HashSet<String>,
    pub(super) codes: HashMap<String, String>,
    pub(super) faults: Faults,
    pub(super) counts: Counts,
    pub(super) calls: Vec<Call>,
    number: u64,
}

pub(super) struct World {
    state: Mutex<State>,
    pub(super) called: Notify,
    dir: TempDir,
}

impl World {
    pub(super) fn new() -> Result<Self> {
        let mut state = State::default();
        let root = Item { id: ROOT.into(), name: "My Drive".into(), mime: FOLDER.into(), ..Item::default() };
        state.items.insert(ROOT.to_owned(), root);
        Ok(Self { state: Mutex::new(state), called: Notify::new(), dir: tempfile::tempdir()? })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn bytes_of(&self, id: &str) -> PathBuf {
        self.dir.path().join(id)
    }

    /// Counts a call, then refuses it when its token is not good or a fault says so.
    pub(super) fn enter(
        &self,
        name: &'static str,
        method: &str,
        path: &'static str,
        query: &[(String, String)],
        headers: &HeaderMap,
    ) -> Result<Option<No>, No> {
        let mut state = self.state();
        *state.counts.calls.entry(name).or_default() += 1;
        let parameters = query.iter().map(|(key, _)| key.clone()).collect();
        state.calls.push(Call { method: method.to_owned(), path, parameters });
        self.called.notify_waiters();
        state.authorize(headers)?;
        match state.faults.refuse(name) {
            Some(refusal) if refusal.done_all_the_same => Ok(Some(refusal.into())),
            Some(refusal) => Err(refusal.into()),
            None => Ok(None),
        }
    }
}

impl State {
    pub(super) fn authorize(&self, headers: &HeaderMap) -> Result<(), No> {
        let token = headers.get("authorization").and_then(|value| value.to_str().ok());
        let token = token.and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
        if token == FOREIGN_TOKEN || self.tokens.contains(token) {
            return Ok(());
        }
        Err(No::new(401, "authError", "Invalid Credentials"))
    }

    /// A number that was never given before.
    pub(super) fn fresh(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// An id as Drive makes them.
    pub(super) fn fresh_id(&mut self) -> String {
        let number = self.fresh();
        format!("1{:032x}", u128::from(number) * 0x9e37_79b9_7f4a_7c15_f39c)
    }

    pub(super) fn item(&self, id: &str) -> Result<&Item, No> {
        let id = if id == "root" { ROOT } else { id };
        self.items.get(id).ok_or_else(|| No::not_found(id))
    }

    /// The same for a caller who asks in this way: what is in a shared drive is there only for those who say that they
    /// know of shared drives.
    pub(super) fn seen(&self, id: &str, query: &[(String, String)]) -> Result<&Item, No> {
        let item = self.item(id)?;
        let knows = query.iter().any(|(key, value)| key == "supportsAllDrives" && value == "true");
        if item.drive.is_some() && !knows { Err(No::not_found(id)) } else { Ok(item) }
    }

    /// Refuses what a service account would have to keep in storage of its own: it has none.
    pub(super) fn may_keep(&self, item: &Item, headers: &HeaderMap) -> Result<(), No> {
        let token = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let robot = token.strip_prefix("Bearer ").is_some_and(|token| self.robots.contains(token));
        if robot && item.drive.is_none() {
            let words = "Service Accounts do not have storage quota. Leverage shared drives instead.";
            return Err(No::new(403, "storageQuotaExceeded", words));
        }
        Ok(())
    }

    pub(super) fn used(&self) -> u64 {
        self.items.values().filter_map(|item| item.size).sum()
    }

    /// From the root on; folders end in `/`.
    pub(super) fn path(&self, item: &Item) -> String {
        let mut path = item.name.clone();
        let mut above = item.parent.clone();
        while let Some(folder) = above.and_then(|id| self.items.get(&id)).filter(|item| item.parent.is_some())
        {
            path = format!("{}/{path}", folder.name);
            above = folder.parent.clone();
        }
        if item.mime == FOLDER { format!("{path}/") } else { path }
    }

    /// A new item as its metadata say, not yet in the account.
    pub(super) fn described(&mut self, body: &Value, query: &[(String, String)]) -> Result<Item, No> {
        let id = match body["id"].as_str() {
            Some(id) if self.items.contains_key(id) => {
                return Err(No::new(409, "fileIdInUse", "A file already exists with the provided ID."));
            }
            Some(id) => id.to_owned(),
            None => self.fresh_id(),
        };
        let (parent, drive) = match body["parents"][0].as_str() {
            Some(parent) => {
                let parent = self.seen(parent, query)?;
                (parent.id.clone(), parent.drive.clone())
            }
            None => (ROOT.to_owned(), None),
        };
        Ok(Item {
            id,
            name: body["name"].as_str().unwrap_or("Untitled").to_owned(),
            mime: body["mimeType"].as_str().unwrap_or("application/octet-stream").to_owned(),
            parent: Some(parent),
            drive,
            app_properties: body["appProperties"].as_object().cloned().unwrap_or_default(),
            modified_time: body["modifiedTime"].as_str().unwrap_or("2026-11-22T00:00:00.000Z").to_owned(),
            permissions: vec![Shared {
                id: "00000000000000000001".to_owned(),
                kind: "user".to_owned(),
                email: OWNER.to_owned(),
                role: "owner".to_owned(),
                expires: None,
            }],
            ..Item::default()
        })
    }

    /// Everything that Drive says of an item.
    pub(super) fn shown(&self, item: &Item) -> Value {
        let folder = item.mime == FOLDER;
        let place = if folder { "drive/folders" } else { "file/d" };
        let mut shown = json!({
            "kind": "drive#file", "id": item.id, "name": item.name, "mimeType": item.mime,
            "parents": item.parent.iter().collect::<Vec<_>>(), "trashed": item.trashed,
            "appProperties": item.app_properties, "modifiedTime": item.modified_time,
            "createdTime": item.modified_time, "webViewLink": format!("https://drive.google.com/{place}/{}", item.id),
        });
        if let Some(drive) = &item.drive {
            shown["driveId"] = drive.as_str().into();
        }
        if let Some(size) = item.size {
            shown["size"] = size.to_string().into();
            for (name, sum) in
                [("md5Checksum", &item.md5), ("sha1Checksum", &item.sha1), ("sha256Checksum", &item.sha256)]
            {
                if !self.faults.without.contains(name) {
                    shown[name] = sum.as_str().into();
                }
            }
        }
        shown
    }
}

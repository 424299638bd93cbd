//! What may be in a worker's request: strict types, so that anything else is refused before it is looked at.

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use chotdon_store::{Giving, Held};

use super::gate;
use crate::delivery::{ManifestFile, check_path, check_paths};
use crate::http::problem::Answer;
use crate::views::Problem;

/// Tasks that one request may lease.
const MOST_TASKS: i64 = 16;
/// Longest wait for work, seconds.
const LONGEST_WAIT_S: i64 = 25;
/// Longest technical detail, characters.
const LONGEST_DETAIL: usize = 2_000;
/// Kinds of sources that another machine can reach.
const SOURCES: [&str; 2] = ["http", "program"];

/// `{"type":…,"timestamp"?:…,"data":{…}}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message<T> {
    r#type: String,
    /// Recommended by the specification; the header's is the one that counts.
    #[serde(default, rename = "timestamp")]
    _timestamp: Option<String>,
    data: T,
}

/// Reads the body of a signed request of this type.
///
/// # Errors
/// 400 with `malformed_json`, `secret_key_refused` or `bad_request`.
pub(super) fn read<T: DeserializeOwned>(body: &[u8], kind: &str) -> Answer<T> {
    let message: Message<T> = serde_json::from_slice(body).map_err(|error| {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let named = |value: &Value| value.get("secret_key").is_some();
        if named(&value) || value.get("data").is_some_and(named) {
            return gate::secret_key_refused(StatusCode::BAD_REQUEST);
        }
        match error.classify() {
            serde_json::error::Category::Data => Problem::bad(format!("the JSON body: {error}")),
            _ => Problem::new(
                StatusCode::BAD_REQUEST,
                "malformed_json",
                format!("the body is not JSON: {error}"),
            ),
        }
    })?;
    match message.r#type == kind {
        true => Ok(message.data),
        false => Err(Problem::bad(format!("type: \"{kind}\" here"))),
    }
}

fn held(task: i64, epoch: i64) -> Answer<Held> {
    match task > 0 && epoch > 0 {
        true => Ok(Held { task, epoch }),
        false => Err(Problem::bad("task_id, lease_epoch: whole numbers above 0")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    #[serde(default)]
    kinds: Option<Vec<String>>,
    #[serde(default = "one")]
    pub(super) max: i64,
    #[serde(default)]
    pub(super) wait_s: i64,
    #[serde(default = "http")]
    pub(super) sources: Vec<String>,
}

fn one() -> i64 {
    1
}

fn http() -> Vec<String> {
    vec!["http".to_owned()]
}

impl Claim {
    pub(super) fn check(&self) -> Answer<()> {
        if !(1..=MOST_TASKS).contains(&self.max) {
            return Err(Problem::bad(format!("max: 1 to {MOST_TASKS}")));
        }
        if !(0..=LONGEST_WAIT_S).contains(&self.wait_s) {
            return Err(Problem::bad(format!("wait_s: 0 to {LONGEST_WAIT_S}")));
        }
        if self.kinds.iter().flatten().any(|kind| kind != "prepare_course") {
            return Err(Problem::bad("kinds: prepare_course is the only kind for other machines"));
        }
        if self.kinds.as_ref().is_some_and(Vec::is_empty) || self.sources.is_empty() {
            return Err(Problem::bad("kinds, sources: name one, or leave them out"));
        }
        match self.sources.iter().find(|source| !SOURCES.contains(&source.as_str())) {
            Some(odd) => {
                let shown: String = odd.chars().take(40).collect();
                Err(Problem::bad(format!("sources: {} are known, not {shown:?}", SOURCES.join(", "))))
            }
            None => Ok(()),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lease {
    task_id: i64,
    lease_epoch: i64,
}

impl Lease {
    pub(super) fn held(&self) -> Answer<Held> {
        held(self.task_id, self.lease_epoch)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    task_id: i64,
    lease_epoch: i64,
    done_bytes: u64,
    #[serde(default)]
    total_bytes: Option<u64>,
    #[serde(default)]
    item: Option<String>,
}

impl Progress {
    pub(super) fn held(&self) -> Answer<Held> {
        held(self.task_id, self.lease_epoch)
    }

    /// Bytes done, bytes in all (0 = not known), and what is being worked on, fit to be shown.
    pub(super) fn figures(&self) -> (u64, u64, Option<String>) {
        let shown = |item: &String| item.chars().filter(|c| !c.is_control()).take(200).collect();
        (self.done_bytes, self.total_bytes.unwrap_or(0), self.item.as_ref().map(shown))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Class {
    Transient,
    Permanent,
    Released,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failed {
    task_id: i64,
    lease_epoch: i64,
    class: Class,
    code: String,
    #[serde(default)]
    detail: String,
}

impl Failed {
    pub(super) fn held(&self) -> Answer<Held> {
        held(self.task_id, self.lease_epoch)
    }

    /// What kind of failure it is, its code and its detail.
    pub(super) fn failure(self) -> Answer<(Giving, String, String)> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !(1..=64).contains(&self.code.len()) || !self.code.bytes().all(plain) {
            return Err(Problem::bad("code: 1 to 64 lower-case letters, digits and underscores"));
        }
        let detail =
            self.detail.chars().filter(|c| !c.is_control() || *c == '\n').take(LONGEST_DETAIL).collect();
        let giving = match self.class {
            Class::Transient => Giving::UpForNow,
            Class::Permanent => Giving::UpForGood,
            Class::Released => Giving::Back,
        };
        Ok((giving, self.code, detail))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Finalize {
    task_id: i64,
    lease_epoch: i64,
    folder_name: String,
    files: Vec<ManifestFile>,
}

impl Finalize {
    pub(super) fn held(&self) -> Answer<Held> {
        held(self.task_id, self.lease_epoch)
    }

    /// The folder's name, and the files as they are stored.
    pub(super) fn result(self) -> Answer<(String, String)> {
        folder_name(&self.folder_name)?;
        check_paths(self.files.iter().map(|file| file.path.as_str()))
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "file_list_invalid", error.detail))?;
        for file in &self.files {
            let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            if file.sha256.len() != 64 || !file.sha256.bytes().all(hex) {
                let detail = format!("sha256 of {:?}: 64 lower-case hexadecimal digits", file.path);
                return Err(Problem::new(StatusCode::BAD_REQUEST, "file_list_invalid", detail));
            }
            if i64::try_from(file.size).is_err() {
                let detail = format!("size of {:?}: too large", file.path);
                return Err(Problem::new(StatusCode::BAD_REQUEST, "file_list_invalid", detail));
            }
        }
        let files = serde_json::to_string(&self.files)
            .map_err(|error| chotdon_store::Error::Internal(error.to_string()))?;
        Ok((self.folder_name, files))
    }
}

/// One folder, nowhere else.
fn folder_name(name: &str) -> Answer<()> {
    let why = match check_path(name) {
        Err(why) => Some(why),
        Ok(()) if name.contains('/') => Some("it names a folder in a folder"),
        Ok(()) if name.starts_with('.') => Some("it begins with a dot"),
        Ok(()) => None,
    };
    why.map_or(Ok(()), |why| {
        Err(Problem::new(StatusCode::BAD_REQUEST, "folder_name_invalid", format!("folder_name: {why}")))
    })
}

//! What goes over the socket. Unknown fields are passed over: rclone adds some with each version.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A version of rclone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 1, so far.
    pub major: u32,
    /// Counts up with each release.
    pub minor: u32,
    /// Repairs.
    pub patch: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A directory: of a remote, or of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Of a remote that was configured.
    Remote {
        /// Its name.
        name: String,
        /// Below its root; may be empty.
        path: String,
    },
    /// Of this machine, absolute.
    Local(String),
    /// Of this machine, absolute, for files that are read while they are written: no holes, no room taken ahead.
    Growing(String),
}

impl Place {
    /// A directory of a remote.
    #[must_use]
    pub fn remote(name: &str, path: &str) -> Self {
        Self::Remote { name: name.to_owned(), path: path.to_owned() }
    }

    pub(crate) fn fs(&self) -> Value {
        match self {
            Self::Remote { name, path } => json!(format!("{name}:{path}")),
            Self::Local(path) => json!({ "type": "local", "_root": path }),
            Self::Growing(path) => {
                json!({ "type": "local", "_root": path, "no_preallocate": "true", "no_sparse": "true" })
            }
        }
    }
}

/// One file of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Item {
    /// Below the listed directory, `/` between components.
    pub path: String,
    /// Bytes; −1 when the remote does not know.
    pub size: i64,
    /// RFC 3339; remotes without times say when they were asked.
    #[serde(default)]
    pub mod_time: String,
    /// Lower-case hex, where it was asked for and the remote has it.
    #[serde(default, skip_serializing_if = "Hashes::is_empty")]
    pub hashes: Hashes,
}

/// Hash name → lower-case hex.
pub type Hashes = std::collections::BTreeMap<String, String>;

/// What a remote can do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    /// Names of the hashes that it keeps: `md5`, `sha1`, `sha256`, …
    pub hashes: Vec<String>,
    /// Whether it reads the whole file to answer a hash.
    pub slow_hash: bool,
    /// Whether it keeps times of change.
    pub times: bool,
}

/// Work that rclone does by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its number within one run of rclone.
    pub id: i64,
    /// Which run.
    pub execution: String,
}

/// How a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// Under way.
    Running,
    /// Ended well, with this answer.
    Done(Value),
    /// Ended badly; rclone's word.
    Failed(String),
}

/// Figures of a group of jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stats {
    /// Bytes moved so far.
    pub bytes: i64,
    /// Errors so far.
    pub errors: i64,
    /// The last one's text.
    pub last_error: Option<String>,
    /// Files under way.
    pub transferring: Option<Vec<Transferring>>,
}

/// A file under way.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Transferring {
    /// Its path.
    pub name: String,
}

/// What `operations/check` found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Checked {
    /// Whether both sides are the same.
    pub success: bool,
    /// Paths that differ.
    pub differ: Vec<String>,
    /// Paths that only the source has.
    pub missing_on_dst: Vec<String>,
    /// Paths that only the destination has.
    pub missing_on_src: Vec<String>,
    /// Paths that could not be compared.
    pub error: Vec<String>,
}

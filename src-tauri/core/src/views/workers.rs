//! Workers on other machines.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Progress;

/// A worker on another machine.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct ExternalWorker {
    pub name: String,
    /// Changes with each new key; not secret.
    pub key_id: String,
    /// `working` (holds a task), `here` (seen within the last two minutes), `away`, `never` (not seen yet) or `revoked`.
    pub state: String,
    pub created_at: String,
    /// Its last signed request.
    pub seen_at: Option<String>,
    /// Until when the key before the last rotation is good.
    pub previous_until: Option<String>,
    pub revoked_at: Option<String>,
    /// What it holds now.
    pub tasks: Vec<ExternalWork>,
}

/// A task in work on another machine.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct ExternalWork {
    pub task: i64,
    /// The course's title.
    pub course: String,
    pub stage: String,
    pub started_at: String,
    /// When the task is taken back unless the worker is heard of before.
    pub lease_until: String,
    pub progress: Option<Progress>,
}

/// `POST /admin/api/workers`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWorker {
    /// Letters, digits, `-` and `_`, at most 64.
    pub name: String,
}

/// A worker's key, shown this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct WorkerKeyShown {
    pub name: String,
    /// `whsec_…`.
    pub key: String,
    /// The command that starts the worker on its machine; it reads the key from standard input.
    pub command: String,
    /// Until when the key before is good, after a rotation.
    pub previous_until: Option<String>,
}

impl std::fmt::Debug for WorkerKeyShown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerKeyShown").field("name", &self.name).finish_non_exhaustive()
    }
}

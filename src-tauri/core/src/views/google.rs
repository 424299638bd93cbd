//! The owner's Google account.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /admin/api/google`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Google {
    /// `off`, `waiting` (for the owner's consent), `connected`, `reconnect` (the consent is not good any more), `failed`
    /// (Google cannot be asked now).
    pub state: String,
    /// The account's address.
    pub email: Option<String>,
    /// Bytes in all of Google's services.
    pub used_bytes: Option<i64>,
    /// `null` = not limited, or not known.
    pub limit_bytes: Option<i64>,
    /// The owner's own OAuth client; empty = not set.
    pub client_id: String,
    /// Whether its secret is set.
    pub secret_set: bool,
    /// Error code of what is wrong, for the UI's catalogue.
    pub code: Option<String>,
    pub detail: Option<String>,
}

/// `POST /admin/api/google/connect`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GoogleConnect {
    /// What a browser on this machine has to open.
    pub url: String,
}

//! Keys and their ages, rotation, and whether the record of human actions is whole.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /admin/api/keys`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct KeysPage {
    /// `keyring`, `file` or `memory`.
    pub store: String,
    /// Why the store cannot be read now; none while it can.
    pub trouble: Option<String>,
    /// Days after which the owner is reminded; 0 = never.
    pub remind_after_days: i64,
    /// Hours for which the value before a rotation stays good.
    pub overlap_h: i64,
    pub rows: Vec<KeyRow>,
}

/// One key. Never its value.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct KeyRow {
    /// `sepay.api_key`, `worker.NAME`, `storefront.NAME`, `admin.token`, …
    pub name: String,
    pub set: bool,
    /// Last four characters of values of at least 12.
    pub hint: Option<String>,
    /// Since when the value is in use; none while nobody has noted it.
    pub changed_at: Option<String>,
    /// False when it may be older than that.
    pub exact: bool,
    /// Whole days of `changed_at`.
    pub days: Option<i64>,
    /// True when it should be replaced.
    pub old: bool,
    /// Who changed it last: `owner`, `cli`, `system`.
    pub by: Option<String>,
    /// Until when the value before is good.
    pub previous_until: Option<String>,
    /// Who gives out a new value: `here`, `sepay`, `google`, `mail`, `telegram`, `tunnel`, `lms`, `source`, `downloader`.
    pub given_by: String,
    /// Of `rotate`, `revoke_previous`, `delete`: what can be done now.
    pub actions: Vec<String>,
}

/// `POST /admin/api/secrets/{name}/rotate`.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct KeyRotate {
    /// The new value, write-only; left out = one is made up, for keys that are made here.
    pub value: Option<String>,
    /// Hours for which the value before stays good, at most 720; left out = `secrets.overlap_h`.
    pub overlap_h: Option<u32>,
}

/// What a rotation has made.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct KeyRotated {
    pub name: String,
    /// The value that was made up: shown this once, to be entered where the key is used. None for a value that was given.
    pub value: Option<String>,
    pub previous_until: Option<String>,
}

/// `POST /admin/api/storefront/keys`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StorefrontKeyNew {
    /// 1 to 64 characters.
    pub name: String,
    /// What it may do; left out = everything.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// A storefront's key, shown this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct StorefrontKeyShown {
    pub name: String,
    pub key: String,
}

/// `GET /admin/api/audit/check`: a walk over the whole record.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct AuditCheck {
    /// Rows that are as they were written, up to the first that is not.
    pub rows: i64,
    /// The first row that is not as it was written, or after which rows are gone; none = the record is whole.
    pub broken_id: Option<i64>,
    /// `changed`, `missing` or `cut`.
    pub broken: Option<String>,
    /// Up to which row the secret store vouches for the record.
    pub kept_id: Option<i64>,
}

/// `POST /admin/api/exports`: the owner took a list out of the app.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// Which list; letters, digits, `-` and `_`, at most 40.
    pub what: String,
    /// Rows in the file.
    pub rows: i64,
}

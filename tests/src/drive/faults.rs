//! What goes wrong, and when.

use std::collections::BTreeSet;
use std::time::Duration;

/// Everything that can go wrong; nothing does by default. Chunks are counted from 1, over all sessions.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Each so-many-th chunk is answered 503; every second of these chunks was stored all the same.
    pub fail_each: Option<u64>,
    /// Of each so-many-th chunk only the first half is stored, and so it is answered.
    pub short_each: Option<u64>,
    /// In the middle of each so-many-th chunk the connection is closed.
    pub cut_each: Option<u64>,
    /// The session is forgotten with these chunks.
    pub lose: BTreeSet<u64>,
    /// How long each 64 KiB of a chunk take at least.
    pub slow: Option<Duration>,
    /// What is refused, the first that fits.
    pub refusals: Vec<Refusal>,
    /// New permissions until Google stops sharing.
    pub shares_left: Option<u64>,
    /// A private account: permissions cannot end by themselves.
    pub cannot_expire: bool,
    /// Addresses that belong to no Google account.
    pub strangers: BTreeSet<String>,
    /// Bytes that the account may hold.
    pub limit: Option<u64>,
    /// The owner's consent has ended.
    pub consent_ended: bool,
    /// Files are described without these checksums: `md5Checksum`, `sha1Checksum`, `sha256Checksum`.
    pub without: BTreeSet<&'static str>,
}

/// A call that is refused.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// `about`, `generateIds`, `list`, `get`, `create`, `delete`, `start`, `chunk`, `ask`, `share`, `permissions`,
    /// `unshare`, `token`.
    pub call: &'static str,
    /// How often it happens yet.
    pub times: u64,
    /// HTTP status.
    pub status: u16,
    /// Google's reason.
    pub reason: &'static str,
    /// Google's words.
    pub message: &'static str,
    /// Seconds that are asked for.
    pub retry_after_s: Option<u64>,
    /// It is done all the same.
    pub done_all_the_same: bool,
}

impl Refusal {
    /// Refuses `call` once with `status` and `reason`.
    #[must_use]
    pub fn once(call: &'static str, status: u16, reason: &'static str) -> Self {
        Self { call, times: 1, status, reason, message: "…", retry_after_s: None, done_all_the_same: false }
    }

    /// The same, for as long as nothing else is said.
    #[must_use]
    pub fn always(call: &'static str, status: u16, reason: &'static str) -> Self {
        Self { times: u64::MAX, ..Self::once(call, status, reason) }
    }
}

impl Faults {
    /// The refusal of this call, if there is one; it counts.
    pub(super) fn refuse(&mut self, call: &str) -> Option<Refusal> {
        let refusal = self.refusals.iter_mut().find(|refusal| refusal.call == call && refusal.times > 0)?;
        refusal.times -= 1;
        Some(refusal.clone())
    }
}

//! Workers on other machines, inside the shop: what is known of them only while it runs, the files that they send, and
//! the end of their leases. [`remote`] is the other side: such a worker.
//!
//! Requests come in at `http/worker`; what they do to the queue is in the store; `tasks/prepare_course` calls [`taken`].

mod incoming;
mod keys;
pub mod remote;

mod watch;
mod words;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(crate) use incoming::{Chunk, Refused, received, taken, write_chunk};
pub use keys::{KeyError, Keys};
pub(crate) use watch::watch;
pub(crate) use words::words;

use crate::views::Progress;

/// Largest piece of a file that is sent at once, bytes.
pub const CHUNK_MAX: u64 = 8 << 20;

/// What is known of workers on other machines while the shop runs.
#[derive(Default)]
pub(crate) struct External {
    figures: Mutex<HashMap<i64, Figures>>,
    /// Requests and files that are being worked on.
    busy: Mutex<HashSet<String>>,
    /// Bytes sent so far, by task and epoch.
    sent: Mutex<HashMap<(i64, i64), u64>>,
    late: AtomicU64,
    /// Rings when a lease was given or given up.
    pub(crate) leases: Notify,
    /// Cancelled when the shop closes: no task is given away any more.
    pub(crate) closing: CancellationToken,
}

/// How far a worker says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Epoch of its claim.
    pub(crate) epoch: i64,
    /// When it first said so, ms.
    pub(crate) since: i64,
    /// When it last said so, ms.
    pub(crate) at: i64,
    /// Bytes.
    pub(crate) done: u64,
    /// Bytes; 0 = not known.
    pub(crate) total: u64,
    /// File or step.
    pub(crate) item: Option<String>,
}

impl External {
    /// Notes how far a task is.
    pub(crate) fn note(&self, task: i64, mut now: Figures) {
        let mut figures = lock(&self.figures);
        if let Some(before) = figures.get(&task).filter(|before| before.epoch == now.epoch) {
            now.since = before.since;
        }
        figures.insert(task, now);
    }

    /// Progress by task, of the tasks in `leased` (task, epoch).
    pub(crate) fn progress(&self) -> BTreeMap<i64, Progress> {
        lock(&self.figures).iter().map(|(task, figures)| (*task, progress(figures))).collect()
    }

    /// Forgets what is no longer leased.
    fn keep_only(&self, leased: &HashSet<(i64, i64)>) {
        lock(&self.figures).retain(|task, figures| leased.contains(&(*task, figures.epoch)));
        lock(&self.sent).retain(|lease, _| leased.contains(lease));
    }

    /// Marks `what` as being worked on; `None` when it is already.
    pub(crate) fn enter(self: &Arc<Self>, what: String) -> Option<Busy> {
        lock(&self.busy).insert(what.clone()).then(|| Busy { external: self.clone(), what })
    }

    /// Counts a result that came too late.
    pub(crate) fn count_late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
    }

    /// Results that came too late since the start.
    pub(crate) fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }
}

/// Ends the mark of [`External::enter`].
pub(crate) struct Busy {
    external: Arc<External>,
    what: String,
}

impl Drop for Busy {
    fn drop(&mut self) {
        lock(&self.external.busy).remove(&self.what);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn progress(figures: &Figures) -> Progress {
    let elapsed = u64::try_from(figures.at - figures.since).unwrap_or(0);
    let rate = if elapsed < 1_000 { 0 } else { figures.done.saturating_mul(1_000) / elapsed };
    let left = figures.total.saturating_sub(figures.done);
    Progress {
        stage: "fetch".to_owned(),
        done_bytes: figures.done,
        total_bytes: (figures.total > 0).then_some(figures.total),
        bytes_per_s: rate,
        eta_s: (figures.total > 0 && rate > 0).then(|| left / rate),
        item: figures.item.clone(),
    }
}

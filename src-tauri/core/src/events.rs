//! What changed, for whoever shows it: commits and progress become numbered events, merged over a short while.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chotdon_store::Touched;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use crate::logging::Ring;
use crate::views::{Event, Progress};
use crate::workers::Pool;

/// Changes within this time are one event.
const MERGE: Duration = Duration::from_millis(100);
/// Progress bars move this often.
const PROGRESS: Duration = Duration::from_millis(500);
/// Log lines within this time are one event.
const LOGS: Duration = Duration::from_millis(250);
const CAPACITY: usize = 256;

/// Where events are heard.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    sender: broadcast::Sender<Event>,
    /// The last number given.
    seq: Arc<Mutex<u64>>,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self { sender: broadcast::channel(CAPACITY).0, seq: Arc::default() }
    }

    pub(crate) fn hear(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }

    /// Numbers go out in their order, whoever tells.
    fn tell(&self, topics: Vec<String>, progress: BTreeMap<i64, Progress>) {
        let mut seq = self.seq.lock().unwrap_or_else(PoisonError::into_inner);
        *seq += 1;
        // Nobody listening is fine.
        let _ = self.sender.send(Event { seq: *seq, topics, progress });
    }

    /// Tells of new log lines, a few times a second at most, while somebody listens.
    pub(crate) async fn tell_of_logs(self, pool: Pool, stop: CancellationToken) {
        let mut news = Ring::of_process().news();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = news.changed() => if changed.is_err() { return },
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOGS) => {}
            }
            news.mark_unchanged();
            if self.sender.receiver_count() > 0 {
                self.tell(vec!["logs".to_owned()], pool.progress());
            }
        }
    }

    /// Turns commits into events until `stop`.
    pub(crate) async fn run(
        self,
        mut changes: broadcast::Receiver<Touched>,
        pool: Pool,
        stop: CancellationToken,
    ) {
        let mut pending: Option<BTreeSet<String>> = None;
        let mut moved = false;
        loop {
            let wait = match (&pending, pool.busy() > 0) {
                (Some(_), _) => MERGE,
                (None, true) => PROGRESS,
                (None, false) => Duration::MAX,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                changed = changes.recv() => {
                    let topics = pending.get_or_insert_default();
                    match changed {
                        Ok(touched) => topics.extend(touched.topics),
                        Err(RecvError::Lagged(_)) => topics.extend(["orders", "queue", "failures", "money", "notices"].map(str::to_owned)),
                        Err(RecvError::Closed) => return,
                    }
                    if !topics.is_empty() && pending.as_ref().is_some_and(|topics| topics.len() < 200) {
                        // More of the same burst may follow; the timer below sends them together.
                        tokio::select! {
                            () = stop.cancelled() => return,
                            () = tokio::time::sleep(MERGE) => {}
                        }
                        while let Ok(touched) = changes.try_recv() {
                            pending.get_or_insert_default().extend(touched.topics);
                        }
                    }
                }
                () = sleep(wait) => {}
            }
            let topics = pending.take().unwrap_or_default();
            let progress = pool.progress();
            // One more after the last bar, so that it goes away.
            if topics.is_empty() && progress.is_empty() && !moved {
                continue;
            }
            moved = !progress.is_empty();
            self.tell(topics.into_iter().collect(), progress);
        }
    }
}

async fn sleep(duration: Duration) {
    if duration == Duration::MAX {
        std::future::pending::<()>().await;
    } else {
        tokio::time::sleep(duration).await;
    }
}

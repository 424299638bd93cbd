//! Wakes buyers' pages when what they show may have changed. Pages wait by key: an order's code or a deposit code.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chotdon_store::Touched;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{Notify, futures::OwnedNotified};
use tokio_util::sync::CancellationToken;

/// Changes within this time wake a page once.
const MERGE: Duration = Duration::from_millis(50);
/// Pages that may wait at once; further ones are told to ask again by themselves.
const MOST: usize = 2_000;

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    waiting: Mutex<HashMap<String, (Arc<Notify>, usize)>>,
}

/// A page that waits. Leaves when dropped.
pub(crate) struct Waiting {
    bell: Arc<Bell>,
    key: String,
    notify: Arc<Notify>,
}

impl Bell {
    /// Waits for changes of `key` from now on; `None` when too many wait already.
    pub(crate) fn listen(self: &Arc<Self>, key: &str) -> Option<Waiting> {
        let mut waiting = self.waiting();
        if waiting.values().map(|(_, pages)| pages).sum::<usize>() >= MOST {
            return None;
        }
        let (notify, pages) = waiting.entry(key.to_owned()).or_default();
        *pages += 1;
        let notify = notify.clone();
        drop(waiting);
        Some(Waiting { bell: self.clone(), key: key.to_owned(), notify })
    }

    /// How many pages wait for this key.
    pub(crate) fn pages(&self, key: &str) -> usize {
        self.waiting().get(key).map_or(0, |(_, pages)| *pages)
    }

    /// Rings for the commits that `changes` tells of, until `stop`.
    pub(crate) async fn run(
        self: Arc<Self>,
        mut changes: broadcast::Receiver<Touched>,
        stop: CancellationToken,
    ) {
        loop {
            let changed = tokio::select! {
                () = stop.cancelled() => {
                    self.ring(|_| true);
                    return;
                }
                changed = changes.recv() => changed,
            };
            let mut touched = match changed {
                Ok(touched) => touched,
                Err(RecvError::Lagged(_)) => {
                    self.ring(|_| true);
                    continue;
                }
                Err(RecvError::Closed) => return,
            };
            if self.waiting().is_empty() {
                continue;
            }
            tokio::time::sleep(MERGE).await;
            while let Ok(more) = changes.try_recv() {
                touched.topics.extend(more.topics);
            }
            let money = touched.topics.contains("money");
            // Wallets have no topic of their own: any money may be theirs.
            self.ring(|key| {
                (money && key.starts_with("NAP")) || touched.topics.contains(&format!("order:{key}"))
            });
        }
    }

    fn ring(&self, concerned: impl Fn(&str) -> bool) {
        for (_, (notify, _)) in self.waiting().iter().filter(|(key, _)| concerned(key)) {
            notify.notify_waiters();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, (Arc<Notify>, usize)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Completes with the next change after this call.
    pub(crate) fn next(&self) -> OwnedNotified {
        self.notify.clone().notified_owned()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiting = self.bell.waiting();
        if let Some((_, pages)) = waiting.get_mut(&self.key) {
            *pages -= 1;
            if *pages == 0 {
                waiting.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_page_that_is_concerned_wakes() {
        let bell = Arc::new(Bell::default());
        let (send, changes) = broadcast::channel(8);
        let stop = CancellationToken::new();
        let run = tokio::spawn(bell.clone().run(changes, stop.clone()));
        let (one, other) = (bell.listen("DH000001").unwrap(), bell.listen("DH000002").unwrap());
        let (woken, mut asleep) = (one.next(), Box::pin(other.next()));
        let mut touched = Touched::default();
        touched.topic("order:DH000001");
        send.send(touched).unwrap();
        woken.await;
        assert!(futures::poll!(&mut asleep).is_pending());
        stop.cancel();
        asleep.await;
        run.await.unwrap();
    }

    #[test]
    fn a_page_that_left_is_forgotten_and_there_is_an_end_to_them() {
        let bell = Arc::new(Bell::default());
        let pages: Vec<_> = (0..MOST).map(|n| bell.listen(&format!("DH{n}")).unwrap()).collect();
        assert!(bell.listen("DH000001").is_none());
        drop(pages);
        assert!(bell.waiting().is_empty());
        assert!(bell.listen("DH000001").is_some());
    }
}

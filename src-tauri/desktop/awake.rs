//! Keeping the machine from falling asleep while the shop is open, when the owner wants it. What the system is asked
//! for ends with this process. The page turns it on and off through `commands`, `start` takes it up again.

use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use keepawake::{Builder, KeepAwake};
use serde::Serialize;
use tokio::sync::oneshot;

/// A system that says nothing for this long has refused.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the page is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Awake {
    /// The owner wants it.
    pub(crate) on: bool,
    /// Why the system does not do it; `None` while it does, or is not asked.
    pub(crate) refused: Option<String>,
}

type Wish = (bool, oneshot::Sender<Option<String>>);

/// The one who asks the system: a thread of its own, since some systems count the wish of the thread that made it,
/// for as long as it lives, and others answer late.
#[derive(Default)]
pub(crate) struct Keeper {
    wishes: Mutex<Option<mpsc::Sender<Wish>>>,
    last: Arc<Mutex<Awake>>,
}

impl Keeper {
    /// Keeps the machine awake from now on, or no longer.
    pub(crate) async fn want(&self, on: bool) -> Awake {
        let refused = self.ask(on).await;
        match (&refused, on) {
            (Some(why), _) => {
                tracing::warn!(why, "the system does not keep the machine awake; it may fall asleep")
            }
            (None, true) => tracing::info!("the machine is kept awake"),
            (None, false) => {}
        }
        let now = Awake { on, refused };
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&now);
        now
    }

    /// What was wanted last, and what came of it.
    pub(crate) fn now(&self) -> Awake {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask(&self, on: bool) -> Option<String> {
        let (sender, answer) = oneshot::channel();
        if !on && self.wishes.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return None;
        }
        if let Err(error) = self.send((on, sender)) {
            return Some(error);
        }
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(refused)) => refused,
            Ok(Err(_)) => Some("the thread that asks has ended".to_owned()),
            Err(_) => Some("the system does not answer".to_owned()),
        }
    }

    fn send(&self, wish: Wish) -> Result<(), String> {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        let wish = match wishes.as_ref() {
            Some(living) => match living.send(wish) {
                Ok(()) => return Ok(()),
                Err(mpsc::SendError(wish)) => wish,
            },
            None => wish,
        };
        let (sender, receiver) = mpsc::channel();
        let thread = thread::Builder::new().name("awake".to_owned()).spawn(move || attend(&receiver));
        thread.map_err(|error| error.to_string())?;
        sender.send(wish).map_err(|error| error.to_string())?;
        *wishes = Some(sender);
        Ok(())
    }
}

fn attend(wishes: &mpsc::Receiver<Wish>) {
    let mut held: Option<KeepAwake> = None;
    while let Ok((on, answer)) = wishes.recv() {
        let refused = if !on {
            held = None;
            None
        } else if held.is_some() {
            None
        } else {
            match hold() {
                Ok(kept) => {
                    held = Some(kept);
                    None
                }
                Err(error) => Some(error.to_string()),
            }
        };
        let _ = answer.send(refused);
    }
    drop(held);
}

/// The screen may go dark. Desktops that put the machine to sleep by themselves heed only what forbids sleep itself.
fn hold() -> keepawake::Result<KeepAwake> {
    Builder::default()
        .idle(true)
        .sleep(true)
        .app_name("ChotDon")
        .app_reverse_domain("vn.chotdon.app")
        .reason("The shop is open and receives payments")
        .create()
}

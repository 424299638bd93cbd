//! Panics: what one says is masked, and is one line of the log. Who catches it writes the line, with what it was about;
//! one that nobody catches is written by the hook. The system's own message, which nothing masks, is never printed.
//!
//! Workers and the listeners catch ([`caught`]); `logging::start` installs the hook.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, resume_unwind, set_hook};
use std::pin::pin;
use std::sync::Once;
use std::task::Poll;

thread_local! {
    /// Whether whoever polls or calls on this thread catches, and writes the line.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
    /// Where the panic was that is on its way up, and its backtrace when one was asked for.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic that was caught. Its text is masked.
pub(crate) struct Panic {
    payload: Box<dyn Any + Send>,
    place: Option<String>,
}

impl Panic {
    fn new(payload: Box<dyn Any + Send>) -> Self {
        Self { payload, place: PLACE.take() }
    }

    /// Lets it go on upwards on this thread.
    pub(crate) fn go_on(self) -> ! {
        PLACE.set(self.place);
        resume_unwind(self.payload)
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::logging::masked(words(self.payload.as_ref())))?;
        match &self.place {
            Some(place) => write!(f, ", at {place}"),
            None => Ok(()),
        }
    }
}

/// Does `work`; a panic in it becomes a value.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panic> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| match caught_here(|| work.as_mut().poll(cx)) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

/// Does `work` on this thread; a panic in it becomes a value.
pub(crate) fn caught_here<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    let outer = CAUGHT.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(outer);
    done.map_err(Panic::new)
}

/// From now on panics of this process are written by the rules of this module.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| set_hook(Box::new(seen)));
}

fn seen(panic: &PanicHookInfo<'_>) {
    let mut place = panic.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        place = format!("{place}\n{backtrace}");
    }
    if CAUGHT.get() {
        PLACE.set(Some(place));
    } else {
        let said = words(panic.payload());
        tracing::error!(panic = said, place, "a part of the program crashed");
    }
}

fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no words")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_a_value_with_its_words_and_without_a_secret() {
        crate::logging::hide(&"canary-in-a-panic-0123".to_owned().into());
        let panic = caught(async { panic!("with {}", "canary-in-a-panic-0123") }).await;
        let said = panic.map(|()| "nothing").map_err(|panic| panic.to_string()).unwrap_err();
        assert!(said.starts_with("with ‹hidden›"), "{said}");
        let plain = caught(async { panic!("with canary-that-nobody-hid") }).await;
        let said = plain.map(|()| "nothing").map_err(|panic| panic.to_string()).unwrap_err();
        assert!(said.contains("canary-that-nobody-hid"), "the control: {said}");
        assert_eq!(caught(async { 7 }).await.map_err(|panic| panic.to_string()), Ok(7));
    }

    #[test]
    fn one_that_goes_on_is_caught_again_with_its_place() {
        let outer = caught_here(|| {
            let Err(mut panic) = caught_here(|| assert!(words(&7).is_empty(), "deep")) else { return };
            panic.place = Some("deep.rs:1:1".to_owned());
            panic.go_on()
        });
        assert_eq!(outer.map_err(|panic| panic.to_string()), Err("deep, at deep.rs:1:1".to_owned()));
    }
}

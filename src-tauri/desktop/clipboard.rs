//! The system's clipboard, for texts that are copied without a window; the page writes to it by itself.
//! The tray calls it.

use std::sync::{Mutex, PoisonError};

use arboard::Clipboard;

/// The clipboard, once something was copied. On X11 the text is the program's to give for as long as it runs.
#[derive(Default)]
pub(crate) struct Copied(Mutex<Option<Clipboard>>);

impl Copied {
    /// Puts `text` there. Talks to the display, so it is not called where waiting does harm.
    ///
    /// # Errors
    /// When the display takes nothing from us.
    pub(crate) fn put(&self, text: String) -> Result<(), arboard::Error> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let clipboard = match held.as_mut() {
            Some(clipboard) => clipboard,
            None => held.insert(Clipboard::new()?),
        };
        let put = clipboard.set_text(text);
        if put.is_err() {
            // The display it spoke to may be gone.
            *held = None;
        }
        put
    }
}

//! What the tunnel's program says: the last lines, masked, for the owner's eyes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::AsyncRead;
use tokio::sync::mpsc;

use crate::ports::Clock;
use crate::programs::Lines;

/// Lines that are kept.
const KEPT: usize = 200;
/// Characters of a line that are kept.
const LONGEST: usize = 400;

/// One line: when it was said, ms, and the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) at: i64,
    pub(crate) text: String,
}

/// The last lines of all runs. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Output(Arc<Mutex<VecDeque<Said>>>);

impl Output {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Said>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last lines, oldest first.
    pub(crate) fn lines(&self) -> Vec<Said> {
        self.lock().iter().cloned().collect()
    }

    pub(super) fn add(&self, at: i64, line: &str) {
        let text = tidy(line);
        if text.is_empty() {
            return;
        }
        tracing::debug!(%text, "the tunnel says");
        let mut lines = self.lock();
        lines.push_back(Said { at, text });
        while lines.len() > KEPT {
            lines.pop_front();
        }
    }

    /// Keeps what comes from `from`, and hands each line on.
    pub(super) async fn listen(
        self,
        from: impl AsyncRead + Unpin,
        clock: Arc<dyn Clock>,
        told: mpsc::Sender<String>,
    ) {
        let mut lines = Lines::of(Some(from));
        let mut said = Vec::new();
        loop {
            let more = lines.read(|line| said.push(line.to_owned())).await;
            for line in said.drain(..) {
                self.add(clock.now_ms(), &line);
                // Nobody listens any more when the program is being ended.
                let _ = told.send(line).await;
            }
            if !more {
                return;
            }
        }
    }
}

/// Without secrets, colours and control characters.
fn tidy(line: &str) -> String {
    let masked = crate::logging::masked(line);
    let mut text = String::new();
    let mut signs = masked.chars();
    while let Some(sign) = signs.next() {
        if sign == '\u{1b}' {
            // A colour: `ESC [ … letter`.
            for part in signs.by_ref() {
                if part.is_ascii_alphabetic() {
                    break;
                }
            }
        } else if !sign.is_control() {
            text.push(sign);
        }
    }
    text.trim().chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_without_secrets_and_colours() {
        let output = Output::default();
        crate::logging::hide(&"canary-token-0123456789".to_owned().into());
        for n in 0..500 {
            output.add(n, &format!("\u{1b}[32mINF\u{1b}[0m line {n} canary-token-0123456789\r"));
        }
        let lines = output.lines();
        assert_eq!(lines.len(), KEPT);
        assert_eq!(lines[0].text, "INF line 300 ‹hidden›");
        output.add(0, &"x".repeat(100_000));
        assert_eq!(output.lines().last().unwrap().text.len(), LONGEST);
    }
}

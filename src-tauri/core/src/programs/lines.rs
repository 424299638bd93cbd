//! Reads what a program says without keeping more than a bounded part of it.

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest line that is handed on; longer ones are passed over.
const LONGEST_LINE: usize = 64 * 1024;
/// What is kept of a program's messages: the end.
const TAIL: usize = 16 * 1024;
const CHUNK: usize = 16 * 1024;

/// Lines of an output.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    from: Option<R>,
    line: Vec<u8>,
    /// Inside a line that became too long.
    passing: bool,
    /// Bytes read in all.
    pub(crate) bytes: u64,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn of(from: Option<R>) -> Self {
        Self { from, line: Vec::new(), passing: false, bytes: 0 }
    }

    /// Reads a piece and hands each line that it completes to `take`. False at the end; then it is not to be
    /// called again. May be cancelled.
    pub(crate) async fn read(&mut self, mut take: impl FnMut(&str)) -> bool {
        let mut piece = [0; CHUNK];
        let Some(from) = &mut self.from else { return std::future::pending().await };
        let read = from.read(&mut piece).await.unwrap_or(0);
        if read == 0 {
            self.from = None;
            if !self.line.is_empty() {
                take(&String::from_utf8_lossy(&std::mem::take(&mut self.line)));
            }
            return false;
        }
        self.bytes = self.bytes.saturating_add(read as u64);
        for part in piece[..read].split_inclusive(|b| *b == b'\n') {
            let (text, ends) = match part {
                [text @ .., b'\n'] => (text, true),
                text => (text, false),
            };
            if self.line.len() + text.len() > LONGEST_LINE {
                self.passing = true;
                self.line.clear();
            }
            if !self.passing {
                self.line.extend_from_slice(text);
            }
            if ends {
                if !self.passing && !self.line.is_empty() {
                    take(&String::from_utf8_lossy(&self.line));
                }
                self.line.clear();
                self.passing = false;
            }
        }
        true
    }
}

/// The end of an output.
#[derive(Debug)]
pub(super) struct Tail<R> {
    from: Option<R>,
    kept: Vec<u8>,
    /// Bytes read in all.
    pub(super) bytes: u64,
}

impl<R: AsyncRead + Unpin> Tail<R> {
    pub(super) fn of(from: Option<R>) -> Self {
        Self { from, kept: Vec::new(), bytes: 0 }
    }

    /// Reads a piece; false at the end. May be cancelled.
    pub(super) async fn read(&mut self) -> bool {
        let mut piece = [0; CHUNK];
        let Some(from) = &mut self.from else { return std::future::pending().await };
        let read = from.read(&mut piece).await.unwrap_or(0);
        if read == 0 {
            self.from = None;
            return false;
        }
        self.bytes = self.bytes.saturating_add(read as u64);
        self.kept.extend_from_slice(&piece[..read]);
        if self.kept.len() > 2 * TAIL {
            self.kept.drain(..self.kept.len() - TAIL);
        }
        true
    }

    /// The end of what was said.
    pub(super) fn text(&self) -> String {
        let from = self.kept.len().saturating_sub(TAIL);
        String::from_utf8_lossy(&self.kept[from..]).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(text: &[u8]) -> Vec<String> {
        let mut lines = Lines::of(Some(text));
        let mut said = Vec::new();
        while lines.read(|line| said.push(line.to_owned())).await {}
        said
    }

    #[tokio::test]
    async fn lines_are_handed_on_and_endless_ones_are_passed_over() {
        let mut text = b"one\n\ntwo\n".to_vec();
        text.extend(vec![b'x'; 300_000]);
        text.extend(b"\nthree\nlast");
        assert_eq!(lines(&text).await, ["one", "two", "three", "last"]);
    }

    #[tokio::test]
    async fn only_the_end_of_the_messages_is_kept() {
        let mut text = vec![b'a'; 200_000];
        text.extend(b"the end");
        let mut tail = Tail::of(Some(text.as_slice()));
        while tail.read().await {}
        assert_eq!(tail.bytes, 200_007);
        assert!(tail.text().ends_with("athe end") && tail.text().len() == TAIL);
    }
}

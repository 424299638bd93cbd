//! Reads and hashes a file while the bytes before are being sent: one piece is ready when the last one is gone.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::super::super::files::blocking;
use super::super::super::source::Reading;
use super::note::Sums;
use crate::workers::StageError;

/// Bytes sent at a time: a multiple of what Drive wants. Two of them are in memory: one on the line, one being read.
pub(super) const CHUNK: u64 = 8 << 20;

const _: () = assert!(CHUNK.is_multiple_of(gdrive::UNIT));

/// Some bytes, and the sums of the file up to their end.
pub(super) struct Piece {
    pub(super) first: u64,
    pub(super) bytes: Bytes,
    pub(super) sums: Sums,
}

/// A file being read ahead.
pub(super) struct Ahead {
    pieces: mpsc::Receiver<Result<Piece, StageError>>,
    /// Ends with the value.
    _reading: AbortOnDropHandle<()>,
}

impl Ahead {
    /// Reads on where `sums` ends, which is where `reading` stands. A piece never reaches over `mark`, so that what is
    /// only hashed and what is sent are pieces of their own.
    pub(super) fn start(mut reading: Box<Reading>, mut sums: Sums, mark: u64) -> Self {
        let (send, pieces) = mpsc::channel(1);
        let size = reading.stamp().size;
        let task = tokio::spawn(async move {
            while sums.at < size {
                // Reads only once the piece before was taken.
                let Ok(slot) = send.reserve().await else { return };
                let until = if sums.at < mark { mark } else { size };
                let want = usize::try_from((until - sums.at).min(CHUNK)).unwrap_or(usize::MAX);
                match piece(&mut reading, sums, want).await {
                    Ok(piece) => {
                        sums = piece.sums.clone();
                        slot.send(Ok(piece));
                    }
                    Err(why) => {
                        slot.send(Err(why));
                        return;
                    }
                }
            }
        });
        Self { pieces, _reading: AbortOnDropHandle::new(task) }
    }

    /// The next piece; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Piece>, StageError> {
        self.pieces.recv().await.transpose()
    }
}

async fn piece(reading: &mut Reading, mut sums: Sums, want: usize) -> Result<Piece, StageError> {
    let first = sums.at;
    let bytes = reading.next(want).await?;
    if bytes.is_empty() {
        return Err(StageError::transient("source_changed", "the file became shorter while it was read"));
    }
    blocking(move || {
        sums.update(&bytes);
        Ok(Piece { first, bytes, sums })
    })
    .await
}

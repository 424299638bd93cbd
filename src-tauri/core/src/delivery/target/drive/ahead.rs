//! Reads and hashes a file while the bytes before are being sent: one piece is ready when the last one is gone.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::super::super::files::blocking;
use super::super::super::source::Reading;
use super::note::Sums;
use crate::workers::StageError;

/// Bytes sent at a time: a multiple of what Drive wants. Three of them are in memory at most.
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
                let until = if sums.at < mark { mark } else { size };
                let want = usize::try_from((until - sums.at).min(CHUNK)).unwrap_or(usize::MAX);
                let first = sums.at;
                let piece = match reading.next(want).await {
                    Ok(bytes) if bytes.is_empty() => Err(StageError::transient(
                        "source_changed",
                        "the file became shorter while it was read",
                    )),
                    Ok(bytes) => hash(sums, bytes).await,
                    Err(why) => Err(why),
                };
                let ended = match &piece {
                    Ok((_, after)) => {
                        sums = after.clone();
                        false
                    }
                    Err(_) => {
                        sums = Sums::default();
                        true
                    }
                };
                let piece = piece.map(|(bytes, sums)| Piece { first, bytes, sums });
                if send.send(piece).await.is_err() || ended {
                    return;
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

async fn hash(mut sums: Sums, bytes: Bytes) -> Result<(Bytes, Sums), StageError> {
    blocking(move || {
        sums.update(&bytes);
        Ok((bytes, sums))
    })
    .await
}

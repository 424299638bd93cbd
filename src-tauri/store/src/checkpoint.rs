//! What commits leave in the log is brought into the database file beside the writer, so that no commit has to.
//!
//! SQLite would do it within a commit, every thousand pages, and would tell nobody when the disk failed. Here a
//! connection of its own does it; only when the log has grown long does the writer help, between two commits, since a
//! log begins anew only when nothing was added meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sqlx::{Connection, SqliteConnection};
use tokio::sync::Notify;

use crate::writer::Halt;
use crate::{Error, Result};

/// So many units of work leave about a thousand pages.
pub(crate) const EVERY: usize = 32;
/// Pages of 4 KiB from which on a log is long.
const LONG: i64 = 4_000;

/// What the writer and the checkpoints say to each other.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    wanted: Notify,
    ended: AtomicBool,
    long: AtomicBool,
    units: AtomicUsize,
    halt: Halt,
}

impl Checkpoints {
    /// Begins to checkpoint over `connection`, until [`Checkpoints::end`].
    pub(crate) fn start(
        mut connection: SqliteConnection,
        halt: Halt,
    ) -> (Arc<Self>, tokio::task::JoinHandle<()>) {
        let checkpoints = Arc::new(Self { halt, ..Self::default() });
        let shared = checkpoints.clone();
        let running = tokio::spawn(async move {
            loop {
                shared.wanted.notified().await;
                if shared.ended.load(Ordering::Acquire) {
                    break;
                }
                let pages = shared.run(&mut connection).await;
                shared.long.store(pages >= LONG, Ordering::Release);
            }
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "closing the connection that checkpoints");
            }
        });
        (checkpoints, running)
    }

    /// `units` more were committed. True when the writer should lend a hand.
    pub(crate) fn committed(&self, units: usize) -> bool {
        if self.units.fetch_add(units, Ordering::AcqRel) + units >= EVERY {
            self.units.store(0, Ordering::Release);
            self.wanted.notify_one();
        }
        self.long.swap(false, Ordering::AcqRel)
    }

    /// Brings over what can be brought without anybody waiting; returns how many pages the log has. A failed sync halts
    /// the writer: what the disk holds is unknown from then on.
    pub(crate) async fn run(&self, connection: &mut SqliteConnection) -> i64 {
        let ran: Result<(i64, i64, i64)> =
            sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(connection).await.map_err(Error::from);
        match ran {
            Ok((_, pages, _)) => pages,
            Err(error) => {
                // Otherwise the log still holds everything; a full disk is told where it keeps a commit from being made.
                self.halt.note(&error);
                tracing::warn!(%error, "a checkpoint");
                0
            }
        }
    }

    /// Ends it.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.wanted.notify_one();
    }
}

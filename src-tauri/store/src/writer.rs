//! The single writer with group commit.
//!
//! Callers hand over units of work. Whatever waits while a commit is being synced runs together in the
//! next transaction, payments a little ahead of the rest: settlements of tasks first, then work in
//! savepoints, then incoming transfers as one set, then claims, so that a claim sees the tasks of its own
//! commit. One sync for all, then every caller is answered. A batch that fails as a whole is run again one
//! unit at a time.

mod serving;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;
use sqlx::SqliteConnection;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::checkpoint::Checkpoints;
use crate::standby::{Standby, Taken};
use crate::{Error, Result, Tuning};
use serving::Serving;

const QUEUE: usize = 4096;
const CHANGES: usize = 1024;

/// What a commit changed: topics for whoever shows them, lanes with new work for the pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// `orders`, `order:CODE`, `queue`, `task:ID`, `failures`, `money`, `notices`, `settings`, `courses`, `reconcile`,
    /// `webhooks`.
    pub topics: BTreeSet<String>,
    /// Lanes in which a task became ready.
    pub lanes: BTreeSet<&'static str>,
    /// True when a task was scheduled for later, so the timer may have to be set anew.
    pub scheduled: bool,
}

impl Touched {
    /// Adds a topic.
    pub fn topic(&mut self, topic: impl Into<String>) {
        self.topics.insert(topic.into());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.lanes.is_empty() && !self.scheduled
    }
}

/// The transaction, as a unit of work sees it.
pub(crate) struct Tx {
    pub(crate) conn: SqliteConnection,
    pub(crate) touched: Touched,
    pub(crate) tuning: Arc<Tuning>,
    /// The claim that stands ready, for whoever makes tasks ready in this commit.
    pub(crate) standby: Standby,
    /// Whether the transaction has begun and not ended.
    open: bool,
    /// Whether nothing follows: the next closing script ends the transaction.
    last: bool,
    /// The standing claim, once this commit has taken it up.
    pub(crate) taken: Option<Taken>,
}

impl Tx {
    pub(crate) fn new(conn: SqliteConnection, tuning: Arc<Tuning>, standby: Standby) -> Self {
        Self { conn, touched: Touched::default(), tuning, standby, open: false, last: false, taken: None }
    }

    /// The text of a script that may be the first of its transaction, and begins it then.
    pub(crate) fn opening(&mut self, script: &Script) -> &'static str {
        if std::mem::replace(&mut self.open, true) { script.plain } else { script.begins }
    }

    /// The text of a script that may be the last of its transaction, and ends it then.
    pub(crate) fn closing(&mut self, script: &Script) -> &'static str {
        if self.last {
            self.open = false;
            script.ends
        } else {
            script.plain
        }
    }

    /// Begins the transaction if nothing has yet.
    async fn begin(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.open, true) {
            sqlx::query("BEGIN IMMEDIATE").execute(&mut self.conn).await?;
        }
        Ok(())
    }

    /// Commits what the last script has not.
    pub(crate) async fn commit(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.open, false) {
            sqlx::query("COMMIT").execute(&mut self.conn).await?;
        }
        Ok(())
    }

    /// Forgets the transaction before.
    fn start(&mut self) {
        self.touched = Touched::default();
        self.open = false;
        self.last = false;
    }

    /// Whether a transaction has begun and not ended.
    fn is_open(&self) -> bool {
        self.open
    }

    /// Whether nothing follows in this commit.
    pub(crate) fn is_last(&self) -> bool {
        self.last
    }

    /// Says whether something follows; a set of several parts says so before each of them.
    pub(crate) fn set_last(&mut self, last: bool) {
        self.last = last;
    }
}

/// A script in its three forms: a crossing to SQLite's thread costs more than most statements, so the first script
/// of a transaction also begins it and the last one ends it.
pub(crate) struct Script {
    pub(crate) plain: &'static str,
    pub(crate) begins: &'static str,
    pub(crate) ends: &'static str,
}

/// Makes a [`Script`] of a literal.
macro_rules! script {
    ($sql:expr) => {
        $crate::writer::Script {
            plain: $sql,
            begins: concat!("BEGIN IMMEDIATE; ", $sql),
            ends: concat!($sql, "; COMMIT"),
        }
    };
}
pub(crate) use script;

/// A unit of work of one caller: runs in a savepoint of its own, possibly more than once.
pub(crate) trait Unit: Send {
    fn run<'c>(&'c mut self, tx: &'c mut Tx) -> BoxFuture<'c, Result<()>>;
    fn committed(self: Box<Self>);
    fn failed(self: Box<Self>, error: Error);
}

struct Work<T, F> {
    work: F,
    value: Option<T>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Unit for Work<T, F>
where
    T: Send + 'static,
    F: for<'c> Fn(&'c mut Tx) -> BoxFuture<'c, Result<T>> + Send + 'static,
{
    fn run<'c>(&'c mut self, tx: &'c mut Tx) -> BoxFuture<'c, Result<()>> {
        let running = (self.work)(tx);
        let value = &mut self.value;
        Box::pin(async move {
            *value = Some(running.await?);
            Ok(())
        })
    }

    fn committed(self: Box<Self>) {
        if let Some(value) = self.value {
            let _ = self.reply.send(Ok(value));
        }
    }

    fn failed(self: Box<Self>, error: Error) {
        let _ = self.reply.send(Err(error));
    }
}

/// The unit that only wakes the writer.
struct Nothing;

impl Unit for Nothing {
    fn run<'c>(&'c mut self, _: &'c mut Tx) -> BoxFuture<'c, Result<()>> {
        Box::pin(async { Ok(()) })
    }
    fn committed(self: Box<Self>) {}
    fn failed(self: Box<Self>, _: Error) {}
}

/// Work of one kind that a commit does for all its callers at once.
pub(crate) trait Set: Send + 'static {
    type Input: Send + Sync + 'static;
    type Output: Send + 'static;
    /// Does the work of all `inputs`; one output per input, in order.
    fn run<'c>(tx: &'c mut Tx, inputs: &'c [Self::Input]) -> BoxFuture<'c, Result<Vec<Self::Output>>>;
}

pub(crate) struct Asked<S: Set> {
    pub(crate) input: S::Input,
    pub(crate) reply: oneshot::Sender<Result<S::Output>>,
}

pub(crate) enum Request {
    Settle(Asked<crate::queue::Settling>),
    Work(Box<dyn Unit>),
    Intake(Asked<crate::intake::Intake>),
    Claim(Asked<crate::queue::Claiming>),
}

/// Handle to the writer task.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    requests: mpsc::Sender<Request>,
    changes: broadcast::Sender<Touched>,
    closed: Arc<AtomicBool>,
    pub(crate) halt: Halt,
    done: Arc<tokio::sync::Notify>,
    pub(crate) standby: Standby,
}

/// Why nothing is written any more: a sync failed, and what the disk holds is not known until a restart has read it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Halt(Arc<OnceLock<Error>>);

impl Halt {
    /// Keeps `error` when it is a failed sync. The first one stays.
    pub(crate) fn note(&self, error: &Error) {
        if matches!(error, Error::Halted(_)) && self.0.set(error.clone()).is_ok() {
            tracing::error!(%error, "the disk failed to sync; no further write is acknowledged");
        }
    }

    /// The failure; `None` while all is well.
    pub(crate) fn why(&self) -> Option<&Error> {
        self.0.get()
    }
}

impl Writer {
    pub(crate) fn start(connection: SqliteConnection, beside: SqliteConnection, tuning: Arc<Tuning>) -> Self {
        let standby = Standby::default();
        let (requests, inbox) = mpsc::channel(QUEUE);
        let (changes, _) = broadcast::channel(CHANGES);
        let closed = Arc::new(AtomicBool::new(false));
        let halt = Halt::default();
        let done = Arc::new(tokio::sync::Notify::new());
        let (checkpoints, checkpointing) = Checkpoints::start(beside, halt.clone());
        let writer = Self {
            requests,
            changes: changes.clone(),
            closed: closed.clone(),
            halt: halt.clone(),
            done: done.clone(),
            standby: standby.clone(),
        };
        let serving = Serving {
            checkpoints,
            checkpointing,
            tx: Tx::new(connection, tuning, standby),
            turn: serving::Turn::default(),
            inbox,
            changes,
            closed,
            halt,
        };
        tokio::spawn(async move {
            serving.serve().await;
            done.notify_one();
        });
        writer
    }

    pub(crate) fn halted(&self) -> bool {
        self.halt.why().is_some()
    }

    pub(crate) fn announce(&self, topic: &str) {
        let mut touched = Touched::default();
        touched.topic(topic);
        // Nobody listening is fine.
        let _ = self.changes.send(touched);
    }

    pub(crate) fn changes(&self) -> broadcast::Receiver<Touched> {
        self.changes.subscribe()
    }

    /// Runs `work` in a savepoint of the next commit and answers once that commit is durable.
    /// `work` may be called again when a neighbour made the whole batch fail, so it must not consume what it captures.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Tx) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Work(Box::new(Work { work, value: None, reply }))).await?;
        answer.await.map_err(|_| closing())?
    }

    /// Hands a request of one of the set kinds over and waits for its answer.
    pub(crate) async fn ask<S: Set>(
        &self,
        input: S::Input,
        request: impl FnOnce(Asked<S>) -> Request,
    ) -> Result<S::Output> {
        let (reply, answer) = oneshot::channel();
        self.send(request(Asked { input, reply })).await?;
        answer.await.map_err(|_| closing())?
    }

    async fn send(&self, request: Request) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(closing());
        }
        self.requests.send(request).await.map_err(|_| closing())
    }

    pub(crate) async fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            // An empty unit wakes the writer, which then sees the flag.
            if self.requests.send(Request::Work(Box::new(Nothing))).await.is_ok() {
                self.done.notified().await;
            }
        }
    }
}

fn closing() -> Error {
    Error::Unavailable("the shop is shutting down".to_owned())
}

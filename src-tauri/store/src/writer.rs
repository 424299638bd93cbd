//! The single writer with group commit.
//!
//! Callers hand over units of work. Whatever waits while a commit is being synced runs together in the
//! next transaction: settlements of tasks first, then work in savepoints, then incoming transfers as one
//! set, then claims, so that a claim sees the tasks of its own commit. One sync for all, then every
//! caller is answered. A batch that fails as a whole is run again one unit at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::{Error, Result, Tuning};

/// At most this many units share a commit, which bounds how long one of them can wait for its neighbours.
const BATCH: usize = 256;
const QUEUE: usize = 4096;
const CHANGES: usize = 1024;

/// What a commit changed: topics for whoever shows them, lanes with new work for the pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// `orders`, `order:CODE`, `queue`, `task:ID`, `failures`, `money`, `notices`, `settings`, `courses`, `reconcile`.
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

    fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.lanes.is_empty() && !self.scheduled
    }
}

/// The open transaction, as a unit of work sees it.
pub(crate) struct Tx {
    pub(crate) conn: SqliteConnection,
    pub(crate) touched: Touched,
    pub(crate) tuning: Arc<Tuning>,
}

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
    halted: Arc<AtomicBool>,
    done: Arc<tokio::sync::Notify>,
}

impl Writer {
    pub(crate) fn start(connection: SqliteConnection, tuning: Arc<Tuning>) -> Self {
        let (requests, inbox) = mpsc::channel(QUEUE);
        let (changes, _) = broadcast::channel(CHANGES);
        let closed = Arc::new(AtomicBool::new(false));
        let halted = Arc::new(AtomicBool::new(false));
        let done = Arc::new(tokio::sync::Notify::new());
        let writer = Self {
            requests,
            changes: changes.clone(),
            closed: closed.clone(),
            halted: halted.clone(),
            done: done.clone(),
        };
        let bench = Bench {
            tx: Tx { conn: connection, touched: Touched::default(), tuning },
            inbox,
            changes,
            closed,
            halted: None,
            halt: halted,
        };
        tokio::spawn(async move {
            bench.serve().await;
            done.notify_one();
        });
        writer
    }

    pub(crate) fn halted(&self) -> bool {
        self.halted.load(Ordering::Acquire)
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

/// Where the writer works: its connection and its inbox.
struct Bench {
    tx: Tx,
    inbox: mpsc::Receiver<Request>,
    changes: broadcast::Sender<Touched>,
    closed: Arc<AtomicBool>,
    halted: Option<Error>,
    halt: Arc<AtomicBool>,
}

/// One batch, sorted by kind in the order in which it runs.
#[derive(Default)]
struct Batch {
    settle: Vec<Asked<crate::queue::Settling>>,
    work: Vec<Box<dyn Unit>>,
    intake: Vec<Asked<crate::intake::Intake>>,
    claim: Vec<Asked<crate::queue::Claiming>>,
}

impl Batch {
    fn add(&mut self, request: Request) {
        match request {
            Request::Settle(asked) => self.settle.push(asked),
            Request::Work(unit) => self.work.push(unit),
            Request::Intake(asked) => self.intake.push(asked),
            Request::Claim(asked) => self.claim.push(asked),
        }
    }

    fn len(&self) -> usize {
        self.settle.len() + self.work.len() + self.intake.len() + self.claim.len()
    }

    /// The same requests, one batch each.
    fn singles(self) -> Vec<Self> {
        let settle = self.settle.into_iter().map(|one| Self { settle: vec![one], ..Self::default() });
        let work = self.work.into_iter().map(|one| Self { work: vec![one], ..Self::default() });
        let intake = self.intake.into_iter().map(|one| Self { intake: vec![one], ..Self::default() });
        let claim = self.claim.into_iter().map(|one| Self { claim: vec![one], ..Self::default() });
        settle.chain(work).chain(intake).chain(claim).collect()
    }

    fn fail(self, error: &Error) {
        self.settle.into_iter().for_each(|asked| drop(asked.reply.send(Err(error.clone()))));
        self.work.into_iter().for_each(|unit| unit.failed(error.clone()));
        self.intake.into_iter().for_each(|asked| drop(asked.reply.send(Err(error.clone()))));
        self.claim.into_iter().for_each(|asked| drop(asked.reply.send(Err(error.clone()))));
    }
}

/// What a batch that ran has to tell its callers once it is committed.
struct Ran {
    settled: Vec<<crate::queue::Settling as Set>::Output>,
    refused: Vec<Option<Error>>,
    taken: Vec<<crate::intake::Intake as Set>::Output>,
    claimed: Vec<<crate::queue::Claiming as Set>::Output>,
}

impl Bench {
    async fn serve(mut self) {
        while let Some(first) = self.inbox.recv().await {
            let mut batch = Batch::default();
            batch.add(first);
            while batch.len() < BATCH {
                match self.inbox.try_recv() {
                    Ok(request) => batch.add(request),
                    Err(_) => break,
                }
            }
            self.commit(batch).await;
            if self.closed.load(Ordering::Acquire) && self.inbox.is_empty() {
                break;
            }
        }
        self.inbox.close();
        while let Some(request) = self.inbox.recv().await {
            let mut rest = Batch::default();
            rest.add(request);
            rest.fail(&closing());
        }
        if let Err(error) = self.tx.conn.close().await {
            tracing::warn!(%error, "closing the database");
        }
    }

    /// Commits `batch`, falling back to one commit per request when it fails as a whole.
    async fn commit(&mut self, mut batch: Batch) {
        if let Some(error) = &self.halted {
            return batch.fail(error);
        }
        match self.attempt(&mut batch).await {
            Ok(ran) => self.answer(batch, ran),
            Err(error) => {
                self.rollback().await;
                self.note_halt(&error);
                if batch.len() == 1
                    || matches!(error, Error::Unavailable(_) | Error::Halted(_) | Error::Unusable(_))
                {
                    return batch.fail(&error);
                }
                tracing::warn!(%error, units = batch.len(), "a batch failed as a whole; running its units one by one");
                for mut single in batch.singles() {
                    match self.attempt(&mut single).await {
                        Ok(ran) => self.answer(single, ran),
                        Err(error) => {
                            self.rollback().await;
                            self.note_halt(&error);
                            single.fail(&error);
                        }
                    }
                }
            }
        }
    }

    async fn attempt(&mut self, batch: &mut Batch) -> Result<Ran> {
        self.tx.touched = Touched::default();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.tx.conn).await?;
        let settled = run_set::<crate::queue::Settling>(&mut self.tx, &mut batch.settle).await?;
        let mut refused = Vec::with_capacity(batch.work.len());
        for unit in &mut batch.work {
            refused.push(run_unit(&mut self.tx, unit.as_mut()).await?);
        }
        let taken = run_set::<crate::intake::Intake>(&mut self.tx, &mut batch.intake).await?;
        let claimed = run_set::<crate::queue::Claiming>(&mut self.tx, &mut batch.claim).await?;
        sqlx::query("COMMIT").execute(&mut self.tx.conn).await?;
        Ok(Ran { settled, refused, taken, claimed })
    }

    fn answer(&mut self, batch: Batch, ran: Ran) {
        let touched = std::mem::take(&mut self.tx.touched);
        if !touched.is_empty() {
            let _ = self.changes.send(touched);
        }
        for (asked, output) in batch.settle.into_iter().zip(ran.settled) {
            let _ = asked.reply.send(Ok(output));
        }
        for (unit, refused) in batch.work.into_iter().zip(ran.refused) {
            match refused {
                Some(error) => unit.failed(error),
                None => unit.committed(),
            }
        }
        for (asked, output) in batch.intake.into_iter().zip(ran.taken) {
            let _ = asked.reply.send(Ok(output));
        }
        for (asked, output) in batch.claim.into_iter().zip(ran.claimed) {
            let _ = asked.reply.send(Ok(output));
        }
    }

    async fn rollback(&mut self) {
        // SQLite has already rolled back by itself after some errors; then this one is refused, harmlessly.
        if let Err(error) = sqlx::query("ROLLBACK").execute(&mut self.tx.conn).await {
            tracing::debug!(%error, "rollback");
        }
    }

    fn note_halt(&mut self, error: &Error) {
        if matches!(error, Error::Halted(_)) {
            tracing::error!(%error, "the disk failed to sync; no further write is acknowledged");
            self.halted = Some(error.clone());
            self.halt.store(true, Ordering::Release);
        }
    }
}

async fn run_set<S: Set>(tx: &mut Tx, asked: &mut Vec<Asked<S>>) -> Result<Vec<S::Output>> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let (inputs, replies): (Vec<_>, Vec<_>) = asked.drain(..).map(|one| (one.input, one.reply)).unzip();
    let outputs = S::run(tx, &inputs).await;
    asked.extend(inputs.into_iter().zip(replies).map(|(input, reply)| Asked { input, reply }));
    let outputs = outputs?;
    debug_assert_eq!(outputs.len(), asked.len(), "one answer per caller");
    Ok(outputs)
}

/// Runs one unit in a savepoint. A refusal undoes that unit alone; any other error is the batch's.
async fn run_unit(tx: &mut Tx, unit: &mut dyn Unit) -> Result<Option<Error>> {
    let before = tx.touched.clone();
    sqlx::query("SAVEPOINT unit").execute(&mut tx.conn).await?;
    match unit.run(tx).await {
        Ok(()) => {
            sqlx::query("RELEASE unit").execute(&mut tx.conn).await?;
            Ok(None)
        }
        Err(error) if error.is_refusal() => {
            sqlx::query("ROLLBACK TO unit; RELEASE unit").execute(&mut tx.conn).await?;
            tx.touched = before;
            Ok(Some(error))
        }
        Err(error) => Err(error),
    }
}

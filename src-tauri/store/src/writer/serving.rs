//! The writer at work: takes what waits, runs it as one transaction, answers everybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::Connection;
use tokio::sync::{broadcast, mpsc};

use super::{Asked, Halt, Request, Set, Touched, Tx, Unit, closing};
use crate::checkpoint::Checkpoints;
use crate::{Error, Result};

/// At most this many units share a commit, which bounds how long one of them can wait for its neighbours.
const BATCH: usize = 256;

/// At most this many commits of payments go before other work that waits.
const AHEAD: u32 = 8;
/// So long other work waits for the next payment while they come densely.
const QUIET: Duration = Duration::from_millis(2);

/// Where the writer works: its connection and its inbox.
pub(super) struct Serving {
    pub(super) tx: Tx,
    pub(super) turn: Turn,
    pub(super) checkpoints: Arc<Checkpoints>,
    pub(super) checkpointing: tokio::task::JoinHandle<()>,
    pub(super) inbox: mpsc::Receiver<Request>,
    pub(super) changes: broadcast::Sender<Touched>,
    pub(super) closed: Arc<AtomicBool>,
    pub(super) halt: Halt,
}

/// Whose turn it is. A bank waits for its answer, and a worker that settles a task does not mind to be second.
#[derive(Default)]
pub(super) struct Turn {
    /// What lets payments go first.
    behind: Batch,
    /// How many commits of payments it has let go.
    let_go: u32,
    /// Whether other work stood in a payment's way, and no silence since.
    paying: bool,
    /// Whether the last commit had other work in it.
    worked: bool,
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

    fn is_full(&self) -> bool {
        self.len() >= BATCH
    }

    /// Whether there are payments and something else.
    fn is_mixed(&self) -> bool {
        !self.intake.is_empty() && self.intake.len() < self.len()
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

impl Turn {
    /// What the next commit is made of; `None` when nobody can ask any more. Payments never wait for company. While
    /// they come so densely that one had to wait for other work, that lets them go first, a few commits at most, and
    /// then shares one.
    async fn gather(&mut self, inbox: &mut mpsc::Receiver<Request>) -> Option<Batch> {
        let mut batch = std::mem::take(&mut self.behind);
        let mut worked = std::mem::take(&mut self.worked);
        loop {
            while !batch.is_full() {
                match inbox.try_recv() {
                    Ok(request) => batch.add(request),
                    Err(_) => break,
                }
            }
            // What is here after a commit came during it.
            self.paying |= batch.is_mixed() || (std::mem::take(&mut worked) && !batch.intake.is_empty());
            if batch.is_mixed() && !batch.is_full() && self.let_go < AHEAD {
                self.let_go += 1;
                let intake = std::mem::take(&mut batch.intake);
                self.behind = batch;
                return Some(Batch { intake, ..Batch::default() });
            }
            let waits = self.paying && batch.intake.is_empty() && !batch.is_full();
            let next = match batch.len() {
                0 => inbox.recv().await,
                _ if !waits => None,
                _ => match tokio::time::timeout(QUIET, inbox.recv()).await {
                    Ok(next) => next,
                    Err(_) => {
                        self.paying = false;
                        None
                    }
                },
            };
            match next {
                Some(request) => batch.add(request),
                None => {
                    self.worked = batch.intake.len() < batch.len();
                    if self.worked {
                        self.let_go = 0;
                    }
                    return (batch.len() > 0).then_some(batch);
                }
            }
        }
    }
}

/// What a batch that ran has to tell its callers once it is committed.
struct Ran {
    settled: Vec<<crate::queue::Settling as Set>::Output>,
    refused: Vec<Option<Error>>,
    taken: Vec<<crate::intake::Intake as Set>::Output>,
    claimed: Vec<<crate::queue::Claiming as Set>::Output>,
}

impl Serving {
    pub(super) async fn serve(mut self) {
        while let Some(batch) = self.turn.gather(&mut self.inbox).await {
            let units = batch.len();
            self.commit(batch).await;
            if self.checkpoints.committed(units) {
                self.checkpoints.run(&mut self.tx.conn).await;
            }
            if self.closed.load(Ordering::Acquire) && self.inbox.is_empty() && self.turn.behind.len() == 0 {
                break;
            }
        }
        self.inbox.close();
        while let Some(request) = self.inbox.recv().await {
            let mut rest = Batch::default();
            rest.add(request);
            rest.fail(&closing());
        }
        self.checkpoints.end();
        if let Err(error) = self.checkpointing.await {
            tracing::error!(%error, "checkpoints had ended by themselves");
        }
        if let Err(error) = self.tx.conn.close().await {
            tracing::warn!(%error, "closing the database");
        }
    }

    /// Commits `batch`, falling back to one commit per request when it fails as a whole.
    async fn commit(&mut self, mut batch: Batch) {
        if let Some(error) = self.halt.why() {
            return batch.fail(error);
        }
        match self.attempt(&mut batch).await {
            Ok(ran) => self.answer(batch, ran).await,
            Err(error) => {
                self.rollback().await;
                self.halt.note(&error);
                if batch.len() == 1
                    || matches!(error, Error::Unavailable(_) | Error::Halted(_) | Error::Unusable(_))
                {
                    return batch.fail(&error);
                }
                // Whose unit fails alone as well writes that down.
                tracing::info!(%error, units = batch.len(), "a batch failed as a whole; running its units one by one");
                for mut single in batch.singles() {
                    match self.attempt(&mut single).await {
                        Ok(ran) => self.answer(single, ran).await,
                        Err(error) => {
                            self.rollback().await;
                            self.halt.note(&error);
                            single.fail(&error);
                        }
                    }
                }
            }
        }
    }

    async fn attempt(&mut self, batch: &mut Batch) -> Result<Ran> {
        let alone = batch.len() == 1;
        let tx = &mut self.tx;
        tx.start();
        tx.set_last(batch.work.is_empty() && batch.intake.is_empty() && batch.claim.is_empty());
        let settled = run_set::<crate::queue::Settling>(tx, &mut batch.settle).await?;
        tx.set_last(false);
        let mut refused = Vec::with_capacity(batch.work.len());
        for unit in &mut batch.work {
            tx.begin().await?;
            refused.push(match alone {
                true => run_alone(tx, unit.as_mut()).await?,
                false => run_unit(tx, unit.as_mut()).await?,
            });
        }
        tx.set_last(batch.claim.is_empty());
        let taken = run_set::<crate::intake::Intake>(tx, &mut batch.intake).await?;
        tx.set_last(true);
        let claimed = run_set::<crate::queue::Claiming>(tx, &mut batch.claim).await?;
        if tx.is_open() {
            tx.end().await?;
        }
        Ok(Ran { settled, refused, taken, claimed })
    }

    /// Says what has changed and answers everybody: the bank first, and alone unless more is waiting.
    async fn answer(&mut self, batch: Batch, ran: Ran) {
        let paid = !batch.intake.is_empty();
        for (asked, output) in batch.intake.into_iter().zip(ran.taken) {
            let _ = asked.reply.send(Ok(output));
        }
        if paid && self.inbox.is_empty() && self.turn.behind.len() == 0 {
            tokio::task::yield_now().await;
        }
        self.tx.grant(true);
        let mut touched = std::mem::take(&mut self.tx.touched);
        // Triggers queue webhooks where they are wanted; they cannot say so themselves.
        if self.tx.tuning.outgoing()
            && ["orders", "money"].iter().any(|topic| touched.topics.contains(*topic))
        {
            touched.lanes.insert("webhook");
        }
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
        for (asked, output) in batch.claim.into_iter().zip(ran.claimed) {
            let _ = asked.reply.send(Ok(output));
        }
    }

    async fn rollback(&mut self) {
        self.tx.grant(false);
        // SQLite has already rolled back by itself after some errors; then this one is refused, harmlessly.
        if let Err(error) = sqlx::query("ROLLBACK").execute(&mut self.tx.conn).await {
            tracing::debug!(%error, "rollback");
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

/// Runs a unit that is alone in its transaction, which a refusal ends.
async fn run_alone(tx: &mut Tx, unit: &mut dyn Unit) -> Result<Option<Error>> {
    match unit.run(tx).await {
        Ok(()) => Ok(None),
        Err(error) if error.is_refusal() => {
            sqlx::query("ROLLBACK").execute(&mut tx.conn).await?;
            tx.start();
            Ok(Some(error))
        }
        Err(error) => Err(error),
    }
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

#[cfg(test)]
mod tests;

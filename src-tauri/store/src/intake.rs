//! Transfers coming in: one commit records the event, the transfer and the money, moves the order and
//! queues what follows. A batch is read in one statement, decided in `domain`, and written in one script.

mod booking;
mod known;
mod script;

use futures::future::BoxFuture;
use sha2::{Digest, Sha256};

use chotdon_domain::code::SHOP_FORMATS;
use chotdon_domain::matching::{Candidate, Direction, extract};
use chotdon_domain::money::Vnd;
use chotdon_domain::order::Outcome;

use crate::writer::{Request, Set, Tx};
use crate::{Result, Store};

use booking::Booking;
pub(crate) use known::{Known, KnownOrder};
pub(crate) use script::BOOKING;

/// Where a transfer was learnt of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// SePay called.
    Webhook,
    /// Read from SePay's transaction API.
    Reconcile,
    /// Entered by the owner.
    Manual,
}

impl Source {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Reconcile => "reconcile",
            Self::Manual => "manual",
        }
    }
}

/// A transfer as it arrived, parsed.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// SePay's id, unique for ever.
    pub sepay_id: i64,
    /// Where it was learnt of.
    pub source: Source,
    /// When, ms.
    pub received_at: i64,
    /// The raw body.
    pub body: String,
    /// To or from the shop.
    pub direction: Direction,
    /// Whole đồng, may be 0.
    pub amount: Vnd,
    /// Bank as SePay names it.
    pub gateway: String,
    /// Account it came to; empty when not said.
    pub account: String,
    /// Virtual account; empty when none.
    pub sub_account: String,
    /// SePay's guess of the payment code; empty when none.
    pub code: String,
    /// Transfer text.
    pub content: String,
    /// Longer text.
    pub description: String,
    /// Bank reference.
    pub reference: String,
    /// When the bank booked it, ms.
    pub booked_at: Option<i64>,
    /// The account's balance afterwards, as far as the bank says.
    pub accumulated: Option<i64>,
}

impl Incoming {
    /// The time that decides whether it is late, ms. What the list of past transactions shows was paid when the bank
    /// booked it; a webhook comes at once, and banks' clocks are not to be trusted with minutes.
    pub(crate) fn counts_at(&self) -> i64 {
        match (self.source, self.booked_at) {
            (Source::Reconcile, Some(booked)) => booked.min(self.received_at),
            _ => self.received_at,
        }
    }
}

/// What became of an incoming transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// One word.
    pub outcome: Outcome,
    /// Code of the order it was booked to.
    pub order: Option<String>,
    /// True when this id was known with another body; the owner is told.
    pub different_body: bool,
}

impl Store {
    /// Records a transfer and everything that follows from it, exactly once for each SePay id.
    ///
    /// # Errors
    /// When the database cannot be written; nothing is recorded then and the sender should try again.
    pub async fn take_in(&self, incoming: Incoming) -> Result<Answer> {
        self.writer.ask::<Intake>(incoming, Request::Intake).await
    }
}

/// Transfers of one commit.
pub(crate) struct Intake;

impl Set for Intake {
    type Input = Incoming;
    type Output = Answer;

    fn run<'c>(tx: &'c mut Tx, inputs: &'c [Incoming]) -> BoxFuture<'c, Result<Vec<Answer>>> {
        Box::pin(async move {
            tx.tuning.guard.may_move()?;
            let candidates: Vec<Vec<Candidate>> = inputs
                .iter()
                .map(|input| extract(&input.content, &input.description, &input.code, &SHOP_FORMATS))
                .collect();
            let known = known::read(tx, inputs, &candidates).await?;
            let mut booking = Booking::new(known, tx.tuning.tolerance_vnd(), tx.tuning.max_attempt());
            let answers = inputs
                .iter()
                .zip(&candidates)
                .map(|(input, candidates)| booking.take(input, candidates))
                .collect::<Result<Vec<_>>>()?;
            script::write(tx, booking).await?;
            Ok(answers)
        })
    }
}

/// SHA-256 of a body, hexadecimal.
pub(crate) fn body_hash(body: &str) -> String {
    hex::encode(Sha256::digest(body.as_bytes()))
}

/// What is remembered of an event that came before.
#[derive(Debug, Clone)]
pub(crate) struct KnownEvent {
    /// Hash of its body.
    pub(crate) hash: String,
    /// Whole đồng.
    pub(crate) amount: i64,
    /// Whether it was read from SePay's list.
    pub(crate) listed: bool,
    /// Whether the money went out.
    pub(crate) out: bool,
}

impl KnownEvent {
    fn of(input: &Incoming) -> Self {
        Self {
            hash: body_hash(&input.body),
            amount: input.amount.get(),
            listed: input.source == Source::Reconcile,
            out: input.direction == Direction::Out,
        }
    }

    /// Whether `again`, under the same id, says something else. A webhook and a row of the list have different bodies
    /// for one transaction, so between the two the money is compared.
    fn differs(&self, again: &Self) -> bool {
        match self.listed == again.listed {
            true => self.hash != again.hash,
            false => (self.amount, self.out) != (again.amount, again.out),
        }
    }
}

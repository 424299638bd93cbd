//! Transfers coming in: one commit records the event, the transfer and the money, moves the order and
//! queues what follows. A batch is read in one statement, decided in `domain`, and written in one script.

mod booking;
mod script;

use std::collections::HashMap;

use futures::future::BoxFuture;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::Row;

use chotdon_domain::code::SHOP_FORMATS;
use chotdon_domain::matching::{Candidate, Depositor, Direction, ShopAccounts, extract};
use chotdon_domain::money::Vnd;
use chotdon_domain::order::{Flags, OrderMoney, Outcome, Stage};

use crate::ledger::Tail;
use crate::writer::{Request, Script, Set, Tx, script};
use crate::{Error, Result, Store};

use booking::Booking;

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
            let known = read(tx, inputs, &candidates).await?;
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

/// What the database knows about the things a batch names.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Events by SePay id.
    pub(crate) events: HashMap<i64, KnownEvent>,
    /// Orders by code.
    pub(crate) orders: HashMap<String, KnownOrder>,
    pub(crate) depositors: Vec<Depositor>,
    pub(crate) accounts: ShopAccounts,
    pub(crate) ledger: Tail,
    pub(crate) last_transfer: i64,
}

/// What is remembered of an event that came before.
#[derive(Debug, Clone)]
pub(crate) struct KnownEvent {
    /// Hash of its body.
    pub(crate) hash: String,
    /// Whole đồng.
    amount: i64,
    /// Whether it was read from SePay's list.
    listed: bool,
    /// Whether the money went out.
    out: bool,
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

/// An order that a batch may pay.
#[derive(Debug, Clone)]
pub(crate) struct KnownOrder {
    pub(crate) id: i64,
    pub(crate) prio: i64,
    pub(crate) money: OrderMoney,
    pub(crate) courses: Vec<KnownCourse>,
}

/// A course of such an order.
#[derive(Debug, Clone)]
pub(crate) struct KnownCourse {
    pub(crate) id: i64,
    pub(crate) version: i64,
    pub(crate) ready: bool,
    pub(crate) title: String,
}

/// One statement for everything; `tag` says what a row is, the other columns are its words.
const READ: Script = script!(
    "\
SELECT 'event' AS tag, e.sepay_id AS a, t.amount_vnd AS b, e.source = 'reconcile' AS c, t.direction = 'out' AS d, \
       0 AS e, 0 AS f, e.body_sha256 AS s, '' AS t \
  FROM sepay_event AS e JOIN transfer AS t ON t.sepay_id = e.sepay_id \
  WHERE e.sepay_id IN (SELECT value FROM json_each($1, '$.ids')) \
UNION ALL SELECT 'order', id, total_vnd, paid_vnd, flags, expires_at, prio, code, stage \
  FROM orders WHERE code IN (SELECT value FROM json_each($1, '$.codes')) \
UNION ALL SELECT 'course', i.order_id, c.id, c.version, c.ready, 0, 0, o.code, c.title \
  FROM orders AS o JOIN order_item AS i ON i.order_id = o.id JOIN course AS c ON c.id = i.course_id \
  WHERE o.code IN (SELECT value FROM json_each($1, '$.codes')) \
UNION ALL SELECT 'depositor', id, 0, 0, 0, 0, 0, deposit_code, '' \
  FROM customer WHERE deposit_code IN (SELECT value FROM json_each($1, '$.codes')) \
UNION ALL SELECT 'account', 0, 0, 0, 0, 0, 0, account, coalesce(virtual_account, '') FROM bank_account \
UNION ALL SELECT 'ledger', id, 0, 0, 0, 0, 0, hash, '' FROM ledger WHERE id = (SELECT max(id) FROM ledger) \
UNION ALL SELECT 'transfer', coalesce(max(id), 0), 0, 0, 0, 0, 0, '', '' FROM transfer"
);

async fn read(tx: &mut Tx, inputs: &[Incoming], candidates: &[Vec<Candidate>]) -> Result<Known> {
    let ids: Vec<i64> = inputs.iter().map(|input| input.sepay_id).collect();
    let codes: Vec<&str> = candidates.iter().flatten().map(|candidate| candidate.code.as_str()).collect();
    let rows = sqlx::query(tx.opening(&READ))
        .bind(json!({ "ids": ids, "codes": codes }).to_string())
        .fetch_all(&mut tx.conn)
        .await?;
    let mut known = Known::default();
    let mut courses = Vec::new();
    let mut numbers = Vec::new();
    for row in rows {
        let tag: &str = row.try_get("tag")?;
        let number = |name: &str| row.try_get::<i64, _>(name);
        let (s, t): (String, String) = (row.try_get("s")?, row.try_get("t")?);
        match tag {
            "event" => {
                let (listed, out) = (number("c")? != 0, number("d")? != 0);
                known.events.insert(number("a")?, KnownEvent { hash: s, amount: number("b")?, listed, out });
            }
            "order" => {
                let stage =
                    Stage::parse(&t).ok_or_else(|| Error::Unusable(format!("unknown order stage {t}")))?;
                let money = OrderMoney {
                    stage,
                    flags: Flags(number("d")?),
                    total: number("b")?,
                    paid: number("c")?,
                    expires_at: number("e")?,
                };
                known.orders.insert(
                    s,
                    KnownOrder { id: number("a")?, prio: number("f")?, money, courses: Vec::new() },
                );
            }
            "course" => {
                courses.push((
                    s,
                    KnownCourse {
                        id: number("b")?,
                        version: number("c")?,
                        ready: number("d")? != 0,
                        title: t,
                    },
                ));
            }
            "depositor" => known.depositors.push(Depositor { customer_id: number("a")?, code: s }),
            "account" => numbers.extend([s, t]),
            "ledger" => known.ledger = Tail { id: number("a")?, hash: s },
            _ => known.last_transfer = number("a")?,
        }
    }
    for (code, course) in courses {
        if let Some(order) = known.orders.get_mut(&code) {
            order.courses.push(course);
        }
    }
    known.accounts = ShopAccounts::new(numbers);
    Ok(known)
}

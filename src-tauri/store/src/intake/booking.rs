//! Decides a batch of transfers one after the other, each seeing what the ones before it did.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use chotdon_domain::matching::{Candidate, OpenOrder, Settlement, TransferFacts, decide};
use chotdon_domain::money::Vnd;
use chotdon_domain::order::{Flags, Outcome, Stage};

use super::{Answer, Incoming, Known, KnownEvent, KnownOrder};
use crate::ledger::{Account, Movement};
use crate::queue::{Claim, NEVER, prepare_key};
use crate::{Error, Result};

/// What a batch will write, growing transfer by transfer.
pub(crate) struct Booking {
    known: Known,
    tolerance: i64,
    max_attempt: i64,
    pub(super) events: Vec<Value>,
    pub(super) repeats: Vec<Value>,
    pub(super) transfers: Vec<Value>,
    pub(super) ledger: Vec<Value>,
    pub(super) timeline: Vec<Value>,
    pub(super) deliveries: Vec<Delivery>,
    /// Orders to save, by code.
    pub(super) changed: BTreeSet<String>,
    /// Credits to wallets by customer id.
    pub(super) wallets: BTreeMap<i64, i64>,
    /// Changes of the cached totals.
    pub(super) buckets: BTreeMap<&'static str, i64>,
    /// Additions to the hourly roll-ups.
    pub(super) hours: BTreeMap<i64, Hour>,
    /// Versions of courses that somebody now waits for.
    pub(super) wanted: BTreeSet<(i64, i64)>,
    /// SePay ids that came again with another body.
    pub(super) different: Vec<i64>,
    pub(super) settled_any: bool,
    /// Whether a transfer was left to the owner.
    pub(super) unmatched_any: bool,
    pub(super) now: i64,
}

/// The task that delivers a paid order.
#[derive(Debug, Serialize)]
pub(super) struct Delivery {
    order: i64,
    prio: i64,
    max: i64,
    at: i64,
    #[serde(flatten)]
    begins: Begins,
}

/// When a delivery begins; the tag is its task's state.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Begins {
    /// Once a course is prepared.
    Scheduled { waits_on: String, run_at: i64 },
    /// When a worker takes it.
    Ready,
    /// In the commit that queues it, leased.
    Running { owner: String, until: i64, started_at: i64 },
}

impl Delivery {
    fn is_ready(&self) -> bool {
        matches!(self.begins, Begins::Ready)
    }

    fn is_running(&self) -> bool {
        matches!(self.begins, Begins::Running { .. })
    }
}

/// What an hour gains.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Hour {
    pub(super) in_vnd: i64,
    pub(super) transfers: i64,
    pub(super) paid: i64,
    pub(super) topups: i64,
}

impl Booking {
    pub(super) fn new(known: Known, tolerance: i64, max_attempt: i64) -> Self {
        Self {
            known,
            tolerance,
            max_attempt,
            events: Vec::new(),
            repeats: Vec::new(),
            transfers: Vec::new(),
            ledger: Vec::new(),
            timeline: Vec::new(),
            deliveries: Vec::new(),
            changed: BTreeSet::new(),
            wallets: BTreeMap::new(),
            buckets: BTreeMap::new(),
            hours: BTreeMap::new(),
            wanted: BTreeSet::new(),
            different: Vec::new(),
            settled_any: false,
            unmatched_any: false,
            now: 0,
        }
    }

    /// Orders to save, as they stand after the batch.
    pub(super) fn orders(&self) -> Vec<Value> {
        let running = self.deliveries.iter().filter(|delivery| delivery.is_running());
        let begun: BTreeSet<i64> = running.map(|delivery| delivery.order).collect();
        let changed = self.changed.iter().filter_map(|code| self.known.orders.get(code));
        changed
            .map(|order| {
                let stage = if begun.contains(&order.id) { Stage::Processing } else { order.money.stage };
                json!({ "id": order.id, "stage": stage.as_str(), "flags": order.money.flags.0,
                        "paid": order.money.paid, "paid_at": (order.money.stage == Stage::Paid).then_some(self.now) })
            })
            .collect()
    }

    pub(super) fn take(&mut self, input: &Incoming, candidates: &[Candidate]) -> Result<Answer> {
        self.now = self.now.max(input.received_at);
        let event = KnownEvent::of(input);
        let hash = event.hash.clone();
        if let Some(before) = self.known.events.get(&input.sepay_id) {
            let different_body = before.differs(&event);
            self.repeats
                .push(json!({ "id": input.sepay_id, "other": different_body.then_some(&input.body) }));
            if different_body {
                self.different.push(input.sepay_id);
            }
            return Ok(Answer { outcome: Outcome::Duplicate, order: None, different_body });
        }
        self.known.events.insert(input.sepay_id, event);
        self.known.last_transfer += 1;
        let transfer = self.known.last_transfer;

        let settlement = self.decide(input, candidates);
        let mut row = Row { state: "unmatched", reason: None, level: None, order: None, customer: None };
        let mut answer = Answer { outcome: Outcome::Unmatched, order: None, different_body: false };
        match settlement {
            Settlement::Order { order_id, level } => {
                let (code, outcome) = self.pay(order_id, input, level.as_str())?;
                self.book(Account::Order(order_id), input, transfer)?;
                answer = Answer { outcome, order: Some(code), different_body: false };
                row = Row { state: "order", level: Some(level.as_str()), order: Some(order_id), ..row };
            }
            Settlement::Wallet { customer_id, level } => {
                let credit = self.wallets.entry(customer_id).or_default();
                *credit = checked(credit.checked_add(input.amount.get()))?;
                self.book(Account::Wallet(customer_id), input, transfer)?;
                self.hour(input).topups += 1;
                answer.outcome = Outcome::Credited;
                row =
                    Row { state: "wallet", level: Some(level.as_str()), customer: Some(customer_id), ..row };
            }
            Settlement::Unmatched(reason) => {
                if !input.amount.is_zero() {
                    self.book(Account::Unmatched, input, transfer)?;
                }
                row.reason = Some(reason.as_str());
                self.unmatched_any = true;
            }
            Settlement::Ignored(reason) => {
                answer.outcome = Outcome::Ignored;
                row = Row { state: "ignored", reason: Some(reason.as_str()), ..row };
            }
        }
        self.events.push(json!({
            "id": input.sepay_id, "source": input.source.as_str(), "at": input.received_at, "body": input.body,
            "hash": hash, "outcome": answer.outcome.as_str(),
        }));
        self.transfers.push(json!({
            "id": transfer, "sepay": input.sepay_id, "direction": input.direction.as_str(), "amount": input.amount.get(),
            "gateway": input.gateway, "account": input.account, "sub": input.sub_account, "code": input.code,
            "content": input.content, "description": input.description, "reference": input.reference,
            "booked": input.booked_at, "accumulated": input.accumulated, "state": row.state, "reason": row.reason,
            "level": row.level, "order": row.order, "customer": row.customer, "at": input.received_at,
        }));
        Ok(answer)
    }

    fn decide(&self, input: &Incoming, candidates: &[Candidate]) -> Settlement {
        let orders: Vec<OpenOrder> = candidates
            .iter()
            .filter_map(|candidate| {
                let order = self.known.orders.get(&candidate.code)?;
                let money = order.money;
                Some(OpenOrder {
                    id: order.id,
                    code: candidate.code.clone(),
                    total: Vnd::new(money.total).ok()?,
                    paid: Vnd::new(money.paid).ok()?,
                    open: money.stage == Stage::Pending && input.counts_at() < money.expires_at,
                })
            })
            .collect();
        let facts = TransferFacts {
            direction: input.direction,
            amount: input.amount,
            account: &input.account,
            sub_account: &input.sub_account,
        };
        decide(candidates, &facts, &self.known.accounts, &orders, &self.known.depositors)
    }

    /// Books the transfer on the order's own money and queues the delivery when that settles it.
    fn pay(&mut self, id: i64, input: &Incoming, level: &str) -> Result<(String, Outcome)> {
        let Some((code, order)) = self.known.orders.iter_mut().find(|(_, order)| order.id == id) else {
            return Err(Error::Internal(format!("order {id} left the batch")));
        };
        let before = order.money;
        let receipt = before
            .receive(input.amount.get(), self.tolerance, input.counts_at())
            .map_err(|error| Error::Invalid(error.to_string()))?;
        order.money = receipt.after;
        let (code, order) = (code.clone(), order.clone());
        self.changed.insert(code.clone());

        let at = input.received_at;
        let mut tell = |kind: &str, data: Value| {
            self.timeline.push(json!({ "order": id, "at": at, "kind": kind, "data": data.to_string() }));
        };
        tell(
            "transfer",
            json!({ "sepay_id": input.sepay_id, "gateway": input.gateway, "reference": input.reference,
                                 "amount_vnd": input.amount.get() }),
        );
        tell(
            "matched",
            json!({ "level": level, "paid_vnd": order.money.paid, "total_vnd": order.money.total }),
        );
        let difference = checked(order.money.paid.checked_sub(order.money.total))?;
        if order.money.flags.has(Flags::PAID_TWICE) {
            tell("paid_twice", json!({ "difference_vnd": difference }));
        } else if receipt.outcome == Outcome::Late {
            tell("late", json!({ "amount_vnd": input.amount.get() }));
        } else if difference > 0 {
            tell("overpaid", json!({ "difference_vnd": difference }));
        } else if receipt.outcome == Outcome::Partial {
            tell("underpaid", json!({ "difference_vnd": difference.saturating_neg() }));
        }
        if receipt.settles {
            self.queue_delivery(&order, at);
            self.hour(input).paid += 1;
            self.settled_any = true;
        }
        Ok((code, receipt.outcome))
    }

    fn queue_delivery(&mut self, order: &KnownOrder, at: i64) {
        let missing: Vec<_> = order.courses.iter().filter(|course| !course.ready).collect();
        for course in &missing {
            self.wanted.insert((course.id, course.version));
        }
        for course in &order.courses {
            let kind = if course.ready { "course_ready" } else { "course_waiting" };
            let data = json!({ "course": course.title }).to_string();
            self.timeline.push(json!({ "order": order.id, "at": at, "kind": kind, "data": data }));
        }
        let begins = match missing.first() {
            Some(course) => {
                Begins::Scheduled { waits_on: prepare_key(course.id, course.version), run_at: NEVER }
            }
            None => Begins::Ready,
        };
        self.deliveries.push(Delivery {
            order: order.id,
            prio: order.prio,
            max: self.max_attempt,
            at,
            begins,
        });
    }

    /// Whether a delivery can begin at once.
    pub(super) fn any_ready(&self) -> bool {
        self.deliveries.iter().any(Delivery::is_ready)
    }

    /// Leases as many deliveries as `claim` is good for, the most urgent first, unless their lane is paused.
    pub(super) fn begin(&mut self, claim: &Claim) {
        if self.known.paused_until.is_some_and(|until| until > claim.now) {
            return;
        }
        let mut ready: Vec<_> = self.deliveries.iter_mut().filter(|delivery| delivery.is_ready()).collect();
        ready.sort_by_key(|delivery| delivery.prio);
        for delivery in ready.into_iter().take(usize::try_from(claim.limit).unwrap_or_default()) {
            delivery.begins =
                Begins::Running { owner: claim.owner.clone(), until: claim.until, started_at: claim.now };
        }
    }

    /// Whether deliveries begin in this commit.
    pub(super) fn any_begun(&self) -> bool {
        self.deliveries.iter().any(Delivery::is_running)
    }

    /// Ids of tasks above it are the batch's own.
    pub(super) fn last_task(&self) -> i64 {
        self.known.last_task
    }

    /// Moves the money from the bank to `credit`.
    fn book(&mut self, credit: Account, input: &Incoming, transfer: i64) -> Result<()> {
        let amount = input.amount.get();
        let movement =
            Movement::new(input.received_at, Account::Bank, credit, amount, "transfer").of_transfer(transfer);
        self.ledger.push(self.known.ledger.append(&movement));
        for bucket in ["in", credit.bucket()] {
            let balance = self.buckets.entry(bucket).or_default();
            *balance = checked(balance.checked_add(amount))?;
        }
        let hour = self.hour(input);
        hour.in_vnd = checked(hour.in_vnd.checked_add(amount))?;
        hour.transfers += 1;
        Ok(())
    }

    fn hour(&mut self, input: &Incoming) -> &mut Hour {
        self.hours.entry(input.received_at / 3_600_000).or_default()
    }
}

/// How the transfer's row ends up.
struct Row {
    state: &'static str,
    reason: Option<&'static str>,
    level: Option<&'static str>,
    order: Option<i64>,
    customer: Option<i64>,
}

fn checked(sum: Option<i64>) -> Result<i64> {
    sum.ok_or_else(|| Error::Invalid("an amount leaves the range of whole đồng".to_owned()))
}

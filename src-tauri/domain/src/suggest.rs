//! What a transfer that settled nothing by itself may have been meant for, with the evidence.
//!
//! [`clues`](clues()) says what to look up, [`rank`] weighs what was found. Only ever a suggestion: nothing here
//! settles anything, however strong it looks. The store looks up between the two; the owner decides.

mod clues;
mod near;
#[cfg(test)]
mod tests;

pub use clues::{Clues, Unplaced, clues};
pub use near::{CodeClue, Likeness};

use crate::fold::fold;
use crate::order::Stage;

/// The longest list that is suggested.
pub const MOST: usize = 5;

/// What scores less is not worth a look.
const LEAST_SCORE: i64 = 20;

const MINUTE_MS: i64 = 60_000;

/// An order that may have been meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderCase {
    /// Row id.
    pub id: i64,
    /// `DH123456`.
    pub code: String,
    /// Where it stands.
    pub stage: Stage,
    /// What it costs, whole đồng.
    pub total: i64,
    /// What it holds, whole đồng.
    pub paid: i64,
    /// When it was created, ms UTC.
    pub created_at: i64,
    /// Row id of its customer.
    pub customer_id: i64,
    /// The customer's name; may be empty.
    pub customer_name: String,
}

/// A customer whose wallet may have been meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerCase {
    /// Row id.
    pub id: i64,
    /// Name; may be empty.
    pub name: String,
    /// `NAPK7Q2M9X`.
    pub deposit_code: String,
}

/// An earlier transfer that carries some of the same words and was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidBefore {
    /// Whom it was for.
    pub customer_id: i64,
    /// The words that both carry.
    pub found: String,
}

/// What the shop holds that the clues led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Orders, each once.
    pub orders: Vec<OrderCase>,
    /// Customers, each once.
    pub customers: Vec<CustomerCase>,
    /// Earlier payments from the same hand.
    pub paid_before: Vec<PaidBefore>,
}

/// A reason for or against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// The code itself stands in the transfer.
    Code {
        /// As it stands there.
        found: String,
        /// The code.
        meant: String,
    },
    /// Something like the code stands in the transfer.
    NearCode {
        /// As it stands there.
        found: String,
        /// The code.
        meant: String,
    },
    /// The amount is what is open, or what the order cost: whole đồng.
    Amount(i64),
    /// The customer's name stands in the transfer.
    PayerName {
        /// The customer's name.
        meant: String,
    },
    /// The order was created this many ms before the transfer came.
    Time(i64),
    /// The customer was paid for before from the same words.
    SameCustomer {
        /// Those words.
        found: String,
    },
    /// Against: the order does not wait any more, it expired or was called off.
    Late,
    /// Against: the order has its money.
    AlreadyPaid,
}

/// What is suggested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meant {
    /// Row id of an order.
    Order(i64),
    /// Row id of a customer, for their wallet.
    Wallet(i64),
}

/// A suggestion with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// What it may have been meant for.
    pub meant: Meant,
    /// 0 to 100, for ranking only.
    pub score: i64,
    /// Reasons, the ones for it first, strongest first.
    pub evidence: Vec<Evidence>,
}

/// The likeliest things that `transfer` was meant for, best first, at most [`MOST`].
#[must_use]
pub fn rank(transfer: &Unplaced<'_>, clues: &Clues, found: &Found) -> Vec<Suggestion> {
    let text = Text::of(transfer);
    let mut scored: Vec<(Suggestion, bool, i64, i64)> = Vec::new();
    for order in &found.orders {
        let mut weighed = Weighed::default();
        weighed.code(clues, &order.code);
        weighed.money(transfer, order);
        weighed.person(&text, found, order.customer_id, &order.customer_name);
        weighed.time(transfer, order);
        let age = transfer.received_at.saturating_sub(order.created_at).saturating_abs();
        let open = order.stage == Stage::Pending;
        scored.push((weighed.suggestion(Meant::Order(order.id)), open, age, order.customer_id));
    }
    let named: Vec<i64> = scored
        .iter()
        .filter(|(suggestion, ..)| suggestion.score >= LEAST_SCORE)
        .map(|(.., customer)| *customer)
        .collect();
    for customer in &found.customers {
        let mut weighed = Weighed::default();
        weighed.code(clues, &customer.deposit_code);
        // Without a word about their wallet, a customer whose order is suggested is not suggested again.
        if weighed.score == 0 && named.contains(&customer.id) {
            continue;
        }
        weighed.person(&text, found, customer.id, &customer.name);
        scored.push((weighed.suggestion(Meant::Wallet(customer.id)), true, 0, customer.id));
    }
    scored.retain(|(suggestion, ..)| suggestion.score >= LEAST_SCORE);
    scored.sort_by_key(|(suggestion, open, age, _)| (-suggestion.score, !open, *age));
    scored.into_iter().map(|(suggestion, ..)| suggestion).take(MOST).collect()
}

/// The words of a transfer, for finding names in them.
struct Text {
    words: Vec<String>,
    /// The same without anything between them: some banks drop the spaces.
    glued: String,
}

impl Text {
    fn of(transfer: &Unplaced<'_>) -> Self {
        let words = clues::words(transfer);
        let glued = words.concat();
        Self { words, glued }
    }

    fn names(&self, name: &str) -> bool {
        let folded = fold(name);
        let name: Vec<&str> =
            folded.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
        if name.len() < 2 {
            return false;
        }
        let whole = self.words.windows(name.len()).any(|words| words.iter().eq(name.iter()));
        let letters = name.iter().map(|word| word.len()).sum::<usize>();
        whole || (name.len() >= 3 && letters >= 8 && self.glued.contains(&name.concat()))
    }
}

/// Evidence being gathered, each with its weight.
#[derive(Default)]
struct Weighed {
    score: i64,
    evidence: Vec<(i64, Evidence)>,
}

impl Weighed {
    fn add(&mut self, weight: i64, evidence: Evidence) {
        self.score += weight;
        self.evidence.push((weight, evidence));
    }

    fn code(&mut self, clues: &Clues, code: &str) {
        let Some(clue) = clues.codes.iter().filter(|clue| clue.code == code).max_by_key(|clue| clue.likeness)
        else {
            return;
        };
        let (found, meant) = (clue.found.clone(), clue.code.clone());
        let weight = match clue.likeness {
            Likeness::Whole => 60,
            Likeness::Glued => 45,
            Likeness::LooksAlike => 50,
            Likeness::OneSlip => 32,
            Likeness::Bare => 20,
        };
        self.add(
            weight,
            match clue.likeness {
                Likeness::Whole | Likeness::Glued => Evidence::Code { found, meant },
                _ => Evidence::NearCode { found, meant },
            },
        );
    }

    fn money(&mut self, transfer: &Unplaced<'_>, order: &OrderCase) {
        let amount = transfer.amount;
        let open = order.total.saturating_sub(order.paid);
        match order.stage {
            Stage::Pending => {
                if open == amount {
                    self.add(30, Evidence::Amount(amount));
                }
            }
            Stage::Expired => {
                if open == amount {
                    self.add(26, Evidence::Amount(amount));
                }
                self.add(-8, Evidence::Late);
            }
            Stage::Cancelled | Stage::Refunded => {
                if order.total == amount {
                    self.add(12, Evidence::Amount(amount));
                }
                self.add(-20, Evidence::Late);
            }
            Stage::Paid | Stage::Processing | Stage::Completed | Stage::Failed => {
                if order.total == amount {
                    self.add(10, Evidence::Amount(amount));
                }
                self.add(-20, Evidence::AlreadyPaid);
            }
        }
    }

    fn person(&mut self, text: &Text, found: &Found, customer: i64, name: &str) {
        if text.names(name) {
            self.add(20, Evidence::PayerName { meant: name.to_owned() });
        }
        if let Some(before) = found.paid_before.iter().find(|before| before.customer_id == customer) {
            self.add(20, Evidence::SameCustomer { found: before.found.clone() });
        }
    }

    /// Being recent adds to other evidence; it is none alone.
    fn time(&mut self, transfer: &Unplaced<'_>, order: &OrderCase) {
        let since = transfer.received_at.saturating_sub(order.created_at);
        let weight = match since {
            ..0 => return,
            since if since <= 30 * MINUTE_MS => 10,
            since if since <= 120 * MINUTE_MS => 7,
            since if since <= 24 * 60 * MINUTE_MS => 4,
            _ => return,
        };
        if self.score > 0 {
            self.add(weight, Evidence::Time(since));
        }
    }

    fn suggestion(mut self, meant: Meant) -> Suggestion {
        self.evidence.sort_by_key(|(weight, _)| -weight);
        let evidence = self.evidence.into_iter().map(|(_, evidence)| evidence).collect();
        Suggestion { meant, score: self.score.clamp(0, 100), evidence }
    }
}

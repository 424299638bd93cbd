//! Ledger rows and the chain of their hashes.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Where the money of a movement is, or comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// The shop's bank accounts.
    Bank,
    /// Came in, and nobody knows for what.
    Unmatched,
    /// Came in, and the owner has put it aside.
    SetAside,
    /// Held by an order.
    Order(i64),
    /// Held for a customer.
    Wallet(i64),
}

impl Account {
    /// As stored.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Bank => "bank".to_owned(),
            Self::Unmatched => "unmatched".to_owned(),
            Self::SetAside => "set_aside".to_owned(),
            Self::Order(id) => format!("order:{id}"),
            Self::Wallet(id) => format!("wallet:{id}"),
        }
    }

    /// The cached total that holds this account, `in` for the bank.
    #[must_use]
    pub fn bucket(self) -> &'static str {
        match self {
            Self::Bank => "in",
            Self::Unmatched => "unmatched",
            Self::SetAside => "set_aside",
            Self::Order(_) => "orders",
            Self::Wallet(_) => "wallets",
        }
    }
}

/// The end of the chain, to which the next row is tied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tail {
    /// Id of the last row; 0 before the first.
    pub id: i64,
    /// Its hash, hexadecimal; empty before the first.
    pub hash: String,
}

/// One movement: `amount` whole đồng, more than 0, from `debit` to `credit`.
#[derive(Debug, Clone)]
pub struct Movement {
    /// When, ms.
    pub at: i64,
    /// Where from.
    pub debit: Account,
    /// Where to.
    pub credit: Account,
    /// Whole đồng, more than 0.
    pub amount: i64,
    /// The transfer behind it.
    pub transfer: Option<i64>,
    /// One word: `transfer`, `adjust`, …
    pub reason: &'static str,
}

impl Tail {
    /// Ties `movement` to the chain and returns its row.
    pub fn append(&mut self, movement: &Movement) -> Value {
        let id = self.id + 1;
        let (debit, credit) = (movement.debit.name(), movement.credit.name());
        let hash = row_hash(&self.hash, id, movement.at, &debit, &credit, movement.amount, movement.transfer, movement.reason);
        let row = json!({
            "id": id, "at": movement.at, "debit": debit, "credit": credit, "amount": movement.amount,
            "transfer": movement.transfer, "reason": movement.reason, "prev": self.hash, "hash": hash,
        });
        *self = Self { id, hash };
        row
    }
}

/// Hash of one row over everything in it and the row before.
#[allow(clippy::too_many_arguments)] // one for each column
pub(crate) fn row_hash(
    prev: &str,
    id: i64,
    at: i64,
    debit: &str,
    credit: &str,
    amount: i64,
    transfer: Option<i64>,
    reason: &str,
) -> String {
    let transfer = transfer.map_or_else(String::new, |id| id.to_string());
    let text = format!("{prev}\n{id}\n{at}\n{debit}\n{credit}\n{amount}\n{transfer}\n{reason}");
    hex::encode(Sha256::digest(text.as_bytes()))
}

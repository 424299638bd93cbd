//! Ledger rows and the chain of their hashes.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Where the money of a movement is, or comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// The shop's bank accounts.
    Bank,
    /// Came in, and nobody knows for what.
    Unmatched,
    /// Held by an order.
    Order(i64),
    /// Held for a customer.
    Wallet(i64),
}

impl Account {
    /// As stored.
    #[must_use]
    pub(crate) fn name(self) -> String {
        match self {
            Self::Bank => "bank".to_owned(),
            Self::Unmatched => "unmatched".to_owned(),
            Self::Order(id) => format!("order:{id}"),
            Self::Wallet(id) => format!("wallet:{id}"),
        }
    }

    /// The cached total that holds this account, `in` for the bank.
    #[must_use]
    pub(crate) fn bucket(self) -> &'static str {
        match self {
            Self::Bank => "in",
            Self::Unmatched => "unmatched",
            Self::Order(_) => "orders",
            Self::Wallet(_) => "wallets",
        }
    }
}

/// The end of the chain, to which the next row is tied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tail {
    /// Id of the last row; 0 before the first.
    pub(crate) id: i64,
    /// Its hash, hexadecimal; empty before the first.
    pub(crate) hash: String,
}

/// One movement: `amount` whole đồng, more than 0, from `debit` to `credit`.
#[derive(Debug, Clone)]
pub(crate) struct Movement {
    /// When, ms.
    pub(crate) at: i64,
    /// Where from.
    pub(crate) debit: Account,
    /// Where to.
    pub(crate) credit: Account,
    /// Whole đồng, more than 0.
    pub(crate) amount: i64,
    /// The transfer behind it.
    pub(crate) transfer: Option<i64>,
    /// One word: `transfer`, `adjust`, …
    pub(crate) reason: &'static str,
}

impl Tail {
    /// Ties `movement` to the chain and returns its row.
    pub(crate) fn append(&mut self, movement: &Movement) -> Value {
        let id = self.id + 1;
        let (debit, credit) = (movement.debit.name(), movement.credit.name());
        let hash = row_hash(
            &self.hash,
            id,
            movement.at,
            &debit,
            &credit,
            movement.amount,
            movement.transfer,
            movement.reason,
        );
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

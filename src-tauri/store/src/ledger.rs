//! Ledger rows and the chain of their hashes.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Where the money of a movement is, or comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Account {
    /// The shop's bank accounts.
    Bank,
    /// Came in, and nobody knows for what.
    Unmatched,
    /// Kept aside by the owner, with a reason.
    SetAside,
    /// Given back to buyers by the bank, as the owner recorded.
    Refunded,
    /// The shop's own money, the other side of adjustments; may be below zero.
    Shop,
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
            Self::SetAside => "set_aside".to_owned(),
            Self::Refunded => "refunded".to_owned(),
            Self::Shop => "shop".to_owned(),
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
            Self::SetAside => "set_aside",
            Self::Refunded => "refunded",
            Self::Shop => "shop",
            Self::Order(_) => "orders",
            Self::Wallet(_) => "wallets",
        }
    }

    /// The account of that name.
    #[must_use]
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let id = |text: &str| text.parse::<i64>().ok().filter(|id| *id > 0);
        match name {
            "bank" => Some(Self::Bank),
            "unmatched" => Some(Self::Unmatched),
            "set_aside" => Some(Self::SetAside),
            "refunded" => Some(Self::Refunded),
            "shop" => Some(Self::Shop),
            _ => match name.split_once(':')? {
                ("order", rest) => id(rest).map(Self::Order),
                ("wallet", rest) => id(rest).map(Self::Wallet),
                _ => None,
            },
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
    /// Who moved it, `owner` or `storefront:NAME`; `None` for what the shop does by itself.
    pub(crate) actor: Option<String>,
    /// Why, in their words.
    pub(crate) note: Option<String>,
    /// The row that this movement takes back. A row is taken back once.
    pub(crate) reverses: Option<i64>,
}

impl Movement {
    /// A movement that the shop makes by itself.
    pub(crate) fn new(at: i64, debit: Account, credit: Account, amount: i64, reason: &'static str) -> Self {
        Self { at, debit, credit, amount, transfer: None, reason, actor: None, note: None, reverses: None }
    }

    /// The same, of this transfer.
    pub(crate) fn of_transfer(self, transfer: i64) -> Self {
        Self { transfer: Some(transfer), ..self }
    }

    /// The same, made by `actor` for the reason that `note` gives; an empty note is none.
    pub(crate) fn by(self, actor: &str, note: &str) -> Self {
        let note = Some(note.trim()).filter(|note| !note.is_empty()).map(str::to_owned);
        Self { actor: Some(actor.to_owned()), note, ..self }
    }

    /// The same, taking back the row with this id.
    pub(crate) fn reversing(self, row: i64) -> Self {
        Self { reverses: Some(row), ..self }
    }
}

impl Tail {
    /// Ties `movement` to the chain and returns its row.
    pub(crate) fn append(&mut self, movement: &Movement) -> Value {
        let id = self.id + 1;
        let row = LedgerText {
            prev: &self.hash,
            id,
            at: movement.at,
            debit: &movement.debit.name(),
            credit: &movement.credit.name(),
            amount: movement.amount,
            transfer: movement.transfer,
            reason: movement.reason,
            actor: movement.actor.as_deref(),
            note: movement.note.as_deref(),
            reverses: movement.reverses,
        };
        let hash = row.hash();
        let value = json!({
            "id": id, "at": row.at, "debit": row.debit, "credit": row.credit, "amount": row.amount,
            "transfer": row.transfer, "reason": row.reason, "prev": row.prev, "hash": hash,
            "actor": row.actor, "note": row.note, "reverses": row.reverses,
        });
        *self = Self { id, hash };
        value
    }
}

/// Everything in a row that its hash covers.
pub(crate) struct LedgerText<'a> {
    pub(crate) prev: &'a str,
    pub(crate) id: i64,
    pub(crate) at: i64,
    pub(crate) debit: &'a str,
    pub(crate) credit: &'a str,
    pub(crate) amount: i64,
    pub(crate) transfer: Option<i64>,
    pub(crate) reason: &'a str,
    pub(crate) actor: Option<&'a str>,
    pub(crate) note: Option<&'a str>,
    pub(crate) reverses: Option<i64>,
}

impl LedgerText<'_> {
    /// SHA-256 over the row and the hash of the row before, hexadecimal. Who, why and what is taken back are in it
    /// when one of them is set, so that rows from before they existed keep their hash.
    pub(crate) fn hash(&self) -> String {
        let Self { prev, id, at, debit, credit, amount, reason, .. } = self;
        let transfer = self.transfer.map_or_else(String::new, |id| id.to_string());
        let mut text = format!("{prev}\n{id}\n{at}\n{debit}\n{credit}\n{amount}\n{transfer}\n{reason}");
        if self.actor.is_some() || self.note.is_some() || self.reverses.is_some() {
            text.push('\n');
            text.push_str(&json!([self.actor, self.note, self.reverses]).to_string());
        }
        hex::encode(Sha256::digest(text.as_bytes()))
    }
}

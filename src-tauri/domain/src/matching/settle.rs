//! What the candidates of a transfer settle, given what exists in the shop.

use super::{Candidate, Level};
use crate::money::Vnd;

/// Which way the money went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the shop.
    In,
    /// From the shop.
    Out,
}

impl Direction {
    /// The name stored and shown: `in` or `out`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::In => "in",
            Direction::Out => "out",
        }
    }
}

/// What a transfer says beside its memo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferFacts<'a> {
    /// Which way the money went.
    pub direction: Direction,
    /// How much, may be zero.
    pub amount: Vnd,
    /// The account the money came to; empty when the bank did not say.
    pub account: &'a str,
    /// The virtual account the money came to; empty when there is none.
    pub sub_account: &'a str,
}

/// The account and virtual-account numbers of the shop. None at all means that every account is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShopAccounts {
    numbers: Vec<String>,
}

impl ShopAccounts {
    /// From account and virtual-account numbers, in any order; empty ones are left out.
    pub fn new<I>(numbers: I) -> ShopAccounts
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let numbers = numbers.into_iter().map(|number| plain(number.as_ref()));
        ShopAccounts { numbers: numbers.filter(|number| !number.is_empty()).collect() }
    }

    /// Whether a transfer to these numbers came to the shop, as far as can be told.
    ///
    /// An account that the bank did not name is taken: SePay sends an empty one for some banks.
    pub fn takes(&self, account: &str, sub_account: &str) -> bool {
        let account = plain(account);
        if self.numbers.is_empty() || account.is_empty() {
            return true;
        }
        let sub_account = plain(sub_account);
        self.numbers.iter().any(|number| *number == account || *number == sub_account)
    }
}

/// Numbers are compared without spaces and case; leading zeros count.
fn plain(number: &str) -> String {
    number.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect()
}

/// An existing order that a candidate names, whatever its stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOrder {
    /// Row id.
    pub id: i64,
    /// `DH123456`.
    pub code: String,
    /// What it costs.
    pub total: Vnd,
    /// What has been paid so far.
    pub paid: Vnd,
    /// Whether it waits for money: pending, neither expired nor cancelled.
    pub open: bool,
}

impl OpenOrder {
    /// What is still to be paid; zero when it is paid.
    pub fn due(&self) -> Vnd {
        self.total.checked_sub(self.paid).unwrap_or(Vnd::ZERO)
    }
}

/// An existing customer whose deposit code a candidate names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depositor {
    /// Row id of the customer.
    pub customer_id: i64,
    /// `NAPK7Q2M9X`.
    pub code: String,
}

/// What a transfer settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Settlement {
    /// It is booked to an order, which may be closed: a late or second payment is a state of the order.
    Order {
        /// Row id of the order.
        order_id: i64,
        /// The evidence.
        level: Level,
    },
    /// It is credited to a customer's wallet.
    Wallet {
        /// Row id of the customer.
        customer_id: i64,
        /// The evidence.
        level: Level,
    },
    /// It waits for the owner.
    Unmatched(Reason),
    /// It is no income of the shop.
    Ignored(Reason),
}

/// Why a transfer did not settle anything by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// There is no code in it.
    NoCode,
    /// Its codes belong to no order and no customer.
    UnknownCode,
    /// It names several things, and not just one of them waits for money.
    Ambiguous,
    /// Its code is glued to other text or stands in SePay's field only, and the amount does not confirm it.
    WeakEvidence,
    /// It came to an account that is not one of the shop's.
    UnknownAccount,
    /// It is about 0 ₫.
    ZeroAmount,
    /// The money went out.
    MoneyOut,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 7] = [
        Reason::NoCode,
        Reason::UnknownCode,
        Reason::Ambiguous,
        Reason::WeakEvidence,
        Reason::UnknownAccount,
        Reason::ZeroAmount,
        Reason::MoneyOut,
    ];

    /// The stable name stored and shown, in snake case: `no_code`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::NoCode => "no_code",
            Reason::UnknownCode => "unknown_code",
            Reason::Ambiguous => "ambiguous",
            Reason::WeakEvidence => "weak_evidence",
            Reason::UnknownAccount => "unknown_account",
            Reason::ZeroAmount => "zero_amount",
            Reason::MoneyOut => "money_out",
        }
    }
}

/// Something existing that a candidate names.
#[derive(Clone, Copy)]
enum Named<'a> {
    Order(&'a OpenOrder),
    Customer(&'a Depositor),
}

/// Decides what a transfer settles.
///
/// `candidates` are those of [`extract`](super::extract); `orders` and `depositors` are the existing ones they
/// name (others are not looked at). Only an exact or spaced code of an existing order or customer settles by
/// itself. A weaker one needs a waiting order whose open amount is the transfer's amount to the đồng. Of several
/// existing orders the only waiting one is meant; anything less clear is left to the owner.
pub fn decide(
    candidates: &[Candidate],
    transfer: &TransferFacts<'_>,
    accounts: &ShopAccounts,
    orders: &[OpenOrder],
    depositors: &[Depositor],
) -> Settlement {
    if transfer.direction == Direction::Out {
        return Settlement::Ignored(Reason::MoneyOut);
    }
    if transfer.amount.is_zero() {
        return Settlement::Unmatched(Reason::ZeroAmount);
    }
    if !accounts.takes(transfer.account, transfer.sub_account) {
        return Settlement::Unmatched(Reason::UnknownAccount);
    }
    if candidates.is_empty() {
        return Settlement::Unmatched(Reason::NoCode);
    }
    let named: Vec<(Named<'_>, Level)> = candidates
        .iter()
        .filter_map(|candidate| named_by(candidate, orders, depositors).map(|named| (named, candidate.level)))
        .collect();
    match only_meant(&named) {
        Ok((named, level)) => settle(named, level, transfer.amount),
        Err(reason) => Settlement::Unmatched(reason),
    }
}

fn named_by<'a>(
    candidate: &Candidate,
    orders: &'a [OpenOrder],
    depositors: &'a [Depositor],
) -> Option<Named<'a>> {
    let order = orders.iter().find(|order| order.code == candidate.code).map(Named::Order);
    order.or_else(|| depositors.iter().find(|one| one.code == candidate.code).map(Named::Customer))
}

fn only_meant<'a>(named: &[(Named<'a>, Level)]) -> Result<(Named<'a>, Level), Reason> {
    match named {
        [] => Err(Reason::UnknownCode),
        [only] => Ok(*only),
        several => {
            // A wallet is always waiting, so an order and a wallet are never told apart.
            let mut waiting = several.iter().filter(|(named, _)| match named {
                Named::Order(order) => order.open,
                Named::Customer(_) => true,
            });
            // Weak evidence for a waiting order does not outweigh strong evidence for a closed one.
            let strong_exists = several.iter().any(|(_, level)| level.is_strong());
            match (waiting.next(), waiting.next()) {
                (Some(&(Named::Order(order), level)), None) if level.is_strong() || !strong_exists => {
                    Ok((Named::Order(order), level))
                }
                _ => Err(Reason::Ambiguous),
            }
        }
    }
}

fn settle(named: Named<'_>, level: Level, amount: Vnd) -> Settlement {
    match named {
        Named::Order(order) if level.is_strong() || (order.open && order.due() == amount) => {
            Settlement::Order { order_id: order.id, level }
        }
        Named::Customer(customer) if level.is_strong() => {
            Settlement::Wallet { customer_id: customer.customer_id, level }
        }
        _ => Settlement::Unmatched(Reason::WeakEvidence),
    }
}

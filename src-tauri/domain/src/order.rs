//! Orders: their stages, the flags on their money, and what a transfer does to them.

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Waits for money.
    Pending,
    /// Has its money; delivery is queued.
    Paid,
    /// Delivery is being worked on.
    Processing,
    /// Access was verified and the mail was accepted.
    Completed,
    /// Delivery failed for good and needs the owner.
    Failed,
    /// No money came in time.
    Expired,
    /// Called off.
    Cancelled,
    /// The money was given back.
    Refunded,
}

impl Stage {
    /// Every stage, in the order of an order's life.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Paid,
        Self::Processing,
        Self::Completed,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
        Self::Refunded,
    ];

    /// As stored and as shown on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
        }
    }

    /// The stage of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == name)
    }
}

/// What is unusual about an order's money; a set, stored as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Flags(pub i64);

impl Flags {
    /// Less than the total has come in.
    pub const UNDERPAID: Self = Self(1);
    /// More than the total has come in.
    pub const OVERPAID: Self = Self(2);
    /// Money came after the order had expired, or was called off.
    pub const LATE: Self = Self(4);
    /// Money came again after the order was settled.
    pub const PAID_TWICE: Self = Self(8);
    /// Marked as paid by hand.
    pub const MARKED: Self = Self(16);
    /// Every flag with its name on the wire.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::UNDERPAID, "underpaid"),
        (Self::OVERPAID, "overpaid"),
        (Self::LATE, "late"),
        (Self::PAID_TWICE, "paid_twice"),
        (Self::MARKED, "marked"),
    ];

    /// These flags and `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These flags without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether every flag of `other` is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of the set flags.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        Self::ALL.iter().filter(|(flag, _)| self.has(*flag)).map(|(_, name)| *name).collect()
    }
}

/// How far one course of an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Nothing done yet.
    Waiting,
    /// The course is being prepared.
    Preparing,
    /// Access is being given.
    Sharing,
    /// The buyer has it.
    Delivered,
    /// Needs the owner.
    Failed,
    /// Access was taken back.
    Revoked,
}

impl Delivery {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Preparing, Self::Sharing, Self::Delivered, Self::Failed, Self::Revoked];

    /// As stored and as shown on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Preparing => "preparing",
            Self::Sharing => "sharing",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Revoked => "revoked",
        }
    }
}

/// What became of a transfer, as SePay is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Settled an order.
    Paid,
    /// Went to a customer's wallet.
    Credited,
    /// Paid a part of an order.
    Partial,
    /// Settled an order with something left over, or came on top of a settled one.
    Overpaid,
    /// Came after the order had expired or was called off.
    Late,
    /// This SePay id is known already.
    Duplicate,
    /// Kept for the owner to place.
    Unmatched,
    /// Recorded, without effect on anyone's money.
    Ignored,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 8] = [
        Self::Paid,
        Self::Credited,
        Self::Partial,
        Self::Overpaid,
        Self::Late,
        Self::Duplicate,
        Self::Unmatched,
        Self::Ignored,
    ];

    /// As stored and as shown on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Credited => "credited",
            Self::Partial => "partial",
            Self::Overpaid => "overpaid",
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::Unmatched => "unmatched",
            Self::Ignored => "ignored",
        }
    }
}

/// The money side of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderMoney {
    /// Where it stands.
    pub stage: Stage,
    /// Its flags.
    pub flags: Flags,
    /// Its price, whole đồng.
    pub total: i64,
    /// What has come in, whole đồng.
    pub paid: i64,
    /// When it expires, ms UTC.
    pub expires_at: i64,
}

/// What a transfer does to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The order's money afterwards.
    pub after: OrderMoney,
    /// What SePay is answered.
    pub outcome: Outcome,
    /// True when this transfer settles the order, so that its delivery is to be queued.
    pub settles: bool,
}

/// The order's balance would leave the range of whole đồng.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the order's balance would leave the range of amounts")]
pub struct BalanceOverflow;

impl OrderMoney {
    /// Books `amount` whole đồng that came in at `now` (ms UTC). A shortfall up to `tolerance` đồng is forgiven.
    ///
    /// Money for an order that is not waiting any more never changes its stage: it is kept on the order and
    /// flagged, for the owner to decide. An order past its time counts as expired even before the sweep.
    ///
    /// # Errors
    /// [`BalanceOverflow`] when the sum does not fit.
    pub fn receive(self, amount: i64, tolerance: i64, now: i64) -> Result<Receipt, BalanceOverflow> {
        let paid = self.paid.checked_add(amount).ok_or(BalanceOverflow)?;
        let mut after = Self { paid, ..self };
        if after.stage == Stage::Pending && now >= self.expires_at {
            after.stage = Stage::Expired;
        }
        let (outcome, settles) = match after.stage {
            Stage::Pending if paid.saturating_add(tolerance) >= self.total => {
                after.stage = Stage::Paid;
                after.flags = after.flags.without(Flags::UNDERPAID);
                if paid > self.total {
                    after.flags = after.flags.with(Flags::OVERPAID);
                    (Outcome::Overpaid, true)
                } else {
                    (Outcome::Paid, true)
                }
            }
            Stage::Pending => {
                after.flags = after.flags.with(Flags::UNDERPAID);
                (Outcome::Partial, false)
            }
            Stage::Expired | Stage::Cancelled | Stage::Refunded => {
                after.flags = after.flags.with(Flags::LATE);
                (Outcome::Late, false)
            }
            Stage::Paid | Stage::Processing | Stage::Completed | Stage::Failed => {
                after.flags = after.flags.with(Flags::PAID_TWICE).with(Flags::OVERPAID);
                (Outcome::Overpaid, false)
            }
        };
        Ok(Receipt { after, outcome, settles })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(stage: Stage, paid: i64) -> OrderMoney {
        OrderMoney { stage, flags: Flags::default(), total: 499_000, paid, expires_at: 1_000 }
    }

    #[test]
    fn the_exact_amount_settles() {
        let receipt = order(Stage::Pending, 0).receive(499_000, 0, 10).unwrap();
        assert_eq!(
            (receipt.after.stage, receipt.outcome, receipt.settles),
            (Stage::Paid, Outcome::Paid, true)
        );
    }

    #[test]
    fn parts_add_up() {
        let part = order(Stage::Pending, 0).receive(99_000, 0, 10).unwrap();
        assert_eq!(
            (part.outcome, part.settles, part.after.flags),
            (Outcome::Partial, false, Flags::UNDERPAID)
        );
        let rest = part.after.receive(400_000, 0, 20).unwrap();
        assert_eq!((rest.outcome, rest.settles, rest.after.flags), (Outcome::Paid, true, Flags::default()));
    }

    #[test]
    fn late_money_is_flagged_and_kept() {
        let receipt = order(Stage::Pending, 0).receive(499_000, 0, 1_000).unwrap();
        assert_eq!(
            (receipt.after.stage, receipt.outcome, receipt.settles),
            (Stage::Expired, Outcome::Late, false)
        );
        assert_eq!(receipt.after.paid, 499_000);
    }

    #[test]
    fn a_second_payment_never_delivers_again() {
        for stage in [Stage::Paid, Stage::Processing, Stage::Completed, Stage::Failed] {
            let receipt = order(stage, 499_000).receive(499_000, 0, 10).unwrap();
            assert!(!receipt.settles && receipt.after.flags.has(Flags::PAID_TWICE), "{stage:?}");
        }
    }

    #[test]
    fn a_shortfall_within_the_tolerance_is_forgiven() {
        assert!(order(Stage::Pending, 0).receive(498_000, 1_000, 10).unwrap().settles);
        assert!(!order(Stage::Pending, 0).receive(497_999, 1_000, 10).unwrap().settles);
    }

    #[test]
    fn an_impossible_sum_is_an_error() {
        assert_eq!(order(Stage::Pending, i64::MAX).receive(1, 0, 10), Err(BalanceOverflow));
    }
}

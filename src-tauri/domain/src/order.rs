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
    /// It holds more than it needs: more than its total, or anything at all once it is called off.
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
                after.flags = after.flags.with(Flags::PAID_TWICE);
                if paid > self.total {
                    after.flags = after.flags.with(Flags::OVERPAID);
                }
                (Outcome::Overpaid, false)
            }
        };
        Ok(Receipt { after, outcome, settles })
    }
}

/// Why an order's money cannot be handled like that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyRefusal {
    /// It has its money already, or gave it back.
    #[error("the order is settled already")]
    AlreadySettled,
    /// It does not wait for money any more.
    #[error("the order does not wait for money any more")]
    NotWaiting,
    /// There is nothing in it to give back.
    #[error("the order holds no money")]
    NothingHeld,
    /// It holds no more than it needs.
    #[error("the order holds no more than it needs")]
    NoSurplus,
    /// It holds less than that.
    #[error("the order holds less than that")]
    TooMuch,
}

impl MoneyRefusal {
    /// Stable, snake case.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AlreadySettled => "already_settled",
            Self::NotWaiting => "order_not_pending",
            Self::NothingHeld => "nothing_to_refund",
            Self::NoSurplus => "no_surplus",
            Self::TooMuch => "insufficient_funds",
        }
    }
}

impl Stage {
    /// Whether the order had its money, whatever became of its delivery.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Paid | Self::Processing | Self::Completed | Self::Failed)
    }
}

impl OrderMoney {
    /// What it needs, whole đồng: its total, or nothing once it was called off.
    #[must_use]
    pub const fn need(self) -> i64 {
        match self.stage {
            Stage::Expired | Stage::Cancelled | Stage::Refunded => 0,
            _ => self.total,
        }
    }

    /// What it holds beyond its need, whole đồng. A waiting order has none: the owner can still accept its money.
    #[must_use]
    pub const fn surplus(self) -> i64 {
        let over = self.paid.saturating_sub(self.need());
        if over > 0 { over } else { 0 }
    }

    /// What is still to be paid, whole đồng.
    #[must_use]
    pub const fn due(self) -> i64 {
        let due = self.total.saturating_sub(self.paid);
        if due > 0 { due } else { 0 }
    }

    /// The stage it counts as at `now` (ms UTC): past its time it is expired even before the sweep.
    #[must_use]
    pub const fn stage_at(self, now: i64) -> Stage {
        match self.stage {
            Stage::Pending if now >= self.expires_at => Stage::Expired,
            stage => stage,
        }
    }

    /// Settles the order by the owner's word, whatever has come in. No money moves.
    ///
    /// # Errors
    /// [`MoneyRefusal::AlreadySettled`] unless it is pending, expired or cancelled, or was refunded and holds money
    /// again.
    pub const fn mark_paid(self) -> Result<Self, MoneyRefusal> {
        match self.stage {
            Stage::Refunded if self.paid == 0 => Err(MoneyRefusal::AlreadySettled),
            Stage::Refunded | Stage::Pending | Stage::Expired | Stage::Cancelled => {
                let flags = self.flags.with(Flags::MARKED).without(Flags::UNDERPAID).without(Flags::LATE);
                Ok(Self { stage: Stage::Paid, flags, ..self }.restated())
            }
            _ => Err(MoneyRefusal::AlreadySettled),
        }
    }

    /// Calls the order off. What it holds stays on it, flagged.
    ///
    /// # Errors
    /// [`MoneyRefusal::AlreadySettled`] unless it is pending, expired or failed.
    pub const fn cancel(self) -> Result<Self, MoneyRefusal> {
        match self.stage {
            Stage::Pending | Stage::Expired | Stage::Failed => {
                Ok(Self { stage: Stage::Cancelled, ..self }.restated())
            }
            _ => Err(MoneyRefusal::AlreadySettled),
        }
    }

    /// Gives back `amount` whole đồng, or everything. Giving back everything ends the order; a part leaves its stage.
    /// Returns the order afterwards and what is given back, which is 0 for an order that was only marked as paid.
    ///
    /// # Errors
    /// [`MoneyRefusal::NothingHeld`], and [`MoneyRefusal::TooMuch`] for more than it holds or nothing at all.
    pub fn refund(self, amount: Option<i64>) -> Result<(Self, i64), MoneyRefusal> {
        let only_marked = self.stage.is_settled() && self.flags.has(Flags::MARKED);
        if self.paid == 0 && !(only_marked && amount.is_none()) {
            return Err(MoneyRefusal::NothingHeld);
        }
        let amount = amount.unwrap_or(self.paid);
        if amount > self.paid || (amount <= 0 && self.paid > 0) {
            return Err(MoneyRefusal::TooMuch);
        }
        let left = Self { paid: self.paid - amount, ..self };
        let after = if left.paid == 0 { Self { stage: Stage::Refunded, ..left } } else { left };
        Ok((after.restated(), amount))
    }

    /// Moves what it holds beyond its need away. Returns the order afterwards and how much that is.
    ///
    /// # Errors
    /// [`MoneyRefusal::NoSurplus`] when it holds no more than it needs.
    pub fn take_surplus(self) -> Result<(Self, i64), MoneyRefusal> {
        let surplus = self.surplus();
        if surplus == 0 || self.stage == Stage::Pending {
            return Err(MoneyRefusal::NoSurplus);
        }
        Ok((Self { paid: self.paid - surplus, ..self }.restated(), surplus))
    }

    /// Takes `amount` whole đồng out again that had been booked by mistake, before anything was delivered for it.
    /// An order that is no longer covered waits again, or is expired at `now` (ms UTC). A shortfall up to `tolerance`
    /// đồng is forgiven, and an order that the owner marked as paid stays paid.
    ///
    /// # Errors
    /// [`MoneyRefusal::TooMuch`] when it holds less.
    pub fn take_back(self, amount: i64, tolerance: i64, now: i64) -> Result<Self, MoneyRefusal> {
        if amount > self.paid {
            return Err(MoneyRefusal::TooMuch);
        }
        let mut after = Self { paid: self.paid - amount, ..self };
        let covered = after.paid.saturating_add(tolerance) >= after.total || after.flags.has(Flags::MARKED);
        if after.stage.is_settled() && !covered {
            after.stage = Stage::Pending;
            after.stage = after.stage_at(now);
            if after.paid > 0 {
                after.flags = after.flags.with(Flags::UNDERPAID);
            }
        }
        Ok(after.restated())
    }

    /// Puts money back that a movement had taken out: a surplus or a refund that was recorded by mistake.
    ///
    /// # Errors
    /// [`BalanceOverflow`] when the sum does not fit.
    pub fn put_back(self, amount: i64) -> Result<Self, BalanceOverflow> {
        let paid = self.paid.checked_add(amount).ok_or(BalanceOverflow)?;
        Ok(Self { paid, ..self }.restated())
    }

    /// The flags that follow from the stage and from what it holds. What came late or twice stays told as long as
    /// the money is there.
    #[must_use]
    pub const fn restated(self) -> Self {
        let mut flags = self.flags;
        if self.paid == 0 {
            flags = flags.without(Flags::UNDERPAID).without(Flags::LATE);
        }
        if !matches!(self.stage, Stage::Pending | Stage::Expired) {
            flags = flags.without(Flags::UNDERPAID);
        }
        let over = self.surplus() > 0;
        // What an order that is called off holds is told as late, or as underpaid when it expired.
        if over && (self.stage.is_settled() || !(flags.has(Flags::LATE) || flags.has(Flags::UNDERPAID))) {
            flags = flags.with(Flags::OVERPAID);
        }
        if !over {
            flags = flags.without(Flags::OVERPAID).without(Flags::PAID_TWICE);
        }
        Self { flags, ..self }
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

    #[test]
    fn marking_settles_what_came_late_or_short() {
        let late = order(Stage::Pending, 0).receive(499_000, 0, 1_000).unwrap().after;
        let marked = late.mark_paid().unwrap();
        assert_eq!((marked.stage, marked.flags), (Stage::Paid, Flags::MARKED));
        let short = order(Stage::Pending, 0).receive(99_000, 0, 10).unwrap().after;
        assert_eq!(short.mark_paid().unwrap().flags, Flags::MARKED);
        let over = late.receive(1_000, 0, 1_001).unwrap().after.mark_paid().unwrap();
        assert_eq!(over.flags, Flags::MARKED.with(Flags::OVERPAID));
        assert_eq!(over.mark_paid(), Err(MoneyRefusal::AlreadySettled));
    }

    #[test]
    fn the_whole_refund_ends_an_order_and_a_part_does_not() {
        let paid = order(Stage::Completed, 499_000);
        let (part, amount) = paid.refund(Some(99_000)).unwrap();
        assert_eq!(
            (part.stage, part.paid, part.flags, amount),
            (Stage::Completed, 400_000, Flags::default(), 99_000)
        );
        let (whole, amount) = part.refund(None).unwrap();
        assert_eq!((whole.stage, whole.paid, amount), (Stage::Refunded, 0, 400_000));
        assert_eq!(whole.refund(None), Err(MoneyRefusal::NothingHeld));
        for wrong in [0, -1, 499_001] {
            assert_eq!(paid.refund(Some(wrong)), Err(MoneyRefusal::TooMuch));
        }
        let marked = order(Stage::Pending, 0).mark_paid().unwrap();
        assert_eq!(
            marked.refund(None).map(|(after, amount)| (after.stage, amount)),
            Ok((Stage::Refunded, 0))
        );
    }

    #[test]
    fn the_surplus_is_what_is_not_needed() {
        let twice = order(Stage::Completed, 499_000).receive(499_000, 0, 10).unwrap().after;
        let (after, amount) = twice.take_surplus().unwrap();
        assert_eq!((after.paid, after.flags, amount), (499_000, Flags::default(), 499_000));
        assert_eq!(after.take_surplus(), Err(MoneyRefusal::NoSurplus));
        let late = order(Stage::Expired, 0).receive(499_000, 0, 2_000).unwrap().after;
        assert_eq!(
            late.take_surplus().map(|(after, amount)| (after.flags, amount)),
            Ok((Flags::default(), 499_000))
        );
        let part = order(Stage::Pending, 0).receive(99_000, 0, 10).unwrap().after;
        assert_eq!(part.take_surplus(), Err(MoneyRefusal::NoSurplus));
        let off = part.cancel().unwrap();
        assert_eq!((off.stage, off.flags, off.surplus()), (Stage::Cancelled, Flags::OVERPAID, 99_000));
    }

    #[test]
    fn what_is_taken_back_leaves_the_order_as_its_money_says() {
        let paid = order(Stage::Pending, 99_000).receive(400_000, 0, 10).unwrap().after;
        let back = paid.take_back(400_000, 0, 20).unwrap();
        assert_eq!((back.stage, back.paid, back.flags), (Stage::Pending, 99_000, Flags::UNDERPAID));
        assert_eq!(paid.take_back(499_000, 0, 5_000).unwrap().stage, Stage::Expired);
        let twice = paid.receive(1_000, 0, 10).unwrap().after;
        assert_eq!(twice.take_back(1_000, 0, 20).unwrap(), paid);
        let late = order(Stage::Cancelled, 0).receive(5, 0, 10).unwrap().after;
        assert_eq!(late.take_back(5, 0, 20).unwrap(), order(Stage::Cancelled, 0));
    }
}

//! The balances that SePay lists, checked against each other: every change must be explained by the rows between.

/// One listed row of an account, in the order of booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Whole đồng, negative for money out.
    pub(super) change: i64,
    /// The account's balance after it; `None` when the bank says none.
    pub(super) balance: Option<i64>,
}

/// The last balance, and how much of its change since the first balance no row explains. Positive: money came in
/// that SePay does not list. `None` when the rows say fewer than two balances.
///
/// Rows of one second may be listed in another order than they were booked; what one of them seems to lack the next
/// one has too much, so only a gap at the very end can be false, and only until the next row.
pub(super) fn gap(steps: &[Step]) -> (Option<i64>, Option<i64>) {
    let mut known = steps.iter().skip_while(|step| step.balance.is_none());
    let Some(base) = known.next().and_then(|step| step.balance) else { return (None, None) };
    let (mut last, mut explained, mut found) = (base, 0_i64, None);
    for step in known {
        explained = explained.saturating_add(step.change);
        if let Some(balance) = step.balance {
            last = balance;
            found = Some(balance.saturating_sub(base).saturating_sub(explained));
        }
    }
    (Some(last), found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(change: i64, balance: i64) -> Step {
        Step { change, balance: (balance != 0).then_some(balance) }
    }

    #[test]
    fn balances_that_follow_from_the_rows_leave_no_gap() {
        assert_eq!(gap(&[step(10, 110), step(-30, 80), step(5, 0), step(15, 100)]), (Some(100), Some(0)));
    }

    #[test]
    fn a_row_that_is_missing_is_the_gap() {
        assert_eq!(gap(&[step(10, 110), step(15, 175)]), (Some(175), Some(50)));
        assert_eq!(gap(&[step(10, 110), step(15, 75)]), (Some(75), Some(-50)));
    }

    #[test]
    fn rows_out_of_order_mend_each_other() {
        // Booked +30 then +20, listed the other way round.
        let swapped = [step(10, 100), step(20, 150), step(30, 130)];
        assert_ne!(gap(&swapped).1, Some(0));
        assert_eq!(gap(&[&swapped[..], &[step(5, 155)]].concat()).1, Some(0));
    }

    #[test]
    fn a_bank_without_balances_has_no_gap() {
        assert_eq!(gap(&[]), (None, None));
        assert_eq!(gap(&[step(10, 0), step(20, 0)]), (None, None));
        assert_eq!(gap(&[step(10, 110)]), (Some(110), None));
    }
}

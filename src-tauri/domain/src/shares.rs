//! Splitting one price over what it pays for. Nothing is lost to rounding and nothing is made up.

/// `total` whole đồng split in proportion to `weights`, one share each; the shares add up to `total` exactly.
///
/// Rounds down and gives what is left, one đồng each, to the first shares. Weights below 1 count as 1.
/// No weights, no shares.
#[must_use]
pub fn shares(total: i64, weights: &[i64]) -> Vec<i64> {
    let weights: Vec<i128> = weights.iter().map(|weight| i128::from((*weight).max(1))).collect();
    let sum: i128 = weights.iter().sum();
    if sum == 0 {
        return Vec::new();
    }
    let mut shares: Vec<i64> = weights
        .iter()
        .map(|weight| i64::try_from(i128::from(total) * weight / sum).unwrap_or_default())
        .collect();
    let mut left = total - shares.iter().sum::<i64>();
    for share in &mut shares {
        let one = left.signum();
        *share += one;
        left -= one;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bundle_price_is_split_like_the_prices_of_its_courses() {
        assert_eq!(shares(900_000, &[499_000, 799_000, 1_290_000]), [173_532, 277_860, 448_608]);
        assert_eq!(shares(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(shares(2, &[1, 1, 1]), [1, 1, 0]);
        assert_eq!(shares(5, &[]), Vec::<i64>::new());
    }

    proptest! {
        #[test]
        fn shares_add_up_to_the_total(total in 0..=1_000_000_000_000_000_i64, weights in proptest::collection::vec(-3..=2_000_000_000_i64, 1..40)) {
            let shares = shares(total, &weights);
            prop_assert_eq!(shares.len(), weights.len());
            prop_assert_eq!(shares.iter().sum::<i64>(), total);
            prop_assert!(shares.iter().all(|share| *share >= 0));
        }
    }
}
